//! The norms of SD-Turbo at 512 × 512, with and without subgroups.

use std::rc::Rc;
use std::time::Instant;

use gradus::diffusion::graph::{Step, Work};
use gradus::kernels::nn::{Call, GROUP_NORM, LAYER_NORM};

use super::{Bench, nets};
use crate::golden::quoted;
use crate::world::{Clock, opened};

/// How often each way is measured: both in turn, so that what else the machine does meets both.
const ROUNDS: usize = 5;

/// Prints for each norm of UNet and decoder how long it takes either way, and for each network what all of them take.
pub(super) async fn compare(most: f64) -> Result<(), String> {
    let mut ways = Vec::new();
    for wanted in [false, true] {
        let engine = Rc::new(opened(|probe| if wanted { probe } else { probe.without_subgroups() }).await?);
        if wanted {
            let Some(sizes) = engine.subgroups() else {
                println!("{{\"subgroups\":null}}");
                return Ok(());
            };
            println!("{{\"subgroups\":[{},{}]}}", sizes.start(), sizes.end());
        }
        ways.push(Bench { engine, control: Clock(Instant::now()), most, peak: 1.0 });
    }
    for (name, graph) in nets::all()?.iter().filter(|(name, _)| ["turbo", "kl"].contains(name)) {
        let (mut all, mut left_out) = ([0.0; 2], 0);
        for (step, times) in nets::different(graph) {
            let Some(call) = norm(step) else { continue };
            if step.operations > most {
                left_out += times;
                continue;
            }
            let mut took = [Vec::new(), Vec::new()];
            let mut dispatches = Vec::new();
            for way in &ways {
                dispatches.push(call.on(way.bound(graph, step).await?));
            }
            for _ in 0..ROUNDS {
                for ((way, dispatch), took) in ways.iter().zip(&dispatches).zip(&mut took) {
                    took.push(way.time(dispatch).await?);
                }
            }
            let [without, with] = took.map(|mut all| {
                all.sort_unstable_by(f64::total_cmp);
                all[ROUNDS / 2]
            });
            println!(
                "{{\"net\":{},\"kernel\":{},\"what\":\"{:?}\",\"times\":{times},\"us\":{:.1},\"us_by_subgroups\":{:.1}}}",
                quoted(name),
                quoted(call.kernel.name),
                nets::sizes(graph, step),
                without * 1e6,
                with * 1e6
            );
            all[0] += without * times as f64;
            all[1] += with * times as f64;
        }
        println!(
            "{{\"net\":{},\"norms_ms\":{:.3},\"norms_ms_by_subgroups\":{:.3},\"left_out\":{left_out}}}",
            quoted(name),
            all[0] * 1e3,
            all[1] * 1e3
        );
    }
    Ok(())
}

fn norm(step: &Step) -> Option<&Call> {
    match &step.work {
        Work::Call(call) if [GROUP_NORM.name, LAYER_NORM.name].contains(&call.kernel.name) => Some(call),
        _ => None,
    }
}
