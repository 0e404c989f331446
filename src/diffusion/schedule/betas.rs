//! The training's noise levels, and how times are chosen among them.

use gradus_cpu::elementary::sin_cos;

use super::{Kind, Sampler, Spacing};
use crate::diffusion::config::Config;
use crate::value::Error;

/// The share of the picture that is left at each of the training's times, as a product (ᾱ).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Betas {
    alphas: Vec<f64>,
    /// Whether they fall as a cosine does.
    pub(super) cosine: bool,
}

impl Betas {
    pub(super) fn new(config: &Config, kind: Kind) -> Result<Self, Error> {
        let count = config.count("num_train_timesteps", 1000)?;
        if !(2..=10_000).contains(&count) {
            return Err(config.refuse("num_train_timesteps", "2 to 10000"));
        }
        let (start, end) = (config.float("beta_start", usual_start(kind))?, config.float("beta_end", usual_end(kind))?);
        let spread = |from: f64, to: f64, n: usize| from + (to - from) * n as f64 / (count - 1) as f64;
        let names = ["linear", "scaled_linear", "squaredcos_cap_v2"];
        let usual = if kind == Kind::Lcm { 1 } else { 0 };
        let shape = if config.get("beta_schedule").is_none() { usual } else { config.only("beta_schedule", &names)? };
        let bar = |t: f64| {
            let c = sin_cos((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).1;
            c * c
        };
        let beta = |n: usize| match shape {
            0 => spread(start, end, n),
            1 => spread(start.sqrt(), end.sqrt(), n) * spread(start.sqrt(), end.sqrt(), n),
            _ => (1.0 - bar((n + 1) as f64 / count as f64) / bar(n as f64 / count as f64)).min(0.999),
        };
        let mut left = 1.0;
        let mut alphas: Vec<f64> = (0..count)
            .map(|n| {
                // All of it in single precision, where 1 − 0.999 and the little that the first times lack of 1 are far
                // enough from what they are to be seen.
                left *= f64::from(1.0 - beta(n) as f32);
                f64::from(left as f32)
            })
            .collect();
        // PNDM has no such field: one that stands there is another class'.
        if config.flag("rescale_betas_zero_snr", false)? && kind != Kind::Pndm {
            let roots: Vec<f64> = alphas.iter().map(|alpha| alpha.sqrt()).collect();
            let (first, last) = (roots[0], roots[count - 1]);
            for (alpha, root) in alphas.iter_mut().zip(roots) {
                let moved = (root - last) * first / (first - last);
                *alpha = moved * moved;
            }
            // Samplers that divide by it take a number next to 0, as diffusers does.
            if matches!(kind, Kind::Euler | Kind::EulerAncestral | Kind::Dpm) {
                alphas[count - 1] = 2f64.powi(-24);
            }
        }
        Ok(Self { alphas, cosine: shape == 2 })
    }

    pub(super) fn count(&self) -> usize {
        self.alphas.len()
    }

    /// ᾱ of a time; of a time before the first what the caller says.
    pub(super) fn alpha(&self, t: f64, before: f64) -> f64 {
        if t < 0.0 { before } else { self.alphas[(t as usize).min(self.count() - 1)] }
    }

    pub(super) fn first(&self) -> f64 {
        self.alphas[0]
    }

    /// σ = √((1 − ᾱ) / ᾱ) of a whole time.
    pub(super) fn sigma(&self, n: usize) -> f64 {
        ((1.0 - self.alphas[n]) / self.alphas[n]).sqrt()
    }

    /// The same of any time, between the whole ones along a line.
    pub(super) fn sigma_between(&self, t: f64) -> f64 {
        let low = (t.max(0.0) as usize).min(self.count() - 1);
        let high = (low + 1).min(self.count() - 1);
        let share = t - low as f64;
        self.sigma(low) * (1.0 - share) + self.sigma(high) * share
    }

    /// The time of a σ, between the whole ones along a line of its logarithm.
    pub(super) fn time_of(&self, sigma: f64) -> f64 {
        let wanted = sigma.max(1e-10).ln();
        let low = (0..self.count() - 1).rfind(|&n| self.sigma(n).ln() <= wanted).unwrap_or(0);
        let (from, to) = (self.sigma(low).ln(), self.sigma(low + 1).ln());
        low as f64 + ((from - wanted) / (from - to)).clamp(0.0, 1.0)
    }
}

fn usual_start(kind: Kind) -> f64 {
    if kind == Kind::Lcm { 0.000_85 } else { 0.000_1 }
}

fn usual_end(kind: Kind) -> f64 {
    if kind == Kind::Lcm { 0.012 } else { 0.02 }
}

/// A whole number next to this one, halves to the even one, as numpy rounds.
pub(super) fn round(x: f64) -> f64 {
    let floor = x.floor();
    let up = x - floor > 0.5 || (x - floor == 0.5 && floor % 2.0 != 0.0);
    if up { floor + 1.0 } else { floor }
}

/// Karras et al., 2022, equation 5, from the highest to the lowest with ρ = 7.
pub(super) fn karras(highest: f64, lowest: f64, steps: usize) -> Vec<f64> {
    let root = |x: f64| (x.ln() / 7.0).exp();
    let (high, low) = (root(highest), root(lowest));
    let power = |x: f64| x * x * x * x * x * x * x;
    (0..steps).map(|n| power(high + n as f64 / (steps - 1).max(1) as f64 * (low - high))).collect()
}

impl Sampler {
    /// The times of so many steps, falling; whole ones when `whole`.
    pub(super) fn times(&self, steps: usize, whole: bool) -> Vec<f64> {
        let all = self.betas.count();
        let keep = |x: f64| if whole { round(x) } else { x };
        let at = |n: usize| match self.spacing {
            Spacing::Linspace if steps == 1 => 0.0,
            Spacing::Linspace => keep(self.along(n, steps - 1)),
            Spacing::Leading => (n * (all / steps)) as f64 + self.offset,
            Spacing::Trailing => {
                // As numpy's `arange` adds a rounded step up.
                let (all, stride) = (all as f64, all as f64 / steps as f64);
                round(all + (steps - 1 - n) as f64 * (all - stride - all)) - 1.0
            }
        };
        (0..steps).rev().map(at).collect()
    }

    /// Place `n` of `most` from the first time to the last, as numpy's `linspace` rounds: many places are halves, of which
    /// each falls to its side.
    pub(super) fn along(&self, n: usize, most: usize) -> f64 {
        let last = (self.betas.count() - 1) as f64;
        if n == most { last } else { n as f64 * (last / most as f64) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_rounded_as_in_diffusers() {
        // Its DDIMScheduler's `alphas_cumprod` at the times 0, 1, 500, 998 and 999.
        for (shape, expected) in [
            (
                "squaredcos_cap_v2",
                [9.999_586_94e-1, 9.999_125_6e-1, 4.922_850_43e-1, 2.428_766_265e-6, 2.428_734_991e-9],
            ),
            (
                "scaled_linear",
                [9.991_499_782e-1, 9.982_960_224e-1, 2.763_324_678e-1, 4.716_695_752e-3, 4.660_095_088e-3],
            ),
        ] {
            let text = format!(r#"{{"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "{shape}"}}"#);
            let betas = Betas::new(&Config::parse("", text.as_bytes()).unwrap(), Kind::Ddim).unwrap();
            let found = [0, 1, 500, 998, 999].map(|n| betas.alphas[n]);
            let near = found.iter().zip(expected).all(|(found, expected)| (found / expected - 1.0).abs() < 5e-7);
            assert!(near, "{shape}: {found:?}");
        }
    }
}
