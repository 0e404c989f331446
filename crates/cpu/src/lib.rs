//! Gradus' CPU kernels: plain slices in, plain slices out.
//!
//! A package of its own so that it is compiled for speed (`opt-level = 3`) while the rest of the page is
//! compiled for size. Nothing here knows of engines, buffers or browsers. Each module is the twin of the shaders of
//! the same name, function by function, and is what runs where there is no GPU.

pub mod elementary;
pub mod flame;
pub mod nn;
pub mod reaction;
pub mod resample;
pub mod scene;
mod vector;

/// Whether the kernels were compiled for wasm's 128-bit vectors or a native processor's.
pub const SIMD: bool = cfg!(any(target_feature = "simd128", target_feature = "sse2", target_feature = "neon"));

/// PCG's output permutation (O'Neill, 2014) as a hash of one word.
#[must_use]
pub fn hash(word: u32) -> u32 {
    let state = word.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let mixed = ((state >> ((state >> 28) + 4)) ^ state).wrapping_mul(277_803_737);
    (mixed >> 22) ^ mixed
}

/// The upper 24 bits as a number from 0 to below 1.
#[must_use]
pub fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}
