use gradus_cpu::nn::pointwise::{self, Behind, Combination};

use super::{Call, sizes, word};
use crate::kernels::{Kernel, Tolerance, TwinArgs};

/// A weighted sum; see [`combine`].
pub static COMBINE: Kernel = Kernel::new("combine", &[include_str!("combine.wgsl")])
    .twin(combine_twin, Tolerance::Near { absolute: 1e-6, relative: 1e-6 });

/// A soft limit; see [`squash`].
pub static SQUASH: Kernel = Kernel::new("squash", &[include_str!("squash.wgsl")])
    .twin(squash_twin, Tolerance::Near { absolute: 2e-6, relative: 2e-6 });

/// A picture kept behind a mask; see [`blend`].
pub static BLEND: Kernel = Kernel::new("blend", &[include_str!("blend.wgsl")])
    .twin(blend_twin, Tolerance::Near { absolute: 1e-6, relative: 1e-6 });

/// A decoded picture's pixels; see [`pixels`].
pub static PIXELS: Kernel =
    Kernel::new("pixels", &[include_str!("pixels.wgsl")]).twin(pixels_twin, Tolerance::Bytes(1));

/// The sum that a [`Combination`] says, for each of `items` numbers. Buffers: five terms, the result.
#[must_use]
pub fn combine(items: usize, what: &Combination) -> Call {
    let [f0, f1, f2, f3, f4] = what.factors.map(f32::to_bits);
    let [p0, p1, p2, p3, p4] = what.periods.map(word);
    let (pair_factor, clip) = (what.pair_factor.to_bits(), what.clip.to_bits());
    let params: [u32; 16] = [f0, f1, f2, f3, p0, p1, p2, p3, f4, pair_factor, clip, p4, word(what.pair), 0, 0, 0];
    Call::new(&COMBINE, items, 10.0, &params)
}

/// tanh(x / limit) · limit of `items` numbers. Buffers: source, result.
#[must_use]
pub fn squash(items: usize, limit: f32) -> Call {
    Call::new(&SQUASH, items, 20.0, &[limit.to_bits(), 0, 0, 0])
}

/// Packed RGBA of `items` pixels of `width` floats each, red first; x · scale + shift is 0 to 1. Buffers: source,
/// result (one `u32` a pixel).
#[must_use]
pub fn pixels(items: usize, width: usize, scale: f32, shift: f32) -> Call {
    Call::new(&PIXELS, items, 20.0, &[word(width), scale.to_bits(), shift.to_bits(), 0])
}

/// mask · sample + (1 − mask) · (picture and noise) of `items` numbers. Buffers: sample, picture, noise, mask, result.
#[must_use]
pub fn blend(items: usize, behind: Behind) -> Call {
    Call::new(&BLEND, items, 6.0, &[behind.picture.to_bits(), behind.noise.to_bits(), 0, 0])
}

fn float(size: usize) -> f32 {
    f32::from_bits(word(size))
}

fn combine_twin(args: TwinArgs<'_, '_>) {
    let Some(p) = sizes::<13>(args.params) else { return };
    let [a, b, c, d, e, result] = args.buffers else { return };
    let what = Combination {
        factors: [p[0], p[1], p[2], p[3], p[8]].map(float),
        periods: [p[4], p[5], p[6], p[7], p[11]],
        pair: p[12],
        pair_factor: float(p[9]),
        clip: float(p[10]),
    };
    let terms: [&[f32]; 5] = [&**a, &**b, &**c, &**d, &**e].map(bytemuck::cast_slice);
    pointwise::combine(args.span, &what, terms, bytemuck::cast_slice_mut(result));
}

fn blend_twin(args: TwinArgs<'_, '_>) {
    let (Some([picture, noise]), [a, b, c, d, result]) = (sizes(args.params), args.buffers) else { return };
    let behind = Behind { picture: float(picture), noise: float(noise) };
    let terms: [&[f32]; 4] = [&**a, &**b, &**c, &**d].map(bytemuck::cast_slice);
    pointwise::blend(args.span, behind, terms, bytemuck::cast_slice_mut(result));
}

fn squash_twin(args: TwinArgs<'_, '_>) {
    let (Some([limit]), [source, result]) = (sizes(args.params), args.buffers) else { return };
    pointwise::squash(args.span, float(limit), bytemuck::cast_slice(source), bytemuck::cast_slice_mut(result));
}

fn pixels_twin(args: TwinArgs<'_, '_>) {
    let (Some([width, scale, shift]), [source, result]) = (sizes(args.params), args.buffers) else { return };
    pointwise::pixels(args.span, width, float(scale), float(shift), bytemuck::cast_slice(source), result);
}
