//! How much of a checkpoint of real size is in memory while it goes to a GPU.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;
#[path = "support/zeros.rs"]
mod zeros;

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use gradus::diffusion::Precision;
use gradus::diffusion::safetensors::Tensors;
use gradus::diffusion::weights::{Meter, load};
use gradus::kernels::{Buffer, BufferId, Command, Control, Engine, EngineError, Recording};
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

#[test]
fn a_network_of_three_gigabytes_passes_through_little_memory() {
    pollster::block_on(async {
        let specs = zeros::network();
        let files = zeros::file(&specs);
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
