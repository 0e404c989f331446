//! Weights as 8-bit numbers in blocks: a checkpoint at half of the bytes of f16.
//!
//! The file is a safetensors file whose `__metadata__` has [`FORMAT`] as its `format`. A tensor of at least two
//! dimensions is an I8 tensor of the same name and shape; beside it is `NAME.scale`, F16, one number for each [`BLOCK`]
//! consecutive numbers in the order of the file (the last block may be shorter). A weight is [`number`] of the two. What
//! has one dimension stays as it is. The layout is GGML's Q8_0, taken apart into two tensors.

use gradus_cpu::nn::blocks;

use crate::kernels::nn::half;

/// Numbers that share a scale.
pub const BLOCK: usize = blocks::BLOCK;
/// How a file says that its I8 tensors are such blocks.
pub const FORMAT: &str = "gradus-blocks-8";

/// How many halves around largest / 127 the scale is chosen from.
const CHOICE: i32 = 3;
/// How far away a scale may be that gives a block exactly. The largest of a block that came out of another is a whole
/// number of scales: 127 of them, rounded to a half, which moves the quotient by one half at the most; among the
/// subnormal halves, which are coarse, it may be fewer, and the quotient moves by up to 4.
const REACH: i32 = CHOICE + 4;

/// The weight that a stored number means: a half, so that the f16 copy of a checkpoint has the very same numbers.
#[must_use]
pub fn number(stored: i8, scale: f32) -> f32 {
    half::to_f32(half::from_f32(f32::from(stored) * scale))
}

/// A block of at most 32 weights as the bits of its scale (a half) and its numbers; `None` when a weight is not finite
/// or too large for a half.
///
/// Weights that came out of such a block give a block that means exactly the same weights. Others are rounded with the
/// least error in the square that the halves around largest / 127 allow.
///
/// ```
/// use gradus::diffusion::quantised::{number, quantise};
/// use gradus::kernels::nn::half;
/// let (scale, numbers) = quantise(&[0.5, -1.27, 0.013]).unwrap();
/// assert_eq!(numbers, [50, -127, 1]);
/// let again: Vec<f32> = numbers.iter().map(|&stored| number(stored, half::to_f32(scale))).collect();
/// assert_eq!(quantise(&again), Some((scale, numbers)));
/// ```
#[must_use]
pub fn quantise(weights: &[f32]) -> Option<(u16, Vec<i8>)> {
    // The bound is where rounding to a half gives infinity; a NaN is not below it.
    if !weights.iter().all(|weight| weight.abs() < half::LIMIT) {
        return None;
    }
    let largest = weights.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
    let nearest = half::from_f32(largest / 127.0);
    let mut best = None;
    let mut least = f32::INFINITY;
    // From the nearest half on, to both sides in turn.
    for step in 0..=2 * REACH {
        let offset = if step % 2 == 0 { -step / 2 } else { (step + 1) / 2 };
        let Ok(bits) = u16::try_from(i32::from(nearest) + offset) else { continue };
        let scale = half::to_f32(bits);
        let numbers: Vec<i8> = weights.iter().map(|&weight| stored(weight, scale)).collect();
        let off = |(&weight, &stored): (&f32, &i8)| (number(stored, scale) - weight) * (number(stored, scale) - weight);
        let error: f32 = weights.iter().zip(&numbers).map(off).sum();
        if error == 0.0 {
            return Some((bits, numbers));
        }
        if offset.abs() <= CHOICE && error < least {
            (best, least) = (Some((bits, numbers)), error);
        }
    }
    best
}

/// The same with the half nearest to largest / 127 as the scale, appended to `numbers`: several times as quick, for weights
/// that are brought into blocks while they are loaded.
///
/// ```
/// let mut numbers = Vec::new();
/// let scale = gradus::diffusion::quantised::quantise_quickly(&[0.5, -1.27, 0.013], &mut numbers);
/// assert_eq!((scale, numbers), (Some(0x211f), vec![50, -127, 1]));
/// ```
#[must_use]
pub fn quantise_quickly(weights: &[f32], numbers: &mut Vec<i8>) -> Option<u16> {
    // A NaN would be passed over by the maximum.
    if !weights.iter().all(|weight| weight.abs() < half::LIMIT) {
        return None;
    }
    let largest = weights.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
    let bits = half::from_f32(largest / 127.0);
    let scale = half::to_f32(bits);
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let number = |&weight: &f32| (weight * inverse).round_ties_even().clamp(-127.0, 127.0) as i8;
    numbers.extend(weights.iter().map(number));
    Some(bits)
}

fn stored(weight: f32, scale: f32) -> i8 {
    if scale == 0.0 { 0 } else { (weight / scale).round().clamp(-127.0, 127.0) as i8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generator of numbers for blocks (Knuth's multiplier).
    struct Chance(u64);

    impl Chance {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            self.0 >> 33
        }
    }

    fn meant((scale, numbers): &(u16, Vec<i8>)) -> Vec<f32> {
        numbers.iter().map(|&stored| number(stored, half::to_f32(*scale))).collect()
    }

    fn error(weights: &[f32], block: &(u16, Vec<i8>)) -> f64 {
        weights.iter().zip(meant(block)).map(|(a, b)| f64::from(a - b).powi(2)).sum()
    }

    #[test]
    fn every_block_comes_back_whatever_its_scale() {
        let mut chance = Chance(1);
        // All finite scales with which 127 is a half.
        for bits in 0..half::from_f32(515.9) {
            let mut numbers: Vec<i8> = (0..1 + bits % 32).map(|_| (chance.next() % 255) as u8 as i8).collect();
            numbers.iter_mut().for_each(|stored| *stored = (*stored).max(-127));
            numbers[0] = if bits % 2 == 0 { 127 } else { -127 };
            let weights = meant(&(bits, numbers));
            let again = quantise(&weights).unwrap();
            assert_eq!(meant(&again), weights, "scale {bits:#x}");
        }
    }

    #[test]
    fn weights_of_any_size_come_back_after_the_first_time() {
        let mut chance = Chance(2);
        for round in 0..40_000 {
            let size = 2f32.powi(round % 42 - 27);
            let weights: Vec<f32> =
                (0..1 + round % 32).map(|_| (chance.next() as f32 / 2f32.powi(30) - 1.0) * size).collect();
            let once = meant(&quantise(&weights).unwrap());
            assert_eq!(meant(&quantise(&once).unwrap()), once, "{weights:?}");
        }
    }

    /// Brute force: all scales that there are.
    #[test]
    fn an_exact_scale_is_found_where_there_is_one_and_else_nearly_the_best() {
        let mut chance = Chance(3);
        let (mut ours, mut best) = (0.0, 0.0);
        for round in 0..100 {
            let weights: Vec<f32> = (0..32)
                .map(|_| half::to_f32(half::from_f32((chance.next() as f32 / 2f32.powi(31) - 0.5) * 0.1)))
                .collect();
            // Half of the rounds: weights that came out of a block.
            let weights = if round % 2 == 0 { weights } else { meant(&quantise(&weights).unwrap()) };
            let largest = weights.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
            // With a largest number below 127 there is less room for all others, however it turns out for a block.
            let all = (0..0x7c00u16).filter(|&bits| (largest / half::to_f32(bits)).round() == 127.0).map(|bits| {
                let numbers = weights.iter().map(|&weight| stored(weight, half::to_f32(bits))).collect();
                error(&weights, &(bits, numbers))
            });
            let (least, found) = (all.fold(f64::INFINITY, f64::min), error(&weights, &quantise(&weights).unwrap()));
            assert!(least > 0.0 || found == 0.0, "round {round}");
            assert!(round % 2 == 0 || found == 0.0, "round {round}");
            (ours, best) = (ours + found, best + least);
        }
        assert!(ours <= best * 1.1, "{ours:e} for {best:e}");
    }

    #[test]
    fn quickly_is_nearly_as_good() {
        let mut chance = Chance(4);
        let (mut ours, mut best) = (0.0, 0.0);
        for _ in 0..2000 {
            let weights: Vec<f32> = (0..32).map(|_| (chance.next() as f32 / 2f32.powi(31) - 0.5) * 0.1).collect();
            let mut numbers = Vec::new();
            let scale = quantise_quickly(&weights, &mut numbers).unwrap();
            ours += error(&weights, &(scale, numbers));
            best += error(&weights, &quantise(&weights).unwrap());
        }
        assert!(ours <= best * 1.12, "{ours:e} for {best:e}");
        assert_eq!(quantise_quickly(&[f32::NAN], &mut Vec::new()), None);
        assert_eq!(quantise_quickly(&[0.0, -0.0], &mut Vec::new()), Some(0));
    }

    #[test]
    fn what_no_half_can_be_is_refused() {
        for weight in [f32::NAN, f32::INFINITY, 65_520.0, -1e9] {
            assert_eq!(quantise(&[0.5, weight]), None);
        }
        assert_eq!(quantise(&[0.0, -0.0]), Some((0, vec![0, 0])));
        let (scale, numbers) = quantise(&[65_504.0]).unwrap();
        assert!(number(numbers[0], half::to_f32(scale)).is_finite());
        assert_eq!(quantise(&[]), Some((0, Vec::new())));
    }
}
