//! Fractal flames: walkers that count in a histogram, and the tone map.

use gradus_cpu::flame as cpu;

use super::{Kernel, Tolerance, TwinArgs};

/// The parameters of all three kernels, as their uniform.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Uniform {
    whole: [u32; 6],
    broken: [f32; 5],
    unused: u32,
}

impl Uniform {
    /// The uniform of these parameters.
    #[must_use]
    pub fn of(p: cpu::Params) -> Self {
        Self {
            whole: [p.width, p.height, p.transforms, p.seed, p.steps, p.warm_up],
            broken: [p.scale, p.centre_x, p.centre_y, p.exposure, p.brightness],
            unused: 0,
        }
    }

    fn params(self) -> cpu::Params {
        let [width, height, transforms, seed, steps, warm_up] = self.whole;
        let [scale, centre_x, centre_y, exposure, brightness] = self.broken;
        cpu::Params {
            width,
            height,
            transforms,
            seed,
            steps,
            warm_up,
            scale,
            centre_x,
            centre_y,
            exposure,
            brightness,
            unused: 0,
        }
    }
}

const PARAMS: &str = include_str!("params.wgsl");
const RANDOM: &str = include_str!("../random.wgsl");
const WALKER: &str = include_str!("walker.wgsl");

/// Walks. Items: walkers. Buffers: transforms ([`cpu::TRANSFORM_FLOATS`] `f32` each), palette
/// ([`cpu::PALETTE`] packed RGB), histogram (4 `u32` a pixel). Its tolerance is of no use beyond one step, since the
/// maps are chaotic: [`SINGLE`] is what is compared.
pub static WALK: Kernel =
    Kernel::new("flame-walk", &[RANDOM, PARAMS, WALKER, include_str!("walk.wgsl")]).twin(walk, Tolerance::Exact);

/// One step of each walker. Items: walkers. Buffers: transforms, and places (3 `f32` a walker: x, y, colour).
/// The tolerance is what WGSL allows sine and cosine (2^-11 each), grown by a variation's radius.
pub static SINGLE: Kernel = Kernel::new("flame-single", &[RANDOM, PARAMS, WALKER, include_str!("single.wgsl")])
    .twin(single, Tolerance::Near { absolute: 4e-3, relative: 1e-3 });

/// Tone-maps. Items: pixels. Buffers: histogram, pixels (one packed RGBA `u32` each).
pub static TONE: Kernel =
    Kernel::new("flame-tone", &[PARAMS, include_str!("tone.wgsl")]).twin(tone, Tolerance::Bytes(1));

fn params(args: &TwinArgs<'_, '_>) -> Option<cpu::Params> {
    bytemuck::try_pod_read_unaligned::<Uniform>(args.params).ok().map(Uniform::params)
}

fn walk(args: TwinArgs<'_, '_>) {
    let Some(params) = params(&args) else { return };
    if let [transforms, palette, histogram] = args.buffers {
        cpu::walk(args.span, &params, bytemuck::cast_slice(transforms), palette, histogram);
    }
}

fn single(args: TwinArgs<'_, '_>) {
    let Some(params) = params(&args) else { return };
    if let [transforms, places] = args.buffers {
        cpu::single(args.span, &params, bytemuck::cast_slice(transforms), bytemuck::cast_slice_mut(places));
    }
}

fn tone(args: TwinArgs<'_, '_>) {
    let Some(params) = params(&args) else { return };
    if let [histogram, pixels] = args.buffers {
        cpu::tone(args.span, &params, histogram, pixels);
    }
}
