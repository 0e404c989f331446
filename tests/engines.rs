//! Both engines against the same conformance body, natively: the processor's, and the GPU's on any Vulkan adapter.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use gradus::gpu;
use gradus::kernels::nn::group_norm;
use gradus::kernels::{Control, Dispatch, Engine as _, EngineError, Kernel, Recording, Tolerance, cpu::CpuEngine};
use gradus::value::Time;
use gradus_cpu::nn::norm::{Group, Part};
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

thread_local! {
    /// What has been worked, in microseconds, and in how many slices.
    static WORKED: (Cell<u64>, Cell<u64>) = const { (Cell::new(0), Cell::new(0)) };
}

/// Takes the time that its parameter says for each item.
static WORK: Kernel = Kernel::new("work", &[]).twin(
    |args| {
        let each = u32::from_le_bytes(args.params[..4].try_into().unwrap());
        WORKED.with(|(time, slices)| {
            time.set(time.get() + u64::from(each) * u64::from(args.span.end - args.span.start));
            slices.set(slices.get() + 1);
        });
    },
    Tolerance::Exact,
);

/// A control whose time is what has been worked.
#[derive(Default)]
struct Worker {
    last: Cell<u64>,
    longest: Cell<u64>,
}

impl Control for Worker {
    fn now(&self) -> Time {
        Time::from_micros(WORKED.with(|(time, _)| time.get()))
    }

    fn checkpoint(&self) -> LocalBoxFuture<'_, ()> {
        let now = WORKED.with(|(time, _)| time.get());
        self.longest.set(self.longest.get().max(now - self.last.replace(now)));
        Box::pin(std::future::ready(()))
    }
}

#[test]
fn slices_are_short_though_one_shape_of_a_kernel_is_a_thousand_times_as_slow() {
    let (engine, control) = (CpuEngine::new("test"), Worker::default());
    let data = engine.buffer("data", 1).unwrap();
    // Microseconds an item, items, and the cost that is told: the quick ones are told to be the dear ones.
    let shapes = [(100, 3_000, 1.0), (1, 400_000, 50.0), (20, 9_000, 900.0), (90, 3_000, 900.0)];
    let mut total = 0;
    for (each, items, cost) in shapes.into_iter().cycle().take(40) {
        let mut recording = Recording::new();
        let (params, buffers) = (u32::to_le_bytes(each).to_vec(), vec![data.clone()]);
        recording.push(Dispatch { kernel: &WORK, items, cost, params, buffers });
        pollster::block_on(engine.run(&recording, &control)).unwrap();
        total += u64::from(each) * u64::from(items);
    }
    let (time, slices) = WORKED.with(|(time, slices)| (time.get(), slices.get()));
    assert_eq!(time, total);
    let longest = control.longest.get();
    assert!((6_000..=13_000).contains(&longest), "{longest} µs without a turn");
    // Each turn costs time, too.
    assert!(slices < total / 4_000, "{slices} slices in {total} µs");
}

/// Calls of which one would tell the engine too little about another: it knows them by cost and items.
#[test]
fn the_parts_of_a_norm_are_known_apart() {
    let call = |part, silu| {
        let shape =
            Group { pictures: 1, rows: 65536, groups: 32, channels: 128, chunks: 64, part, silu, ..Group::default() };
        let call = group_norm(&shape);
        (call.items, call.cost.to_bits())
    };
    let sums = call(Part::Sums, true);
    assert_eq!(sums, call(Part::Sums, false), "the sums know of no SiLU");
    let all = [sums, call(Part::Apply, false), call(Part::Apply, true)];
    assert!(all.iter().enumerate().all(|(n, one)| !all[..n].contains(one)), "{all:?}");
}

#[test]
fn a_large_buffer_is_made_in_slices_and_reads_as_zeros() {
    const WORDS: usize = (20 << 20) + 3;
    let control = Ticking::by(Duration::from_millis(4));
    let engine = CpuEngine::new("test");
    let data = engine.buffer("data", WORDS).unwrap();
    let read = pollster::block_on(engine.read(&data)).unwrap();
    assert!(read.len() == WORDS && read.iter().all(|&word| word == 0));
    let mut recording = Recording::new();
    recording.write_at(&data, WORDS - 1, &[7u32]);
    pollster::block_on(engine.run(&recording, &control)).unwrap();
    assert!(control.checkpoints.get() >= 10, "{} checkpoints", control.checkpoints.get());
    let read = pollster::block_on(engine.read(&data)).unwrap();
    assert!(read.len() == WORDS && read[..WORDS - 1].iter().all(|&word| word == 0) && read[WORDS - 1] == 7);
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
    // 100 dispatches of 1 to 2 ms, and a checkpoint after 6 ms.
    assert!((14..=34).contains(&control.checkpoints.get()), "{} checkpoints", control.checkpoints.get());
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
