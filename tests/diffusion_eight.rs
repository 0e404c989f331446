//! Weights that are kept as 8-bit blocks: how far that is from the weights that they were, and what it saves.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
#[path = "support/golden.rs"]
mod golden;
mod support;

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use golden::Golden;
use gradus::diffusion::quantised::{self, BLOCK, quantise};
use gradus::diffusion::safetensors::Tensors;
use gradus::diffusion::{Pipeline, Precision, Report, Request};
use gradus::gpu;
use gradus::kernels::nn::half;
use gradus::kernels::{Engine, cpu::CpuEngine};
use gradus::ports::Files;
use gradus::ports::memory::MemoryFiles;
use gradus::value::{EngineInfo, EngineKind};
use support::Ticking;
use support::watcher::Watcher;

fn control() -> Ticking {
    Ticking::by(Duration::from_millis(2))
}

async fn gpu() -> impl Engine {
    gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap()
}

/// The model that the demo ships: the f16 copy of weights in 8-bit blocks, or those blocks.
fn scenes(in_blocks: bool) -> Rc<dyn Files> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/scenes");
    let mut files = MemoryFiles::default();
    let checkpoint = walkdir::WalkDir::new(&root).into_iter().filter_entry(|entry| entry.file_name() != "training");
    for entry in checkpoint.map(Result::unwrap).filter(|entry| entry.file_type().is_file()) {
        let path = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        files.insert(&path, std::fs::read(entry.path()).unwrap());
    }
    if in_blocks {
        for (folder, stem) in
            [("text_encoder", "model"), ("unet", "diffusion_pytorch_model"), ("vae", "diffusion_pytorch_model")]
        {
            let file = pollster::block_on(blocks_of(&files, folder, stem));
            files.insert(&format!("{folder}/{stem}.safetensors"), file);
        }
    }
    Rc::new(files)
}

/// A file of weights with its matrices as the blocks that they came from.
async fn blocks_of(files: &MemoryFiles, folder: &str, stem: &str) -> Vec<u8> {
    let tensors = Tensors::open(files, folder, stem).await.unwrap();
    let mut header = format!("{{\"__metadata__\":{{\"format\":\"{}\"}}", quantised::FORMAT);
    let mut data: Vec<u8> = Vec::new();
    let mut add = |name: &str, dtype: &str, shape: &[usize], bytes: Vec<u8>| {
        let (start, end) = (data.len(), data.len() + bytes.len());
        header +=
            &format!(",\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{start},{end}]}}");
        data.extend(bytes);
    };
    for name in tensors.names() {
        let (shape, numbers) = (&tensors.get(name).unwrap().shape, tensors.read(files, name).await.unwrap());
        let halves = |numbers: &[f32]| numbers.iter().flat_map(|&x| half::from_f32(x).to_le_bytes()).collect();
        if shape.len() < 2 {
            add(name, "F16", shape, halves(&numbers));
            continue;
        }
        let blocks: Vec<(u16, Vec<i8>)> = numbers.chunks(BLOCK).map(|block| quantise(block).unwrap()).collect();
        let scales: Vec<u8> = blocks.iter().flat_map(|(scale, _)| scale.to_le_bytes()).collect();
        add(&format!("{name}.scale"), "F16", &[blocks.len()], scales);
        add(name, "I8", shape, blocks.iter().flat_map(|(_, stored)| stored.iter().map(|&x| x as u8)).collect());
    }
    header.push('}');
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

/// Weights that were halves are rounded while they are loaded: the network's results move by a share of their range.
async fn error_of_halves(engine: &dyn Engine) -> f64 {
    let files = fixtures::files("eight", |_, _| None);
    let control = control();
    let mut golden = Golden::open(&files, engine, &control).await.unwrap();
    golden.precision = Precision::EightBit;
    let outcome = golden.run(|kind| kind == "unet_f16_weights").await.remove(0);
    println!("{outcome:?}");
    assert!(outcome.limit > 0.0, "{outcome:?}");
    outcome.max_abs / outcome.range
}

#[test]
fn rounding_to_eight_bit_moves_a_networks_result_by_less_than_a_hundredth() {
    pollster::block_on(async {
        let (cpu, gpu) = (error_of_halves(&CpuEngine::new("test")).await, error_of_halves(&gpu().await).await);
        // Not nothing, or the weights were not rounded.
        assert!(cpu > 2e-4 && cpu < 1e-2, "{cpu}");
        assert!((cpu - gpu).abs() < 1e-4, "{cpu} on the processor, {gpu} on the GPU");
    });
}

async fn same_picture(engine: &dyn Engine) {
    let mut made = Vec::new();
    for precision in [Precision::AsStored, Precision::EightBit] {
        let (watcher, in_blocks) = (Watcher::default(), precision == Precision::EightBit);
        let loaded = Pipeline::load_with(scenes(in_blocks), &[], precision, engine, &control(), &watcher).await;
        let pipeline = loaded.unwrap();
        let prompt = "a red sphere on grass by day".to_owned();
        let request = Request { prompt, steps: 2, guidance: 1.0, ..pipeline.usual_request() };
        made.push(pipeline.generate(&request, engine, &control(), &watcher).await.unwrap().remove(0));
    }
    let apart = made[0].rgba().iter().zip(made[1].rgba()).map(|(a, b)| a.abs_diff(*b));
    assert_eq!(apart.clone().max(), Some(0), "{} bytes differ", apart.filter(|&apart| apart > 0).count());
}

#[test]
fn a_checkpoint_in_blocks_gives_the_same_picture_on_the_processor() {
    pollster::block_on(same_picture(&CpuEngine::new("test")));
}

#[test]
fn a_checkpoint_in_blocks_gives_the_same_picture_on_a_gpu() {
    pollster::block_on(async { same_picture(&gpu().await).await });
}

#[test]
fn eight_bit_takes_half_of_the_memory_and_the_report_says_so() {
    pollster::block_on(async {
        let files = scenes(false);
        let cpu = CpuEngine::new("test");
        for (kind, most) in [(EngineKind::Gpu, 0.56), (EngineKind::Cpu, 0.28)] {
            let engine = EngineInfo { kind, ..cpu.info().clone() };
            let report = Report::read(&*files, &engine).await.unwrap();
            let share = report.with_eight_bit.weight_bytes as f64 / report.needs.weight_bytes as f64;
            println!("{kind:?}: {share:.3} of {} bytes", report.needs.weight_bytes);
            assert!(share < most && share > most / 2.0, "{kind:?}: {share}");
            // An adapter whose buffers are too small for halves, and large enough for 8 bit.
            let largest_buffer = report.needs.largest_bytes - 1;
            let tight = Report::read(&*files, &EngineInfo { largest_buffer, ..engine }).await.unwrap();
            assert!(tight.fit_with(Precision::AsStored).is_err());
            assert_eq!(
                tight.fit_with(Precision::EightBit).is_ok(),
                report.with_eight_bit.largest_bytes <= largest_buffer
            );
        }
    });
}

#[test]
fn weights_that_no_half_can_be_are_refused() {
    pollster::block_on(async {
        let files = fixtures::files("flow", |path, bytes| {
            (path == "unet/diffusion_pytorch_model.safetensors").then(|| {
                let mut bytes = bytes.to_vec();
                let length = bytes.len();
                bytes[length / 2..].fill(0xff);
                bytes
            })
        });
        let engine = CpuEngine::new("test");
        let loaded =
            Pipeline::load_with(Rc::new(files), &[], Precision::EightBit, &engine, &control(), &Watcher::default())
                .await;
        let refused = loaded.err().map(|error| error.message().to_owned()).unwrap_or_default();
        assert!(refused.contains("too large for 8 bit"), "{refused}");
    });
}
