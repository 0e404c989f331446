use gradus_cpu::nn::attention::{Shape, attention as compute};

use super::{Call, sizes, word};
use crate::kernels::{Kernel, Tolerance, TwinArgs};

const PARAMS: &str = include_str!("attention_params.wgsl");
const NEAR: Tolerance = Tolerance::Near { absolute: 2e-6, relative: 2e-6 };

/// An attention for heads of some size.
pub struct Variant {
    /// The most vectors of 4 floats that a head has: what a shader keeps in registers has a fixed length.
    most: usize,
    /// Queries of a workgroup; 0 where an invocation is a query and shares nothing.
    queries: usize,
    /// What runs.
    pub kernel: Kernel,
}

macro_rules! alone {
    ($name:literal, most $most:literal, size $size:literal) => {
        Variant {
            most: $most,
            queries: 0,
            kernel: Kernel::new(
                $name,
                &[
                    concat!("const MOST = ", $most, "u; const SIZE = ", $size, "u;"),
                    PARAMS,
                    include_str!("attention.wgsl"),
                ],
            )
            .workgroup($size)
            .twin(twin, NEAR),
        }
    };
}

macro_rules! shared {
    ($name:literal, most $most:literal, fours $fours:literal) => {
        Variant {
            most: $most,
            queries: 64,
            kernel: Kernel::new(
                $name,
                &[concat!("const FOURS = ", $fours, "u;"), PARAMS, include_str!("attention_shared.wgsl")],
            )
            .workgroup(256)
            .twin(twin, NEAR),
        }
    };
}

macro_rules! wide {
    ($name:literal, most $most:literal, lanes $lanes:literal, vectors $vectors:literal, at_once $at_once:literal, room $room:literal, size $size:literal) => {
        Variant {
            most: $most,
            queries: 32,
            kernel: Kernel::new(
                $name,
                &[
                    concat!(
                        "const LANES = ",
                        $lanes,
                        "u; const VECTORS = ",
                        $vectors,
                        "u; const AT_ONCE = ",
                        $at_once,
                        "u; const ROOM = ",
                        $room,
                        "u;"
                    ),
                    PARAMS,
                    include_str!("attention_wide.wgsl"),
                ],
            )
            .workgroup($size)
            .twin(twin, NEAR),
        }
    };
}

/// The attentions: four without barriers (of wide heads few queries at a time, as a processor takes milliseconds for some), by the size of a head, then those whose workgroups share keys and values.
pub static ATTENTION: [Variant; 10] = [
    alone!("attention-32", most 8, size 64),
    alone!("attention-64", most 16, size 64),
    alone!("attention-160", most 40, size 16),
    alone!("attention-512", most 128, size 8),
    shared!("attention-shared-32", most 8, fours 2),
    shared!("attention-shared-48", most 12, fours 3),
    shared!("attention-shared-64", most 16, fours 4),
    wide!("attention-wide-96", most 24, lanes 8, vectors 3, at_once 8, room 320, size 64),
    wide!("attention-wide-160", most 40, lanes 8, vectors 5, at_once 8, room 320, size 64),
    wide!("attention-wide-512", most 128, lanes 32, vectors 4, at_once 4, room 512, size 256),
];

/// The channels that a head may have.
pub const WIDEST_HEAD: usize = 512;

/// Turns of all loops together that an invocation may take: Mesa's software adapter ends loops after 65535 without a word,
/// and gives what was summed until then. By a count of them that is no closer than loops are compiled, half of that.
const MOST_TURNS: usize = 1 << 15;

/// Whether a GPU's invocation that is a query by itself would take more turns than adapters let it: it goes over the keys by
/// eights, for each of these over the head's vectors for its score, and for each vector over them for its sum.
#[must_use]
pub fn too_long_alone(shape: &Shape) -> bool {
    shape.keys.div_ceil(8).saturating_mul(18 * (shape.size / 4) + 28) > MOST_TURNS
}

/// softmax(q · kᵀ · scale) · v for each head of at most [`WIDEST_HEAD`] channels. With `tiles` workgroups share keys and
/// values, which is by far the fastest on a GPU; without, no GPU may have what is [`too_long_alone`].
///
/// Buffers: queries (rows of heads × size floats), keys and values (rows of heads × size keys and then as many values),
/// result as the queries. Source: Vaswani et al., 2017.
#[must_use]
pub fn attention(shape: &Shape, tiles: bool) -> Call {
    let vectors = shape.size / 4;
    let (alone, sharing) = ATTENTION.split_at(4);
    let variants = if tiles { sharing } else { alone };
    let last = variants.len() - 1;
    let fits = variants.iter().position(|variant| vectors <= variant.most).unwrap_or(last);
    let Variant { queries, kernel, .. } = &variants[fits];
    let size = if tiles { kernel.workgroup } else { 0 };
    let params: [u32; 8] = [
        word(shape.heads),
        word(vectors),
        word(shape.queries),
        word(shape.keys),
        shape.scale.to_bits(),
        shape.causal.into(),
        word(*queries),
        size,
    ];
    let units = shape.pictures * shape.heads;
    let cost = (4 * shape.size * shape.keys) as f32;
    if !tiles {
        return Call::new(kernel, units * shape.queries, cost, &params);
    }
    let items = units * shape.queries.div_ceil(*queries) * size as usize;
    Call::new(kernel, items, cost * *queries as f32 / size as f32, &params)
}

fn twin(args: TwinArgs<'_, '_>) {
    let Some([heads, vectors, queries, keys, scale, causal, tile, size]) = sizes(args.params) else { return };
    let [from, pairs, result] = args.buffers else { return };
    let scale = f32::from_bits(word(scale));
    let shape = Shape { pictures: 0, heads, size: vectors * 4, queries, keys, scale, causal: causal != 0 };
    let mut span = args.span;
    if tile > 0 {
        // Tiles follow one another, and the last of a head ends where the next head begins.
        let across = queries.div_ceil(tile);
        let first = |item: u32| {
            let number = (item as usize).div_ceil(size);
            word(number / across * queries + (number % across * tile).min(queries))
        };
        span = first(span.start)..first(span.end);
    }
    compute(span, &shape, bytemuck::cast_slice(from), bytemuck::cast_slice(pairs), bytemuck::cast_slice_mut(result));
}
