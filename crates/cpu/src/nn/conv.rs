//! Matrix products and convolutions as one kernel: a convolution is a product whose left rows are gathered from the
//! picture ("implicit GEMM"; the gather by pointers is Dukhan's indirect convolution, 2019).
//!
//! The unit of work, an *item*, is a block of 4 rows × one panel of 8 columns. Weights are packed as panels: for
//! each panel the 8 biases, then for each step of the inner dimension the 8 weights. The inner dimension runs over
//! the taps, for each over the channels of the first source and then those of the second, each rounded up to 4.

use std::ops::Range;

use super::lanes::Eight;
use super::math::{Activation, activate, geglu};
use super::product::{Product, Products, Sums};
use super::winograd;

/// Rows of a block.
pub const ROWS: usize = super::product::ROWS;
/// Columns of a panel.
pub const COLUMNS: usize = 8;
/// Panels that follow one another for the same block of rows.
pub const GROUP: usize = 8;
/// The channel of a packed row that is filled with zeros, and the row of such a column.
pub const NOTHING: u32 = u32::MAX;

/// Puts a row of the checkpoint's matrix, [inner, taps], with its bias into its column of a panel: `column` begins at the
/// panel's bias, and `channels` says for each packed row of a tap which of the source's it is, or [`NOTHING`].
///
/// ```
/// use gradus_cpu::nn::conv::{COLUMNS, NOTHING, put};
/// let mut panel = [0.0; 4 * COLUMNS];
/// put(&mut panel[2..], 0.5, &[1.0, 2.0], &[1, 0, NOTHING], 1);
/// assert_eq!([panel[2], panel[10], panel[18], panel[26]], [0.5, 2.0, 1.0, 0.0]);
/// ```
pub fn put(column: &mut [f32], bias: f32, values: &[f32], channels: &[u32], taps: usize) {
    put_each(column, bias, channels, taps, |at| values.get(at).copied());
}

/// [`put`] for halves as bits, `values` in little-endian order.
pub fn put_halves(column: &mut [u16], bias: u16, values: &[[u8; 2]], channels: &[u32], taps: usize) {
    put_each(column, bias, channels, taps, |at| values.get(at).copied().map(u16::from_le_bytes));
}

#[inline(always)]
fn put_each<T>(column: &mut [T], bias: T, channels: &[u32], taps: usize, value: impl Fn(usize) -> Option<T>) {
    let mut places = column.iter_mut().step_by(COLUMNS);
    if let Some(place) = places.next() {
        *place = bias;
    }
    for tap in 0..taps {
        for (&channel, place) in channels.iter().zip(&mut places) {
            if channel != NOTHING
                && let Some(value) = value(channel as usize * taps + tap)
            {
                *place = value;
            }
        }
    }
}

/// The shapes of one product or convolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Rows of the result: batch × height × width.
    pub rows: usize,
    /// Panels of the weights.
    pub panels: usize,
    /// Floats from one row of the result to the next.
    pub width: usize,
    /// Height and width of the source, after [`Shape::upsample`].
    pub source: [usize; 2],
    /// Height and width of the result.
    pub result: [usize; 2],
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Steps of the kernel.
    pub stride: usize,
    /// Rows above and columns left that are beyond the edge.
    pub padding: [usize; 2],
    /// 1 when the source is doubled by its nearest neighbours while it is read, else 0.
    pub upsample: usize,
    /// Floats of a row of each source; 0 for a second source that is not there.
    pub channels: [usize; 2],
    /// The activation's number.
    pub activation: u32,
    /// Rows of the result that share a row of the added tensor; 0: nothing is added.
    pub add_rows: usize,
}

impl Shape {
    /// Blocks of rows.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.rows.div_ceil(ROWS)
    }

    /// The inner dimension.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.kernel[0] * self.kernel[1] * (self.channels[0] + self.channels[1])
    }

    /// Items of a group of panels; the last group may be narrower.
    #[must_use]
    pub fn group(&self) -> usize {
        self.blocks() * GROUP
    }

    /// The block and the panel of an item.
    fn place(&self, item: usize) -> (usize, usize) {
        let blocks = self.blocks();
        let group = item / (blocks * GROUP);
        let inside = item - group * blocks * GROUP;
        let size = (self.panels - group * GROUP).clamp(1, GROUP);
        (inside / size, group * GROUP + inside % size)
    }

    /// The picture, the line and the place in it of a row of the result.
    #[inline(never)]
    pub(super) fn pixel(&self, row: usize) -> [usize; 3] {
        let [height, width] = self.result;
        let (picture, inside) = (row / (height * width), row % (height * width));
        [picture, inside / width, inside % width]
    }

    /// The row of the source that a tap reads for a row of the result, or none beyond the edge.
    #[cfg(test)]
    pub(super) fn source_row(&self, row: usize, tap: usize) -> Option<usize> {
        self.source_row_of(self.pixel(row), [tap / self.kernel[1], tap % self.kernel[1]])
    }

    #[inline(never)]
    pub(super) fn source_row_of(&self, [picture, y, x]: [usize; 3], [down, right]: [usize; 2]) -> Option<usize> {
        let y = (y * self.stride + down).checked_sub(self.padding[0])?;
        let x = (x * self.stride + right).checked_sub(self.padding[1])?;
        let [source_height, source_width] = self.source;
        if y >= source_height || x >= source_width {
            return None;
        }
        let up = self.upsample;
        let stored = [(source_height + up) >> up, (source_width + up) >> up];
        Some((picture * stored[0] + (y >> up)) * stored[1] + (x >> up))
    }
}

/// Packed weights, from this panel on.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a> {
    /// The first panel that is here.
    pub first: usize,
    /// The panels.
    pub numbers: &'a [f32],
}

impl<'a> Packed<'a> {
    /// The biases of a panel, and its weights.
    #[inline(always)]
    pub(super) fn panel(&self, panel: usize, depth: usize) -> Option<(&'a [f32; COLUMNS], &'a [f32])> {
        let (at, size) = (panel.checked_sub(self.first)?, (depth + 1) * COLUMNS);
        self.numbers.get(at * size..(at + 1) * size)?.split_first_chunk()
    }
}

/// Computes the items of the span. Buffers: both sources (rows × channels), the packed weights, the added tensor
/// (rows / `add_rows` × width), the result (rows × width).
pub fn conv(
    span: Range<u32>,
    shape: &Shape,
    sources: [&[f32]; 2],
    weights: Packed<'_>,
    added: &[f32],
    result: &mut [f32],
) {
    if winograd::suits(shape) {
        return winograd::conv(span, shape, sources, weights, added, result);
    }
    let taps = shape.kernel[0] * shape.kernel[1];
    let depth = shape.depth();
    let nothing = vec![0.0f32; shape.channels[0].max(shape.channels[1])];
    let mut gathered: Vec<[&[f32]; ROWS]> = Vec::with_capacity(taps * 2);
    let mut gathered_for = usize::MAX;
    let (mut products, mut list, mut sums) = (Products::default(), Vec::new(), [Sums::default(); GROUP]);
    let (mut item, end) = (span.start as usize, span.end as usize);
    while item < end {
        // The panels of one block, as they follow one another.
        let (block, first) = shape.place(item);
        let count = (end - item).min(shape.panels.min((first / GROUP + 1) * GROUP) - first).max(1);
        item += count;
        if block != gathered_for {
            gather(shape, block * ROWS, sources, &nothing, &mut gathered);
            gathered_for = block;
        }
        list.clear();
        for (at, panel) in (first..first + count).enumerate() {
            let Some((bias, mut packed)) = weights.panel(panel, depth) else { return };
            sums[at] = [*bias; ROWS];
            for &rows in &gathered {
                let (panel, rest) = packed.split_at((rows[0].len() * COLUMNS).min(packed.len()));
                list.push(Product { panel, rows, sums: at });
                packed = rest;
            }
        }
        products.add(&list, &mut sums);
        for (sums, panel) in sums.iter().zip(first..first + count) {
            store(shape, block * ROWS, panel, sums, added, result);
        }
    }
}

/// For each tap and source the four rows that are read; zeros beyond the edge.
fn gather<'a>(
    shape: &Shape,
    first: usize,
    sources: [&'a [f32]; 2],
    nothing: &'a [f32],
    gathered: &mut Vec<[&'a [f32]; ROWS]>,
) {
    gathered.clear();
    let pixels: [_; ROWS] = std::array::from_fn(|r| shape.pixel((first + r).min(shape.rows - 1)));
    for down in 0..shape.kernel[0] {
        for right in 0..shape.kernel[1] {
            let rows = pixels.map(|pixel| shape.source_row_of(pixel, [down, right]));
            for (source, &channels) in sources.iter().zip(&shape.channels).filter(|(_, channels)| **channels > 0) {
                gathered.push(rows.map(|row| {
                    let found = row.and_then(|row| source.get(row * channels..(row + 1) * channels));
                    found.unwrap_or(&nothing[..channels])
                }));
            }
        }
    }
}

fn store(shape: &Shape, first: usize, panel: usize, sums: &Sums, added: &[f32], result: &mut [f32]) {
    if Activation::of(shape.activation) == Activation::Geglu {
        let [s0, s1, s2, s3] = sums.map(|sum| Eight::load(&sum));
        let gated = [geglu(s0, s1), geglu(s2, s3)].map(Eight::store);
        for (row, four) in (first..shape.rows).zip(gated.as_flattened().as_chunks::<4>().0) {
            let at = row * shape.width + panel * 4;
            if let Some(to) = result.get_mut(at..).and_then(|to| to.first_chunk_mut::<4>()) {
                *to = *four;
            }
        }
        return;
    }
    let rows = std::array::from_fn(|row| Some(first + row).filter(|&row| row < shape.rows));
    finish(shape, rows, panel, sums, added, result);
}

/// Rows' sums of a panel, with what is added and the activation, into the result.
#[inline(never)]
pub(super) fn finish(
    shape: &Shape,
    rows: [Option<usize>; ROWS],
    panel: usize,
    sums: &Sums,
    added: &[f32],
    result: &mut [f32],
) {
    let column = panel * COLUMNS;
    let whole = column + COLUMNS <= shape.width;
    let activation = Activation::of(shape.activation);
    for (row, sum) in rows.into_iter().zip(sums) {
        let Some(row) = row else { continue };
        let mut sum = Eight::load(sum);
        if shape.add_rows > 0 {
            // A division takes as long as all the rest.
            let shared = if shape.add_rows == 1 { row } else { row / shape.add_rows };
            sum = sum + Eight::of(added, shared * shape.width + column, whole);
        }
        activate(activation, sum).put(result, row * shape.width + column, whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::naive;

    #[test]
    fn as_the_naive_convolution() {
        let plain = Shape { stride: 1, kernel: [1, 1], ..Shape::default() };
        let shapes = [
            // A linear layer of 7 rows.
            Shape { rows: 7, panels: 3, width: 20, source: [7, 1], result: [7, 1], channels: [12, 0], ..plain },
            // Two sources, an activation, one added row for each picture.
            Shape {
                rows: 2 * 15,
                panels: 6,
                width: 48,
                source: [5, 3],
                result: [5, 3],
                channels: [8, 4],
                activation: 1,
                add_rows: 15,
                ..plain
            },
            // 3×3 with padding, a stride and a residual.
            Shape {
                rows: 2 * 12,
                panels: 2,
                width: 12,
                source: [7, 5],
                result: [4, 3],
                kernel: [3, 3],
                stride: 2,
                padding: [1, 1],
                channels: [4, 8],
                activation: 4,
                add_rows: 1,
                ..plain
            },
            // 3×3 behind a doubling to an odd size.
            Shape {
                rows: 35,
                panels: 5,
                width: 40,
                source: [7, 5],
                result: [7, 5],
                kernel: [3, 3],
                padding: [1, 1],
                upsample: 1,
                channels: [4, 0],
                activation: 2,
                ..plain
            },
            // By Winograd: odd sides, two pictures, two sources, a last panel of 4.
            Shape {
                rows: 2 * 63,
                panels: 6,
                width: 44,
                source: [7, 9],
                result: [7, 9],
                kernel: [3, 3],
                padding: [1, 1],
                channels: [12, 8],
                activation: 1,
                add_rows: 63,
                ..plain
            },
            // The same behind a doubling, with a residual.
            Shape {
                rows: 120,
                panels: 2,
                width: 16,
                source: [12, 10],
                result: [12, 10],
                kernel: [3, 3],
                padding: [1, 1],
                upsample: 1,
                channels: [16, 0],
                add_rows: 1,
                ..plain
            },
            // The same without an edge beyond, to a smaller result.
            Shape {
                rows: 140,
                panels: 1,
                width: 8,
                source: [16, 12],
                result: [14, 10],
                kernel: [3, 3],
                channels: [20, 0],
                ..plain
            },
            // GEGLU.
            Shape {
                rows: 9,
                panels: 5,
                width: 20,
                source: [9, 1],
                result: [9, 1],
                channels: [16, 0],
                activation: 5,
                ..plain
            },
        ];
        for shape in shapes {
            let pictures = shape.rows / (shape.result[0] * shape.result[1]);
            let stored: usize =
                shape.source.iter().map(|&side| (side + shape.upsample) >> shape.upsample).product::<usize>()
                    * pictures;
            let a = naive::numbers(1, stored * shape.channels[0]);
            let b = naive::numbers(2, stored * shape.channels[1]);
            let weights = naive::numbers(3, shape.panels * (shape.depth() + 1) * COLUMNS);
            let added = naive::numbers(4, shape.rows * shape.width);
            let mut result = vec![9.0; shape.rows * shape.width];
            let items = (shape.blocks() * shape.panels) as u32;
            // In pieces, as an engine cuts it.
            let all = Packed { first: 0, numbers: &weights };
            for cut in [0..3, 3..items.min(11), items.min(11)..items] {
                conv(cut, &shape, [&a, &b], all, &added, &mut result);
            }
            let expected = naive::conv(&shape, [&a, &b], &weights, &added);
            naive::assert_near(&result, &expected, if winograd::suits(&shape) { 6e-6 } else { 2e-6 }, &shape);
            // A group of panels with only its own weights.
            let mut by_group = vec![9.0; shape.rows * shape.width];
            let size = GROUP * (shape.depth() + 1) * COLUMNS;
            for (group, numbers) in weights.chunks(size).enumerate() {
                let span = group * shape.group()..((group + 1) * shape.group()).min(items as usize);
                let some = Packed { first: group * GROUP, numbers };
                conv(span.start as u32..span.end as u32, &shape, [&a, &b], some, &added, &mut by_group);
            }
            assert_eq!(by_group, result, "{shape:?}");
        }
    }
}
