//! Group and layer normalisation, in two passes: the mean first, then the spread around it.

use std::ops::Range;

use super::math::{Activation, activate, sum};

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

/// Normalises the groups of the span: item = picture × groups + group. Buffers: both sources, the scales (width
/// floats) and then the shifts, the result.
pub fn group_norm(span: Range<u32>, shape: &Group, sources: [&[f32]; 2], affine: &[f32], result: &mut [f32]) {
    let size = shape.channels / shape.groups.max(1);
    if size == 0 || affine.len() < shape.width + shape.channels {
        return;
    }
    let (scales, shifts) = affine.split_at(shape.width);
    let mut all = vec![0.0f32; shape.rows * size];
    for item in span {
        let (picture, group) = (item as usize / shape.groups, item as usize % shape.groups);
        let channels = group * size..(group + 1) * size;
        // Channels of the group in the first source, and in the second.
        let split = channels.end.min(shape.first).saturating_sub(channels.start);
        let behind = (channels.start + split).saturating_sub(shape.first);
        for (row, to) in all.chunks_exact_mut(size).enumerate() {
            let row = picture * shape.rows + row;
            let at = row * shape.widths[0] + channels.start;
            let next = row * shape.widths[1] + behind;
            let (one, other) = to.split_at_mut(split);
            if let (false, Some(from)) = (one.is_empty(), sources[0].get(at..at + split)) {
                one.copy_from_slice(from);
            }
            if let (false, Some(from)) = (other.is_empty(), sources[1].get(next..next + size - split)) {
                other.copy_from_slice(from);
            }
        }
        let (scales, shifts) = (&scales[channels.clone()], &shifts[channels.clone()]);
        let count = all.len().max(1) as f32;
        let mean = sum(&all, |x| x) / count;
        let variance = sum(&all, |x| (x - mean) * (x - mean)) / count;
        let factor = 1.0 / (variance + shape.epsilon).sqrt();
        for row in all.chunks_exact_mut(size) {
            for ((x, scale), shift) in row.iter_mut().zip(scales).zip(shifts) {
                *x = (*x - mean) * factor * scale + shift;
            }
        }
        if shape.silu {
            activate(Activation::Silu, &mut all);
        }
        // The last group also clears what is beyond the last channel.
        let beyond = if group + 1 == shape.groups { shape.width - shape.channels } else { 0 };
        for (row, from) in all.chunks_exact(size).enumerate() {
            let at = (picture * shape.rows + row) * shape.width + channels.start;
            if let Some(to) = result.get_mut(at..at + size + beyond) {
                let (values, zeros) = to.split_at_mut(size);
                values.copy_from_slice(from);
                zeros.fill(0.0);
            }
        }
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
        for (((to, x), scale), shift) in to.iter_mut().zip(from).zip(scales).zip(shifts) {
            *to = (x - mean) * factor * scale + shift;
        }
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
