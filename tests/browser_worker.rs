//! In a dedicated worker of headless Chromium: both engines, and every kernel against its twin on WebGPU.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::rc::Rc;
use std::time::Duration;

use gradus::browser::{BrowserClock, BrowserTimer};
use gradus::gpu;
use gradus::kernels::cpu::CpuEngine;
use gradus::ports::{Clock, Timer};
use support::{RealTime, Ticking, cases, conformance, pictures, twin};
use wasm_bindgen_test::wasm_bindgen_test;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// Small enough for WebGPU in software.
const LARGE: usize = 200_000;

fn real_time() -> RealTime {
    RealTime { clock: Rc::new(BrowserClock::default()), timer: Rc::new(BrowserTimer::default()) }
}

#[wasm_bindgen_test]
async fn cpu_engine() {
    conformance::check(&CpuEngine::new("test"), &real_time(), LARGE).await;
}

#[wasm_bindgen_test]
async fn gpu_engine() {
    let engine = gpu::probe().await.unwrap().open().await.unwrap();
    conformance::check(&engine, &real_time(), LARGE).await;
}

#[wasm_bindgen_test]
async fn webgpu_and_twin_agree_step_by_step() {
    let engine = gpu::probe().await.unwrap().open().await.unwrap();
    let control = Ticking::by(Duration::from_millis(5));
    twin::compare_all(cases::all(), &engine, &control).await;
}

#[wasm_bindgen_test]
async fn whole_pictures_agree_between_webgpu_and_cpu() {
    let engine = gpu::probe().await.unwrap().open().await.unwrap();
    pictures::agree(&engine, 64).await;
}

#[wasm_bindgen_test]
async fn a_lost_device_is_told_and_never_waited_for() {
    use gradus::kernels::{Engine as _, EngineError, Recording};
    let engine = gpu::probe().await.unwrap().open().await.unwrap();
    let data = engine.buffer("data", 4).unwrap();
    engine.lose();
    let control = real_time();
    let mut outcome = engine.run(&Recording::new(), &control).await;
    for _ in 0..100 {
        if outcome.is_err() {
            break;
        }
        // The browser tells the loss some turns later.
        control.timer.turn().await;
        outcome = engine.run(&Recording::new(), &control).await;
    }
    assert!(matches!(outcome, Err(EngineError::Lost(_))), "{outcome:?}");
    assert!(matches!(engine.read(&data).await, Err(EngineError::Lost(_))));
    engine.idle().await;
}

/// Of two jobs the one learns of it, at each use, whose buffer there was no room for.
#[wasm_bindgen_test]
async fn who_asked_for_too_much_is_told_and_nobody_else() {
    use gradus::kernels::{Engine as _, EngineError, Recording};
    let engine = gpu::probe().await.unwrap().open().await.unwrap();
    let small = engine.buffer("small", 4).unwrap();
    // As a browser tells it: an allocation's error scope has an error.
    js_sys::eval(
        "globalThis.popped = GPUDevice.prototype.popErrorScope;
         GPUDevice.prototype.popErrorScope = async function () {
             await popped.call(this);
             return new GPUOutOfMemoryError('no room');
         };",
    )
    .unwrap();
    let large = engine.buffer("large", 4).unwrap();
    js_sys::eval("GPUDevice.prototype.popErrorScope = popped").unwrap();
    let write = |buffer| {
        let mut recording = Recording::new();
        recording.write(buffer, &[7u32]);
        recording
    };
    let control = real_time();
    assert_eq!(engine.run(&write(&small), &control).await, Ok(()));
    for _ in 0..2 {
        let outcome = engine.run(&write(&large), &control).await;
        assert!(matches!(outcome, Err(EngineError::Memory { asked: 16, most: 0 })), "{outcome:?}");
    }
    assert!(matches!(engine.read(&large).await, Err(EngineError::Memory { .. })));
    assert_eq!(engine.run(&write(&small), &control).await, Ok(()));
    assert_eq!(engine.read(&small).await.unwrap()[0], 7);
}

#[wasm_bindgen_test]
async fn a_turn_is_short_and_time_goes_on() {
    let (clock, timer) = (BrowserClock::default(), BrowserTimer::default());
    let began = clock.now();
    for _ in 0..200 {
        timer.turn().await;
    }
    let took = clock.now().since(began);
    // Turns by setTimeout would be held back to 4 ms each.
    assert!(took > Duration::ZERO && took < Duration::from_millis(600), "{took:?} for 200 turns");
}
