//! Gradus: a Gradio-style app wholly in the visitor's browser.

pub mod ids;
pub mod imagegen;
pub mod kernels;
pub mod ports;
pub mod value;

pub use value::{Error, Picture};
