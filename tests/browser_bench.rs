//! How fast the queue core and diffusion are in wasm, in a worker of headless Chromium; `cargo xtask bench` runs it for
//! release.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/cycles.rs"]
mod cycles;
mod support;
#[path = "support/timing.rs"]
mod timing;

use std::rc::Rc;

use gradus::browser::{BrowserClock, BrowserTimer};
use gradus::gpu;
use gradus::kernels::{Engine, cpu::CpuEngine};
use gradus::ports::Clock;
use support::RealTime;
use wasm_bindgen_test::{console_log, wasm_bindgen_test};

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test]
fn queue_cycles() {
    let clock = BrowserClock::default();
    let seconds = || clock.now().as_micros() as f64 / 1e6;
    let best = (0..3).map(|_| cycles::cycles_a_second(10_000, 200_000, seconds)).fold(0.0, f64::max);
    console_log!("{{\"name\":\"queue_cycles_wasm_10000_waiting\",\"value\":{best:.0},\"unit\":\"1/s\"}}");
    assert!(best > 0.0);
}

async fn diffusion(engine: &dyn Engine, name: &str, runs: usize) {
    let control = RealTime { clock: Rc::new(BrowserClock::default()), timer: Rc::new(BrowserTimer::default()) };
    let clock = BrowserClock::default();
    for (network, graph) in timing::graphs() {
        let seconds = || clock.now().as_micros() as f64 / 1e6;
        let (first, best) = timing::time(&graph, engine, &control, runs, seconds).await;
        let gflops = graph.operations() / best / 1e9;
        console_log!(
            "{{\"name\":\"{network}_{name}\",\"value\":{:.1},\"unit\":\"ms\",\"first_ms\":{:.1},\"gflops\":{gflops:.2}}}",
            best * 1e3,
            first * 1e3
        );
        assert!(best > 0.0);
    }
}

#[wasm_bindgen_test]
async fn diffusion_on_the_cpu_engine() {
    diffusion(&CpuEngine::new("bench"), "cpu", 10).await;
}

#[wasm_bindgen_test]
async fn diffusion_on_webgpu() {
    let engine = gpu::probe().await.unwrap().open().await.unwrap();
    diffusion(&engine, "webgpu", 2).await;
}
