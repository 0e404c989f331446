//! How much of a checkpoint of real size is in memory while it goes to a GPU.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::cell::Cell;
use std::ops::Range;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use gradus::Error;
use gradus::diffusion::Precision;
use gradus::diffusion::config::Config;
use gradus::diffusion::safetensors::Tensors;
use gradus::diffusion::unet::Unet;
use gradus::diffusion::weights::{Meter, Spec, load};
use gradus::kernels::{Buffer, BufferId, Command, Control, Engine, EngineError, Recording};
use gradus::ports::Files;
use gradus::value::{EngineInfo, EngineKind};
use peak_alloc::PeakAlloc;
use support::Ticking;
use support::watcher::Watcher;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What weights may take of wasm's memory while they pass through it. It may grow to 96 MiB; the rest is for the code,
/// vocabularies and what a page has beside them.
const MOST: usize = 16 << 20;

/// A GPU that keeps nothing, and counts.
struct Elsewhere {
    info: EngineInfo,
    next: Cell<u64>,
    written: Cell<u64>,
}

impl Engine for Elsewhere {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn buffer(&self, _: &str, words: usize) -> Result<Buffer, EngineError> {
        Ok(Buffer::new(BufferId(self.next.replace(self.next.get() + 1)), words, |_| ()))
    }

    fn run<'a>(&'a self, of: &'a Recording, _: &'a dyn Control) -> LocalBoxFuture<'a, Result<(), EngineError>> {
        for command in of.commands() {
            if let Command::Write(_, _, words) = command {
                self.written.set(self.written.get() + words.len() as u64 * 4);
            }
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn read<'a>(&'a self, buffer: &'a Buffer) -> LocalBoxFuture<'a, Result<Vec<u32>, EngineError>> {
        Box::pin(std::future::ready(Ok(vec![0; buffer.words()])))
    }

    fn idle(&self) -> LocalBoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// One file of which only the header is there; its numbers are all zero.
struct Zeros {
    header: Vec<u8>,
    size: u64,
}

impl Files for Zeros {
    fn size<'a>(&'a self, path: &'a str) -> LocalBoxFuture<'a, Result<Option<u64>, Error>> {
        Box::pin(std::future::ready(Ok((path == "unet/model.safetensors").then_some(self.size))))
    }

    fn read<'a>(&'a self, _: &'a str, range: Range<u64>) -> LocalBoxFuture<'a, Result<Vec<u8>, Error>> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let header = self.header.get(range.start as usize..).unwrap_or_default();
        bytes.iter_mut().zip(header).for_each(|(to, from)| *to = *from);
        Box::pin(std::future::ready(Ok(bytes)))
    }
}

/// A file with all tensors of a network, as F32.
fn zeros(specs: &[Spec]) -> Zeros {
    let mut tensors: Vec<(String, Vec<usize>)> = Vec::new();
    for spec in specs {
        match spec {
            Spec::Packed { parts, inner, taps, .. } => {
                for part in parts {
                    let side = if *taps == 9 { 3 } else { 1 };
                    tensors.push((format!("{}.weight", part.name), vec![part.outer, *inner, side, side]));
                    if part.bias {
                        tensors.push((format!("{}.bias", part.name), vec![part.outer]));
                    }
                }
            }
            Spec::Affine { name, channels, .. } => {
                tensors.push((format!("{name}.weight"), vec![*channels]));
                tensors.push((format!("{name}.bias"), vec![*channels]));
            }
        }
    }
    let mut start = 0;
    let entry = |(name, shape): &(String, Vec<usize>)| {
        let from = start;
        start += shape.iter().product::<usize>() as u64 * 4;
        format!("{name:?}:{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{from},{start}]}}")
    };
    let text = format!("{{{}}}", tensors.iter().map(entry).collect::<Vec<_>>().join(","));
    let header = [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    Zeros { size: header.len() as u64 + start, header }
}

/// Stable Diffusion 1's, the largest that its readers know in floats.
const UNET: &str = r#"{"sample_size": 64, "in_channels": 4, "out_channels": 4,
    "block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2, "cross_attention_dim": 768,
    "attention_head_dim": 8, "norm_num_groups": 32,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]}"#;

#[test]
fn a_network_of_three_gigabytes_passes_through_little_memory() {
    pollster::block_on(async {
        let unet = Unet::new(&Config::parse("config.json", UNET.as_bytes()).unwrap()).unwrap();
        let specs = unet.graph(1, [64; 2], 77).unwrap().weights;
        let files = zeros(&specs);
        assert!(files.size > 3 << 30, "{} bytes", files.size);
        for (precision, share) in [(Precision::AsStored, 2), (Precision::EightBit, 3)] {
            let info = EngineInfo { kind: EngineKind::Gpu, largest_buffer: 1 << 31, ..cpu_info() };
            let engine = Elsewhere { info, next: Cell::default(), written: Cell::default() };
            let control = Ticking::by(Duration::from_millis(1));
            let watcher = Watcher::default();
            let before = MEMORY.current_usage();
            MEMORY.reset_peak_usage();
            let tensors = Tensors::open(&files, "unet", "model").await.unwrap();
            let mut meter = Meter::new(&watcher, 1, 0);
            load(&specs, &tensors, precision, &files, &engine, &control, &mut meter).await.unwrap();
            let peak = MEMORY.peak_usage().saturating_sub(before);
            println!("{{\"precision\":\"{precision:?}\",\"peak_mib\":{:.1}}}", peak as f64 / (1 << 20) as f64);
            assert!(peak < MOST, "{precision:?}: {peak} bytes at once");
            // All of it went there, in halves or less.
            let written = engine.written.get();
            assert!(written * share < files.size * 102 / 100 && written > files.size / 5, "{precision:?}: {written}");
        }
    });
}

fn cpu_info() -> EngineInfo {
    gradus::kernels::cpu::CpuEngine::new("test").info().clone()
}
