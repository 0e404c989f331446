//! Diffusion against diffusers itself in a dedicated worker of headless Chromium: the golden folders on the processor's
//! engine, compiled for wasm's vectors, and on WebGPU.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
#[path = "support/golden.rs"]
mod golden;
mod support;

use std::rc::Rc;

use golden::Golden;
use gradus::browser::{BrowserClock, BrowserTimer};
use gradus::diffusion::Precision;
use gradus::gpu;
use gradus::kernels::{Engine, cpu::CpuEngine};
use support::RealTime;
use wasm_bindgen_test::wasm_bindgen_test;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

async fn all_pass(fixture: &str, engine: &dyn Engine) {
    pass(fixture, Precision::AsStored, engine).await;
    if fixture == "eight" {
        pass(fixture, Precision::EightBit, engine).await;
    }
}

async fn pass(fixture: &str, precision: Precision, engine: &dyn Engine) {
    let control = RealTime { clock: Rc::new(BrowserClock::default()), timer: Rc::new(BrowserTimer::default()) };
    let files = fixtures::files(fixture, |_, _| None);
    let mut golden = Golden::open(&files, engine, &control).await.unwrap();
    golden.precision = precision;
    // Halves are no blocks, and are rounded to them.
    let exact = |kind: &str| precision == Precision::AsStored || kind != "unet_f16_weights";
    let outcomes = golden.run(exact).await;
    assert!(outcomes.len() >= 3, "only {} cases", outcomes.len());
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.pass).collect();
    assert!(failed.is_empty(), "{} of {} cases: {failed:?}", failed.len(), outcomes.len());
}

#[wasm_bindgen_test]
async fn cpu_engine_agrees_with_diffusers() {
    for fixture in ["flow", "sd1", "odd", "blocks", "eight", "lora", "sgm"] {
        all_pass(fixture, &CpuEngine::new("test")).await;
    }
}

#[wasm_bindgen_test]
async fn webgpu_agrees_with_diffusers() {
    let engine = gpu::probe().await.unwrap().open().await.unwrap();
    for fixture in ["flow", "sd1", "odd", "blocks", "eight", "lora", "sgm"] {
        all_pass(fixture, &engine).await;
    }
}
