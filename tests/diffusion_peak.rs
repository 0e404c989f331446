//! How much of a checkpoint of real size is in memory while it goes to a GPU.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
mod support;
#[path = "support/zeros.rs"]
mod zeros;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use gradus::diffusion::autoencoder::Autoencoder;
use gradus::diffusion::config::Config;
use gradus::diffusion::plan::{Cost, Plan};
use gradus::diffusion::safetensors::Tensors;
use gradus::diffusion::weights::{Meter, Weight, load};
use gradus::diffusion::{Pipeline, Precision, Request, Start};
use gradus::kernels::nn::Stored;
use gradus::kernels::{Buffer, BufferId, Command, Control, Engine, EngineError, Recording};
use gradus::ports::Files;
use gradus::value::{EngineInfo, EngineKind, Picture, Time};
use peak_alloc::PeakAlloc;
use support::Ticking;
use support::watcher::Watcher;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The allocator counts for all threads: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What weights may take of wasm's memory while they pass through it. It may grow to 96 MiB; the rest is for the code,
/// vocabularies and what a page has beside them.
const MOST: usize = 16 << 20;

/// A GPU that keeps nothing, and counts.
struct Elsewhere {
    info: EngineInfo,
    next: Cell<u64>,
    written: Cell<u64>,
    /// Words of all buffers, in order.
    made: RefCell<Vec<usize>>,
}

impl Elsewhere {
    fn new() -> Self {
        let info = EngineInfo { kind: EngineKind::Gpu, largest_buffer: 1 << 31, ..cpu_info() };
        Self { info, next: Cell::default(), written: Cell::default(), made: RefCell::default() }
    }
}

/// A control that notes how many buffers there were at each checkpoint.
struct Turns<'a>(&'a Elsewhere, RefCell<Vec<usize>>);

impl Control for Turns<'_> {
    fn now(&self) -> Time {
        Time::ZERO
    }

    fn checkpoint(&self) -> LocalBoxFuture<'_, ()> {
        self.1.borrow_mut().push(self.0.made.borrow().len());
        Box::pin(std::future::ready(()))
    }
}

impl Engine for Elsewhere {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn buffer(&self, _: &str, words: usize) -> Result<Buffer, EngineError> {
        self.made.borrow_mut().push(words);
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
    let _alone = alone();
    pollster::block_on(async {
        let specs = zeros::network();
        let files = zeros::file(&specs);
        assert!(files.size > 3 << 30, "{} bytes", files.size);
        for (precision, share) in [(Precision::AsStored, 2), (Precision::EightBit, 3)] {
            let engine = Elsewhere::new();
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

/// Beside the 32 MiB of the request's own picture and mask, what is made of them stays in the 96 MiB of a page: the result is
/// 16 MiB as the engine gives it, and 16 as a picture. Floats of one picture alone would be 48 MiB.
#[test]
fn a_picture_of_the_largest_size_begins_from_another_in_little_memory() {
    let _alone = alone();
    pollster::block_on(async {
        for (side, masked, most) in [(1024, false, 10), (1024, true, 10), (2048, false, 40), (2048, true, 40)] {
            let engine = Elsewhere::new();
            let (control, watcher) = (Ticking::by(Duration::from_millis(1)), Watcher::default());
            let files: Rc<dyn Files> = Rc::new(fixtures::files("flow", |_, _| None));
            let pipeline = Pipeline::load(files, &engine, &control, &watcher).await.unwrap();
            let of = |side: u32| Picture::from_rgba(side, side, vec![200; (side * side * 4) as usize]).unwrap();
            let (picture, mask) = (of(side), masked.then(|| of(side)));
            let before = MEMORY.current_usage();
            MEMORY.reset_peak_usage();
            let start = Some(Start { picture, strength: 0.5, mask });
            let request = Request { width: side, height: side, steps: 2, start, ..pipeline.usual_request() };
            let made = pipeline.generate(&request, &engine, &control, &watcher).await.unwrap();
            assert_eq!(made[0].width(), side);
            let peak = MEMORY.peak_usage().saturating_sub(before);
            assert!(peak < most << 20, "{peak} bytes at once at {side} pixels, masked: {masked}");
            println!("{{\"side\":{side},\"masked\":{masked},\"peak_mib\":{:.1}}}", peak as f64 / (1 << 20) as f64);
        }
    });
}

#[test]
fn the_page_has_turns_while_hundreds_of_megabytes_are_made_ready() {
    let _alone = alone();
    let config = br#"{"in_channels": 3, "out_channels": 3, "block_out_channels": [128, 256, 512, 512],
        "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
        "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"],
        "layers_per_block": 2, "norm_num_groups": 32, "latent_channels": 4}"#;
    let graph =
        Autoencoder::new(&Config::parse("vae/config.json", config).unwrap()).unwrap().decoder(1, [64, 64]).unwrap();
    let engine = Elsewhere::new();
    let weight = || Weight { buffer: engine.buffer("weight", 4).unwrap(), stored: Stored::Floats };
    let weights: Vec<Weight> = graph.weights.iter().map(|_| weight()).collect();
    let control = Turns(&engine, RefCell::default());
    engine.made.borrow_mut().clear();
    pollster::block_on(Plan::new(&graph, &engine, &control, &weights, false)).unwrap();
    let bytes = |words: &[usize]| words.iter().sum::<usize>() as u64 * 4;
    let made = engine.made.borrow();
    assert!(bytes(&made) >= Cost::of(&graph).tensor_bytes && bytes(&made) > 256 << 20, "{} bytes", bytes(&made));
    let mut turns = vec![0];
    turns.extend(control.1.borrow().iter());
    turns.push(made.len());
    for pair in turns.windows(2) {
        let between = &made[pair[0]..pair[1]];
        assert!(bytes(between) <= 16 << 20 || between.len() == 1, "{} bytes in a turn", bytes(between));
    }
}

fn cpu_info() -> EngineInfo {
    gradus::kernels::cpu::CpuEngine::new("test").info().clone()
}
