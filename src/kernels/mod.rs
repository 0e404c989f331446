//! Compute as data: a [`Recording`] lists dispatches of [`Kernel`]s over [`Buffer`]s, and an [`Engine`] runs it.
//!
//! PURE. May name `value` and `crates/cpu`. Each kernel is a `.wgsl` file, a wrapper of the same name, a CPU twin
//! and a tolerance; the table of all is [`ALL`]. [`cpu`] is the engine that runs the twins; the other one is `gpu`.
//!
//! **The span.** A dispatch is a one-dimensional run of `items`. An engine may cut it into spans and submit them one
//! after the other, so that no submit is long and a cancel gets through; what a kernel computes for an item must not
//! depend on the cut, and a cut is at a multiple of the kernel's workgroup, so that its invocations may work together.
//! Every kernel therefore begins with the shared file `span.wgsl` (bound by the engine, group 0,
//! binding 0) and asks it for its item.

mod buffer;
pub mod cpu;
mod engine;
pub mod flame;
mod kernel;
pub mod nn;
pub mod reaction;
mod recording;
pub mod scene;

pub use buffer::{Buffer, BufferId};
pub use engine::{Control, Engine, EngineError};
pub use kernel::{Kernel, Tolerance, Twin, TwinArgs};
pub use recording::{Command, Dispatch, Recording};

pub use crate::value::{EngineInfo, EngineKind};

/// Every kernel of this crate; tests validate each shader and compare each with its twin.
pub static ALL: &[&Kernel] = &[
    &scene::TRACE,
    &scene::RESOLVE,
    &flame::WALK,
    &flame::SINGLE,
    &flame::TONE,
    &reaction::STEP,
    &reaction::SHADE,
    &nn::CONV[0].kernels[0],
    &nn::CONV[0].kernels[1],
    &nn::CONV[0].kernels[2],
    &nn::CONV[1].kernels[0],
    &nn::CONV[1].kernels[1],
    &nn::CONV[1].kernels[2],
    &nn::CONV[2].kernels[0],
    &nn::CONV[2].kernels[1],
    &nn::CONV[2].kernels[2],
    &nn::CONV[3].kernels[0],
    &nn::CONV[3].kernels[1],
    &nn::CONV[3].kernels[2],
    &nn::CONV[4].kernels[0],
    &nn::CONV[4].kernels[1],
    &nn::CONV[4].kernels[2],
    &nn::CONV[5].kernels[0],
    &nn::CONV[5].kernels[1],
    &nn::CONV[5].kernels[2],
    &nn::GROUP_NORM,
    &nn::LAYER_NORM,
    &nn::ATTENTION[0].kernel,
    &nn::ATTENTION[1].kernel,
    &nn::ATTENTION[2].kernel,
    &nn::ATTENTION[3].kernel,
    &nn::ATTENTION[4].kernel,
    &nn::ATTENTION[5].kernel,
    &nn::ATTENTION[6].kernel,
    &nn::ATTENTION[7].kernel,
    &nn::ATTENTION[8].kernel,
    &nn::ATTENTION[9].kernel,
    &nn::COMBINE,
    &nn::SQUASH,
    &nn::BLEND,
    &nn::FINITE,
    &nn::PIXELS,
];
