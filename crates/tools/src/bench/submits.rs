//! How long submits take that the engine cuts by prediction: the generators', since they run on every adapter.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use futures_util::future::LocalBoxFuture;
use gradus::imagegen::{Preset, Request, flame, reaction, scene};
use gradus::kernels::{Control, Engine};
use gradus::value::Time;

use crate::world::{Clock, Lines};

/// A control that notes how long it is from one checkpoint to the next: one stands behind each submit.
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

/// Prints a line of JSON for each generator.
pub(super) async fn print(engine: &dyn Engine) -> Result<(), String> {
    for name in ["scene", "flame", "reaction"] {
        // The first picture's shaders are compiled on the way, which is no submit.
        times(name, engine).await?;
        let mut all = times(name, engine).await?;
        all.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| all.get(((all.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(0.0) * 1e3;
        println!(
            "{{\"submits\":\"{name}\",\"count\":{},\"p50_ms\":{:.1},\"p99_ms\":{:.1},\"most_ms\":{:.1}}}",
            all.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
    Ok(())
}

/// Seconds of each of a picture's submits.
async fn times(name: &str, engine: &dyn Engine) -> Result<Vec<f64>, String> {
    let began = Instant::now();
    let control = Gaps { clock: Clock(began), last: Cell::new(began), seconds: RefCell::default() };
    let observer = Lines(began);
    let request = Request { prompt: "a red ball".into(), width: 512, height: 512, seed: 1, preset: Preset::Low };
    let made = match name {
        "scene" => scene::generate(&request, engine, &control, &observer).await,
        "flame" => flame::generate(&request, engine, &control, &observer).await,
        _ => reaction::generate(&request, engine, &control, &observer).await,
    };
    made.map_err(|error| error.to_string())?;
    Ok(control.seconds.into_inner())
}
