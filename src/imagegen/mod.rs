//! Image generators that need no network weights: each turns a prompt into a picture through kernels.
//!
//! PURE. May name `kernels`, `ports`, `value` and `crates/unicode`. A generator takes the engine, the control and the observer as
//! arguments, so it runs the same natively, in a page's worker and in a test. What the CPU computes is in
//! `crates/cpu`; the kernels' shaders and wrappers are in `kernels`.

pub mod flame;
mod palette;
mod random;
pub mod reaction;
pub mod scene;

pub use crate::ports::Observer;

use crate::value::{Error, Picture};

/// How much work a picture is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Preset {
    /// A sketch, for slow machines.
    Low,
    /// Good to look at.
    Middle,
    /// As good as the generator can.
    High,
}

/// What to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The visitor's words; any text, also an empty one.
    pub prompt: String,
    /// Width in pixels, any integer in [`Request::SIDES`].
    pub width: u32,
    /// Height in pixels, any integer in [`Request::SIDES`].
    pub height: u32,
    /// Equal requests with equal seeds give equal bytes on one adapter.
    pub seed: u64,
    /// How much work.
    pub preset: Preset,
}

impl Request {
    /// The sides that a picture may have, in pixels.
    pub const SIDES: std::ops::RangeInclusive<u32> = 64..=2048;

    /// How many characters of a prompt are read at the most.
    pub const PROMPT_CHARS: usize = 2000;

    /// Refuses what cannot be made.
    ///
    /// # Errors
    /// A message for the visitor about the size or the prompt's length.
    ///
    /// ```
    /// use gradus::imagegen::{Preset, Request};
    /// let request = Request { prompt: "a red cube".into(), width: 63, height: 64, seed: 1, preset: Preset::Low };
    /// assert!(request.check().is_err());
    /// ```
    pub fn check(&self) -> Result<(), Error> {
        let (low, high) = (Self::SIDES.start(), Self::SIDES.end());
        for (name, side) in [("width", self.width), ("height", self.height)] {
            if !Self::SIDES.contains(&side) {
                return Err(Error::new(format!(
                    "The {name} of {side} pixels is out of range. Choose a whole number from {low} to {high}."
                )));
            }
        }
        let chars = self.prompt.chars().count();
        if chars > Self::PROMPT_CHARS {
            return Err(Error::new(format!(
                "The prompt has {chars} characters; at most {} are read. Shorten it.",
                Self::PROMPT_CHARS
            )));
        }
        Ok(())
    }
}

/// Packed RGBA words (R in the lowest byte), rows from the top, as a picture.
///
/// # Errors
/// When the length does not fit the sides.
pub fn to_picture(width: u32, height: u32, mut words: Vec<u32>) -> Result<Picture, Error> {
    words.truncate(width as usize * height as usize);
    let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    Picture::from_rgba(width, height, bytes).map_err(|error| Error::new(error.to_string()))
}
