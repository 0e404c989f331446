//! The only wgpu code: finds an adapter, opens a device, and runs recordings on it.
//!
//! May name `kernels` and `value`. [`probe`] looks for an adapter and says what it is; [`Probe::open`] makes the
//! [`GpuEngine`]. Nothing here knows what the kernels compute.

mod adapter;
mod engine;
mod lost;
mod pipelines;
mod submit;

pub use adapter::{NoGpu, Probe, probe};
pub use engine::GpuEngine;
pub use submit::SUBMIT;
