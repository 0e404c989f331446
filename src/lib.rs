//! Gradus: a Gradio-style app wholly in the visitor's browser.

pub mod blocks;
#[cfg(target_arch = "wasm32")]
pub mod browser;
pub mod gpu;
pub mod ids;
pub mod imagegen;
pub mod kernels;
mod launch;
pub mod ports;
pub mod queue;
pub mod runtime;
pub mod ui;
pub mod value;
pub mod wire;
pub mod worker;

pub use launch::launch;
pub use value::{Error, Picture};

/// What an app's source needs, in one `use`.
pub mod prelude {
    pub use crate::blocks::{
        Blocks, Button, Checkbox, Context, Dropdown, Gallery, Image, Markdown, Number, Slider, Textbox, Ui, Variant,
    };
    pub use crate::value::{Error, Picture, Progress, Value};
}
