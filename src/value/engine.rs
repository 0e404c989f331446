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
    /// The capability tier: "packed-f16" (weights may be halves, numbers are computed as floats) or "shader-f16" (they may
    /// be computed as halves, too); "relaxed-simd", "simd128" or "scalar"
    /// on the CPU.
    pub tier: String,
    /// Bytes that one buffer can have.
    pub largest_buffer: u64,
    /// Why the CPU engine stands in, in one line for the visitor; empty where the GPU computes.
    pub note: String,
}

impl EngineInfo {
    /// The tier of an engine whose shaders may compute with halves.
    pub(crate) const HALVES: &str = "shader-f16";

    /// Whether its shaders may compute with halves.
    #[must_use]
    pub fn halves(&self) -> bool {
        self.tier == Self::HALVES
    }
}
