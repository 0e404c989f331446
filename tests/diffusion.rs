//! Diffusion against diffusers itself: the golden folders of tests/fixtures/diffusion on both native engines.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::time::Duration;

use gradus::gpu;
use gradus::kernels::{Engine, cpu::CpuEngine};
use gradus::ports::memory::MemoryFiles;
use support::Ticking;
use support::golden::Golden;

const FIXTURES: [&str; 3] = ["flow", "sd1", "odd"];

fn folder(name: &str) -> MemoryFiles {
    let root = std::path::Path::new("tests/fixtures/diffusion").join(name);
    let mut files = MemoryFiles::default();
    for file in walkdir::WalkDir::new(&root).into_iter().flatten().filter(|file| file.file_type().is_file()) {
        let path = file.path().strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        files.insert(&path, std::fs::read(file.path()).unwrap());
    }
    files
}

async fn all_pass(engine: &dyn Engine) {
    let control = Ticking::by(Duration::from_millis(2));
    let mut failed = Vec::new();
    let mut count = 0;
    for name in FIXTURES {
        let files = folder(name);
        let mut golden = Golden::open(&files, engine, &control).await.unwrap();
        for outcome in golden.run(|_| true).await {
            count += 1;
            println!("{name} {outcome:?}");
            if !outcome.pass {
                failed.push(format!("{name} {outcome:?}"));
            }
        }
    }
    assert!(count > 40, "only {count} cases");
    assert!(failed.is_empty(), "{} of {count} cases:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn cpu_engine_agrees_with_diffusers() {
    pollster::block_on(all_pass(&CpuEngine::new("test")));
}

#[test]
fn gpu_engine_agrees_with_diffusers() {
    pollster::block_on(async {
        let engine = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        all_pass(&engine).await;
    });
}
