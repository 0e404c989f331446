//! Sine, cosine and powers of both precisions from a few lines: the standard library has a function for each, exact to the
//! last bit for the largest of numbers, which together are 12 kB of a page's wasm.

use std::f64::consts::FRAC_2_PI;

/// The first 33 bits of a quarter turn, so that a multiple of it has no error, and the rest.
const QUARTER: [f64; 2] = [f64::from_bits(0x3ff9_21fb_5440_0000), 6.077_100_506_506_192e-11];

/// The Taylor series' factors: of the cosine those of x⁰, x² …, of the sine those of x¹, x³ ….
const SERIES: [[f64; 9]; 2] = [series(0), series(1)];

const fn series(first: usize) -> [f64; 9] {
    let mut all = [1.0; 9];
    let mut n = 1;
    while n < all.len() {
        let power = first + 2 * n;
        all[n] = -all[n - 1] / (power * (power - 1)) as f64;
        n += 1;
    }
    all
}

// What is public is not inlined: it stands in kernels at a dozen places, and a call is a small part of what it takes.

/// The sine of an angle and so many quarter turns, by so many terms of the Taylor series around the nearest quarter turn
/// (Cody and Waite, 1980).
#[inline(always)]
fn wave<const TERMS: usize>(angle: f64, quarters: i64) -> f64 {
    let turns = (angle * FRAC_2_PI).round_ties_even();
    // The angles that are too large for this have no sine that anybody could use, but it stays one.
    let rest = ((angle - turns * QUARTER[0]) - turns * QUARTER[1]).clamp(-1.0, 1.0);
    let (square, quarter) = (rest * rest, (turns as i64).wrapping_add(quarters));
    let series = |of: &[f64; 9]| of[..TERMS].iter().rev().fold(0.0, |sum, factor| sum * square + factor);
    let sine = if quarter & 1 == 0 { rest * series(&SERIES[1]) } else { series(&SERIES[0]) };
    if quarter & 2 == 0 { sine } else { -sine }
}

/// Sine and cosine of an angle in radians, to 4e-16 for less than a million; beyond they are only in -1..1.
///
/// ```
/// let (sine, cosine) = gradus_cpu::elementary::sin_cos(1.0);
/// assert!((sine - 0.841_470_984_807_896_5).abs() < 1e-15 && (cosine - 0.540_302_305_868_139_8).abs() < 1e-15);
/// ```
#[inline(never)]
#[must_use]
pub fn sin_cos(angle: f64) -> (f64, f64) {
    let wave = |quarters| wave::<9>(angle, quarters);
    (wave(0), wave(1))
}

/// The sine of an angle in radians, to a unit of the last place for less than a million.
#[inline(never)]
#[must_use]
pub fn sin(angle: f32) -> f32 {
    wave::<6>(f64::from(angle), 0) as f32
}

/// The cosine of an angle in radians, to a unit of the last place for less than a million.
#[inline(never)]
#[must_use]
pub fn cos(angle: f32) -> f32 {
    wave::<6>(f64::from(angle), 1) as f32
}

/// A number that is not negative to a power.
///
/// ```
/// assert!((gradus_cpu::elementary::power(2.0, 0.5) - 1.414_213_5).abs() < 2e-7);
/// ```
#[inline(never)]
#[must_use]
pub fn power(base: f32, exponent: f32) -> f32 {
    (f64::from(base).ln() * f64::from(exponent)).exp() as f32
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the standard library is what they are held to")]
mod tests {
    use super::*;

    #[test]
    fn they_are_the_standard_librarys() {
        let mut angle = -1e6;
        while angle < 1e6 {
            let (sine, cosine) = sin_cos(angle);
            assert!((sine - angle.sin()).abs() < 4e-16 && (cosine - angle.cos()).abs() < 4e-16, "{angle}");
            let (narrow, wide) = (angle as f32, f64::from(angle as f32));
            assert!((f64::from(sin(narrow)) - wide.sin()).abs() < 6e-8, "{narrow}");
            assert!((f64::from(cos(narrow)) - wide.cos()).abs() < 6e-8, "{narrow}");
            angle += 7.390_56;
        }
        for eighths in -64..=64 {
            let angle = f64::from(eighths) * std::f64::consts::FRAC_PI_8;
            let (sine, cosine) = sin_cos(angle);
            assert!((sine - angle.sin()).abs() < 4e-16 && (cosine - angle.cos()).abs() < 4e-16, "{angle}");
        }
    }

    #[test]
    fn powers_are_the_standard_librarys() {
        assert_eq!((power(0.0, 0.55), power(1.0, 40.0)), (0.0, 1.0));
        for n in 1..1000 {
            for exponent in [1.0 / 2.2, 0.55, 40.0] {
                let base = n as f32 / 700.0;
                let exact = f64::from(base).powf(f64::from(exponent));
                assert!((f64::from(power(base, exponent)) - exact).abs() < 7e-8 * exact + 1e-38, "{base} ^ {exponent}");
            }
        }
    }

    #[test]
    fn no_number_breaks_them() {
        for angle in [1e9, -1e15, 1e40, f64::MAX] {
            let (sine, cosine) = sin_cos(angle);
            assert!(sine.abs() <= 1.0 && cosine.abs() <= 1.0, "{angle}");
        }
        assert!(sin_cos(f64::NAN).0.is_nan() && sin(f32::INFINITY).is_nan());
    }
}
