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

use super::conv::{COLUMNS, GROUP, ROWS, Shape, finish};
use super::lanes::{Eight, LANES};
use super::math::Activation;
use super::product::accumulate;

/// The points of a tile.
const POINTS: usize = 16;
/// Tiles whose points are kept at a time: few enough for the processor's second cache, and a multiple of [`ROWS`].
const TILES: usize = 32;
/// Floats of the weights' points that are kept at a time, for which the tiles' points are then made once: as many as
/// that cache holds.
const PACKED: usize = 1 << 17;
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

/// What a span computes in one group of panels. Blocks at its ends are computed whole: what of them is another span's
/// comes out as it does there.
struct Part {
    panels: Range<usize>,
    rows: Range<usize>,
    tiles: Range<usize>,
}

/// As [`super::conv::conv`].
pub(super) fn conv(
    span: Range<u32>,
    shape: &Shape,
    sources: [&[f32]; 2],
    weights: &[f32],
    added: &[f32],
    result: &mut [f32],
) {
    let inner = shape.channels[0] + shape.channels[1];
    let nothing = vec![0.0f32; inner];
    let work = Work { shape, inner, sources, nothing: &nothing, lines: shape.result.map(|side| side.div_ceil(2)) };
    let (panel_size, packed_size) = ((shape.depth() + 1) * COLUMNS, POINTS * inner * COLUMNS);
    let parts = work.parts(span.start as usize..span.end as usize);
    let at_once = (PACKED / (packed_size * GROUP)).clamp(1, parts.len().max(1));
    let mut points = vec![0.0f32; POINTS * stride(inner)];
    let mut packed = vec![0.0f32; packed_size * GROUP * at_once];
    let mut sums = vec![[0.0f32; LANES]; POINTS * TILES];
    let (mut points_of, mut pixels) = (0..0, [[None; 4]; TILES]);
    for parts in parts.chunks(at_once) {
        let all = parts.iter().zip(packed.chunks_exact_mut(packed_size * GROUP));
        for (panel, packed) in all.flat_map(|(part, to)| part.panels.clone().zip(to.chunks_exact_mut(packed_size))) {
            let Some(panel) = weights.get(panel * panel_size + COLUMNS..(panel + 1) * panel_size) else { return };
            pack(panel, inner, packed);
        }
        let first = parts.iter().map(|part| part.tiles.start).min().unwrap_or(0);
        let last = parts.iter().map(|part| part.tiles.end).max().unwrap_or(0);
        for first in (first..last).step_by(TILES) {
            let tiles = first..last.min(first + TILES);
            let touches = |part: &Part| part.tiles.start < tiles.end && tiles.start < part.tiles.end;
            if !parts.iter().any(touches) {
                continue;
            }
            if tiles != points_of {
                for (place, (tile, pixels)) in tiles.clone().zip(&mut pixels).enumerate() {
                    work.points(tile, place, &mut points);
                    *pixels = work.pixels(tile);
                }
                points_of = tiles.clone();
            }
            let all = parts.iter().zip(packed.chunks_exact(packed_size * GROUP)).filter(|(part, _)| touches(part));
            for (part, packed) in all {
                for (panel, packed) in part.panels.clone().zip(packed.chunks_exact(packed_size)) {
                    multiply(&points, packed, inner, tiles.len(), &mut sums);
                    let bias = weights.get(panel * panel_size..).and_then(|panel| panel.first_chunk());
                    let bias = bias.map_or(Eight::splat(0.0), Eight::load);
                    for (place, pixels) in pixels.iter().take(tiles.len()).enumerate() {
                        for (&pixel, sum) in pixels.iter().zip(gather(&sums, place)) {
                            if let Some(row) = pixel.filter(|row| part.rows.contains(row)) {
                                finish(shape, row, panel, bias + sum, added, result);
                            }
                        }
                    }
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
    fn parts(&self, span: Range<usize>) -> Vec<Part> {
        let (shape, in_group) = (self.shape, self.shape.blocks() * GROUP);
        let mut parts = Vec::new();
        let mut item = span.start;
        while item < span.end {
            let group = item / in_group;
            let panels = group * GROUP..shape.panels.min((group + 1) * GROUP);
            let block = |item: usize| (item - group * in_group) / panels.len();
            let until = span.end.min(group * in_group + shape.blocks() * panels.len());
            if until <= item {
                break;
            }
            let rows = block(item) * ROWS..shape.rows.min((block(until - 1) + 1) * ROWS);
            let tiles = self.tiles(&rows);
            parts.push(Part { panels, rows, tiles });
            item = until;
        }
        parts
    }

    /// The tiles of all lines that have some of these rows.
    fn tiles(&self, rows: &Range<usize>) -> Range<usize> {
        let [lines, width] = self.lines;
        let line = |row: usize| {
            let [picture, y, _] = self.shape.pixel(row);
            picture * lines + y / 2
        };
        line(rows.start) * width..(line(rows.end.saturating_sub(1)) + 1) * width
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
        let mut first = 0;
        for (source, &channels) in self.sources.iter().zip(&self.shape.channels) {
            let mut pixels: [[&[f32]; 4]; 4] = [[&self.nothing[..channels]; 4]; 4];
            for (down, line) in pixels.iter_mut().enumerate() {
                for (right, pixel) in line.iter_mut().enumerate() {
                    let row = self.shape.source_row_of(corner, [down, right]);
                    if let Some(found) = row.and_then(|row| source.get(row * channels..(row + 1) * channels)) {
                        *pixel = found;
                    }
                }
            }
            let mut channel = 0;
            while channel < channels {
                let whole = channel + LANES <= channels;
                let mut lines = [[Eight::splat(0.0); 4]; 4];
                for (line, pixels) in lines.iter_mut().zip(&pixels) {
                    let [a, b, c, d] = *pixels;
                    *line = spread([
                        Eight::of(a, channel, whole),
                        Eight::of(b, channel, whole),
                        Eight::of(c, channel, whole),
                        Eight::of(d, channel, whole),
                    ]);
                }
                for right in 0..4 {
                    let column = spread([lines[0][right], lines[1][right], lines[2][right], lines[3][right]]);
                    for (down, value) in column.into_iter().enumerate() {
                        let at = (down * 4 + right) * stride(self.inner) + place * self.inner + first + channel;
                        value.put(points, at, whole);
                    }
                }
                channel += LANES;
            }
            first += channels;
        }
    }
}

/// Of four numbers in a row what the three products of two neighbouring results are made of.
#[inline(always)]
fn spread([a, b, c, d]: [Eight; 4]) -> [Eight; 4] {
    [a - c, b + c, c - b, b - d]
}

/// Of a kernel's three numbers in a row what those are multiplied by.
#[inline(always)]
fn widen([a, b, c]: [Eight; 3]) -> [Eight; 4] {
    let sum = a + c;
    [a, (sum + b) * 0.5, (sum - b) * 0.5, c]
}

/// Two neighbouring results.
#[inline(always)]
fn join([a, b, c, d]: [Eight; 4]) -> [Eight; 2] {
    [a + b + c, b - c - d]
}

/// A panel's weights (tap by tap, channel by channel) as points, each channel by channel.
fn pack(panel: &[f32], inner: usize, packed: &mut [f32]) {
    let (from, _) = panel.as_chunks::<COLUMNS>();
    let (to, _) = packed.as_chunks_mut::<COLUMNS>();
    for channel in 0..inner {
        let mut lines = [[Eight::splat(0.0); 4]; 3];
        for (down, line) in lines.iter_mut().enumerate() {
            let mut taps = [Eight::splat(0.0); 3];
            for (right, tap) in taps.iter_mut().enumerate() {
                let Some(weights) = from.get((down * 3 + right) * inner + channel) else { return };
                *tap = Eight::load(weights);
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

/// For each point the tiles' sums of products over the channels.
fn multiply(points: &[f32], packed: &[f32], inner: usize, tiles: usize, sums: &mut [[f32; LANES]]) {
    let panels = packed.chunks_exact(inner * COLUMNS);
    for ((points, panel), sums) in points.chunks_exact(stride(inner)).zip(panels).zip(sums.chunks_exact_mut(TILES)) {
        let blocks = points.chunks_exact(ROWS * inner).zip(sums.as_chunks_mut::<ROWS>().0);
        for (rows, to) in blocks.take(tiles.div_ceil(ROWS)) {
            let mut block = [Eight::splat(0.0); ROWS];
            let (a, rest) = rows.split_at(inner);
            let (b, rest) = rest.split_at(inner);
            let (c, d) = rest.split_at(inner);
            accumulate(&mut block, panel, [a, b, c, d]);
            *to = block.map(Eight::store);
        }
    }
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
