//! Gray–Scott reaction and diffusion: a step, and the relief.

use gradus_cpu::reaction as cpu;

use super::{Kernel, Tolerance, TwinArgs};

/// The parameters of both kernels, as their uniform.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Uniform {
    sizes: [u32; 4],
    rates: [f32; 4],
    palette: [[f32; 4]; 4],
}

impl Uniform {
    /// The uniform of these parameters.
    #[must_use]
    pub fn of(p: cpu::Params) -> Self {
        Self {
            sizes: [p.width, p.height, p.picture_width, p.picture_height],
            rates: [p.feed, p.kill, p.spread, p.phase],
            palette: [p.middle, p.swing, p.pace, p.start],
        }
    }

    fn params(self) -> cpu::Params {
        let [width, height, picture_width, picture_height] = self.sizes;
        let [feed, kill, spread, phase] = self.rates;
        let [middle, swing, pace, start] = self.palette;
        cpu::Params {
            width,
            height,
            picture_width,
            picture_height,
            feed,
            kill,
            spread,
            phase,
            middle,
            swing,
            pace,
            start,
        }
    }
}

const PARAMS: &str = include_str!("params.wgsl");

/// One step. Items: cells, row by row. Buffers: the old grid and the new one (2 `f32` a cell: U, V).
pub static STEP: Kernel = Kernel::new("reaction-step", &[PARAMS, include_str!("step.wgsl")])
    .twin(step, Tolerance::Near { absolute: 1e-6, relative: 1e-5 });

/// The relief. Items: pixels. Buffers: a grid, pixels (one packed RGBA `u32` each).
pub static SHADE: Kernel =
    Kernel::new("reaction-shade", &[PARAMS, include_str!("shade.wgsl")]).twin(shade, Tolerance::Bytes(1));

fn params(args: &TwinArgs<'_, '_>) -> Option<cpu::Params> {
    bytemuck::try_pod_read_unaligned::<Uniform>(args.params).ok().map(Uniform::params)
}

fn step(args: TwinArgs<'_, '_>) {
    let Some(params) = params(&args) else { return };
    if let [old, new] = args.buffers {
        cpu::step(args.span, &params, bytemuck::cast_slice(old), bytemuck::cast_slice_mut(new));
    }
}

fn shade(args: TwinArgs<'_, '_>) {
    let Some(params) = params(&args) else { return };
    if let [grid, pixels] = args.buffers {
        cpu::shade(args.span, &params, bytemuck::cast_slice(grid), pixels);
    }
}
