//! 3×3 convolutions with 16 products for each 2×2 pixels of the result instead of 36: Winograd's F(2×2, 3×3) as Lavin
//! and Gray have it (2016). Its only factor beside 1 and -1 is a half, so that little exactness is lost.
//!
//! A *tile* is 2×2 pixels of the result; it reads 4×4 of the source. Both the tile's source and the weights become 16
//! *points*, and the products are those of 16 small matrices.

#![allow(
    clippy::needless_range_loop,
    reason = "turned by iterators, squares of vectors are kept in memory: half as fast"
)]

use std::ops::Range;

use super::conv::{COLUMNS, GROUP, Packed, ROWS, Shape, finish};
use super::lanes::{Eight, Four, LANES};
use super::math::Activation;
use super::product::{Product, Products, Sums};

/// The points of a tile.
const POINTS: usize = 16;
/// Tiles whose points are kept at a time: few enough for the processor's second cache, and a multiple of [`ROWS`].
const TILES: usize = 32;
/// With fewer channels, or tiles, it is not worth it.
const LEAST_CHANNELS: usize = 16;
const LEAST_TILES: usize = 16;

/// Whether a convolution is computed so: a matter of its shape alone, so that a pixel is the same whatever the spans.
pub(super) fn suits(shape: &Shape) -> bool {
    shape.kernel == [3, 3]
        && shape.stride == 1
        && shape.channels[0] + shape.channels[1] >= LEAST_CHANNELS
        && shape.rows >= LEAST_TILES * 4
        && Activation::of(shape.activation) != Activation::Geglu
}

/// As [`super::conv::conv`].
pub(super) fn conv(
    span: Range<u32>,
    shape: &Shape,
    sources: [&[f32]; 2],
    weights: Packed<'_>,
    added: &[f32],
    result: &mut [f32],
) {
    let inner = shape.channels[0] + shape.channels[1];
    let nothing = vec![0.0f32; inner];
    let work = Work { shape, inner, sources, nothing: &nothing, lines: shape.result.map(|side| side.div_ceil(2)) };
    let (depth, in_group) = (shape.depth(), shape.group());
    let mut points = vec![0.0f32; POINTS * stride(inner)];
    let mut packed = vec![0.0f32; GROUP * POINTS * inner * COLUMNS];
    let (mut products, mut sums) = (Products::default(), vec![Sums::default(); POINTS * TILES / ROWS]);
    let (mut points_of, mut pixels) = (0..0, [[None; 4]; TILES]);
    let (mut item, end) = (span.start as usize, span.end as usize);
    while item < end {
        // The part of the span that is in one group of panels.
        let group = item / in_group;
        let panels = group * GROUP..shape.panels.min((group + 1) * GROUP);
        let until = end.min(group * in_group + shape.blocks() * panels.len());
        let block = |item: usize| (item - group * in_group) / panels.len().max(1);
        let tiles = work.tiles(block(item))..work.tiles(block(until - 1) + 1);
        item = until;
        for (packed, panel) in packed.chunks_exact_mut(POINTS * inner * COLUMNS).zip(panels.clone()) {
            let Some((_, panel)) = weights.panel(panel, depth) else { return };
            pack(panel, inner, packed);
        }
        for first in tiles.clone().step_by(TILES) {
            let tiles = first..tiles.end.min(first + TILES);
            if tiles != points_of {
                for (place, (tile, pixels)) in tiles.clone().zip(&mut pixels).enumerate() {
                    work.points(tile, place, &mut points);
                    *pixels = work.pixels(tile);
                }
                points_of = tiles.clone();
            }
            for (packed, panel) in packed.chunks_exact(POINTS * inner * COLUMNS).zip(panels.clone()) {
                let list = list(&points, packed, inner, tiles.len(), work.doubled());
                sums.fill(Sums::default());
                products.add(&list, &mut sums);
                let Some((bias, _)) = weights.panel(panel, depth) else { return };
                let bias = Eight::load(bias);
                for (place, pixels) in pixels.iter().take(tiles.len()).enumerate() {
                    let sums = gather(sums.as_flattened(), place).map(|sum| (bias + sum).store());
                    finish(shape, *pixels, panel, &sums, added, result);
                }
            }
        }
    }
}

/// Floats from point to point: not a power of two, or all points of a tile would share a place in the first cache.
fn stride(inner: usize) -> usize {
    TILES * inner + 2 * LANES
}

struct Work<'a> {
    shape: &'a Shape,
    inner: usize,
    sources: [&'a [f32]; 2],
    nothing: &'a [f32],
    /// Lines of tiles, and tiles of a line.
    lines: [usize; 2],
}

impl Work<'_> {
    /// Whether the source is doubled so that the two middle ones of a tile's four lines, and columns, are the same: their
    /// differences are zero then, and with them 7 of the 16 points.
    fn doubled(&self) -> bool {
        let Shape { upsample, padding, source: [height, width], .. } = *self.shape;
        upsample == 1 && padding == [1, 1] && height % 2 == 0 && width % 2 == 0
    }

    /// The first tile of a block. A block of a Winograd convolution is no four rows of the result but a tile, or two where
    /// sides are odd: so spans share no tile, and none is computed twice.
    fn tiles(&self, block: usize) -> usize {
        let pictures = self.shape.rows / (self.shape.result[0] * self.shape.result[1]).max(1);
        let tiles = pictures * self.lines[0] * self.lines[1];
        // In 64 bits: for 512 × 512 pixels the product is beyond what wasm's usize holds.
        (block as u64 * tiles as u64 / self.shape.blocks().max(1) as u64) as usize
    }

    /// The picture, the line and the place in it of a tile's first pixel.
    fn corner(&self, tile: usize) -> [usize; 3] {
        let [lines, width] = self.lines;
        let line = tile / width;
        [line / lines, line % lines * 2, tile % width * 2]
    }

    /// The rows of the result that a tile's pixels are, none beyond the edge.
    fn pixels(&self, tile: usize) -> [Option<usize>; 4] {
        let [height, width] = self.shape.result;
        let [picture, y, x] = self.corner(tile);
        [[0, 0], [0, 1], [1, 0], [1, 1]].map(|[down, right]| {
            let (y, x) = (y + down, x + right);
            (y < height && x < width).then_some((picture * height + y) * width + x)
        })
    }

    /// The points of a tile's source: the differences and sums of pixels along lines, then along columns.
    fn points(&self, tile: usize, place: usize, points: &mut [f32]) {
        let corner = self.corner(tile);
        let (points, _) = points.as_chunks_mut::<4>();
        let mut first = place * self.inner / 4;
        for (source, &channels) in self.sources.iter().zip(&self.shape.channels) {
            let (nothing, _) = self.nothing[..channels].as_chunks::<4>();
            let mut pixels = [nothing; POINTS];
            for (tap, pixel) in pixels.iter_mut().enumerate() {
                let row = self.shape.source_row_of(corner, [tap / 4, tap % 4]);
                if let Some(found) = row.and_then(|row| source.get(row * channels..(row + 1) * channels)) {
                    *pixel = found.as_chunks().0;
                }
            }
            for channel in 0..channels / 4 {
                let mut lines = [[Four::ZERO; 4]; 4];
                for (line, pixels) in lines.iter_mut().zip(pixels.as_chunks::<4>().0) {
                    let mut values = [Four::ZERO; 4];
                    for (value, pixel) in values.iter_mut().zip(pixels) {
                        let Some(four) = pixel.get(channel) else { return };
                        *value = Four::load(four);
                    }
                    *line = spread(values);
                }
                for right in 0..4 {
                    let column = spread([lines[0][right], lines[1][right], lines[2][right], lines[3][right]]);
                    for (down, value) in column.into_iter().enumerate() {
                        let at = (down * 4 + right) * (stride(self.inner) / 4) + first + channel;
                        let Some(to) = points.get_mut(at) else { return };
                        *to = value.store();
                    }
                }
            }
            first += channels / 4;
        }
    }
}

/// Of four numbers in a row what the three products of two neighbouring results are made of.
#[inline(always)]
fn spread([a, b, c, d]: [Four; 4]) -> [Four; 4] {
    [a - c, b + c, c - b, b - d]
}

/// Of a kernel's three numbers in a row what those are multiplied by.
#[inline(always)]
fn widen([a, b, c]: [Four; 3]) -> [Four; 4] {
    let sum = a + c;
    [a, (sum + b).half(), (sum - b).half(), c]
}

/// Two neighbouring results.
#[inline(always)]
fn join([a, b, c, d]: [Eight; 4]) -> [Eight; 2] {
    [a + b + c, b - c - d]
}

/// A panel's weights (tap by tap, channel by channel) as points, each channel by channel.
fn pack(panel: &[f32], inner: usize, packed: &mut [f32]) {
    let (from, _) = panel.as_chunks::<4>();
    let (to, _) = packed.as_chunks_mut::<4>();
    // A channel's eight weights as two fours.
    let inner = inner * 2;
    for channel in 0..inner {
        let mut lines = [[Four::ZERO; 4]; 3];
        for (down, line) in lines.iter_mut().enumerate() {
            let mut taps = [Four::ZERO; 3];
            for (right, tap) in taps.iter_mut().enumerate() {
                let Some(weights) = from.get((down * 3 + right) * inner + channel) else { return };
                *tap = Four::load(weights);
            }
            *line = widen(taps);
        }
        for right in 0..4 {
            let column = widen([lines[0][right], lines[1][right], lines[2][right]]);
            for (down, value) in column.into_iter().enumerate() {
                let Some(to) = to.get_mut((down * 4 + right) * inner + channel) else { return };
                *to = value.store();
            }
        }
    }
}

/// For each point the products of the tiles over the channels.
fn list<'a>(points: &'a [f32], packed: &'a [f32], inner: usize, tiles: usize, doubled: bool) -> Vec<Product<'a>> {
    let mut list = Vec::with_capacity(POINTS * TILES / ROWS);
    let panels = packed.chunks_exact(inner * COLUMNS);
    for (point, (points, panel)) in points.chunks_exact(stride(inner)).zip(panels).enumerate() {
        // Those are zero: see `Work::doubled`.
        if doubled && (point / 4 == 2 || point % 4 == 2) {
            continue;
        }
        for (block, rows) in points.chunks_exact(ROWS * inner).take(tiles.div_ceil(ROWS)).enumerate() {
            let (a, rest) = rows.split_at(inner);
            let (b, rest) = rest.split_at(inner);
            let (c, d) = rest.split_at(inner);
            list.push(Product { panel, rows: [a, b, c, d], sums: point * TILES / ROWS + block });
        }
    }
    list
}

/// The four pixels of a tile from the sums of its points.
#[inline(always)]
fn gather(sums: &[[f32; LANES]], place: usize) -> [Eight; 4] {
    let mut lines = [[Eight::splat(0.0); 2]; 4];
    for (down, line) in lines.iter_mut().enumerate() {
        let mut points = [Eight::splat(0.0); 4];
        for (right, point) in points.iter_mut().enumerate() {
            if let Some(sum) = sums.get((down * 4 + right) * TILES + place) {
                *point = Eight::load(sum);
            }
        }
        *line = join(points);
    }
    let [a, b, c, d] = lines;
    let [left, right] = [join([a[0], b[0], c[0], d[0]]), join([a[1], b[1], c[1], d[1]])];
    [left[0], right[0], left[1], right[1]]
}
