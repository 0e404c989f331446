//! The samplers, each as the sums of its steps. Sources: diffusers' classes of the names in [`super::Kind`], and the
//! papers named at each.

use super::betas::{karras, round};
use super::{Kind, Place, Predicts, Sampler, Schedule, Spacing, Step, Sum};

use Place::{Kept, Noise, Prediction, Sample};

/// What the network's output says about the picture and the noise in sample = α · picture + σ · noise: each as
/// (factor of the sample, factor of the prediction).
fn parts(predicts: Predicts, alpha: f64, sigma: f64) -> [(f64, f64); 2] {
    match predicts {
        Predicts::Noise => [(1.0 / alpha, -sigma / alpha), (0.0, 1.0)],
        Predicts::Velocity => [(alpha, -sigma), (sigma, alpha)],
        Predicts::Sample => [(0.0, 1.0), (1.0 / sigma, -alpha / sigma)],
    }
}

fn sum(to: Place, terms: &[(Place, f64)]) -> Sum {
    Sum { to, terms: terms.to_vec(), clip: 0.0 }
}

/// A step of [`Sampler::pndm`]: the network sees the time `t`; then, after these sums, the `sample` of the time `from` is
/// brought to `to` along a slope.
struct Move {
    t: f64,
    from: f64,
    to: f64,
    sample: Place,
    sums: Vec<Sum>,
    slope: Vec<(Place, f64)>,
}

/// A multistep of so many slopes, of which the newest, number `n`, is the prediction.
fn multistep(n: usize, slopes: usize, t: f64, stride: f64) -> Move {
    let factors: &[f64] = match slopes {
        0 | 1 => &[1.0],
        2 => &[1.5, -0.5],
        3 => &[23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0],
        _ => &[55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
    };
    let place = |back: usize| Kept((n - back) % 4);
    let slope = factors.iter().enumerate().map(|(back, &factor)| (place(back), factor)).collect();
    Move { t, from: t, to: t - stride, sample: Sample, sums: vec![sum(place(0), &[(Prediction, 1.0)])], slope }
}

/// Look `n` of the twelve of three Runge–Kutta steps, each of which begins at the time `from` and is looked at four times. The
/// first look's slope is kept for later, the others' and where the step began are not.
fn runge_kutta(n: usize, t: f64, from: f64, half: f64) -> Move {
    let [first, second, third, began] = [n / 4, 3, 5, 4].map(Kept);
    let mut slope = vec![(Prediction, 1.0)];
    let sums = match n % 4 {
        0 => vec![sum(first, &slope), sum(began, &[(Sample, 1.0)])],
        1 => vec![sum(second, &slope)],
        2 => vec![sum(third, &slope)],
        _ => {
            slope = vec![(first, 1.0 / 6.0), (second, 1.0 / 3.0), (third, 1.0 / 3.0), (Prediction, 1.0 / 6.0)];
            Vec::new()
        }
    };
    Move { t, from, to: if n.is_multiple_of(2) { t - half } else { t }, sample: began, sums, slope }
}

impl Sampler {
    /// Euler's method on the probability flow (Karras et al., 2022, algorithm 2 without churn), and its ancestral
    /// variant, which takes a longer step and adds noise.
    pub(super) fn euler(&self, steps: usize) -> Schedule {
        let mut times = self.times(steps, false);
        let mut sigmas: Vec<f64> = times.iter().map(|&t| self.betas.sigma_between(t)).collect();
        if self.karras {
            sigmas = karras(sigmas[0], sigmas[steps - 1], steps);
            times = sigmas.iter().map(|&sigma| self.betas.time_of(sigma)).collect();
        }
        let most = sigmas.iter().copied().fold(0.0, f64::max);
        let init_sigma = if self.spacing == Spacing::Leading { (most * most + 1.0).sqrt() } else { most };
        sigmas.push(if self.ends_low { self.betas.sigma(0) } else { 0.0 });
        let step = |n: usize| {
            let (t, sigma, next) = (times[n], sigmas[n], sigmas[n + 1]);
            let scale = 1.0 / (sigma * sigma + 1.0).sqrt();
            // The noise, as parts of the unscaled sample.
            let (of_sample, of_prediction) = match self.predicts {
                Predicts::Velocity => (sigma * scale * scale, scale),
                _ => (0.0, 1.0),
            };
            let picture = [1.0 - sigma * of_sample, -sigma * of_prediction];
            let up = if self.kind == Kind::EulerAncestral {
                (next * next * (sigma * sigma - next * next) / (sigma * sigma)).max(0.0).sqrt()
            } else {
                0.0
            };
            let down = (next * next - up * up).max(0.0).sqrt();
            let by = down - sigma;
            let mut terms = vec![(Sample, 1.0 + by * of_sample), (Prediction, by * of_prediction)];
            let noise = self.kind == Kind::EulerAncestral;
            if noise {
                terms.push((Noise, up));
            }
            Step { t, input_scale: scale, sums: vec![sum(Sample, &terms)], noise, start: [1.0, sigma], picture }
        };
        Schedule { init_sigma, steps: (0..steps).map(step).collect() }
    }

    /// [`parts`] where so much of the picture is left. Where nothing is, diffusers divides by 0 and holds the infinity
    /// within the limit; a power of two leaves the same. Without a limit there is no picture.
    fn parts(&self, alpha: f64) -> [(f64, f64); 2] {
        let least = if self.clip > 0.0 { 2f64.powi(-64) } else { 0.0 };
        parts(self.predicts, alpha.sqrt().max(least), (1.0 - alpha).sqrt())
    }

    /// Song et al., 2020, with η = 0.
    pub(super) fn ddim(&self, steps: usize) -> Schedule {
        let last = if self.final_alpha_one { 1.0 } else { self.betas.first() };
        let stride = (self.betas.count() / steps) as f64;
        let step = |t: f64| {
            let (alpha, next) = (self.betas.alpha(t, last), self.betas.alpha(t - stride, last));
            let [picture, noise] = self.parts(alpha);
            let (a, b) = (next.sqrt(), (1.0 - next).sqrt());
            let sums = if self.clip > 0.0 {
                let clipped = Sum { clip: self.clip, ..sum(Kept(0), &[(Sample, picture.0), (Prediction, picture.1)]) };
                vec![clipped, sum(Sample, &[(Kept(0), a), (Sample, b * noise.0), (Prediction, b * noise.1)])]
            } else {
                let terms = [(Sample, a * picture.0 + b * noise.0), (Prediction, a * picture.1 + b * noise.1)];
                vec![sum(Sample, &terms)]
            };
            Step {
                t,
                input_scale: 1.0,
                sums,
                noise: false,
                start: [alpha.sqrt(), (1.0 - alpha).sqrt()],
                picture: [picture.0, picture.1],
            }
        };
        Schedule { init_sigma: 1.0, steps: self.times(steps, true).into_iter().map(step).collect() }
    }

    /// Luo et al., 2023: a consistency model's jumps to the picture, each followed by new noise.
    pub(super) fn lcm(&self, steps: usize) -> Schedule {
        let (stride, part) = ((self.betas.count() / self.origin_steps) as f64, self.origin_part as f64);
        let times: Vec<f64> =
            (0..steps).map(|n| (part - (n as f64 * (part / steps as f64)).floor()) * stride - 1.0).collect();
        let last = if self.final_alpha_one { 1.0 } else { self.betas.first() };
        let step = |n: usize| {
            let t = times[n];
            let alpha = self.betas.alpha(t, last);
            let scaled = t * self.time_scale;
            let (skip, out) = (0.25 / (scaled * scaled + 0.25), scaled / (scaled * scaled + 0.25).sqrt());
            let [picture, _] = self.parts(alpha);
            let next = times.get(n + 1).map(|&next| self.betas.alpha(next, last));
            let (a, b) = next.map_or((1.0, 0.0), |next| (next.sqrt(), (1.0 - next).sqrt()));
            let mut sums = Vec::new();
            let mut terms = if self.clip > 0.0 {
                sums.push(Sum { clip: self.clip, ..sum(Kept(0), &[(Sample, picture.0), (Prediction, picture.1)]) });
                vec![(Kept(0), a * out), (Sample, a * skip)]
            } else {
                vec![(Sample, a * (out * picture.0 + skip)), (Prediction, a * out * picture.1)]
            };
            if next.is_some() {
                terms.push((Noise, b));
            }
            sums.push(sum(Sample, &terms));
            Step {
                t,
                input_scale: 1.0,
                sums,
                noise: next.is_some(),
                start: [alpha.sqrt(), (1.0 - alpha).sqrt()],
                picture: [picture.0, picture.1],
            }
        };
        Schedule { init_sigma: 1.0, steps: (0..steps).map(step).collect() }
    }

    /// Lu et al., 2022 (DPM-Solver++, second order, multistep, midpoint).
    pub(super) fn dpm(&self, steps: usize, start: usize) -> Schedule {
        let all = self.betas.count();
        let mut times: Vec<f64> = match self.spacing {
            Spacing::Linspace => (1..=steps).rev().map(|n| round(self.along(n, steps))).collect(),
            Spacing::Leading => (1..=steps).rev().map(|n| (n * (all / (steps + 1))) as f64 + self.offset).collect(),
            Spacing::Trailing => self.times(steps, true),
        };
        let mut sigmas: Vec<f64> = times.iter().map(|&t| self.betas.sigma_between(t)).collect();
        if self.karras {
            sigmas = karras(self.betas.sigma(all - 1), self.betas.sigma(0), steps);
            // diffusers cuts those of a cosine off, of which the highest is a little less than whole.
            let whole = |t: f64| if self.betas.cosine { (t - 1e-6).max(0.0).floor() } else { round(t) };
            times = sigmas.iter().map(|&sigma| whole(self.betas.time_of(sigma))).collect();
        }
        sigmas.push(if self.ends_low { self.betas.sigma(0) } else { 0.0 });
        let last_low = !self.ends_low || (self.last_is_first_order && steps < 15);
        // α, σ and λ = ln α − ln σ of a level.
        let level = |n: usize| {
            let alpha = 1.0 / (sigmas[n] * sigmas[n] + 1.0).sqrt();
            (alpha, sigmas[n] * alpha, -sigmas[n].ln())
        };
        let step = |n: usize| {
            let ((alpha, sigma, lambda), (next_alpha, next_sigma, next_lambda)) = (level(n), level(n + 1));
            let [picture, _] = parts(self.predicts, alpha, sigma);
            // Two places in turn: the picture as this step and the one before see it.
            let (now, before) = (Kept(n % 2), Kept((n + 1) % 2));
            let seen = sum(now, &[(Sample, picture.0), (Prediction, picture.1)]);
            let h = next_lambda - lambda;
            let whole = -next_alpha * ((-h).exp() - 1.0);
            let mut terms = vec![(Sample, next_sigma / sigma)];
            if n <= start || (n + 1 == steps && last_low) {
                terms.push((now, whole));
            } else {
                let r = (lambda - level(n - 1).2) / h;
                terms.extend([(now, whole * (1.0 + 0.5 / r)), (before, -whole * 0.5 / r)]);
            }
            let sums = vec![seen, sum(Sample, &terms)];
            Step {
                t: times[n],
                input_scale: 1.0,
                sums,
                noise: false,
                start: [alpha, sigma],
                picture: [picture.0, picture.1],
            }
        };
        Schedule { init_sigma: 1.0, steps: (0..steps).map(step).collect() }
    }

    /// Liu et al., 2022: pseudo linear multistep, begun by three pseudo Runge–Kutta steps of four looks each where the
    /// configuration has them and there are more steps than those. Where only a part is painted it never has them
    /// ([`Sampler::without_runge_kutta`]). From a picture on diffusers leaves out looks as if they were steps, and takes the
    /// first that is left for the first of all: it begins at the first time whatever its own is.
    pub(super) fn pndm(&self, steps: usize, start: usize) -> Schedule {
        let stride = (self.betas.count() / steps) as f64;
        let mut times = self.times(steps, true);
        let mut moves = Vec::new();
        if self.runge_kutta && steps > 3 {
            let half = (self.betas.count() / steps / 2) as f64;
            let looks = |two: &[f64]| [two[0], two[1] + half, two[1] + half, two[1]];
            let begun: Vec<f64> = times.windows(2).take(3).flat_map(looks).collect();
            for (place, &t) in begun.iter().chain(&times[3..]).enumerate() {
                moves.push(match place.saturating_sub(start) {
                    n @ 0..12 => runge_kutta(n, t, times[n / 4], half),
                    n => multistep(n - 9, n - 8, t, stride),
                });
            }
        } else {
            // The second time comes twice: the first step is taken again with a better slope.
            if let Some(&second) = times.get(1) {
                times.insert(1, second);
            }
            for (place, &t) in times.iter().enumerate() {
                // What was kept counts from the first step that is taken.
                moves.push(match place.saturating_sub(start) {
                    0 => {
                        let mut first = multistep(0, 1, t, stride);
                        first.sums.push(sum(Kept(4), &[(Sample, 1.0)]));
                        first
                    }
                    1 => {
                        let slope = vec![(Prediction, 0.5), (Kept(0), 0.5)];
                        Move { t, from: t + stride, to: t, sample: Kept(4), sums: Vec::new(), slope }
                    }
                    n => multistep(n - 1, n, t, stride),
                });
            }
        }
        Schedule { init_sigma: 1.0, steps: moves.into_iter().map(|way| self.moved(way)).collect() }
    }

    fn moved(&self, Move { t, from, to, sample, mut sums, slope }: Move) -> Step {
        let last = if self.final_alpha_one { 1.0 } else { self.betas.first() };
        let (alpha, next) = (self.betas.alpha(from, last), self.betas.alpha(to, last));
        let denominator = alpha * (1.0 - next).sqrt() + (alpha * (1.0 - alpha) * next).sqrt();
        let mut scale = -(next - alpha) / denominator;
        let mut of_sample = (next / alpha).sqrt();
        if self.predicts == Predicts::Velocity {
            of_sample += scale * (1.0 - alpha).sqrt();
            scale *= alpha.sqrt();
        }
        let mut terms = vec![(sample, of_sample)];
        terms.extend(slope.into_iter().map(|(place, factor)| (place, factor * scale)));
        sums.push(sum(Sample, &terms));
        let here = self.betas.alpha(t, last);
        let (a, b) = (here.sqrt(), (1.0 - here).sqrt());
        let [picture, _] = parts(self.predicts, a, b);
        Step { t, input_scale: 1.0, sums, noise: false, start: [a, b], picture: [picture.0, picture.1] }
    }

    /// Euler's method on a rectified flow (Liu et al., 2022; Esser et al., 2024): sample = (1 − σ) picture + σ noise.
    pub(super) fn flow(&self, steps: usize) -> Schedule {
        let all = self.betas.count() as f64;
        let shifted = |sigma: f64| self.shift * sigma / (1.0 + (self.shift - 1.0) * sigma);
        let (high, low) = (shifted(1.0), shifted(1.0 / all));
        let between = |n: usize| shifted(high + (low - high) * n as f64 / (steps - 1).max(1) as f64);
        let mut sigmas: Vec<f64> = (0..steps).map(between).collect();
        if self.karras {
            sigmas = karras(sigmas[0], sigmas[steps - 1], steps);
        }
        sigmas.push(0.0);
        let sigma = |n: usize| sigmas[n];
        let step = |n: usize| Step {
            t: sigma(n) * all,
            input_scale: 1.0,
            sums: vec![sum(Sample, &[(Sample, 1.0), (Prediction, sigma(n + 1) - sigma(n))])],
            noise: false,
            start: [1.0 - sigma(n), sigma(n)],
            picture: [1.0, -sigma(n)],
        };
        Schedule { init_sigma: 1.0, steps: (0..steps).map(step).collect() }
    }
}
