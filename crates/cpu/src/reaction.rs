//! Gray–Scott reaction and diffusion (Pearson, "Complex Patterns in a Simple System", 1993), and its relief.

use std::ops::Range;

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

/// Cells of one row.
fn cells(columns: Range<usize>, params: &Params, rows: [&[f32]; 3], to: &mut [f32]) {
    let width = params.width as usize;
    let [above, own, below] = rows;
    for (x, cell) in columns.zip(to.chunks_exact_mut(2)) {
        let left = if x == 0 { width - 1 } else { x - 1 };
        let right = if x + 1 == width { 0 } else { x + 1 };
        // U and V lie side by side, so both are computed by the same operations.
        let around = |part: usize| {
            let at = |row: &[f32], x: usize| row[x * 2 + part];
            0.2 * (at(own, left) + at(own, right) + at(above, x) + at(below, x))
                + 0.05 * (at(above, left) + at(above, right) + at(below, left) + at(below, right))
                - at(own, x)
        };
        let (u, v) = (own[x * 2], own[x * 2 + 1]);
        let eaten = u * v * v;
        cell[0] = u + params.spread * around(0) - eaten + params.feed * (1.0 - u);
        cell[1] = v + params.spread * 0.5 * around(1) + eaten - (params.feed + params.kill) * v;
    }
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
    let shine = half.powf(40.0) * 0.45 * level;
    let channel = |index: usize| -> u32 {
        let turn = params.pace[index] * (level * 0.8 + params.phase) + params.start[index];
        let base = params.middle[index] + params.swing[index] * (std::f32::consts::TAU * turn).cos();
        let lit = base.clamp(0.0, 1.0) * (0.28 + 1.05 * light) + shine;
        (lit.clamp(0.0, 1.0) * 255.0 + 0.5) as u32
    };
    channel(0) | channel(1) << 8 | channel(2) << 16 | 0xff00_0000
}
