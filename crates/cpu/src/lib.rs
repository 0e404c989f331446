//! Gradus' CPU kernels: plain slices in, plain slices out.
//!
//! A package of its own so that it is compiled for speed (`opt-level = 3`) while the rest of the page is
//! compiled for size. Nothing here knows of engines, buffers or browsers.
