use std::borrow::Cow;

use gradus_cpu::nn::conv::{COLUMNS, ROWS, Shape, conv as compute};

use super::{Call, half, sizes, word};
use crate::kernels::{Kernel, Tolerance, TwinArgs};

const SOURCE: &str = include_str!("conv.wgsl");
const NEAR: Tolerance = Tolerance::Near { absolute: 2e-6, relative: 2e-6 };

/// A product or a convolution; see [`conv`].
pub static CONV: Kernel =
    Kernel::new("conv", &["const HALVES = false;", include_str!("activation.wgsl"), SOURCE]).twin(twin, NEAR);

/// The same with weights that are halves.
pub static CONV_HALVES: Kernel =
    Kernel::new("conv-halves", &["const HALVES = true;", include_str!("activation.wgsl"), SOURCE])
        .twin(halves_twin, NEAR);

/// The result of a product or a convolution with bias, an added tensor and an activation.
///
/// Buffers: first source, second source, packed weights (`halves`: two in a word), added tensor, result; layouts as in
/// [`gradus_cpu::nn::conv`], where an item is a block of rows × a panel of columns.
#[must_use]
pub fn conv(shape: &Shape, halves: bool) -> Call {
    let [height, width] = shape.source;
    let vectors = |floats: usize| word(floats / 4);
    let params: [u32; 20] = [
        word(shape.rows),
        word(shape.blocks()),
        word(shape.panels),
        vectors(shape.width),
        word(height),
        word(width),
        word(shape.result[0]),
        word(shape.result[1]),
        word(shape.kernel[0]),
        word(shape.kernel[1]),
        word(shape.stride),
        word(shape.upsample),
        word(shape.padding[0]),
        word(shape.padding[1]),
        vectors(shape.channels[0]),
        vectors(shape.channels[1]),
        shape.activation,
        word(shape.add_rows),
        0,
        0,
    ];
    let cost = 2 * ROWS * COLUMNS * shape.depth().max(1);
    Call::new(if halves { &CONV_HALVES } else { &CONV }, shape.blocks() * shape.panels, cost as f32, &params)
}

fn twin(args: TwinArgs<'_, '_>) {
    run(args, |words| Cow::Borrowed(bytemuck::cast_slice(words)));
}

/// The processor's own weights are never halves; this is for the shader's tests.
fn halves_twin(args: TwinArgs<'_, '_>) {
    let both = |&word: &u32| [half::to_f32(word as u16), half::to_f32((word >> 16) as u16)];
    run(args, |words| Cow::Owned(words.iter().flat_map(both).collect()));
}

fn run(args: TwinArgs<'_, '_>, unpack: impl Fn(&[u32]) -> Cow<'_, [f32]>) {
    let Some(p) = sizes::<18>(args.params) else { return };
    let shape = Shape {
        rows: p[0],
        panels: p[2],
        width: p[3] * 4,
        source: [p[4], p[5]],
        result: [p[6], p[7]],
        kernel: [p[8], p[9]],
        stride: p[10],
        upsample: p[11],
        padding: [p[12], p[13]],
        channels: [p[14] * 4, p[15] * 4],
        activation: word(p[16]),
        add_rows: p[17],
    };
    let [first, second, weights, added, result] = args.buffers else { return };
    let sources = [bytemuck::cast_slice(first), bytemuck::cast_slice(second)];
    let (added, result) = (bytemuck::cast_slice(added), bytemuck::cast_slice_mut(result));
    compute(args.span, &shape, sources, &unpack(weights), added, result);
}
