//! The model that the demo ships gives the numbers that diffusers gives with it.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/golden.rs"]
mod golden;
mod support;

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use golden::Golden;
use gradus::diffusion::{Pipeline, Request};
use gradus::gpu;
use gradus::kernels::{Engine, cpu::CpuEngine};
use gradus::ports::memory::MemoryFiles;
use gradus::value::Picture;
use support::Ticking;
use support::watcher::Watcher;

fn files(model: &str) -> MemoryFiles {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(model);
    let mut files = MemoryFiles::default();
    let checkpoint = walkdir::WalkDir::new(&root).into_iter().filter_entry(|entry| entry.file_name() != "training");
    for entry in checkpoint.map(Result::unwrap).filter(|entry| entry.file_type().is_file()) {
        let path = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        files.insert(&path, std::fs::read(entry.path()).unwrap());
    }
    files
}

async fn agrees(engine: &dyn Engine) {
    let (files, control) = (files("scenes"), Ticking::by(Duration::from_millis(2)));
    let outcomes = Golden::open(&files, engine, &control).await.unwrap().run(|_| true).await;
    assert!(outcomes.len() >= 8, "only {} cases", outcomes.len());
    for outcome in outcomes {
        assert!(outcome.pass, "{outcome:?}");
    }
}

#[test]
fn the_cpu_engine_agrees_with_diffusers_on_the_scenes_model() {
    pollster::block_on(agrees(&CpuEngine::new("test")));
}

#[test]
fn the_gpu_engine_agrees_with_diffusers_on_the_scenes_model() {
    pollster::block_on(async {
        let engine = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        agrees(&engine).await;
    });
}

/// The last of its four steps is a thousandth of the way, so what is seen before it is the picture: decoded whole by an engine
/// that is quick, at half the size by the processor.
#[test]
fn the_last_preview_is_nearly_the_picture() {
    pollster::block_on(async {
        let gpu = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        for (engine, apart) in [(&CpuEngine::new("test") as &dyn Engine, 0.3..3.0), (&gpu, 0.0..0.05)] {
            let off = previews_are_off_by(engine).await;
            println!("{off:?}");
            assert!(apart.contains(&off[2]), "{off:?} of 255 from the picture");
            assert!(off.is_sorted_by(|a, b| a > b), "{off:?} of 255 from the picture");
        }
    });
}

/// How far each preview is from the picture, of 255.
async fn previews_are_off_by(engine: &dyn Engine) -> Vec<f64> {
    let control = Ticking::by(Duration::from_millis(2));
    let watcher = Watcher { curious: true, ..Watcher::default() };
    let pipeline = Pipeline::load(Rc::new(files("scenes-few")), engine, &control, &watcher).await.unwrap();
    let request = Request {
        prompt: "a red sphere left of a blue cube on grass by day".into(),
        seed: 3,
        steps: 4,
        guidance: 1.0,
        ..pipeline.usual_request()
    };
    let picture = pipeline.generate(&request, engine, &control, &watcher).await.unwrap().remove(0);
    let previews = watcher.previews.borrow();
    assert_eq!(previews.len(), 3);
    let off = |preview: &Picture| {
        assert_eq!([preview.width(), preview.height()], [picture.width(), picture.height()]);
        let pairs = preview.rgba().iter().zip(picture.rgba());
        pairs.map(|(&a, &b)| f64::from(a.abs_diff(b))).sum::<f64>() / picture.rgba().len() as f64
    };
    previews.iter().map(off).collect()
}
