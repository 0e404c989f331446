//! How far wasm's memory grows while a checkpoint of real size goes through it to the GPU: a file of its own, as that memory
//! never shrinks, in a dedicated worker of headless Chromium.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;
#[path = "support/zeros.rs"]
mod zeros;

use std::rc::Rc;

use gradus::browser::{BrowserClock, BrowserTimer};
use gradus::diffusion::Precision;
use gradus::diffusion::safetensors::Tensors;
use gradus::diffusion::weights::{Meter, load};
use gradus::gpu;
use support::RealTime;
use support::watcher::Watcher;
use wasm_bindgen_test::{console_log, wasm_bindgen_test};

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// The bound, of which the half is left for what a page has beside its weights.
const MOST: usize = 48;

#[wasm_bindgen_test]
async fn a_network_of_three_gigabytes_passes_through_little_of_wasms_memory() {
    let engine = gpu::probe().await.unwrap().open().await.unwrap();
    let control = RealTime { clock: Rc::new(BrowserClock::default()), timer: Rc::new(BrowserTimer::default()) };
    let watcher = Watcher::default();
    let specs = zeros::network();
    let files = zeros::file(&specs);
    assert!(files.size > 3 << 30, "{} bytes", files.size);
    let before = mebibytes();
    let tensors = Tensors::open(&files, "unet", "model").await.unwrap();
    let mut meter = Meter::new(&watcher, 1, 0);
    let store = load(&specs, &tensors, Precision::AsStored, &files, &engine, &control, &mut meter).await.unwrap();
    let after = mebibytes();
    console_log!("{{\"wasm_mib_before\":{before},\"wasm_mib_after\":{after}}}");
    assert!(after < MOST, "wasm's memory grew from {before} to {after} MiB");
    drop(store);
}

fn mebibytes() -> usize {
    core::arch::wasm32::memory_size(0) / 16
}
