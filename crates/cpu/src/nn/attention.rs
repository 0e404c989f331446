//! Attention of queries over keys and values, head by head: softmax(q·kᵀ · scale) · v.

use std::ops::Range;

use super::math::{by_eights, exp8, larger};

/// The shapes of an attention.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shape {
    /// Pictures (or texts) of the batch.
    pub pictures: usize,
    /// Heads.
    pub heads: usize,
    /// Floats of a head: its channels, rounded up to 4.
    pub size: usize,
    /// Queries of a picture.
    pub queries: usize,
    /// Keys of a picture.
    pub keys: usize,
    /// What the products are multiplied by: one over the root of a head's channels.
    pub scale: f32,
    /// Whether a query sees only the keys up to its own place.
    pub causal: bool,
}

/// Queries that are computed together.
const BLOCK: usize = 4;
/// Keys, or channels of the values, that are computed together.
const LANES: usize = 8;

/// Computes the items of the span: item = (picture × heads + head) × queries + query. Buffers: queries (rows of heads
/// × size), keys and values (rows of heads × size keys and as many values), the result as the queries.
pub fn attention(span: Range<u32>, shape: &Shape, queries: &[f32], pairs: &[f32], result: &mut [f32]) {
    let Shape { heads, size, keys, queries: count, .. } = *shape;
    let width = heads * size;
    let panels = keys.div_ceil(LANES);
    let value_panels = size.div_ceil(LANES);
    // Keys as panels of 8 side by side, values as panels of 8 channels: both products then run as in `conv`.
    let mut key_panels = vec![0.0f32; panels * size * LANES];
    let mut values = vec![0.0f32; value_panels * keys * LANES];
    let mut scores = vec![0.0f32; BLOCK * panels * LANES];
    let (mut item, end) = (span.start as usize, span.end as usize);
    let mut packed_for = usize::MAX;
    while item < end {
        let (unit, query) = (item / count, item % count);
        let (picture, head) = (unit / heads, unit % heads);
        if unit != packed_for {
            pack(shape, picture, head, pairs, &mut key_panels, &mut values);
            packed_for = unit;
        }
        let block = BLOCK.min(count - query).min(end - item);
        let row = |index: usize| (picture * count + query + index.min(block - 1)) * width + head * size;
        let Some(rows) = gather(queries, std::array::from_fn(row), size) else { return };
        for (panel, packed) in key_panels.chunks_exact(size * LANES).enumerate() {
            let sums = product(packed, rows);
            for (index, sum) in sums.iter().enumerate() {
                let at = index * panels * LANES + panel * LANES;
                scores[at..at + LANES].copy_from_slice(sum);
            }
        }
        let mut factors = [0.0f32; BLOCK];
        for (index, scores) in scores.chunks_exact_mut(panels * LANES).enumerate() {
            let seen = if shape.causal { (query + index + 1).min(keys) } else { keys };
            factors[index] = soften(scores, seen, shape.scale);
        }
        let weights: Vec<&[f32]> = scores.chunks_exact(panels * LANES).map(|row| &row[..keys]).collect();
        let [w0, w1, w2, w3] = weights[..] else { return };
        for (panel, packed) in values.chunks_exact(keys * LANES).enumerate() {
            let sums = product(packed, [w0, w1, w2, w3]);
            let lanes = LANES.min(size - panel * LANES);
            for index in 0..block {
                let at = row(index) + panel * LANES;
                let Some(to) = result.get_mut(at..at + lanes) else { return };
                to.iter_mut().zip(&sums[index]).for_each(|(to, sum)| *to = sum * factors[index]);
            }
        }
        item += block;
    }
}

fn gather(from: &[f32], starts: [usize; BLOCK], length: usize) -> Option<[&[f32]; BLOCK]> {
    let [a, b, c, d] = starts.map(|start| from.get(start..start + length));
    Some([a?, b?, c?, d?])
}

fn pack(shape: &Shape, picture: usize, head: usize, pairs: &[f32], keys: &mut [f32], values: &mut [f32]) {
    let (size, width) = (shape.size, shape.heads * shape.size);
    for key in 0..shape.keys {
        let at = (picture * shape.keys + key) * 2 * width + head * size;
        let (Some(one), Some(other)) = (pairs.get(at..at + size), pairs.get(at + width..at + width + size)) else {
            return;
        };
        let panel = &mut keys[key / LANES * size * LANES..];
        for (to, &x) in panel.iter_mut().skip(key % LANES).step_by(LANES).zip(one) {
            *to = x;
        }
        for (panel, eight) in other.chunks(LANES).enumerate() {
            let at = (panel * shape.keys + key) * LANES;
            values[at..at + eight.len()].copy_from_slice(eight);
        }
    }
}

#[inline(always)]
fn product(packed: &[f32], rows: [&[f32]; BLOCK]) -> [[f32; LANES]; BLOCK] {
    let [mut s0, mut s1, mut s2, mut s3] = [[0.0f32; LANES]; BLOCK];
    let (steps, _) = packed.as_chunks::<LANES>();
    let [r0, r1, r2, r3] = rows;
    for ((((w, &x0), &x1), &x2), &x3) in steps.iter().zip(r0).zip(r1).zip(r2).zip(r3) {
        for lane in 0..LANES {
            s0[lane] += x0 * w[lane];
            s1[lane] += x1 * w[lane];
            s2[lane] += x2 * w[lane];
            s3[lane] += x3 * w[lane];
        }
    }
    [s0, s1, s2, s3]
}

/// Scores to weights that add up to one over what is given back; those not seen become 0.
fn soften(scores: &mut [f32], seen: usize, scale: f32) -> f32 {
    let (seen, hidden) = scores.split_at_mut(seen);
    hidden.fill(0.0);
    let mut strands = [f32::MIN; LANES];
    let (eights, rest) = seen.as_chunks::<LANES>();
    for eight in eights {
        strands.iter_mut().zip(eight).for_each(|(most, &score)| *most = larger(*most, score));
    }
    let most = strands.iter().chain(rest).fold(f32::MIN, |most, &score| larger(most, score));
    by_eights(seen, |eight| exp8(eight.map(|score| (score - most) * scale)));
    1.0 / super::math::sum(seen, |x| x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::naive;

    #[test]
    fn as_the_naive_attention() {
        let shapes = [
            Shape { pictures: 2, heads: 3, size: 8, queries: 13, keys: 13, scale: 0.35, causal: false },
            Shape { pictures: 1, heads: 2, size: 4, queries: 6, keys: 9, scale: 0.5, causal: false },
            Shape { pictures: 2, heads: 1, size: 20, queries: 11, keys: 11, scale: 0.2, causal: true },
        ];
        for shape in shapes {
            let width = shape.heads * shape.size;
            let queries = naive::numbers(1, shape.pictures * shape.queries * width);
            let pairs = naive::numbers(2, shape.pictures * shape.keys * width * 2);
            let mut result = vec![9.0; queries.len()];
            let items = (shape.pictures * shape.heads * shape.queries) as u32;
            for cut in [0..1, 1..7, 7..items] {
                attention(cut, &shape, &queries, &pairs, &mut result);
            }
            naive::assert_near(&result, &naive::attention(&shape, &queries, &pairs), 2e-6, &shape);
        }
    }
}
