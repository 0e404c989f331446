//! Ray-marched scenes: one camera sample a pixel, and the tone map.

use gradus_cpu::scene as cpu;

use super::{Kernel, Tolerance, TwinArgs};

/// The parameters of both kernels, as their uniform.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Uniform {
    head: [u32; 8],
    camera: [[f32; 4]; 4],
}

impl Uniform {
    /// The uniform of these parameters.
    #[must_use]
    pub fn of(p: cpu::Params) -> Self {
        Self {
            head: [p.width, p.height, p.sample, p.objects, p.seed, p.sky, p.ground, p.samples],
            camera: [p.eye, p.right, p.up, p.forward],
        }
    }

    fn params(self) -> cpu::Params {
        let [width, height, sample, objects, seed, sky, ground, samples] = self.head;
        let [eye, right, up, forward] = self.camera;
        cpu::Params { width, height, sample, objects, seed, sky, ground, samples, eye, right, up, forward }
    }
}

const PARAMS: &str = include_str!("params.wgsl");
const RANDOM: &str = include_str!("../random.wgsl");

/// Adds one camera sample to each pixel. Items: pixels, row by row. Buffers: the objects
/// ([`cpu::OBJECT_FLOATS`] `f32` each), and the sums (4 `f32` a pixel: linear RGB and weight).
pub static TRACE: Kernel = Kernel::new(
    "scene-trace",
    &[
        RANDOM,
        PARAMS,
        include_str!("light.wgsl"),
        include_str!("shapes.wgsl"),
        include_str!("surface.wgsl"),
        include_str!("trace.wgsl"),
    ],
)
.twin(trace, Tolerance::Near { absolute: 0.02, relative: 0.02 });

/// Tone-maps sums to packed RGBA. Items: pixels. Buffers: the sums, and the pixels (one `u32` each, R lowest).
pub static RESOLVE: Kernel =
    Kernel::new("scene-resolve", &[PARAMS, include_str!("resolve.wgsl")]).twin(resolve, Tolerance::Bytes(1));

fn params(args: &TwinArgs<'_, '_>) -> Option<cpu::Params> {
    bytemuck::try_pod_read_unaligned::<Uniform>(args.params).ok().map(Uniform::params)
}

fn trace(args: TwinArgs<'_, '_>) {
    let Some(params) = params(&args) else { return };
    if let [objects, sums] = args.buffers {
        cpu::trace(args.span, &params, bytemuck::cast_slice(objects), bytemuck::cast_slice_mut(sums));
    }
}

fn resolve(args: TwinArgs<'_, '_>) {
    let Some(params) = params(&args) else { return };
    if let [sums, pixels] = args.buffers {
        cpu::resolve(args.span, &params, bytemuck::cast_slice(sums), pixels);
    }
}
