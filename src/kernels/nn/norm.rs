use gradus_cpu::nn::norm::{self, Group, Part};

use super::{Call, sizes, word};
use crate::kernels::{Kernel, Tolerance, TwinArgs};

/// Invocations that share a group: few groups are in flight at once, so each has many.
const GROUP: u32 = 256;
/// Invocations that share a row.
const ROW: u32 = 64;

/// A group normalisation; see [`group_norm`].
pub static GROUP_NORM: Kernel =
    Kernel::new("group-norm", &["const SIZE = 256u;", include_str!("total.wgsl"), include_str!("group_norm.wgsl")])
        .workgroup(GROUP)
        .twin(group_twin, Tolerance::Near { absolute: 4e-6, relative: 4e-6 });

/// A layer normalisation; see [`layer_norm`].
pub static LAYER_NORM: Kernel =
    Kernel::new("layer-norm", &["const SIZE = 64u;", include_str!("total.wgsl"), include_str!("layer_norm.wgsl")])
        .workgroup(ROW)
        .twin(layer_twin, Tolerance::Near { absolute: 4e-6, relative: 4e-6 });

/// Normalises each group of channels of each picture, or does one of the two [`Part`]s of that. Buffers: first source,
/// second source, scales and then shifts, statistics (read where they are applied), result. Source: Wu and He, 2018.
#[must_use]
pub fn group_norm(shape: &Group) -> Call {
    let params: [u32; 12] = [
        word(shape.rows),
        word(shape.groups),
        word(shape.channels),
        word(shape.first),
        word(shape.widths[0]),
        word(shape.widths[1]),
        word(shape.width),
        shape.silu.into(),
        shape.epsilon.to_bits(),
        shape.part as u32,
        word(shape.chunks.max(1)),
        0,
    ];
    let chunks = shape.chunks.max(1);
    let units = shape.pictures * chunks * shape.groups;
    let elements = shape.rows.div_ceil(chunks) * shape.channels / shape.groups.max(1);
    // Squares are summed, or what is normed is scaled and shifted: two calls of one shape that take different times.
    let each = match shape.part {
        Part::Whole => 8,
        Part::Sums => 3,
        Part::Apply => 5,
    } + 4 * usize::from(shape.silu && !matches!(shape.part, Part::Sums));
    Call::new(&GROUP_NORM, units * GROUP as usize, (elements * each) as f32 / GROUP as f32, &params)
}

/// Normalises each of `rows` rows. Buffers: source, scales and then shifts, result. Source: Ba et al., 2016.
#[must_use]
pub fn layer_norm(rows: usize, channels: usize, width: usize, epsilon: f32) -> Call {
    let params = [word(channels), word(width), epsilon.to_bits(), 0];
    Call::new(&LAYER_NORM, rows * ROW as usize, (channels * 8) as f32 / ROW as f32, &params)
}

fn group_twin(args: TwinArgs<'_, '_>) {
    let Some(p) = sizes::<11>(args.params) else { return };
    let [first, second, affine, statistics, result] = args.buffers else { return };
    let span = args.span.start / GROUP..args.span.end.div_ceil(GROUP);
    let shape = Group {
        pictures: 0,
        rows: p[0],
        groups: p[1],
        channels: p[2],
        first: p[3],
        widths: [p[4], p[5]],
        width: p[6],
        silu: p[7] != 0,
        epsilon: f32::from_bits(word(p[8])),
        part: [Part::Whole, Part::Sums, Part::Apply][p[9].min(2)],
        chunks: p[10],
    };
    let sources = [bytemuck::cast_slice(first), bytemuck::cast_slice(second)];
    let [affine, statistics] = [affine, statistics].map(|words| bytemuck::cast_slice(words));
    norm::group_norm(span, &shape, sources, affine, statistics, bytemuck::cast_slice_mut(result));
}

fn layer_twin(args: TwinArgs<'_, '_>) {
    let Some([channels, width, epsilon]) = sizes(args.params) else { return };
    let [source, affine, result] = args.buffers else { return };
    norm::layer_norm(
        args.span.start / ROW..args.span.end.div_ceil(ROW),
        channels,
        width,
        f32::from_bits(word(epsilon)),
        bytemuck::cast_slice(source),
        bytemuck::cast_slice(affine),
        bytemuck::cast_slice_mut(result),
    );
}
