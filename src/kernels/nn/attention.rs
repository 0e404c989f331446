use gradus_cpu::nn::attention::{Shape, attention as compute};

use super::{Call, sizes, word};
use crate::kernels::{Kernel, Tolerance, TwinArgs};

const SOURCE: &str = include_str!("attention.wgsl");
const NEAR: Tolerance = Tolerance::Near { absolute: 2e-6, relative: 2e-6 };

macro_rules! up_to {
    ($name:literal, $vectors:literal) => {
        Kernel::new($name, &[concat!("const MOST = ", $vectors, "u;"), SOURCE]).twin(twin, NEAR)
    };
}

/// An attention, by the most vectors of 4 floats that a head has: an array of a shader has a fixed length, and a
/// shorter one stays in registers. See [`attention`].
pub static ATTENTION: [(usize, Kernel); 4] = [
    (8, up_to!("attention-32", 8)),
    (16, up_to!("attention-64", 16)),
    (40, up_to!("attention-160", 40)),
    (128, up_to!("attention-512", 128)),
];

/// softmax(q · kᵀ · scale) · v for each head; none when a head has more than 512 channels.
///
/// Buffers: queries (rows of heads × size floats), keys and values (rows of heads × size keys and then as many values),
/// result as the queries. Source: Vaswani et al., 2017.
#[must_use]
pub fn attention(shape: &Shape) -> Option<Call> {
    let vectors = shape.size / 4;
    let (_, kernel) = ATTENTION.iter().find(|(most, _)| vectors <= *most)?;
    let params: [u32; 8] = [
        word(shape.heads),
        word(vectors),
        word(shape.queries),
        word(shape.keys),
        shape.scale.to_bits(),
        shape.causal.into(),
        0,
        0,
    ];
    let items = shape.pictures * shape.heads * shape.queries;
    Some(Call::new(kernel, items, (4 * shape.size * shape.keys) as f32, &params))
}

fn twin(args: TwinArgs<'_, '_>) {
    let Some([heads, vectors, queries, keys, scale, causal]) = sizes(args.params) else { return };
    let [from, pairs, result] = args.buffers else { return };
    let scale = f32::from_bits(word(scale));
    let shape = Shape { pictures: 0, heads, size: vectors * 4, queries, keys, scale, causal: causal != 0 };
    compute(
        args.span,
        &shape,
        bytemuck::cast_slice(from),
        bytemuck::cast_slice(pairs),
        bytemuck::cast_slice_mut(result),
    );
}
