//! Neural-network kernels over channels-last `f32` tensors.
//!
//! A tensor is a matrix of *rows* (batch × height × width, or batch × tokens) and *channels*, the channels next to
//! each other. Its width in memory is the channel count rounded up to 4, and what is beyond the last channel is 0:
//! so every kernel reads whole vectors, whatever the channel count.

pub mod attention;
pub mod blocks;
pub mod conv;
pub mod half;
mod lanes;
pub mod math;
#[cfg(test)]
mod naive;
pub mod norm;
pub mod pointwise;
mod product;
pub mod relaxed;
mod winograd;
