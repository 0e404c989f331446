//! Both engines against the same conformance body, natively: the processor's, and the GPU's on any Vulkan adapter.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::time::Duration;

use gradus::gpu;
use gradus::kernels::{Engine as _, EngineError, Recording, cpu::CpuEngine};
use support::{Ticking, conformance};

/// Over 65535 workgroups of 64, so that the grid needs a second row.
const LARGE: usize = 65536 * 64 + 77;

#[test]
fn cpu_engine() {
    for tick in [10, 1_000, 20_000] {
        let control = Ticking::by(Duration::from_micros(tick));
        pollster::block_on(conformance::check(&CpuEngine::new("test"), &control, LARGE));
    }
}

#[test]
fn cpu_engine_cuts_long_work_into_slices() {
    let control = Ticking::by(Duration::from_millis(8));
    let engine = CpuEngine::new("test");
    let data = engine.buffer("data", 10_000).unwrap();
    let mut recording = Recording::new();
    recording.dispatch(&conformance::ADD, 10_000, &conformance::Params { add: 0 }, &[&data]);
    pollster::block_on(engine.run(&recording, &control)).unwrap();
    assert!(control.checkpoints.get() >= 15, "{} checkpoints", control.checkpoints.get());
}

#[test]
fn cpu_engine_takes_a_checkpoint_between_many_short_dispatches() {
    let control = Ticking::by(Duration::from_millis(1));
    let engine = CpuEngine::new("test");
    let data = engine.buffer("data", 1).unwrap();
    let mut recording = Recording::new();
    for _ in 0..100 {
        recording.dispatch(&conformance::ADD, 1, &conformance::Params { add: 1 }, &[&data]);
    }
    pollster::block_on(engine.run(&recording, &control)).unwrap();
    // 100 dispatches of 1 to 2 ms, and a checkpoint after 8 ms.
    assert!((11..=26).contains(&control.checkpoints.get()), "{} checkpoints", control.checkpoints.get());
}

#[test]
fn gpu_engine() {
    pollster::block_on(async {
        let engine = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        let control = Ticking::by(Duration::from_millis(5));
        conformance::check(&engine, &control, LARGE).await;
    });
}

#[test]
fn a_lost_gpu_is_told_and_never_waited_for() {
    pollster::block_on(async {
        let engine = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        let control = Ticking::by(Duration::from_millis(1));
        let data = engine.buffer("data", 4).unwrap();
        engine.lose();
        assert!(matches!(engine.read(&data).await, Err(EngineError::Lost(_))));
        assert!(matches!(engine.run(&Recording::new(), &control).await, Err(EngineError::Lost(_))));
        assert!(matches!(engine.buffer("more", 4), Err(EngineError::Lost(_))));
        engine.idle().await;
    });
}
