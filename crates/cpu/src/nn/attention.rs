//! Attention of queries over keys and values, head by head: softmax(q·kᵀ · scale) · v.

use std::f32::consts::LOG2_E;
use std::ops::Range;

use super::lanes::{Eight, LANES};
use super::math::{larger, power8};
use super::product::{Product, Products, ROWS, Sums};

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

/// Scores whose sum is kept in single precision before it goes to the double one.
const STRETCH: usize = 512 * LANES;

/// Computes the items of the span: item = (picture × heads + head) × queries + query. Buffers: queries (rows of heads
/// × size), keys and values (rows of heads × size keys and as many values), the result as the queries.
pub fn attention(span: Range<u32>, shape: &Shape, queries: &[f32], pairs: &[f32], result: &mut [f32]) {
    let Shape { heads, size, keys, queries: count, .. } = *shape;
    let width = heads * size;
    let row_of_scores = keys.next_multiple_of(LANES);
    // Keys as panels of 8 side by side, values as panels of 8 channels: both products then run as in `conv`. Keys that
    // are not there have values of zero.
    let mut key_panels = vec![0.0f32; row_of_scores * size];
    let mut values = vec![0.0f32; size.next_multiple_of(LANES) * row_of_scores];
    let mut scores = vec![0.0f32; ROWS * row_of_scores];
    let (mut products, mut sums) =
        (Products::default(), vec![Sums::default(); row_of_scores.max(size).div_ceil(LANES)]);
    let (mut item, end) = (span.start as usize, span.end as usize);
    let mut packed_for = usize::MAX;
    while item < end {
        let (unit, query) = (item / count, item % count);
        let (picture, head) = (unit / heads, unit % heads);
        if unit != packed_for {
            pack(shape, picture, head, pairs, &mut key_panels, &mut values);
            packed_for = unit;
        }
        let block = ROWS.min(count - query).min(end - item);
        let row = |index: usize| (picture * count + query + index.min(block - 1)) * width + head * size;
        let Some(rows) = gather(queries, std::array::from_fn(row), size) else { return };
        sums.fill(Sums::default());
        products.add(&list(&key_panels, size, rows), &mut sums);
        for (row, scores) in scores.chunks_exact_mut(row_of_scores).enumerate() {
            scores.as_chunks_mut().0.iter_mut().zip(&sums).for_each(|(to, sums)| *to = sums[row]);
        }
        let mut factors = [0.0f32; ROWS];
        for (index, scores) in scores.chunks_exact_mut(row_of_scores).enumerate() {
            let seen = if shape.causal { (query + index + 1).min(keys) } else { keys };
            factors[index] = soften(scores, seen, shape.scale * LOG2_E);
        }
        let Some(weights) = gather(&scores, std::array::from_fn(|n| n * row_of_scores), row_of_scores) else { return };
        let sums = &mut sums[..size.div_ceil(LANES)];
        sums.fill(Sums::default());
        products.add(&list(&values, row_of_scores, weights), sums);
        for (panel, sums) in sums.iter().enumerate() {
            let lanes = LANES.min(size - panel * LANES);
            for index in 0..block {
                let at = row(index) + panel * LANES;
                let Some(to) = result.get_mut(at..at + lanes) else { return };
                let sum = (Eight::load(&sums[index]) * factors[index]).store();
                to.iter_mut().zip(sum).for_each(|(to, sum)| *to = sum);
            }
        }
        item += block;
    }
}

/// The products of rows with each panel of so many steps.
fn list<'a>(panels: &'a [f32], steps: usize, rows: [&'a [f32]; ROWS]) -> Vec<Product<'a>> {
    let panels = panels.chunks_exact(steps * LANES).enumerate();
    panels.map(|(sums, panel)| Product { panel, rows, sums }).collect()
}

fn gather(from: &[f32], starts: [usize; ROWS], length: usize) -> Option<[&[f32]; ROWS]> {
    let [a, b, c, d] = starts.map(|start| from.get(start..start + length));
    Some([a?, b?, c?, d?])
}

fn pack(shape: &Shape, picture: usize, head: usize, pairs: &[f32], keys: &mut [f32], values: &mut [f32]) {
    let (size, width) = (shape.size, shape.heads * shape.size);
    let row_of_scores = shape.keys.next_multiple_of(LANES);
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
            let at = (panel * row_of_scores + key) * LANES;
            values[at..at + eight.len()].copy_from_slice(eight);
        }
    }
}

/// Scores, times `scale`, to weights (powers of two) that add up to one over what is given back; those not seen become 0.
fn soften(scores: &mut [f32], seen: usize, scale: f32) -> f32 {
    scores[seen..].fill(f32::MIN);
    let (eights, _) = scores.as_chunks::<LANES>();
    let most = eights.iter().fold(Eight::splat(f32::MIN), |most, eight| Eight::load(eight).larger(most));
    let most = most.store().into_iter().fold(f32::MIN, larger);
    let mut total = 0.0f64;
    for stretch in scores.chunks_mut(STRETCH) {
        let mut sum = Eight::splat(0.0);
        let (eights, _) = stretch.as_chunks_mut::<LANES>();
        for eight in eights {
            let weight = power8((Eight::load(eight) - most) * scale);
            sum = sum + weight;
            *eight = weight.store();
        }
        total += sum.store().into_iter().map(f64::from).sum::<f64>();
    }
    // What is hidden has weights of e^-87 so far, which do not count in the sum.
    scores[seen..].fill(0.0);
    (1.0 / total) as f32
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
