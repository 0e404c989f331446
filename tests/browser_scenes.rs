//! The model that the demo ships gives the numbers that diffusers gives with it, in a dedicated worker of headless Chromium
//! on both of its engines. A file of its own, as the model's 25 MB are part of it.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/golden.rs"]
mod golden;
mod support;

use std::rc::Rc;

use golden::Golden;
use gradus::browser::{BrowserClock, BrowserTimer, hasten};
use gradus::gpu;
use gradus::kernels::{Engine, cpu::CpuEngine};
use gradus::ports::memory::MemoryFiles;
use support::RealTime;
use wasm_bindgen_test::wasm_bindgen_test;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn files() -> MemoryFiles {
    let mut files = MemoryFiles::default();
    macro_rules! file {
        ($($path:literal)+) => {$(
            files.insert($path, include_bytes!(concat!("../models/scenes/", $path)).as_slice());
        )+};
    }
    file!("golden.json" "golden.safetensors" "scheduler/scheduler_config.json" "text_encoder/config.json"
        "text_encoder/model.safetensors" "tokenizer/merges.txt" "tokenizer/tokenizer_config.json" "tokenizer/vocab.json"
        "unet/config.json" "unet/diffusion_pytorch_model.safetensors" "vae/config.json"
        "vae/diffusion_pytorch_model.safetensors");
    files
}

async fn agrees(engine: &dyn Engine) {
    let control = RealTime { clock: Rc::new(BrowserClock::default()), timer: Rc::new(BrowserTimer::default()) };
    let files = files();
    let mut golden = Golden::open(&files, engine, &control).await.unwrap();
    let outcomes = golden.run(|_| true).await;
    assert!(outcomes.len() >= 8, "only {} cases", outcomes.len());
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.pass).collect();
    assert!(failed.is_empty(), "{} of {} cases: {failed:?}", failed.len(), outcomes.len());
}

/// One test, as relaxed SIMD stays once it is there.
#[wasm_bindgen_test]
async fn the_cpu_engine_agrees_with_diffusers_on_the_scenes_model_without_relaxed_simd_and_with_it() {
    for tier in ["simd128", "relaxed-simd"] {
        let engine = CpuEngine::new("test");
        assert_eq!(engine.info().tier, tier);
        agrees(&engine).await;
        assert!(hasten(), "this Chromium has relaxed SIMD");
    }
}

#[wasm_bindgen_test]
async fn webgpu_agrees_with_diffusers_on_the_scenes_model() {
    let engine = gpu::probe().await.unwrap().open().await.unwrap();
    agrees(&engine).await;
}
