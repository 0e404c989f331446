//! How long it is from one turn of the event loop to the next: behind each submit of a GPU's pictures, which the engine
//! cuts by prediction, and behind each slice of a decoder on the processor.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use futures_util::future::LocalBoxFuture;
use gradus::diffusion::plan::Plan;
use gradus::diffusion::weights::Weight;
use gradus::imagegen::{Preset, Request, flame, reaction, scene};
use gradus::kernels::nn::Stored;
use gradus::kernels::{Control, Engine};
use gradus::value::Time;

use super::nets;
use crate::world::{Clock, Lines, cpu};

/// A control that notes how long it is from one checkpoint to the next.
struct Gaps {
    clock: Clock,
    last: Cell<Instant>,
    seconds: RefCell<Vec<f64>>,
}

impl Control for Gaps {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn checkpoint(&self) -> LocalBoxFuture<'_, ()> {
        self.seconds.borrow_mut().push(self.last.replace(Instant::now()).elapsed().as_secs_f64());
        Box::pin(std::future::ready(()))
    }
}

impl Gaps {
    fn new() -> Self {
        let began = Instant::now();
        Self { clock: Clock(began), last: Cell::new(began), seconds: RefCell::default() }
    }

    /// Prints what was noted as a line of JSON.
    fn line(&self, key: &str, name: &str) {
        let mut all = self.seconds.take();
        all.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| all.get(((all.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(0.0) * 1e3;
        println!(
            "{{\"{key}\":\"{name}\",\"count\":{},\"p50_ms\":{:.1},\"p99_ms\":{:.1},\"most_ms\":{:.1}}}",
            all.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
}

/// Prints a line of JSON for each generator.
pub(super) async fn print(engine: &dyn Engine) -> Result<(), String> {
    for name in ["scene", "flame", "reaction"] {
        // The first picture's shaders are compiled on the way, which is no submit.
        times(name, engine).await?;
        times(name, engine).await?.line("submits", name);
    }
    Ok(())
}

/// The submits of a picture.
async fn times(name: &str, engine: &dyn Engine) -> Result<Gaps, String> {
    let control = Gaps::new();
    let observer = Lines(Instant::now());
    let request = Request { prompt: "a red ball".into(), width: 512, height: 512, seed: 1, preset: Preset::Low };
    let made = match name {
        "scene" => scene::generate(&request, engine, &control, &observer).await,
        "flame" => flame::generate(&request, engine, &control, &observer).await,
        _ => reaction::generate(&request, engine, &control, &observer).await,
    };
    made.map_err(|error| error.to_string())?;
    Ok(control)
}

/// Prints the slices of Stable Diffusion's decoder on the processor, from its first run on.
pub(super) async fn slices() -> Result<(), String> {
    let engine = cpu();
    let graph = nets::small().map_err(|error| error.to_string())?;
    let weight = |words| Ok(Weight { buffer: engine.buffer("weight", words)?, stored: Stored::Floats });
    let weights: Result<Vec<Weight>, gradus::kernels::EngineError> =
        graph.weights.iter().map(|spec| weight(spec.count())).collect();
    let weights = weights.map_err(|error| error.to_string())?;
    let control = Gaps::new();
    let plan = Plan::new(&graph, &*engine, &control, &weights, false).await.map_err(|error| error.to_string())?;
    for run in ["first", "second"] {
        plan.run(&*engine, &control).await.map_err(|error| error.to_string())?;
        control.line("slices", run);
    }
    Ok(())
}
