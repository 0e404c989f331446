//! Elementary functions, of one number and of eight.

use std::f32::consts::LOG2_E;

use super::lanes::{Eight, LANES};

/// Adding 1.5 × 2^23 rounds to a whole number, whose two's complement is then in the low bits.
const ROUND: f32 = 12_582_912.0;

/// What is applied to a sum before it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// x · sigmoid(x).
    Silu,
    /// x · Φ(x), by the error function.
    Gelu,
    /// x · sigmoid(1.702 x), as CLIP has it.
    QuickGelu,
    /// max(x, 0).
    Relu,
    /// The first four columns of a panel times the GELU of the last four.
    Geglu,
}

impl Activation {
    /// All, in the order of their numbers in the shaders.
    pub const ALL: [Self; 6] = [Self::None, Self::Silu, Self::Gelu, Self::QuickGelu, Self::Relu, Self::Geglu];

    /// The activation of a shader's number; none for what is no number of one.
    #[must_use]
    pub fn of(number: u32) -> Self {
        Self::ALL.get(number as usize).copied().unwrap_or(Self::None)
    }
}

/// The larger one. `f32::max` minds what is no number, and is then a call of its own in wasm.
#[inline(always)]
pub(super) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// e to the x, to about 2 units of the last place; Cephes' polynomial (Moshier).
#[inline(always)]
#[must_use]
pub fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let r = x - whole * 0.693_359_4 + whole * 2.121_944_4e-4;
    let p = ((((1.987_569_1e-4 * r + 1.398_199_9e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 1.666_666_5e-1)
        * r
        + 0.5;
    let mantissa = p * r * r + r + 1.0;
    mantissa * f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000))
}

/// The error function to 2e-7; Abramowitz and Stegun, 7.1.26.
#[inline(always)]
#[must_use]
pub fn erf(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * a);
    let p = ((((1.061_405_4 * t - 1.453_152_1) * t + 1.421_413_8) * t - 0.284_496_72) * t + 0.254_829_6) * t;
    (1.0 - p * exp(-a * a)).copysign(x)
}

/// The hyperbolic tangent, to about 1e-7.
#[inline(always)]
#[must_use]
pub fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// The polynomial that is nearest to two to the power of -0.5 to 0.5, after the 1 that it begins with.
#[allow(clippy::approx_constant, reason = "the first is near the logarithm of 2, as Taylor's would be, but not it")]
const POWER: [f32; 5] = [0.693_147, 0.240_222_42, 5.550_733_6e-2, 9.671_513e-3, 1.326_472_7e-3];

/// Two to the power of eight numbers that are at most 126, to 2e-7; in an order that leaves little to wait for.
#[inline(always)]
pub(super) fn power8(x: Eight) -> Eight {
    let x = x.larger(Eight::splat(-126.0));
    let shifted = x + ROUND;
    let r = x - (shifted - ROUND);
    let square = r * r;
    let [a, b, c, d, e] = POWER;
    let high = r * b + a + square * (r * d + c + square * e);
    (r * high + 1.0).scaled(shifted)
}

#[inline(always)]
fn swish8(x: Eight, k: f32) -> Eight {
    x / (power8((x * (-k * LOG2_E)).smaller(Eight::splat(126.0))) + 1.0)
}

/// Once, as it is a kilobyte.
#[inline(never)]
fn gelu8(x: Eight) -> Eight {
    let a = (x * std::f32::consts::FRAC_1_SQRT_2).abs();
    let t = Eight::splat(1.0) / (a * 0.327_591_1 + 1.0);
    let p = ((((t * 1.061_405_4 - 1.453_152_1) * t + 1.421_413_8) * t - 0.284_496_72) * t + 0.254_829_6) * t;
    let erf = Eight::splat(1.0) - p * power8(a * a * -LOG2_E);
    x * 0.5 + x.abs() * erf * 0.5
}

/// An activation of eight numbers; [`Activation::Geglu`] is [`geglu`]'s.
#[inline(always)]
pub(super) fn activate(activation: Activation, x: Eight) -> Eight {
    match activation {
        Activation::None | Activation::Geglu => x,
        Activation::Silu => silu(x),
        Activation::Gelu => gelu8(x),
        Activation::QuickGelu => swish8(x, 1.702),
        // In this order what is no number stays so, and is told at the end.
        Activation::Relu => x.larger(Eight::splat(0.0)),
    }
}

/// For two rows the first four numbers times the GELU of the last four.
#[inline(always)]
pub(super) fn geglu(one: Eight, other: Eight) -> Eight {
    let (values, gates) = Eight::halves(one, other);
    values * gelu8(gates)
}

/// x · sigmoid(x).
#[inline(always)]
pub(super) fn silu(x: Eight) -> Eight {
    swish8(x, 1.0)
}

/// The sum of what each number gives, in eight strands: as exact as it is fast.
#[inline(always)]
#[must_use]
pub(super) fn sum(values: &[f32], term: impl Fn(Eight) -> Eight) -> f32 {
    let mut total = 0.0f64;
    // Strands of at most 512 numbers, so that the rounding stays small however many there are.
    for block in values.chunks(512 * LANES) {
        let mut strands = Eight::splat(0.0);
        let (eights, rest) = block.as_chunks::<LANES>();
        for eight in eights {
            strands = strands + term(Eight::load(eight));
        }
        total += strands.store().into_iter().map(f64::from).sum::<f64>();
        total += rest.iter().map(|&x| f64::from(term(Eight::splat(x)).store()[0])).sum::<f64>();
    }
    total as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_to_the_exact_functions() {
        let mut x = -20.0f32;
        while x < 20.0 {
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) - exact).abs() <= 3e-7 * exact, "exp({x})");
            assert!((tanh(x) - x.tanh()).abs() < 3e-7, "tanh({x})");
            x += 0.003_7;
        }
        // Values of the error function from tables.
        for (x, y) in [(0.0, 0.0), (0.5, 0.520_499_9), (1.0, 0.842_700_8), (2.0, 0.995_322_3), (-1.5, -0.966_105_1)] {
            assert!((erf(x) - y).abs() < 3e-7, "erf({x}) = {}", erf(x));
        }
        assert_eq!((exp(-1000.0) < 1e-37, exp(0.0)), (true, 1.0));
    }

    #[test]
    fn sums_are_exact_for_many_numbers() {
        let many: Vec<f32> = (0..1_000_003).map(|n| (n % 1000) as f32 * 0.1).collect();
        let exact: f64 = many.iter().map(|&x| f64::from(x)).sum();
        assert!((f64::from(sum(&many, |x| x)) - exact).abs() < exact * 1e-6);
    }
}
