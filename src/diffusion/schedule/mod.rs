//! Samplers: from a `scheduler_config.json` and a number of steps to the sums that make a picture of noise.
//!
//! Every sampler here is linear: each step writes weighted sums of the sample, the network's prediction, what earlier
//! steps kept, and fresh noise. So a whole schedule is data, known before the first step, and an engine runs it
//! without anything being read back.

mod betas;
mod kinds;

use super::config::Config;
use crate::value::Error;
use betas::Betas;

/// What a sum reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The latent.
    Sample,
    /// The network's prediction, guidance included.
    Prediction,
    /// Fresh noise of this step.
    Noise,
    /// What a step keeps for later ones; up to [`KEPT`].
    Kept(usize),
}

/// How many tensors a sampler may keep.
pub const KEPT: usize = 6;

/// to = Σ factor · term, held within ± clip where that is not 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    /// What is written.
    pub to: Place,
    /// What is added up; at most five.
    pub terms: Vec<(Place, f64)>,
    /// The limit, or 0.
    pub clip: f64,
}

/// One step: the network sees sample · `input_scale` at time `t`; then the sums, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The time that the network is told.
    pub t: f64,
    /// What the sample is multiplied by for the network.
    pub input_scale: f64,
    /// The sums.
    pub sums: Vec<Sum>,
    /// Whether fresh noise is drawn.
    pub noise: bool,
    /// What picture and noise are multiplied by to begin here (image to image).
    pub start: [f64; 2],
    /// What sample and prediction are multiplied by to see the picture as it would become.
    pub picture: [f64; 2],
}

/// A schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// What the first noise is multiplied by.
    pub init_sigma: f64,
    /// The steps.
    pub steps: Vec<Step>,
}

/// What the network's output means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Predicts {
    Noise,
    Velocity,
    Sample,
}

/// How times are spread over the training's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    Linspace,
    Leading,
    Trailing,
}

/// The kinds of samplers, by their class in diffusers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `EulerDiscreteScheduler`.
    Euler,
    /// `EulerAncestralDiscreteScheduler`.
    EulerAncestral,
    /// `DDIMScheduler`.
    Ddim,
    /// `LCMScheduler`.
    Lcm,
    /// `DPMSolverMultistepScheduler`.
    Dpm,
    /// `PNDMScheduler`.
    Pndm,
    /// `FlowMatchEulerDiscreteScheduler`.
    Flow,
}

/// Class names in the order of [`Kind`].
const CLASSES: [(&str, Kind); 7] = [
    ("EulerDiscreteScheduler", Kind::Euler),
    ("EulerAncestralDiscreteScheduler", Kind::EulerAncestral),
    ("DDIMScheduler", Kind::Ddim),
    ("LCMScheduler", Kind::Lcm),
    ("DPMSolverMultistepScheduler", Kind::Dpm),
    ("PNDMScheduler", Kind::Pndm),
    ("FlowMatchEulerDiscreteScheduler", Kind::Flow),
];

/// All fields that are read, or that belong to something that is refused when it is on.
const KNOWN: &[&str] = &[
    "algorithm_type",
    "base_image_seq_len",
    "base_shift",
    "beta_end",
    "beta_schedule",
    "beta_start",
    "clip_sample",
    "clip_sample_range",
    "corrector_order",
    "disable_corrector",
    "dynamic_thresholding_ratio",
    "final_sigmas_type",
    "flow_shift",
    "interpolation_type",
    "lambda_min_clipped",
    "lower_order_final",
    "max_image_seq_len",
    "max_shift",
    "num_train_timesteps",
    "original_inference_steps",
    "predict_x0",
    "prediction_type",
    "predictor_order",
    "rescale_betas_zero_snr",
    "sample_max_value",
    "set_alpha_to_one",
    "shift",
    "skip_prk_steps",
    "solver_order",
    "solver_type",
    "steps_offset",
    "time_shift_type",
    "timestep_scaling",
    "timestep_spacing",
    "timestep_type",
    "use_karras_sigmas",
    "variance_type",
];

/// A sampler's configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampler {
    kind: Kind,
    predicts: Predicts,
    spacing: Spacing,
    betas: Betas,
    offset: f64,
    karras: bool,
    /// Whether the last step ends at the lowest noise of the training instead of none.
    ends_low: bool,
    /// Whether a short schedule's last step is of first order in any case.
    last_is_first_order: bool,
    clip: f64,
    final_alpha_one: bool,
    shift: f64,
    origin_steps: usize,
    /// How many of these are used, from the lowest noise on.
    origin_part: usize,
    /// Whether the first three steps are of Runge and Kutta, with four looks at the network each.
    runge_kutta: bool,
    time_scale: f64,
}

impl Sampler {
    /// The most steps.
    pub const MOST_STEPS: usize = 1000;

    /// Reads `scheduler/scheduler_config.json`, for the class it names or another kind on the same settings.
    ///
    /// # Errors
    /// Names the field that is not supported.
    pub fn new(config: &Config, instead: Option<Kind>) -> Result<Self, Error> {
        let named = config.get("_class_name").and_then(|name| name.text());
        let kind =
            match instead.or_else(|| CLASSES.iter().find(|(name, _)| Some(*name) == named).map(|&(_, kind)| kind)) {
                Some(kind) => kind,
                None => {
                    let known: Vec<&str> = CLASSES.iter().map(|(name, _)| *name).collect();
                    return Err(config.refuse("_class_name", &known.join(", ")));
                }
            };
        // Noise that is mixed in along a straight line is nothing that the others' sums take away.
        if (kind == Kind::Flow) != (named == Some(CLASSES[6].0)) {
            return Err(Error::new(
                "This model was not made for that sampler: flow matching has its own. Choose the model's own sampler.",
            ));
        }
        config.known(KNOWN)?;
        config.neutral(&[("lambda_min_clipped", f64::NEG_INFINITY)])?;
        // It is about noise that none of these samplers adds, unless the network learned it.
        config.only("variance_type", &["fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"])?;
        let ends_low = config.only("final_sigmas_type", &["zero", "sigma_min"])? == 1;
        config.only("interpolation_type", &["linear"])?;
        config.only("timestep_type", &["discrete"])?;
        if kind == Kind::Dpm {
            config.only("algorithm_type", &["dpmsolver++", "deis"])?;
            config.only("solver_type", &["midpoint", "logrho", "bh1", "bh2"])?;
            if config.count("solver_order", 2)? != 2 {
                return Err(config.refuse("solver_order", "2"));
            }
        }
        let predicts =
            match config.only("prediction_type", &["epsilon", "v_prediction", "sample", "flow_prediction"])? {
                _ if kind == Kind::Flow => Predicts::Velocity,
                0 => Predicts::Noise,
                1 => Predicts::Velocity,
                2 if matches!(kind, Kind::Ddim | Kind::Lcm | Kind::Dpm) => Predicts::Sample,
                _ => return Err(config.refuse("prediction_type", "epsilon, v_prediction")),
            };
        // What a class takes where its configuration says nothing.
        let usual = usize::from(matches!(kind, Kind::Ddim | Kind::Lcm | Kind::Pndm));
        let spacing = match config.get("timestep_spacing") {
            None => usual,
            Some(_) => config.only("timestep_spacing", &["linspace", "leading", "trailing"])?,
        };
        let spacing = [Spacing::Linspace, Spacing::Leading, Spacing::Trailing][spacing];
        // Fields of other classes stay in a configuration when it is converted, and mean nothing then.
        let clips = match kind {
            Kind::Ddim => config.flag("clip_sample", true)?,
            Kind::Lcm => config.flag("clip_sample", false)?,
            _ => false,
        };
        let clip = if clips { config.float("clip_sample_range", 1.0)? } else { 0.0 };
        let origin_steps = config.count("original_inference_steps", 50)?.max(1);
        Ok(Self {
            kind,
            predicts,
            spacing,
            betas: Betas::new(config, kind)?,
            offset: config.float("steps_offset", 0.0)?,
            karras: matches!(kind, Kind::Euler | Kind::Dpm | Kind::Flow) && config.flag("use_karras_sigmas", false)?,
            ends_low: matches!(kind, Kind::Euler | Kind::Dpm) && ends_low,
            last_is_first_order: config.flag("lower_order_final", true)?,
            clip,
            final_alpha_one: config.flag("set_alpha_to_one", kind != Kind::Pndm)?,
            shift: config.float("shift", 1.0)?,
            origin_steps,
            origin_part: origin_steps,
            runge_kutta: kind == Kind::Pndm && !config.flag("skip_prk_steps", false)?,
            time_scale: config.float("timestep_scaling", 10.0)?,
        })
    }

    /// The kind of sampler.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// A consistency model's sampler over only so much of its training's schedule, from the lowest noise on: how diffusers'
    /// pipelines of such models begin from a picture. Others' schedules stay what they are.
    #[must_use]
    pub fn within(self, strength: f64) -> Self {
        Self { origin_part: (self.origin_steps as f64 * strength.clamp(0.0, 1.0)) as usize, ..self }
    }

    /// The sampler without Runge–Kutta steps, with which diffusers' pipelines of Stable Diffusion paint into a picture.
    #[must_use]
    pub fn without_runge_kutta(self) -> Self {
        Self { runge_kutta: false, ..self }
    }

    /// The schedule of so many steps.
    ///
    /// # Errors
    /// When there are none, or more than the sampler can do.
    pub fn schedule(&self, steps: usize) -> Result<Schedule, Error> {
        self.schedule_from(steps, 0)
    }

    /// The same without its first `start` steps: what looks back begins anew there (image to image).
    ///
    /// # Errors
    /// When there are none, or more than the sampler can do, or none is left.
    pub fn schedule_from(&self, steps: usize, start: usize) -> Result<Schedule, Error> {
        let most = match self.kind {
            Kind::Lcm => self.origin_part.min(self.betas.count()),
            _ => self.betas.count().min(Self::MOST_STEPS),
        };
        if !(1..=most).contains(&steps) {
            return Err(Error::new(format!("This sampler takes 1 to {most} steps, not {steps}.")));
        }
        let mut schedule = match self.kind {
            Kind::Euler | Kind::EulerAncestral => self.euler(steps),
            Kind::Ddim => self.ddim(steps),
            Kind::Lcm => self.lcm(steps),
            Kind::Dpm => self.dpm(steps, start),
            Kind::Pndm => self.pndm(steps, start),
            Kind::Flow => self.flow(steps),
        };
        if start >= schedule.steps.len() {
            return Err(Error::new(
                "The strength is so low that no step would be taken. Choose more of it, or more steps.",
            ));
        }
        schedule.steps.drain(..start);
        Ok(schedule)
    }
}
