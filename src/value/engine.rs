use serde::{Deserialize, Serialize};

/// Which kind of engine computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EngineKind {
    /// WebGPU (natively: Vulkan, Metal, DX12).
    Gpu,
    /// The processor.
    Cpu,
}

/// What an engine is, for whoever looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineInfo {
    /// Its kind.
    pub kind: EngineKind,
    /// The adapter's name, or "CPU".
    pub name: String,
    /// Whether a GPU adapter is a software one.
    pub software: bool,
    /// The capability tier: "f32", "packed-f16", "shader-f16"; "relaxed-simd", "simd128" or "scalar" on the CPU.
    pub tier: String,
    /// Bytes that one buffer can have.
    pub largest_buffer: u64,
    /// Why the CPU engine stands in, in one line for the visitor; empty where the GPU computes.
    pub note: String,
}
