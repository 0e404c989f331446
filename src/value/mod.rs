//! Typed payloads: what components hold, what handlers take and return, what travels between page and worker.
//!
//! PURE. May not name any other module of ours.

mod engine;
mod error;
mod picture;
mod progress;
mod sorted;
mod text;
mod time;
mod words;

pub use engine::{EngineInfo, EngineKind};
pub use error::{Error, ErrorKind};
pub use picture::{Picture, PictureError, add_texts};
pub use progress::{ChainLink, NoteLevel, Progress};
pub use sorted::{SortedMap, SortedSet};
pub use text::{cut, holds, order};
pub use time::Time;
pub use words::{decimal, tenths};

use serde::{Deserialize, Serialize};

/// What a component holds. A component's type says which variants it takes.
///
/// ```
/// use gradus::value::Value;
/// assert_eq!(Value::Text("a cat".into()), Value::from("a cat"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Nothing yet: an image that was not made, a number that was not typed.
    #[default]
    Null,
    /// Text of a Textbox, a Dropdown's choice, Markdown's source.
    Text(String),
    /// A Number's or a Slider's value; finite.
    Number(f64),
    /// A Checkbox's state.
    Bool(bool),
    /// An Image's picture.
    Picture(Picture),
    /// A Gallery's pictures, first to last.
    Gallery(Vec<Picture>),
    /// New choices for a Dropdown, and the one that it stands at.
    Choices(Vec<String>, String),
}

impl Value {
    /// What to call this kind of value in a message to an author.
    ///
    /// ```
    /// assert_eq!(gradus::value::Value::Bool(true).kind(), "a yes or no");
    /// ```
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Text(_) => "a text",
            Self::Number(_) => "a number",
            Self::Bool(_) => "a yes or no",
            Self::Picture(_) => "a picture",
            Self::Gallery(_) => "pictures",
            Self::Choices(..) => "choices",
        }
    }

    /// About how many bytes it takes, in memory as when stored.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// let picture = Picture::from_rgba(2, 3, vec![0; 24]).unwrap();
    /// assert_eq!(Value::Gallery(vec![picture.clone(), picture]).bytes(), 48);
    /// ```
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Null | Self::Number(_) | Self::Bool(_) => 8,
            Self::Text(text) => text.len(),
            Self::Picture(picture) => picture.rgba().len(),
            Self::Gallery(pictures) => pictures.iter().map(|picture| picture.rgba().len()).sum(),
            Self::Choices(all, _) => all.iter().map(String::len).sum(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
