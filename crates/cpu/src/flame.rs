//! Fractal flames (Draves & Reckase, "The Fractal Flame Algorithm", 2003): walkers, histogram, tone map.

use std::ops::Range;

use crate::elementary::{cos, power, sin};
use crate::{hash, unit};

/// The most transforms of a flame.
pub const MOST_TRANSFORMS: usize = 6;

/// Floats of a transform: the affine map a b c d e f, the share up to which it is chosen, its colour 0 to 1, the
/// variations' weights (linear, sinusoidal, spherical, swirl, horseshoe, handkerchief, heart, disc, spiral, julia).
pub const TRANSFORM_FLOATS: usize = 18;

/// Words of the palette: RGB as 8 bits each, packed.
pub const PALETTE: usize = 256;

/// Steps of a walker that are not drawn, until it is on the attractor.
pub const WARM_UP: u32 = 24;

/// What a dispatch walks; the same words as the shader's uniform.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Params {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// How many transforms.
    pub transforms: u32,
    /// Seed of the walkers; another for each round.
    pub seed: u32,
    /// Steps of each walker after the warm-up.
    pub steps: u32,
    /// Steps before the first is drawn.
    pub warm_up: u32,
    /// Pixels a unit.
    pub scale: f32,
    /// The attractor's middle.
    pub centre_x: f32,
    /// The attractor's middle.
    pub centre_y: f32,
    /// For the tone map: one over the logarithm of the brightest.
    pub exposure: f32,
    /// For the tone map: what a hit counts.
    pub brightness: f32,
    /// Fills up.
    pub unused: u32,
}

/// One step of a walker.
#[must_use]
pub fn step(transform: &[f32], x: f32, y: f32, bits: u32) -> (f32, f32) {
    let t = |index: usize| transform.get(index).copied().unwrap_or(0.0);
    let px = t(0) * x + t(1) * y + t(2);
    let py = t(3) * x + t(4) * y + t(5);
    let square = px * px + py * py;
    let radius = square.sqrt();
    let inverse = 1.0 / (square + 1e-6);
    let per_radius = 1.0 / (radius + 1e-6);
    // The dearest part, and only the last five variations ask for it.
    let angle =
        if transform.len() == TRANSFORM_FLOATS && transform[13..] != [0.0; 5] { px.atan2(py + 1e-9) } else { 0.0 };
    let mut out = (t(8) * px, t(8) * py);
    let mut add = |weight: f32, dx: f32, dy: f32| {
        out.0 += weight * dx;
        out.1 += weight * dy;
    };
    if t(9) != 0.0 {
        add(t(9), sin(px), sin(py));
    }
    if t(10) != 0.0 {
        add(t(10), px * inverse, py * inverse);
    }
    if t(11) != 0.0 {
        let (sine, cosine) = (sin(square), cos(square));
        add(t(11), px * sine - py * cosine, px * cosine + py * sine);
    }
    if t(12) != 0.0 {
        add(t(12), (px - py) * (px + py) * per_radius, 2.0 * px * py * per_radius);
    }
    if t(13) != 0.0 {
        add(t(13), radius * sin(angle + radius), radius * cos(angle - radius));
    }
    if t(14) != 0.0 {
        add(t(14), radius * sin(angle * radius), -radius * cos(angle * radius));
    }
    if t(15) != 0.0 {
        let share = angle * std::f32::consts::FRAC_1_PI;
        let (sine, cosine) = (sin(std::f32::consts::PI * radius), cos(std::f32::consts::PI * radius));
        add(t(15), share * sine, share * cosine);
    }
    if t(16) != 0.0 {
        add(t(16), per_radius * (cos(angle) + sin(radius)), per_radius * (sin(angle) - cos(radius)));
    }
    if t(17) != 0.0 {
        let turned = angle * 0.5 + if bits & 1 == 0 { 0.0 } else { std::f32::consts::PI };
        let root = radius.sqrt();
        add(t(17), root * cos(turned), root * sin(turned));
    }
    // A walker that leaves the world comes back in the middle.
    if out.0.abs() < 1e4 && out.1.abs() < 1e4 { out } else { (0.0, 0.0) }
}

/// A walker on its way.
#[derive(Clone, Copy, Debug)]
pub struct Walker {
    key: u32,
    count: u32,
    /// Where it is.
    pub x: f32,
    /// Where it is.
    pub y: f32,
    /// Its colour, 0 to 1.
    pub colour: f32,
}

impl Walker {
    /// The walker of an item in the round of a seed.
    #[must_use]
    pub fn new(seed: u32, item: u32) -> Self {
        let key = hash(seed ^ hash(item));
        let (x, y) = (unit(hash(key ^ 0x68bc_21eb)) * 2.0 - 1.0, unit(hash(key ^ 0x02e5_be93)) * 2.0 - 1.0);
        Self { key, count: 0, x, y, colour: 0.5 }
    }

    /// Takes one step by one of the transforms.
    pub fn advance(&mut self, transforms: &[f32], count: u32) {
        self.count += 1;
        let bits = hash(self.key.wrapping_add(self.count.wrapping_mul(0x9e37_79b9)));
        let drawn = unit(bits);
        let mut chosen = 0;
        while chosen + 1 < count as usize
            && drawn >= transforms.get(chosen * TRANSFORM_FLOATS + 6).copied().unwrap_or(1.0)
        {
            chosen += 1;
        }
        let at = chosen * TRANSFORM_FLOATS;
        let Some(transform) = transforms.get(at..at + TRANSFORM_FLOATS) else { return };
        (self.x, self.y) = step(transform, self.x, self.y, bits);
        self.colour = 0.5 * (self.colour + transform[7]);
    }
}

/// Walks the walkers of the span and counts where they come: four words a pixel, hits and the palette's R, G and B.
///
/// Whole numbers only, so that the sum does not depend on the order. A colour sum would pass 2^32 only on a pixel that
/// gets a fifth of all points of the highest preset; the fullest pixel of 560 flames got a twenty-eighth.
pub fn walk(span: Range<u32>, params: &Params, transforms: &[f32], palette: &[u32], histogram: &mut [u32]) {
    let (half_width, half_height) = (params.width as f32 * 0.5, params.height as f32 * 0.5);
    for item in span {
        let mut walker = Walker::new(params.seed, item);
        for _ in 0..params.warm_up {
            walker.advance(transforms, params.transforms);
        }
        for _ in 0..params.steps {
            walker.advance(transforms, params.transforms);
            let x = (walker.x - params.centre_x) * params.scale + half_width;
            let y = (walker.y - params.centre_y) * params.scale + half_height;
            if x >= 0.0 && y >= 0.0 && x < params.width as f32 && y < params.height as f32 {
                let at = (y as usize * params.width as usize + x as usize) * 4;
                let colour = palette.get((walker.colour * 255.0) as usize & 255).copied().unwrap_or(0);
                if let Some(cell) = histogram.get_mut(at..at + 4) {
                    cell[0] = cell[0].wrapping_add(1);
                    cell[1] = cell[1].wrapping_add(colour & 255);
                    cell[2] = cell[2].wrapping_add(colour >> 8 & 255);
                    cell[3] = cell[3].wrapping_add(colour >> 16 & 255);
                }
            }
        }
    }
}

/// One step of each walker, written out: x, y and colour. For tests: over many steps, a last bit grows to a picture.
pub fn single(span: Range<u32>, params: &Params, transforms: &[f32], places: &mut [f32]) {
    for item in span {
        let mut walker = Walker::new(params.seed, item);
        walker.advance(transforms, params.transforms);
        if let Some(place) = places.get_mut(item as usize * 3..item as usize * 3 + 3) {
            place.copy_from_slice(&[walker.x, walker.y, walker.colour]);
        }
    }
}

/// From the histogram to packed RGBA: brightness by the logarithm of the hits, smoothed where there are few.
pub fn tone(span: Range<u32>, params: &Params, histogram: &[u32], pixels: &mut [u32]) {
    for item in span {
        let (x, y) = ((item % params.width) as i32, (item / params.width) as i32);
        let centre = cell(params, histogram, x, y);
        // Few hits are noisy: the fewer, the more the neighbours count (a simple density estimation).
        let own = centre[0] * params.brightness;
        let share = 1.0 / (1.0 + own * 0.6);
        let mut sum = [0.0f32; 4];
        for (dx, dy, weight) in NEAR {
            let near = cell(params, histogram, x + dx, y + dy);
            for (sum, near) in sum.iter_mut().zip(near) {
                *sum += near * weight;
            }
        }
        let mixed: [f32; 4] = std::array::from_fn(|index| centre[index] * (1.0 - share) + sum[index] * share);
        let Some(pixel) = pixels.get_mut(item as usize) else { return };
        *pixel = colour_of(mixed, params);
    }
}

/// A 3×3 binomial filter.
const NEAR: [(i32, i32, f32); 9] = [
    (-1, -1, 0.0625),
    (0, -1, 0.125),
    (1, -1, 0.0625),
    (-1, 0, 0.125),
    (0, 0, 0.25),
    (1, 0, 0.125),
    (-1, 1, 0.0625),
    (0, 1, 0.125),
    (1, 1, 0.0625),
];

fn cell(params: &Params, histogram: &[u32], x: i32, y: i32) -> [f32; 4] {
    let x = x.clamp(0, params.width as i32 - 1) as usize;
    let y = y.clamp(0, params.height as i32 - 1) as usize;
    let at = (y * params.width as usize + x) * 4;
    histogram.get(at..at + 4).map_or([0.0; 4], |cell| std::array::from_fn(|index| cell[index] as f32))
}

fn colour_of(cell: [f32; 4], params: &Params) -> u32 {
    let hits = cell[0];
    let light = ((1.0 + hits * params.brightness).ln() * params.exposure).clamp(0.0, 1.0);
    // Gamma on the light and not on the colours keeps them vivid.
    let alpha = power(light, 0.55);
    let per_hit = 1.0 / (hits.max(1e-6) * 255.0);
    let white = (light - 0.82).max(0.0) * 1.6;
    let channel = |sum: f32, ground: f32| -> u32 {
        let pure = (sum * per_hit).min(1.0);
        let value = pure * alpha * (1.0 - white) + alpha * white + ground * (1.0 - alpha);
        (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u32
    };
    channel(cell[1], 0.020) | channel(cell[2], 0.022) << 8 | channel(cell[3], 0.034) << 16 | 0xff00_0000
}
