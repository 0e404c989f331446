//! The transforms of a flame, drawn and judged.

use std::f32::consts::{PI, TAU};

use gradus_cpu::elementary::{cos, sin};
use gradus_cpu::flame::{MOST_TRANSFORMS, TRANSFORM_FLOATS, WARM_UP, Walker};

use crate::imagegen::palette::names_one;
use crate::imagegen::random::Random;
use crate::value::order;

/// Variations by the words that ask for them, in the order of their weights.
const VARIATIONS: [&str; 10] = [
    "linear straight",
    "wave sinusoidal sine",
    "sphere spherical bubble ball",
    "swirl whirl vortex storm",
    "horseshoe fold wing butterfly",
    "handkerchief cloth silk veil",
    "heart love valentine",
    "disc disk ring circle",
    "spiral shell snail galaxy",
    "julia fractal dragon",
];

/// Candidates that are drawn; the fullest is kept.
const CANDIDATES: usize = 14;

/// A cell of the grid on which candidates are judged.
const GRID: usize = 40;

/// A flame's transforms, and where its attractor is.
pub(super) struct Genome {
    pub(super) floats: Vec<f32>,
    pub(super) count: u32,
    pub(super) centre: [f32; 2],
    pub(super) scale: f32,
}

impl Genome {
    /// Draws flames and keeps the one that fills its picture best.
    pub(super) fn draw(words: &[String], random: &mut Random, width: u32, height: u32) -> Self {
        let asked: Vec<usize> = (0..VARIATIONS.len()).filter(|&index| names_one(words, VARIATIONS[index])).collect();
        let mut best: Option<(f32, Self)> = None;
        for _ in 0..CANDIDATES {
            let (floats, count) = transforms(&asked, random);
            let (fullness, genome) = judge(floats, count, random.bits(), width, height);
            if best.as_ref().is_none_or(|(most, _)| fullness > *most) {
                best = Some((fullness, genome));
            }
        }
        best.map(|(_, genome)| genome).unwrap_or(Self {
            floats: vec![0.0; TRANSFORM_FLOATS],
            count: 1,
            centre: [0.0; 2],
            scale: 1.0,
        })
    }
}

fn transforms(asked: &[usize], random: &mut Random) -> (Vec<f32>, u32) {
    let own = 2 + random.bits() as usize % 2;
    // Turned copies of the whole, of which the eye is fond.
    let fold = [1, 1, 2, 3, 4][random.bits() as usize % 5];
    let copies = (fold - 1).min(MOST_TRANSFORMS - own);
    let mut all: Vec<[f32; TRANSFORM_FLOATS]> = Vec::new();
    for index in 0..own {
        let mut transform = [0.0; TRANSFORM_FLOATS];
        let (turn, size) = (random.between(-PI, PI), random.between(0.45, 0.95));
        let skew = random.between(-0.35, 0.35);
        let (sine, cosine) = (sin(turn), cos(turn));
        transform[..6].copy_from_slice(&[
            size * cosine,
            -size * sine + skew,
            random.between(-1.0, 1.0),
            size * sine,
            size * cosine,
            random.between(-1.0, 1.0),
        ]);
        transform[7] = index as f32 / (own - 1).max(1) as f32;
        let main = match asked.get(index % asked.len().max(1)) {
            Some(&variation) => variation,
            None => 1 + random.bits() as usize % (VARIATIONS.len() - 1),
        };
        transform[8 + main] += random.between(0.6, 1.0);
        transform[8 + random.bits() as usize % 3] += random.between(0.05, 0.4);
        all.push(transform);
    }
    for copy in 1..=copies {
        let turn = TAU * copy as f32 / fold as f32;
        let (sine, cosine) = (sin(turn), cos(turn));
        let mut transform = [0.0; TRANSFORM_FLOATS];
        transform[..6].copy_from_slice(&[cosine, -sine, 0.0, sine, cosine, 0.0]);
        transform[7] = random.unit();
        transform[8] = 1.0;
        all.push(transform);
    }
    let count = all.len();
    for (index, transform) in all.iter_mut().enumerate() {
        transform[6] = (index + 1) as f32 / count as f32;
    }
    (all.concat(), count as u32)
}

/// Walks a little, finds the frame that holds nearly all points, and says how evenly they fill it.
fn judge(floats: Vec<f32>, count: u32, seed: u32, width: u32, height: u32) -> (f32, Genome) {
    let mut xs = Vec::new();
    let mut ys = Vec::new();
    for item in 0..64 {
        let mut walker = Walker::new(seed, item);
        for step in 0..WARM_UP + 120 {
            walker.advance(&floats, count);
            if step >= WARM_UP {
                xs.push(walker.x);
                ys.push(walker.y);
            }
        }
    }
    let (low_x, high_x) = range(&xs);
    let (low_y, high_y) = range(&ys);
    let (wide, high) = ((high_x - low_x).max(1e-3), (high_y - low_y).max(1e-3));
    let scale = (width as f32 / wide).min(height as f32 / high) * 0.86;
    let centre = [(low_x + high_x) * 0.5, (low_y + high_y) * 0.5];
    let mut cells = vec![0u32; GRID * GRID];
    for (x, y) in xs.iter().zip(&ys) {
        let place = |at: f32, middle: f32, size: u32| ((at - middle) * scale / size as f32 + 0.5) * GRID as f32;
        let (column, row) = (place(*x, centre[0], width), place(*y, centre[1], height));
        if (0.0..GRID as f32).contains(&column) && (0.0..GRID as f32).contains(&row) {
            cells[row as usize * GRID + column as usize] += 1;
        }
    }
    // Entropy: high when many places are visited about equally often.
    let total = xs.len() as f32;
    let entropy: f32 =
        cells.iter().filter(|&&hits| hits > 0).map(|&hits| -(hits as f32 / total) * (hits as f32 / total).ln()).sum();
    (entropy, Genome { floats, count, centre, scale })
}

/// The first and last percent left out.
fn range(values: &[f32]) -> (f32, f32) {
    // Without their signs, floats are in the order of their bits; below zero in the opposite one.
    let bits = |value: &f32| if value.is_sign_negative() { !value.to_bits() } else { value.to_bits() | 1 << 31 };
    let places = order(&values.iter().map(|value| bits(value).into()).collect::<Vec<_>>());
    let at = |share: f32| {
        let place = places.get((places.len() as f32 * share) as usize);
        place.and_then(|&place| values.get(place)).copied().unwrap_or(0.0)
    };
    (at(0.01), at(0.99))
}
