use std::ops::Range;

/// How far a kernel's GPU result may be from its twin's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// Every word is the same.
    Exact,
    /// Each `f32` is within `absolute + relative × |twin|`.
    Near {
        /// The absolute part.
        absolute: f32,
        /// The relative part.
        relative: f32,
    },
    /// Each of a word's four bytes is within this much.
    Bytes(u8),
}

/// A kernel's CPU twin: computes the items of [`TwinArgs::span`].
pub type Twin = fn(TwinArgs<'_, '_>);

/// What a twin works on; the same as the WGSL sees.
pub struct TwinArgs<'a, 'b> {
    /// The items to compute.
    pub span: Range<u32>,
    /// The bytes of the dispatch's parameters (group 0, binding 1).
    pub params: &'a [u8],
    /// The buffers in the order of the dispatch, as 32-bit words; use `bytemuck::cast_slice` for `f32`.
    /// The same buffer is never bound twice.
    pub buffers: &'a mut [&'b mut [u32]],
}

/// A compute kernel: WGSL, and a CPU twin where there is one.
///
/// Bindings of group 0: 0 is the span (see [`crate::kernels`]), 1 a uniform struct with the dispatch's parameters,
/// 2 and up the storage buffers in the order of the dispatch. The entry point is `main`, one-dimensional, with the
/// workgroup size given here.
///
/// ```
/// use gradus::kernels::Kernel;
/// static DOUBLE: Kernel = Kernel::new("double", &["
///     struct Params { factor: f32 }
///     @group(0) @binding(1) var<uniform> params: Params;
///     @group(0) @binding(2) var<storage, read_write> data: array<f32>;
///
///     @compute @workgroup_size(64)
///     fn main(@builtin(global_invocation_id) id: vec3<u32>) {
///         let item = span_item(id);
///         if item < span_end() { data[item] *= params.factor; }
///     }
/// "]);
/// assert!(DOUBLE.wgsl().contains("fn span_item"));
/// ```
pub struct Kernel {
    /// The name, unique in the app; shown in errors.
    pub name: &'static str,
    /// WGSL sources, joined in this order behind `span.wgsl`.
    pub sources: &'static [&'static str],
    /// Invocations of a workgroup, equal to the shader's `@workgroup_size`; 64 unless set.
    pub workgroup: u32,
    /// The CPU twin; an author's kernel may have none and then needs WebGPU.
    pub twin: Option<Twin>,
    /// How far GPU and twin may be apart.
    pub tolerance: Tolerance,
}

impl Kernel {
    /// A kernel of 64 invocations a workgroup, without a twin.
    #[must_use]
    pub const fn new(name: &'static str, sources: &'static [&'static str]) -> Self {
        Self { name, sources, workgroup: 64, twin: None, tolerance: Tolerance::Exact }
    }

    /// Sets the invocations of a workgroup.
    #[must_use]
    pub const fn workgroup(mut self, size: u32) -> Self {
        self.workgroup = size;
        self
    }

    /// Gives the CPU twin and how far the GPU may be from it.
    #[must_use]
    pub const fn twin(mut self, twin: Twin, tolerance: Tolerance) -> Self {
        self.twin = Some(twin);
        self.tolerance = tolerance;
        self
    }

    /// Whether the shader computes with halves, so that only an engine of the tier "shader-f16" can run it.
    #[must_use]
    pub fn needs_halves(&self) -> bool {
        self.sources.first().is_some_and(|first| first.starts_with("enable f16"))
    }

    /// The whole shader: `span.wgsl`, then the sources. A first source that is a directive stands before both.
    #[must_use]
    pub fn wgsl(&self) -> String {
        let (directives, sources) = match self.sources {
            [first, rest @ ..] if first.starts_with("enable ") => (*first, rest),
            all => ("", all),
        };
        let mut text = [directives, include_str!("span.wgsl")].concat();
        for source in sources {
            text.push('\n');
            text.push_str(source);
        }
        text
    }

    /// The same for a device with subgroups: where a workgroup adds up, it does so by them. In a browser, for which wgpu has
    /// no subgroups, nothing calls it, so that no page downloads its text.
    #[must_use]
    pub fn wgsl_by_subgroups(&self) -> String {
        self.wgsl().replace(include_str!("nn/total.wgsl"), include_str!("nn/total_subgroups.wgsl"))
    }
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kernel({})", self.name)
    }
}
