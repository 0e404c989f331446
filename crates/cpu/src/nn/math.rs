//! Elementary functions over slices, written so that the compiler turns them into vectors.

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
    // Adding 1.5 × 2^23 rounds to a whole number, whose two's complement is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
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

/// Numbers that are worked on together. Whole steps over short arrays become vectors; a function of one number that is
/// called for each of them does not.
type Lanes = [f32; 8];

#[inline(always)]
fn each(x: Lanes, f: impl Fn(f32) -> f32) -> Lanes {
    let mut y = x;
    for lane in 0..8 {
        y[lane] = f(x[lane]);
    }
    y
}

#[inline(always)]
fn both(a: Lanes, b: Lanes, f: impl Fn(f32, f32) -> f32) -> Lanes {
    let mut y = a;
    for lane in 0..8 {
        y[lane] = f(a[lane], b[lane]);
    }
    y
}

/// [`exp`] of eight numbers that are at most 87.
#[inline(always)]
pub(super) fn exp8(x: Lanes) -> Lanes {
    const ROUND: f32 = 12_582_912.0;
    let x = each(x, |x| larger(x, -87.0));
    let shifted = each(x, |x| x * std::f32::consts::LOG2_E + ROUND);
    let r = both(x, shifted, |x, s| x - (s - ROUND) * 0.693_359_4 + (s - ROUND) * 2.121_944_4e-4);
    let p = each(r, |r| {
        ((((1.987_569_1e-4 * r + 1.398_199_9e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 1.666_666_5e-1) * r
            + 0.5
    });
    let mantissa = both(p, r, |p, r| p * r * r + r + 1.0);
    both(mantissa, shifted, |m, s| m * f32::from_bits((s.to_bits() << 23).wrapping_add(0x3f80_0000)))
}

#[inline(always)]
fn swish8(x: Lanes, k: f32) -> Lanes {
    let e = exp8(each(x, |x| -larger(k * x, -87.0)));
    both(x, e, |x, e| x / (1.0 + e))
}

#[inline(always)]
fn gelu8(x: Lanes) -> Lanes {
    let a = each(x, |x| (x * std::f32::consts::FRAC_1_SQRT_2).abs());
    let t = each(a, |a| 1.0 / (1.0 + 0.327_591_1 * a));
    let p =
        each(t, |t| ((((1.061_405_4 * t - 1.453_152_1) * t + 1.421_413_8) * t - 0.284_496_72) * t + 0.254_829_6) * t);
    let e = exp8(each(a, |a| -a * a));
    let below = both(p, e, |p, e| 1.0 - p * e);
    both(x, below, |x, erf| 0.5 * x + 0.5 * x.abs() * erf)
}

/// Applies an activation to each number; [`Activation::Geglu`] is [`geglu`]'s.
#[inline(always)]
pub fn activate(activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::None | Activation::Geglu => {}
        Activation::Silu => by_eights(values, |x| swish8(x, 1.0)),
        Activation::Gelu => by_eights(values, gelu8),
        Activation::QuickGelu => by_eights(values, |x| swish8(x, 1.702)),
        // In this order what is no number stays so, and is told at the end.
        Activation::Relu => values.iter_mut().for_each(|x| *x = larger(0.0, *x)),
    }
}

#[inline(always)]
pub(super) fn by_eights(values: &mut [f32], f: impl Fn(Lanes) -> Lanes) {
    let (eights, rest) = values.as_chunks_mut::<8>();
    eights.iter_mut().for_each(|eight| *eight = f(*eight));
    if !rest.is_empty() {
        let mut last = [0.0; 8];
        last.iter_mut().zip(&*rest).for_each(|(to, x)| *to = *x);
        rest.iter_mut().zip(f(last)).for_each(|(to, x)| *to = x);
    }
}

/// The first half times the GELU of the second.
#[inline(always)]
#[must_use]
pub fn geglu(panel: [f32; 8]) -> [f32; 4] {
    let gates = gelu8(panel);
    [panel[0] * gates[4], panel[1] * gates[5], panel[2] * gates[6], panel[3] * gates[7]]
}

/// The sum, in eight strands: as exact as it is fast.
#[must_use]
pub fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut total = 0.0f64;
    // Strands of at most 512 numbers, so that the rounding stays small however many there are.
    for block in values.chunks(4096) {
        let mut strands = [0.0f32; 8];
        let (eights, rest) = block.as_chunks::<8>();
        for eight in eights {
            for (strand, &x) in strands.iter_mut().zip(eight) {
                *strand += term(x);
            }
        }
        total += strands.iter().map(|&s| f64::from(s)).sum::<f64>();
        total += rest.iter().map(|&x| f64::from(term(x))).sum::<f64>();
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
