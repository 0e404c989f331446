//! Group and layer normalisation, in two passes: the mean first, then the spread around it.

use std::ops::Range;

use super::lanes::{Eight, zip_eights};
use super::math::{silu, sum};

/// What a call of [`group_norm`] does. A group of many rows is a few channels of each, which a processor reads slowly and
/// few workgroups share: so large pictures are cut into chunks of rows, and two calls take all groups of a chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// Everything, for whole groups.
    #[default]
    Whole,
    /// For each chunk and group its mean and the sum of the squares around it, at the first two of [`STATISTICS`] floats.
    Sums,
    /// The result, from these.
    Apply,
}

/// Floats between the statistics of two chunks: a pixel of two channels, filled up.
pub const STATISTICS: usize = 4;

/// The shapes of a group normalisation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Group {
    /// Pictures of the batch.
    pub pictures: usize,
    /// Rows of one picture.
    pub rows: usize,
    /// Groups of channels.
    pub groups: usize,
    /// Channels of both sources together; a multiple of the groups.
    pub channels: usize,
    /// Channels that come from the first source.
    pub first: usize,
    /// Floats of a row of each source.
    pub widths: [usize; 2],
    /// Floats of a row of the result.
    pub width: usize,
    /// What keeps the division from zero.
    pub epsilon: f32,
    /// Whether SiLU follows.
    pub silu: bool,
    /// What is done.
    pub part: Part,
    /// Chunks of a picture's rows; 0 is one.
    pub chunks: usize,
}

impl Group {
    /// The rows of a chunk, in their picture: as many in each, and what is left in the last.
    fn chunk(&self, chunk: usize) -> Range<usize> {
        let each = self.rows.div_ceil(self.chunks.max(1));
        (chunk * each).min(self.rows)..((chunk + 1) * each).min(self.rows)
    }
}

/// Rows whose sums are kept in single precision before they go to the double ones.
const STRETCH: usize = 64;

/// Normalises the groups of the span: item = (picture × chunks + chunk) × groups + group. Buffers: both sources, the scales
/// (width floats) and then the shifts, the statistics where they are applied, the result. Source of how statistics of
/// chunks come together: Chan, Golub and LeVeque, 1979.
pub fn group_norm(
    span: Range<u32>,
    shape: &Group,
    sources: [&[f32]; 2],
    affine: &[f32],
    statistics: &[f32],
    result: &mut [f32],
) {
    let (mut item, end) = (span.start as usize, span.end as usize);
    while item < end {
        // All groups of one chunk at once: a row's channels are then next to each other.
        let (place, group) = (item / shape.groups, item % shape.groups);
        let count = (shape.groups - group).min(end - item);
        groups(place, group..group + count, shape, sources, affine, statistics, result);
        item += count;
    }
}

fn groups(
    place: usize,
    groups: Range<usize>,
    shape: &Group,
    sources: [&[f32]; 2],
    affine: &[f32],
    statistics: &[f32],
    result: &mut [f32],
) {
    let (picture, chunk) = (place / shape.chunks.max(1), place % shape.chunks.max(1));
    let size = shape.channels / shape.groups;
    let channels = groups.start * size..groups.end * size;
    let (Some(scales), Some(shifts)) =
        (affine.get(channels.clone()), affine.get(shape.width + channels.start..shape.width + channels.end))
    else {
        return;
    };
    let rows = shape.chunk(chunk);
    let rows = picture * shape.rows + rows.start..picture * shape.rows + rows.end;
    // The channels of each source, as (source, floats of its row, place in it, how many, place among these channels).
    let split = channels.end.min(shape.first).saturating_sub(channels.start);
    let parts = [
        (sources[0], shape.widths[0], channels.start, 0..split),
        (sources[1], shape.widths[1], (channels.start + split).saturating_sub(shape.first), split..channels.len()),
    ];
    let totals = |mean: &[f32], square: bool| {
        let mut totals = vec![0.0f64; channels.len()];
        let mut sums = vec![0.0f32; channels.len()];
        for (source, width, start, place) in &parts {
            let (mean, sums) = (&mean[place.clone()], &mut sums[place.clone()]);
            let mut row = rows.start;
            while row < rows.end {
                let stretch = row..rows.end.min(row + STRETCH);
                for row in stretch.clone() {
                    let at = row * width + start;
                    let Some(values) = source.get(at..at + place.len()) else { break };
                    if square {
                        zip_eights(sums, [values, mean], |sum, [x, mean]| sum + (x - mean) * (x - mean));
                    } else {
                        zip_eights(sums, [values], |sum, [x]| sum + x);
                    }
                }
                for (total, sum) in totals[place.clone()].iter_mut().zip(&mut *sums) {
                    *total += f64::from(std::mem::take(sum));
                }
                row = stretch.end;
            }
        }
        totals.chunks_exact(size).map(|group| group.iter().sum::<f64>()).collect::<Vec<f64>>()
    };
    // Each group's mean, or another number of it, for each of its channels; of so many numbers.
    let spread = |totals: Vec<f64>, count: usize| {
        let count = (count * size).max(1) as f64;
        totals.into_iter().flat_map(|total| std::iter::repeat_n((total / count) as f32, size)).collect::<Vec<f32>>()
    };
    let (mean, squares) = if shape.part == Part::Apply {
        // What each chunk says of a group, with how many numbers it speaks for.
        let of_chunks = |group: usize| {
            let first = picture * shape.chunks;
            (0..shape.chunks).map(move |chunk| {
                let at = ((first + chunk) * shape.groups + group) * STATISTICS;
                let [mean, squares] = [at, at + 1].map(|at| f64::from(statistics.get(at).copied().unwrap_or(0.0)));
                ((shape.chunk(chunk).len() * size) as f64, mean, squares)
            })
        };
        let sums = groups.clone().map(|group| of_chunks(group).map(|(count, mean, _)| count * mean).sum()).collect();
        let mean = spread(sums, shape.rows);
        let around = |(group, &all): (usize, &f32)| {
            let off = |mean: f64| mean - f64::from(all);
            of_chunks(group).map(|(count, mean, squares)| squares + count * off(mean) * off(mean)).sum()
        };
        let squares = groups.clone().zip(mean.iter().step_by(size)).map(around).collect();
        (mean, squares)
    } else {
        let mean = spread(totals(&vec![0.0; channels.len()], false), rows.len());
        let squares = totals(&mean, true);
        (mean, squares)
    };
    if shape.part == Part::Sums {
        let to = result.chunks_exact_mut(STATISTICS).skip(place * shape.groups + groups.start);
        for (to, (mean, squares)) in to.zip(mean.iter().step_by(size).zip(squares)) {
            to[..2].copy_from_slice(&[*mean, squares as f32]);
        }
        return;
    }
    let mut factor = spread(squares, shape.rows);
    factor.iter_mut().zip(scales).for_each(|(x, scale)| *x = scale / (*x + shape.epsilon).sqrt());
    // The last group also clears what is beyond the last channel.
    let beyond = if groups.end == shape.groups { shape.width - shape.channels } else { 0 };
    for row in rows {
        let at = row * shape.width + channels.start;
        let Some(to) = result.get_mut(at..at + channels.len() + beyond) else { return };
        let (to, zeros) = to.split_at_mut(channels.len());
        for (source, width, start, place) in &parts {
            let at = row * width + start;
            let Some(values) = source.get(at..at + place.len()) else { continue };
            let from = [values, &mean[place.clone()], &factor[place.clone()], &shifts[place.clone()]];
            if shape.silu {
                let normed = |_, [x, mean, factor, shift]: [Eight; 4]| silu((x - mean) * factor + shift);
                zip_eights(&mut to[place.clone()], from, normed);
            } else {
                zip_eights(&mut to[place.clone()], from, |_, [x, mean, factor, shift]| (x - mean) * factor + shift);
            }
        }
        zeros.iter_mut().for_each(|zero| *zero = 0.0);
    }
}

/// Normalises the rows of the span over their `channels` of `width` floats. Buffers: the source, the scales and then
/// the shifts, the result.
pub fn layer_norm(
    span: Range<u32>,
    channels: usize,
    width: usize,
    epsilon: f32,
    source: &[f32],
    affine: &[f32],
    result: &mut [f32],
) {
    let Some((scales, shifts)) = affine.split_at_checked(width) else { return };
    for row in span {
        let rows = row as usize * width..(row as usize + 1) * width;
        let (Some(from), Some(to)) = (source.get(rows.clone()), result.get_mut(rows)) else { return };
        let from = &from[..channels];
        let mean = sum(from, |x| x) / channels as f32;
        let variance = sum(from, |x| (x - mean) * (x - mean)) / channels as f32;
        let factor = 1.0 / (variance + epsilon).sqrt();
        let of = [from, &scales[..channels], &shifts[..channels]];
        zip_eights(&mut to[..channels], of, |_, [x, scale, shift]| (x - mean) * factor * scale + shift);
        to[channels..].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::naive;

    #[test]
    fn as_the_naive_group_norm() {
        let shape = Group { pictures: 2, rows: 15, groups: 3, width: 16, epsilon: 1e-5, ..Group::default() };
        let shapes = [
            Group { channels: 15, first: 15, widths: [16, 0], silu: true, ..shape },
            // The second group has channels of both sources.
            Group { channels: 15, first: 9, widths: [12, 8], ..shape },
            Group { channels: 12, first: 4, widths: [4, 8], width: 12, silu: true, epsilon: 1e-6, ..shape },
        ];
        for shape in shapes {
            let rows = shape.pictures * shape.rows;
            let (a, b) = (naive::numbers(1, rows * shape.widths[0]), naive::numbers(2, rows * shape.widths[1]));
            let affine = naive::numbers(3, shape.width * 2);
            let mut result = vec![9.0; rows * shape.width];
            group_norm(0..4, &shape, [&a, &b], &affine, &[], &mut result);
            group_norm(4..6, &shape, [&a, &b], &affine, &[], &mut result);
            let expected = naive::group_norm(&shape, [&a, &b], &affine);
            naive::assert_near(&result, &expected, 3e-6, &shape);
            // 15 rows in 4 chunks are 4, 4, 4 and 3; in 10 they are 2 each, and two are empty.
            for chunks in [1, 4, 10] {
                let count = (shape.pictures * chunks * shape.groups) as u32;
                let mut statistics = vec![9.0; count as usize * STATISTICS];
                let sums = Group { part: Part::Sums, chunks, ..shape };
                group_norm(0..5, &sums, [&a, &b], &affine, &[], &mut statistics);
                group_norm(5..count, &sums, [&a, &b], &affine, &[], &mut statistics);
                let mut result = vec![9.0; rows * shape.width];
                let apply = Group { part: Part::Apply, chunks, ..shape };
                group_norm(0..4, &apply, [&a, &b], &affine, &statistics, &mut result);
                group_norm(4..count, &apply, [&a, &b], &affine, &statistics, &mut result);
                naive::assert_near(&result, &expected, 3e-6, &apply);
            }
        }
    }

    #[test]
    fn a_row_is_a_group_of_its_own() {
        let source = naive::numbers(1, 5 * 12);
        let affine = naive::numbers(2, 24);
        let mut result = vec![9.0; 5 * 12];
        layer_norm(0..5, 10, 12, 1e-5, &source, &affine, &mut result);
        let alone = Group {
            pictures: 5,
            rows: 1,
            groups: 1,
            channels: 10,
            first: 10,
            widths: [12, 0],
            width: 12,
            epsilon: 1e-5,
            ..Group::default()
        };
        naive::assert_near(&result, &naive::group_norm(&alone, [&source, &[]], &affine), 2e-6, &"layer norm");
    }
}
