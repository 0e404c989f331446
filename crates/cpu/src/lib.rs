//! Gradus' CPU kernels: plain slices in, plain slices out.
//!
//! A package of its own so that it is compiled for speed (`opt-level = 3`) while the rest of the page is
//! compiled for size. Nothing here knows of engines, buffers or browsers.

/// Whether the kernels were compiled for wasm's 128-bit vectors or a native processor's.
pub const SIMD: bool = cfg!(any(target_feature = "simd128", target_feature = "sse2", target_feature = "neon"));
