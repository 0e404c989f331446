//! Numbers as a file stores them: bfloat16 means the upper half of a float, to the last bit.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
mod support;

use std::rc::Rc;
use std::time::Duration;

use gradus::diffusion::autoencoder::Autoencoder;
use gradus::diffusion::config::Config;
use gradus::diffusion::graph::Graph;
use gradus::diffusion::plan::Plan;
use gradus::diffusion::safetensors::{Dtype, Tensors};
use gradus::diffusion::unet::Unet;
use gradus::diffusion::weights::{Meter, load};
use gradus::diffusion::{Lora, Precision};
use gradus::gpu;
use gradus::kernels::nn::Stored;
use gradus::kernels::{Engine, EngineKind, Recording, cpu::CpuEngine};
use gradus::ports::memory::MemoryFiles;
use support::Ticking;
use support::tensor_file::{self, Entry};
use support::watcher::Watcher;

#[test]
fn words_of_bfloat16_are_these_numbers() {
    // Worked out by hand: a sign, 8 bits of an exponent with 127 for 0, and 7 bits behind the point.
    let known: [(u16, f32); 11] = [
        (0x3f80, 1.0),
        (0xc049, -3.140_625),
        (0x0000, 0.0),
        (0x3eab, 171.0 / 512.0),
        (0x4780, 65_536.0),
        (0xbf81, -1.007_812_5),
        (0x7f7f, 255.0 * 2f32.powi(120)),
        (0x0080, 2f32.powi(-126)),
        (0x0001, f32::from_bits(1 << 16)),
        (0x7f80, f32::INFINITY),
        (0xff80, f32::NEG_INFINITY),
    ];
    let bytes = known.iter().flat_map(|(word, _)| word.to_le_bytes()).collect();
    let entry = Entry { name: "x".into(), dtype: "BF16".into(), shape: vec![known.len() as u64], bytes };
    let mut files = MemoryFiles::default();
    files.insert("model.safetensors", tensor_file::file(&[entry]));
    pollster::block_on(async {
        let tensors = Tensors::open(&files, "", "model").await.unwrap();
        let read = tensors.read(&files, "x").await.unwrap();
        assert_eq!(read, known.map(|(_, number)| number));
        // Not from the first on.
        let x = tensors.get("x").unwrap();
        assert_eq!(tensors.read_part(&files, x, 1, 3).await.unwrap(), [-3.140_625, 0.0, 171.0 / 512.0]);
    });
}

/// The upper half of a float. What is below the halves' normal numbers becomes 0, as a GPU keeps bfloat16 in halves.
fn cut(x: f32) -> f32 {
    if x.abs() < 2f32.powi(-14) { 0.0 } else { f32::from_bits(x.to_bits() & 0xffff_0000) }
}

/// The checkpoint with its floats cut off, and stored as floats or in bfloat16.
fn stored(brief: bool) -> MemoryFiles {
    fixtures::files("sd1", |path, bytes| {
        let weights = path.ends_with("model.safetensors");
        weights.then(|| {
            tensor_file::changed(bytes, |entry| {
                if entry.dtype == "F32" {
                    entry.change(cut);
                    if brief {
                        entry.halve();
                    }
                }
            })
        })
    })
}

/// What a network of the checkpoint makes of inputs that are any numbers, and how its weights are kept.
async fn made(files: &MemoryFiles, folder: &str, graph: &Graph, engine: &dyn Engine) -> (Vec<f32>, Vec<Stored>) {
    let control = Ticking::by(Duration::from_millis(2));
    let tensors = Tensors::open(files, folder, "diffusion_pytorch_model").await.unwrap();
    let watcher = Watcher::default();
    let mut meter = Meter::new(&watcher, 1, 0);
    let weights =
        load(&graph.weights, &tensors, Precision::AsStored, files, engine, &control, &mut meter).await.unwrap();
    let plan = Plan::new(graph, engine, &control, &weights, false).await.unwrap();
    let mut recording = Recording::new();
    for number in 0.. {
        let Some((node, _)) = plan.input(number) else { break };
        let count = node.pictures * node.height * node.width * node.channels;
        let values: Vec<f32> = (0..count).map(|n| ((n * 37 + number * 11) % 41) as f32 / 20.0 - 1.0).collect();
        plan.write(&mut recording, number, &values).unwrap();
    }
    engine.run(&recording, &control).await.unwrap();
    plan.run(engine, &control).await.unwrap();
    (plan.read(engine, 0).await.unwrap(), weights.iter().map(|weight| weight.stored).collect())
}

async fn both_are_the_same(engine: &dyn Engine) {
    let [floats, brief] = [stored(false), stored(true)];
    let unet = Unet::new(&Config::read(&floats, "unet/config.json").await.unwrap()).unwrap();
    let vae = Autoencoder::new(&Config::read(&floats, "vae/config.json").await.unwrap()).unwrap();
    for (folder, graph) in [("unet", unet.graph(2, [8, 7], 5).unwrap()), ("vae", vae.decoder(1, [5, 6]).unwrap())] {
        let tensors = Tensors::open(&brief, folder, "diffusion_pytorch_model").await.unwrap();
        assert!(tensors.names().all(|name| tensors.get(name).unwrap().dtype == Dtype::Bf16), "{folder}");
        let (expected, kept) = made(&floats, folder, &graph, engine).await;
        assert!(kept.iter().all(|&kept| kept == Stored::Floats), "{folder}");
        let (found, kept) = made(&brief, folder, &graph, engine).await;
        assert_eq!(kept.contains(&Stored::Halves), engine.info().kind == EngineKind::Gpu, "{folder}");
        assert!(expected.iter().any(|x| x.abs() > 0.01) && expected.iter().all(|x| x.is_finite()), "{folder}");
        assert_eq!(found, expected, "{folder}");
        // Cut off is not as it was.
        let (whole, _) = made(&fixtures::files("sd1", |_, _| None), folder, &graph, engine).await;
        assert_ne!(found, whole, "{folder}");
    }
}

#[test]
fn a_checkpoint_in_bfloat16_is_its_floats_cut_off_on_the_cpu() {
    pollster::block_on(both_are_the_same(&CpuEngine::new("test")));
}

#[test]
fn a_checkpoint_in_bfloat16_is_its_floats_cut_off_on_the_gpu() {
    pollster::block_on(async {
        let engine = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        both_are_the_same(&engine).await;
    });
}

#[test]
fn what_a_lora_changes_keeps_all_its_digits() {
    pollster::block_on(async {
        let files = Rc::new(fixtures::files("lora", |path, bytes| {
            (path == "unet/diffusion_pytorch_model.safetensors").then(|| tensor_file::changed(bytes, Entry::halve))
        }));
        let mut tensors = Tensors::open(&*files, "unet", "diffusion_pytorch_model").await.unwrap();
        let [changed, same] = ["attn1.to_q", "attn2.to_v"]
            .map(|layer| format!("down_blocks.1.attentions.0.transformer_blocks.0.{layer}.weight"));
        let halves = |tensors: &Tensors, name: &str| tensors.halves(tensors.get(name).unwrap());
        assert!(halves(&tensors, &changed) && halves(&tensors, &same));
        let lora = Lora::open(files.clone(), "lora/kohya.safetensors", 1.0).await.unwrap();
        Rc::new(lora).attach("unet", &mut tensors).await.unwrap();
        assert!(!halves(&tensors, &changed) && halves(&tensors, &same));
    });
}
