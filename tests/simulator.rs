//! A whole life of a queue on a virtual clock, by chance: pages die at any step and come back to what was written,
//! writes are late, workers break, clocks jump. After every step the promises at the head of `src/queue/` are checked.
//!
//! `GRADUS_SIM_STEPS` and `GRADUS_SIM_SEED` choose another life; a failure prints the line that replays it.
#![cfg(all(not(target_arch = "wasm32"), feature = "faults"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/life.rs"]
mod life;
#[path = "support/lives.rs"]
mod lives;

use std::panic::{AssertUnwindSafe, catch_unwind};

use gradus::queue::Fault;
use life::{Planted, World};
use lives::live_all;

/// Lives one life; what broke, if anything did.
fn live(seed: u64, steps: usize, planted: Planted) -> Result<(usize, usize), String> {
    let mut world = World::new(seed, planted);
    let mut done = 0;
    let life = catch_unwind(AssertUnwindSafe(|| {
        for step in 0..steps {
            done = step;
            world.step();
        }
        world.finish();
        (world.over, world.kills)
    }));
    life.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
        format!("step {done}: {text}\nreplay: GRADUS_SIM_SEED={seed} GRADUS_SIM_STEPS={steps} cargo test --features faults --test simulator lives")
    })
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// One life is this long, so that what a life has seen stays small.
const LIFE: usize = 5_000;

#[test]
fn lives_keep_every_promise() {
    let steps = number("GRADUS_SIM_STEPS").unwrap_or(1_000_000) as usize;
    let first = number("GRADUS_SIM_SEED").unwrap_or(1);
    let seeds = first..first + steps.div_ceil(LIFE) as u64;
    let (over, kills) = live_all(
        seeds,
        |seed| live(seed, LIFE.min(steps), Planted::None),
        |sum: &mut (usize, usize), (ends, deaths)| *sum = (sum.0 + ends, sum.1 + deaths),
    );
    println!("{steps} steps, {over} jobs ended, {kills} pages killed");
    assert!(
        steps < 100_000 || (over > steps / 20 && kills > steps / 2_000),
        "a life in which little happens: {over} {kills}"
    );
}

#[test]
fn planted_faults_are_found() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let faults = [
        Planted::InQueue(Fault::LimitOffByOne),
        Planted::InQueue(Fault::SlotFreedOnCancel),
        Planted::InQueue(Fault::StaleAttemptAccepted),
        Planted::InQueue(Fault::DoneOverCancel),
        Planted::InQueue(Fault::HistoryGrows),
        Planted::InQueue(Fault::LostChain),
        Planted::WriteAfterAccept,
        Planted::StartBeforeWrite,
        Planted::ForgetsInterrupted,
    ];
    let missed: Vec<Planted> =
        faults.into_iter().filter(|planted| (1..=20).all(|seed| live(seed, LIFE, *planted).is_ok())).collect();
    std::panic::set_hook(quiet);
    assert!(missed.is_empty(), "not found: {missed:?}");
}
