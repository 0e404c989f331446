//! What every engine must do, as one body.

use futures_util::FutureExt as _;
use gradus::kernels::{Control, Engine, EngineError, EngineKind, Kernel, Recording, Tolerance, TwinArgs};

#[repr(C)]
#[derive(Clone, Copy, bytemuck::NoUninit)]
pub struct Params {
    pub add: u32,
}

/// Adds a number and the item's own index to each word.
pub static ADD: Kernel = Kernel::new(
    "test-add",
    &["
    struct Params { add: u32 }
    @group(0) @binding(1) var<uniform> params: Params;
    @group(0) @binding(2) var<storage, read_write> data: array<u32>;

    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        let item = span_item(id);
        if item < span_end() { data[item] += params.add + item; }
    }
    "],
)
.twin(add, Tolerance::Exact);

fn add(args: TwinArgs<'_, '_>) {
    let add = bytemuck::pod_read_unaligned::<u32>(&args.params[..4]);
    let data = &mut *args.buffers[0];
    for item in args.span {
        data[item as usize] += add + item;
    }
}

/// Copies from one buffer to another, without parameters and without a twin.
pub static COPY_ON_GPU: Kernel = Kernel::new(
    "test-copy",
    &["
    @group(0) @binding(2) var<storage, read> from_words: array<u32>;
    @group(0) @binding(3) var<storage, read_write> to_words: array<u32>;

    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        let item = span_item(id);
        if item < span_end() { to_words[item] = from_words[item]; }
    }
    "],
);

/// Does not compile.
pub static BROKEN: Kernel = Kernel::new("test-broken", &["fn main( { this is no shader }"]);

pub async fn check(engine: &dyn Engine, control: &dyn Control, large: usize) {
    let data = engine.buffer("data", 8).unwrap();
    assert_eq!(engine.read(&data).await.unwrap(), vec![0; 8], "buffers begin with zeros");

    let mut recording = Recording::new();
    recording.write(&data, &[10u32, 20, 30]);
    recording.dispatch(&ADD, 4, &Params { add: 100 }, &[&data]);
    recording.dispatch(&ADD, 2, &Params { add: 1000 }, &[&data]);
    recording.dispatch(&ADD, 0, &Params { add: 7 }, &[&data]);
    engine.run(&recording, control).await.unwrap();
    assert_eq!(engine.read(&data).await.unwrap(), [1110, 1122, 132, 103, 0, 0, 0, 0], "in order, only the items");

    let mut recording = Recording::new();
    recording.clear(&data);
    recording.dispatch(&ADD, 1, &Params { add: 5 }, &[&data]);
    engine.run(&recording, control).await.unwrap();
    assert_eq!(engine.read(&data).await.unwrap()[..2], [5, 0], "cleared, then added");

    let many = engine.buffer("many", large).unwrap();
    let mut recording = Recording::new();
    recording.dispatch(&ADD, large as u32, &Params { add: 3 }, &[&many]);
    engine.run(&recording, control).await.unwrap();
    let words = engine.read(&many).await.unwrap();
    let wrong = words.iter().zip(3u32..).position(|(&word, expected)| word != expected);
    assert_eq!(wrong, None, "each item exactly once, however it was cut");

    let mut recording = Recording::new();
    recording.dispatch(&ADD, 4, &Params { add: 1 }, &[&data, &data]);
    assert!(matches!(engine.run(&recording, control).await, Err(EngineError::Refused { .. })), "bound twice");
    assert_eq!(engine.read(&data).await.unwrap()[..2], [5, 0], "and nothing happened");

    let mut recording = Recording::new();
    recording.write(&data, &[0u32; 9]);
    assert!(matches!(engine.run(&recording, control).await, Err(EngineError::Refused { .. })), "too long a write");

    let other = engine.buffer("other", 8).unwrap();
    let mut recording = Recording::new();
    recording.dispatch(&COPY_ON_GPU, 8, &(), &[&data, &other]);
    match (engine.info().kind, engine.run(&recording, control).await) {
        (EngineKind::Cpu, result) => {
            let error = result.unwrap_err();
            assert_eq!(error, EngineError::NeedsGpu("test-copy"));
            assert!(error.to_string().contains("this handler needs WebGPU"), "{error}");
        }
        (EngineKind::Gpu, result) => {
            result.unwrap();
            assert_eq!(engine.read(&other).await.unwrap()[0], 5);
            let mut recording = Recording::new();
            recording.dispatch(&BROKEN, 1, &(), &[]);
            let error = engine.run(&recording, control).await.unwrap_err();
            assert!(error.to_string().contains("test-broken"), "{error}");
            engine.run(&Recording::new(), control).await.unwrap();
        }
    }

    assert!(matches!(engine.buffer("huge", usize::MAX / 8), Err(EngineError::Memory { .. })), "more than there is");

    // A run that is dropped leaves an engine that can be used.
    let mut recording = Recording::new();
    recording.dispatch(&ADD, large as u32, &Params { add: 0 }, &[&many]);
    {
        let mut run = engine.run(&recording, control);
        let _ = (&mut run).now_or_never();
    }
    engine.idle().await;
    engine.run(&Recording::new(), control).await.unwrap();
}
