//! What a visitor asks a checkpoint for.

use super::schedule::Kind;
use crate::value::{Error, Picture};

/// What to make. [`Pipeline::usual_request`](super::Pipeline::usual_request) has what the checkpoint was made for.
///
/// ```
/// use gradus::Error;
/// use gradus::diffusion::{Pipeline, Request, Start};
/// use gradus::kernels::{Control, Engine};
/// use gradus::ports::Observer;
/// use gradus::value::Picture;
///
/// async fn winter(photo: Picture, model: &Pipeline, engine: &dyn Engine, control: &dyn Control, observer: &dyn Observer)
///     -> Result<Vec<Picture>, Error>
/// {
///     let start = Some(Start { picture: photo, strength: 0.6, mask: None });
///     let request = Request { prompt: "the same in winter".into(), seed: 7, start, ..model.usual_request() };
///     model.generate(&request, engine, control, observer).await
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What is to be seen.
    pub prompt: String,
    /// What is not to be seen; without effect where `guidance` is at most 1. An empty one is diffusers' `None`: where a
    /// checkpoint of SDXL has `force_zeros_for_empty_prompt` it means zeros, not the states of no words.
    pub negative: String,
    /// Width in pixels, a multiple of [`Pipeline::scale`](super::Pipeline::scale).
    pub width: u32,
    /// Height in pixels, a multiple of [`Pipeline::scale`](super::Pipeline::scale).
    pub height: u32,
    /// The noise's seed: the same as PyTorch's on the processor.
    pub seed: u64,
    /// Steps of the sampler.
    pub steps: usize,
    /// How strongly the prompt steers; at most 1 for distilled models, which need no steering.
    pub guidance: f32,
    /// Another sampler than the checkpoint's own.
    pub sampler: Option<Kind>,
    /// How many pictures, made together.
    pub pictures: usize,
    /// Whether brackets in the prompts weigh (`(word:1.2)`) and prompts longer than the text encoder's room are read in
    /// chunks; else brackets are letters, and what is too long is cut off.
    pub emphasis: bool,
    /// Layers of each text encoder that are left out before its end, for the prompt: diffusers' `clip_skip`. SDXL leaves one
    /// more out in any case. The negative prompt is read by all of them, as there.
    pub clip_skip: usize,
    /// A preview comes behind each so many steps, where the observer wants one by then; 0 for none. A slow decoder is asked
    /// less often with more.
    pub preview_every: usize,
    /// What to begin from, instead of noise alone; brought to the size asked for.
    pub start: Option<Start>,
}

/// A picture to begin from.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The picture.
    pub picture: Picture,
    /// How much of it may change: 0 to 1.
    pub strength: f32,
    /// Where it may change: white; without a mask everywhere.
    pub mask: Option<Picture>,
}

/// The most characters of a prompt.
pub const PROMPT_CHARS: usize = 2000;
/// The most pixels of a side.
pub(super) const MOST_SIDE: u32 = 2048;
/// The most pictures made together.
const MOST_PICTURES: usize = 16;

impl Request {
    /// Refuses what no checkpoint with so many pixels to a latent's can make.
    pub(super) fn check(&self, scale: u32) -> Result<(), Error> {
        for (name, side) in [("width", self.width), ("height", self.height)] {
            if side == 0 || side > MOST_SIDE || !side.is_multiple_of(scale) {
                return Err(Error::new(format!(
                    "The {name} of {side} pixels is not possible. Choose a multiple of {scale} up to {MOST_SIDE}."
                )));
            }
        }
        if self.pictures == 0 || self.pictures > MOST_PICTURES {
            return Err(Error::new(format!("Choose 1 to {MOST_PICTURES} pictures.")));
        }
        if !self.guidance.is_finite() {
            return Err(Error::new("The guidance is no number. Choose one from 0 to 20."));
        }
        if self.start.as_ref().is_some_and(|start| !(0.0..=1.0).contains(&start.strength)) {
            return Err(Error::new("The strength is out of range. Choose a number from 0 to 1."));
        }
        for (name, text) in [("prompt", &self.prompt), ("negative prompt", &self.negative)] {
            if text.chars().count() > PROMPT_CHARS {
                return Err(Error::new(format!("The {name} has over {PROMPT_CHARS} characters. Shorten it.")));
            }
        }
        Ok(())
    }
}
