//! Group and layer normalisation, in two passes: the mean first, then the spread around it.

use std::ops::Range;

use super::lanes::{Eight, zip_eights};
use super::math::{silu, sum};

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
}

/// Rows whose sums are kept in single precision before they go to the double ones.
const STRETCH: usize = 64;

/// Normalises the groups of the span: item = picture × groups + group. Buffers: both sources, the scales (width
/// floats) and then the shifts, the result.
pub fn group_norm(span: Range<u32>, shape: &Group, sources: [&[f32]; 2], affine: &[f32], result: &mut [f32]) {
    let (mut item, end) = (span.start as usize, span.end as usize);
    while item < end {
        // All groups of one picture at once: a row's channels are then next to each other.
        let (picture, group) = (item / shape.groups, item % shape.groups);
        let count = (shape.groups - group).min(end - item);
        groups(picture, group..group + count, shape, sources, affine, result);
        item += count;
    }
}

fn groups(
    picture: usize,
    groups: Range<usize>,
    shape: &Group,
    sources: [&[f32]; 2],
    affine: &[f32],
    result: &mut [f32],
) {
    let size = shape.channels / shape.groups;
    let channels = groups.start * size..groups.end * size;
    let (Some(scales), Some(shifts)) =
        (affine.get(channels.clone()), affine.get(shape.width + channels.start..shape.width + channels.end))
    else {
        return;
    };
    let rows = picture * shape.rows..(picture + 1) * shape.rows;
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
        // Each channel's total becomes its group's mean.
        let count = (shape.rows * size) as f64;
        let means = totals.chunks_exact(size).flat_map(|group| {
            let mean = (group.iter().sum::<f64>() / count) as f32;
            std::iter::repeat_n(mean, size)
        });
        means.collect::<Vec<f32>>()
    };
    let mean = totals(&vec![0.0; channels.len()], false);
    let mut factor = totals(&mean, true);
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
            group_norm(0..4, &shape, [&a, &b], &affine, &mut result);
            group_norm(4..6, &shape, [&a, &b], &affine, &mut result);
            let expected = naive::group_norm(&shape, [&a, &b], &affine);
            naive::assert_near(&result, &expected, 3e-6, &shape);
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
            silu: false,
        };
        naive::assert_near(&result, &naive::group_norm(&alone, [&source, &[]], &affine), 2e-6, &"layer norm");
    }
}
