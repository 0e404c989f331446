//! The model that the demo ships gives the numbers that diffusers gives with it.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/golden.rs"]
mod golden;
mod support;

use std::path::Path;
use std::time::Duration;

use golden::Golden;
use gradus::kernels::cpu::CpuEngine;
use gradus::ports::memory::MemoryFiles;
use support::Ticking;

#[test]
fn the_scenes_model_agrees_with_diffusers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/scenes");
    let mut files = MemoryFiles::default();
    let checkpoint = walkdir::WalkDir::new(&root).into_iter().filter_entry(|entry| entry.file_name() != "training");
    for entry in checkpoint.map(Result::unwrap).filter(|entry| entry.file_type().is_file()) {
        let path = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        files.insert(&path, std::fs::read(entry.path()).unwrap());
    }
    pollster::block_on(async {
        let (engine, control) = (CpuEngine::new("test"), Ticking::by(Duration::from_millis(2)));
        let outcomes = Golden::open(&files, &engine, &control).await.unwrap().run(|_| true).await;
        assert!(outcomes.len() >= 8, "only {} cases", outcomes.len());
        for outcome in outcomes {
            assert!(outcome.pass, "{outcome:?}");
        }
    });
}
