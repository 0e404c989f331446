//! Tiles in halves: as exact as halves are, not more exact than that, only where an engine has them, and given up where a
//! network's numbers are beyond them.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
mod support;

use std::rc::Rc;
use std::time::Duration;

use gradus::diffusion::{Pipeline, Request};
use gradus::gpu;
use gradus::kernels::nn::{self, CONV, FLOATS, Stored, TileChoices, half};
use gradus::kernels::{Engine, EngineError, Recording, TwinArgs, cpu::CpuEngine};
use gradus_cpu::nn::blocks;
use gradus_cpu::nn::conv::Shape;
use gradus_cpu::nn::math::Activation;
use support::tensor_file;
use support::watcher::Watcher;
use support::{Ticking, nn_cases};

/// A half is at most this share away from the float that is rounded to it.
const ROUNDING: f32 = 1.0 / 2048.0;

fn control() -> Ticking {
    Ticking::by(Duration::from_millis(2))
}

async fn engine() -> Option<impl Engine> {
    let probe = gpu::probe().await.expect("a Vulkan adapter");
    let info = probe.info().clone();
    assert!(info.halves() || !info.name.contains("llvmpipe"), "{info:?} has halves");
    println!("{{\"adapter\":{:?},\"halves\":{}}}", info.name, info.halves());
    if info.halves() { Some(probe.open().await.unwrap()) } else { None }
}

fn floats(words: &[u32]) -> Vec<f32> {
    bytemuck::cast_slice(words).to_vec()
}

/// The weights as floats, whatever they are stored as.
fn unpacked(shape: &Shape, stored: Stored, words: &[u32]) -> Vec<f32> {
    let both = |&word: &u32| [half::to_f32(word as u16), half::to_f32((word >> 16) as u16)];
    match stored {
        Stored::Floats => floats(words),
        Stored::Halves => words.iter().flat_map(both).collect(),
        Stored::Blocks => blocks::unpack(words, shape.kernel[0] * shape.kernel[1], shape.channels.iter().sum()),
    }
}

/// The product by the processor's twin.
fn twin(shape: &Shape, buffers: &[Vec<f32>; 4]) -> Vec<f32> {
    let call = nn::conv(shape, Stored::Floats, 0);
    let mut buffers: Vec<Vec<u32>> = buffers.iter().map(|numbers| bytemuck::cast_slice(numbers).to_vec()).collect();
    buffers.push(vec![0; shape.rows * shape.width]);
    let mut slices: Vec<&mut [u32]> = buffers.iter_mut().map(Vec::as_mut_slice).collect();
    call.kernel.twin.unwrap()(TwinArgs { span: 0..call.items, params: &call.params, buffers: &mut slices });
    floats(&buffers[4])
}

async fn run(shape: &Shape, stored: Stored, variant: usize, buffers: &[Vec<u32>], engine: &dyn Engine) -> Vec<f32> {
    let mut recording = Recording::new();
    let bound: Vec<_> = buffers.iter().map(|words| engine.buffer("test", words.len()).unwrap()).collect();
    bound.iter().zip(buffers).for_each(|(buffer, words)| recording.write(buffer, words));
    recording.push(nn::conv(shape, stored, variant).on(bound.clone()));
    engine.run(&recording, &control()).await.unwrap();
    floats(&engine.read(&bound[4]).await.unwrap())
}

/// For each result how far halves may be off: two roundings of each product, so twice [`ROUNDING`] of the sum of all
/// magnitudes, and what an activation makes of it.
fn bounds(shape: &Shape, buffers: &[Vec<f32>; 4]) -> Vec<f32> {
    let geglu = shape.activation == Activation::Geglu as u32;
    let width = if geglu { shape.panels * 8 } else { shape.width };
    let plain = Shape { activation: 0, width, ..*shape };
    let magnitudes = twin(&plain, &buffers.clone().map(|numbers| numbers.into_iter().map(f32::abs).collect()));
    let off = magnitudes.iter().map(|sum| 2.001 * ROUNDING * sum + 1e-5);
    // No activation is steeper than 1.13.
    let off: Vec<f32> = off.map(|off| if shape.activation == 0 { off } else { 1.13 * off }).collect();
    if !geglu {
        return off;
    }
    // A panel's first four columns times the GELU, which is no larger, of its others.
    let plain = twin(&plain, buffers);
    let of_panel = |(sums, off): (&[f32], &[f32])| {
        (0..4).map(|n| sums[n].abs() * off[n + 4] + (sums[n + 4].abs() + off[n + 4]) * off[n]).collect::<Vec<_>>()
    };
    let rows = plain.chunks_exact(width).zip(off.chunks_exact(width));
    rows.flat_map(|(sums, off)| {
        let panels = sums.chunks_exact(8).zip(off.chunks_exact(8));
        panels.flat_map(of_panel).take(shape.width).collect::<Vec<_>>()
    })
    .collect()
}

#[test]
fn results_are_as_exact_as_halves_and_no_more() {
    pollster::block_on(async {
        let Some(engine) = engine().await else { return };
        for (shape, stored, buffers) in nn_cases::products() {
            let weights = unpacked(&shape, stored, &buffers[2]);
            let numbers = [floats(&buffers[0]), floats(&buffers[1]), weights, floats(&buffers[3])];
            let (expected, bounds) = (twin(&shape, &numbers), bounds(&shape, &numbers));
            assert_eq!(expected.len(), bounds.len(), "{shape:?}");
            for variant in FLOATS..CONV.len() {
                let got = run(&shape, stored, variant, &buffers, &engine).await;
                let off: Vec<f32> = got.iter().zip(&expected).map(|(a, b)| (a - b).abs()).collect();
                let far = (0..off.len()).find(|&at| off[at].is_nan() || off[at] > bounds[at]);
                let what = format!("{variant} {stored:?} {shape:?}");
                assert!(far.is_none(), "{what}: {:?}", far.map(|at| (at, got[at], expected[at], bounds[at])));
                let most = off.iter().fold(0.0f32, |most, &off| most.max(off));
                let share = off.iter().zip(&bounds).fold(0.0f32, |most, (off, bound)| most.max(off / bound));
                // Floats would be within 2e-5.
                assert!(most > 1e-4, "{what}: {most} off are no halves");
                println!(
                    "{{\"variant\":{variant},\"stored\":\"{stored:?}\",\"off\":{most:.1e},\"of_bound\":{share:.2}}}"
                );
            }
        }
    });
}

#[test]
fn sums_are_floats_from_the_first_to_the_last() {
    pollster::block_on(async {
        let Some(engine) = engine().await else { return };
        // 4095 products of 120 and one of 1: no half holds a sum of them, and each float does.
        let side = Shape { kernel: [1, 1], stride: 1, rows: 70, source: [70, 1], result: [70, 1], ..Shape::default() };
        let shape = Shape { panels: 5, width: 40, channels: [4096, 0], ..side };
        let source = |at: usize| if at.is_multiple_of(4096) { 1.0f32 / 60.0 } else { 2.0 };
        let source: Vec<u32> = (0..70 * 4096).map(|at| source(at).to_bits()).collect();
        let weight = |at: usize| if at % (4097 * 8) < 8 { 0.25f32 } else { 60.0 };
        let weights: Vec<u32> = (0..5 * 4097 * 8).map(|at| weight(at).to_bits()).collect();
        let one = half::round(1.0 / 60.0) * 60.0;
        let expected = 0.25 + 4095.0 * 120.0 + one;
        for variant in FLOATS..CONV.len() {
            let buffers = [source.clone(), vec![0; 4], weights.clone(), vec![0; 4], vec![0; 70 * 40]];
            let got = run(&shape, Stored::Floats, variant, &buffers, &engine).await;
            assert!(got.iter().all(|x| (x - expected).abs() <= 0.1), "{variant}: {} for {expected}", got[0]);
        }
    });
}

#[test]
fn an_engine_without_halves_is_never_given_any() {
    pollster::block_on(async {
        let engine = gpu::probe().await.expect("a Vulkan adapter").in_floats().open().await.unwrap();
        assert!(!engine.info().halves(), "{:?}", engine.info());
        assert_eq!(nn::variants(engine.info()), 0..FLOATS);
        for (variant, of) in CONV.iter().enumerate() {
            // As a text of another day may ask for it.
            engine.choose(TileChoices::parse(&TileChoices::all(variant).text()).unwrap());
            assert!(!engine.choices().halves(), "{:?}", engine.choices());
            for kernel in &of.kernels {
                let prepared = engine.prepare(kernel).await;
                let refused = matches!(prepared, Err(EngineError::Refused { .. }));
                assert_eq!(refused, kernel.needs_halves(), "{kernel:?}: {prepared:?}");
            }
        }
    });
}

#[test]
fn numbers_beyond_halves_are_made_again_in_floats() {
    pollster::block_on(async {
        let Some(engine) = engine().await else { return };
        // The norm behind the decoder's first convolution scales by a million.
        let path = "vae/diffusion_pytorch_model.safetensors";
        let large = || {
            fixtures::files("sd1", |name, bytes| {
                (name == path).then(|| scaled(bytes, "decoder.mid_block.resnets.0.norm1.weight"))
            })
        };
        let mut made = Vec::new();
        for variant in [1, FLOATS] {
            engine.choose(TileChoices::all(variant));
            let watcher = Watcher::default();
            let pipeline = Pipeline::load(Rc::new(large()), &engine, &control(), &watcher).await.unwrap();
            let request = Request { prompt: "a red ball".into(), steps: 2, ..pipeline.usual_request() };
            made.push(pipeline.generate(&request, &engine, &control(), &watcher).await.unwrap().remove(0));
            assert_eq!(engine.choices(), TileChoices::all(1));
            assert_eq!(watcher.notes.borrow().len(), usize::from(variant >= FLOATS), "{:?}", watcher.notes.borrow());
        }
        assert_eq!(made[0].rgba(), made[1].rgba());
    });
}

/// A safetensors file with the floats of a tensor a million times as large.
fn scaled(bytes: &[u8], tensor: &str) -> Vec<u8> {
    let mut found = false;
    let changed = tensor_file::changed(bytes, |entry| {
        if entry.name == tensor {
            found = true;
            entry.change(|number| number * 1e6);
        }
    });
    assert!(found, "no {tensor}");
    changed
}

#[test]
fn weights_that_no_half_has_room_for_stay_floats_among_halves() {
    pollster::block_on(async {
        let path = "unet/diffusion_pytorch_model.safetensors";
        let vulkan = gpu::probe().await.expect("a Vulkan adapter").in_floats().open().await.unwrap();
        let cpu = CpuEngine::new("test");
        let (plain, large) = ("none", "down_blocks.0.resnets.0.conv1.weight");
        let mut made = Vec::new();
        for tensor in [plain, large] {
            let files = || {
                fixtures::files("sd1", |name, bytes| {
                    let of = |entry: &mut tensor_file::Entry| {
                        // The norm behind it makes the same of the larger numbers, but for what it adds to its epsilon.
                        if entry.name == tensor {
                            entry.change(|number| number * 1e6);
                        }
                        entry.halve();
                    };
                    (name == path).then(|| tensor_file::changed(bytes, of))
                })
            };
            let engines: [&dyn Engine; 2] = [&cpu, &vulkan];
            for engine in engines {
                let watcher = Watcher::default();
                let pipeline = Pipeline::load(Rc::new(files()), engine, &control(), &watcher).await.unwrap();
                let request = Request { prompt: "a red ball".into(), steps: 2, ..pipeline.usual_request() };
                made.push(pipeline.generate(&request, engine, &control(), &watcher).await.unwrap().remove(0));
            }
        }
        for pair in made.chunks_exact(2) {
            let far = pair[0].rgba().iter().zip(pair[1].rgba()).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(far <= Some(1), "{far:?}");
        }
        assert_ne!(made[0], made[2]);
    });
}
