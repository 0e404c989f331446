//! Whole pictures against diffusers' own pipelines in a dedicated worker of headless Chromium: on the processor's
//! engine, compiled for wasm's vectors, and on WebGPU. A file of its own, as each file of tests has a time that it must end in.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
mod support;
#[path = "support/whole.rs"]
mod whole;

use std::rc::Rc;

use gradus::browser::{BrowserClock, BrowserTimer, hasten};
use gradus::gpu;
use gradus::kernels::{Engine as _, cpu::CpuEngine};
use support::RealTime;
use wasm_bindgen_test::wasm_bindgen_test;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn control() -> RealTime {
    RealTime { clock: Rc::new(BrowserClock::default()), timer: Rc::new(BrowserTimer::default()) }
}

/// One test, as relaxed SIMD stays once it is there.
#[wasm_bindgen_test]
async fn pictures_of_the_cpu_engine_are_those_of_diffusers_without_relaxed_simd_and_with_it() {
    for tier in ["simd128", "relaxed-simd"] {
        let engine = CpuEngine::new("test");
        assert_eq!(engine.info().tier, tier);
        whole::as_diffusers(&engine, &control()).await;
        assert!(hasten(), "this Chromium has relaxed SIMD");
    }
}

#[wasm_bindgen_test]
async fn pictures_of_webgpu_are_those_of_diffusers() {
    let engine = gpu::probe().await.unwrap().open().await.unwrap();
    whole::as_diffusers(&engine, &control()).await;
}
