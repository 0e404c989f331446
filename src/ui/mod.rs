//! What the visitor sees: Leptos views over the conductor's plain data.
//!
//! May name `runtime`, `blocks`, `value` and `ids`, and `leptos` and `web_sys`. Views hold markup and events; what can
//! be decided without a page is in [`model`] and tested natively. No text ever becomes HTML: all of it goes into text
//! nodes.

pub mod model;
#[cfg(not(all(target_arch = "wasm32", feature = "pictures")))]
mod nowhere;
#[cfg(target_arch = "wasm32")]
mod view;

#[cfg(target_arch = "wasm32")]
pub use view::{mount, show_build_errors};
