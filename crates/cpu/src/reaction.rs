//! Gray–Scott reaction and diffusion (Pearson, "Complex Patterns in a Simple System", 1993), and its relief.

use std::ops::Range;

use crate::elementary::{cos, power};

/// What a dispatch computes; the same words as the shader's uniform.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Params {
    /// Width of the grid in cells.
    pub width: u32,
    /// Height of the grid in cells.
    pub height: u32,
    /// Width of the picture in pixels.
    pub picture_width: u32,
    /// Height of the picture in pixels.
    pub picture_height: u32,
    /// How fast U is fed.
    pub feed: f32,
    /// How fast V is removed.
    pub kill: f32,
    /// How fast U spreads; V spreads half as fast.
    pub spread: f32,
    /// The palette's turn.
    pub phase: f32,
    /// The palette, by Quilez' cosine formula: its middle.
    pub middle: [f32; 4],
    /// How far it swings.
    pub swing: [f32; 4],
    /// How fast each channel runs through it.
    pub pace: [f32; 4],
    /// Where each channel begins.
    pub start: [f32; 4],
}

/// One step of the span's cells, from one grid to the other: two floats a cell, U and V. Edges meet.
pub fn step(span: Range<u32>, params: &Params, from: &[f32], to: &mut [f32]) {
    let (width, height) = (params.width as usize, params.height as usize);
    let mut item = span.start as usize;
    while item < span.end as usize {
        let y = item / width;
        let end = ((y + 1) * width).min(span.end as usize);
        let up = if y == 0 { height - 1 } else { y - 1 };
        let down = if y + 1 == height { 0 } else { y + 1 };
        let row = |y: usize| &from[y * width * 2..(y + 1) * width * 2];
        let rows = [row(up), row(y), row(down)];
        let first = item - y * width;
        cells(first..first + end - item, params, rows, &mut to[item * 2..end * 2]);
        item = end;
    }
}

/// Floats that are diffused at a time before they react: an even number, small enough for the first-level cache.
const CHUNK: usize = 64;

/// Cells of one row.
fn cells(columns: Range<usize>, params: &Params, rows: [&[f32]; 3], to: &mut [f32]) {
    let last = params.width as usize - 1;
    // Only the first and the last column have neighbours across the edge.
    let inner = columns.start.max(1)..columns.end.min(last).max(columns.start.max(1));
    for x in columns.clone().filter(|x| !inner.contains(x)) {
        let (left, right) = (if x == 0 { last } else { x - 1 }, if x == last { 0 } else { x + 1 });
        let around = |part: usize| {
            let take = |row: &[f32]| [row[left * 2 + part], row[x * 2 + part], row[right * 2 + part]];
            laplacian(rows.map(take))
        };
        let cell = react(params, rows[1][x * 2], rows[1][x * 2 + 1], around(0), around(1));
        let at = (x - columns.start) * 2;
        to[at..at + 2].copy_from_slice(&cell);
    }
    let mut around = [0.0f32; CHUNK];
    let mut first = inner.start * 2;
    while first < inner.end * 2 {
        let end = (first + CHUNK).min(inner.end * 2);
        let count = end - first;
        // U and V lie side by side and diffuse alike: one plain loop over floats, which the compiler turns to SIMD.
        let [above, own, below] = rows.map(|row| &row[first - 2..end + 2]);
        for (index, around) in around[..count].iter_mut().enumerate() {
            let take = |row: &[f32]| [row[index], row[index + 2], row[index + 4]];
            *around = laplacian([take(above), take(own), take(below)]);
        }
        let at = first - columns.start * 2;
        let old = rows[1][first..end].chunks_exact(2);
        for ((cell, old), around) in to[at..at + count].chunks_exact_mut(2).zip(old).zip(around.chunks_exact(2)) {
            cell.copy_from_slice(&react(params, old[0], old[1], around[0], around[1]));
        }
        first = end;
    }
}

/// How much more there is around than here: sides count 0.2, corners 0.05.
fn laplacian([above, own, below]: [[f32; 3]; 3]) -> f32 {
    0.2 * (own[0] + own[2] + above[1] + below[1]) + 0.05 * (above[0] + above[2] + below[0] + below[2]) - own[1]
}

fn react(params: &Params, u: f32, v: f32, around_u: f32, around_v: f32) -> [f32; 2] {
    let eaten = u * v * v;
    [
        u + params.spread * around_u - eaten + params.feed * (1.0 - u),
        v + params.spread * 0.5 * around_v + eaten - (params.feed + params.kill) * v,
    ]
}

/// The relief of V as packed RGBA, the grid brought to the picture's size by smooth interpolation.
pub fn shade(span: Range<u32>, params: &Params, grid: &[f32], pixels: &mut [u32]) {
    let scale_x = params.width as f32 / params.picture_width as f32;
    let scale_y = params.height as f32 / params.picture_height as f32;
    for item in span {
        let x = ((item % params.picture_width) as f32 + 0.5) * scale_x - 0.5;
        let y = ((item / params.picture_width) as f32 + 0.5) * scale_y - 0.5;
        let at = |dx: f32, dy: f32| height(params, grid, x + dx, y + dy);
        let here = at(0.0, 0.0);
        let slope_x = at(1.0, 0.0) - at(-1.0, 0.0);
        let slope_y = at(0.0, 1.0) - at(0.0, -1.0);
        let Some(pixel) = pixels.get_mut(item as usize) else { return };
        *pixel = colour(params, here, slope_x, slope_y);
    }
}

/// V at a place between cells, bilinear; edges meet.
fn height(params: &Params, grid: &[f32], x: f32, y: f32) -> f32 {
    let (floor_x, floor_y) = (x.floor(), y.floor());
    let (fx, fy) = (x - floor_x, y - floor_y);
    let wrap = |at: i32, size: u32| at.rem_euclid(size as i32) as usize;
    let (x0, x1) = (wrap(floor_x as i32, params.width), wrap(floor_x as i32 + 1, params.width));
    let (y0, y1) = (wrap(floor_y as i32, params.height), wrap(floor_y as i32 + 1, params.height));
    let v = |x: usize, y: usize| grid.get((y * params.width as usize + x) * 2 + 1).copied().unwrap_or(0.0);
    let top = v(x0, y0) * (1.0 - fx) + v(x1, y0) * fx;
    let bottom = v(x0, y1) * (1.0 - fx) + v(x1, y1) * fx;
    top * (1.0 - fy) + bottom * fy
}

fn colour(params: &Params, here: f32, slope_x: f32, slope_y: f32) -> u32 {
    let level = (here * 2.6).clamp(0.0, 1.0);
    let steep = 5.0;
    let length = (slope_x * slope_x * steep * steep + slope_y * slope_y * steep * steep + 1.0).sqrt();
    let (nx, ny, nz) = (-slope_x * steep / length, -slope_y * steep / length, 1.0 / length);
    // A lamp from the upper left.
    let light = (nx * -0.50 + ny * -0.56 + nz * 0.66).max(0.0);
    let half = (nx * -0.27 + ny * -0.31 + nz * 0.91).max(0.0);
    let shine = power(half, 40.0) * 0.45 * level;
    let channel = |index: usize| -> u32 {
        let turn = params.pace[index] * (level * 0.8 + params.phase) + params.start[index];
        let base = params.middle[index] + params.swing[index] * cos(std::f32::consts::TAU * turn);
        let lit = base.clamp(0.0, 1.0) * (0.28 + 1.05 * light) + shine;
        (lit.clamp(0.0, 1.0) * 255.0 + 0.5) as u32
    };
    channel(0) | channel(1) << 8 | channel(2) << 16 | 0xff00_0000
}
