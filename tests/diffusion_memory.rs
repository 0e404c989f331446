//! What a checkpoint takes: told before it is read, and kept to where memory is short.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
mod support;

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use gradus::Error;
use gradus::diffusion::{Needs, Pipeline, Report, Request};
use gradus::gpu;
use gradus::kernels::{Buffer, Control, Engine, EngineError, Recording, cpu::CpuEngine};
use gradus::ports::Files;
use gradus::ports::memory::MemoryFiles;
use gradus::value::{EngineInfo, EngineKind};
use support::watcher::Watcher;
use support::{Ticking, tensor_file};

fn control() -> Ticking {
    Ticking::by(Duration::from_millis(2))
}

/// An engine with little memory: what is asked for beyond it is refused, as a GPU's driver does. It counts what is read back.
struct Tight {
    engine: Rc<dyn Engine>,
    most: u64,
    used: Rc<Cell<u64>>,
    highest: Cell<u64>,
    reads: Cell<usize>,
}

impl Tight {
    fn of(most: u64) -> Self {
        Self::over(Rc::new(CpuEngine::new("test")), most)
    }

    fn over(engine: Rc<dyn Engine>, most: u64) -> Self {
        Self { engine, most, used: Rc::default(), highest: Cell::new(0), reads: Cell::new(0) }
    }
}

impl Engine for Tight {
    fn info(&self) -> &EngineInfo {
        self.engine.info()
    }

    fn buffer(&self, name: &str, words: usize) -> Result<Buffer, EngineError> {
        let bytes = words.max(1) as u64 * 4;
        if self.used.get() + bytes > self.most {
            return Err(EngineError::Memory { asked: bytes, most: 0 });
        }
        let inner = self.engine.buffer(name, words)?;
        self.used.set(self.used.get() + bytes);
        self.highest.set(self.highest.get().max(self.used.get()));
        let (used, id, words) = (Rc::clone(&self.used), inner.id(), inner.words());
        Ok(Buffer::new(id, words, move |_| {
            let _ = &inner;
            used.set(used.get() - bytes);
        }))
    }

    fn run<'a>(
        &'a self,
        recording: &'a Recording,
        control: &'a dyn Control,
    ) -> LocalBoxFuture<'a, Result<(), EngineError>> {
        self.engine.run(recording, control)
    }

    fn read<'a>(&'a self, buffer: &'a Buffer) -> LocalBoxFuture<'a, Result<Vec<u32>, EngineError>> {
        self.reads.set(self.reads.get() + 1);
        self.engine.read(buffer)
    }

    fn idle(&self) -> LocalBoxFuture<'_, ()> {
        self.engine.idle()
    }
}

fn engines() -> [Rc<dyn Engine>; 2] {
    let gpu = pollster::block_on(async { gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap() });
    [Rc::new(CpuEngine::new("test")), Rc::new(gpu)]
}

#[test]
fn where_memory_is_short_the_stages_take_turns_and_the_picture_is_the_same() {
    for engine in engines() {
        for fixture in ["sd1", "xl", "flow"] {
            pollster::block_on(takes_turns(fixture, &engine));
        }
    }
}

async fn takes_turns(fixture: &str, engine: &Rc<dyn Engine>) {
    let roomy = Tight::over(Rc::clone(engine), u64::MAX);
    let whole = pipeline(fixture, &roomy, &Watcher::default()).await;
    let request = Request { prompt: "a red ball".into(), steps: 3, ..whole.usual_request() };
    let expected = whole.generate(&request, &roomy, &control(), &Watcher::default()).await.unwrap();
    // One byte too few: the first picture finds that out, the second one takes turns from the start.
    let tight = Tight::over(Rc::clone(engine), roomy.highest.get() - 1);
    let watcher = Watcher::default();
    let by_stage = pipeline(fixture, &tight, &watcher).await;
    for _ in 0..2 {
        tight.highest.set(0);
        let made = by_stage.generate(&request, &tight, &control(), &watcher).await.unwrap();
        assert_eq!(made[0].rgba(), expected[0].rgba(), "{fixture}");
        assert_eq!(tight.used.get(), 0, "{fixture}: nothing stays");
    }
    assert!(watcher.notes.borrow().iter().any(|note| note.contains("one after another")), "{fixture}");
    let by_turns = tight.highest.get();
    assert!(by_turns * 100 < roomy.highest.get() * 98, "{fixture}: {by_turns} of {}", roomy.highest.get());
    // As much as that is enough, whenever it is found out.
    let tight = Tight::over(Rc::clone(engine), by_turns);
    let by_stage = pipeline(fixture, &tight, &watcher).await;
    let made = by_stage.generate(&request, &tight, &control(), &watcher).await.unwrap();
    assert_eq!(made[0].rgba(), expected[0].rgba(), "{fixture}");
}

/// A read waits for all that was submitted before it, so that a GPU would rest between two steps.
#[test]
fn nothing_is_read_back_between_two_steps() {
    pollster::block_on(async {
        for engine in engines() {
            let counting = Tight::over(engine, u64::MAX);
            let pipeline = pipeline("sd1", &counting, &Watcher::default()).await;
            let mut reads = Vec::new();
            for steps in [1, 2, 7] {
                counting.reads.set(0);
                let request = Request { prompt: "a red ball".into(), steps, ..pipeline.usual_request() };
                pipeline.generate(&request, &counting, &control(), &Watcher::default()).await.unwrap();
                reads.push(counting.reads.get());
            }
            // The flags of three stages, and the picture.
            assert_eq!(reads, [4; 3]);
        }
    });
}

async fn pipeline(fixture: &str, engine: &dyn Engine, watcher: &Watcher) -> Pipeline {
    let files: Rc<dyn Files> = Rc::new(fixtures::files(fixture, |_, _| None));
    Pipeline::load(files, engine, &control(), watcher).await.unwrap()
}

#[test]
fn a_report_tells_what_a_checkpoint_takes_before_it_is_read() {
    pollster::block_on(async {
        let files = fixtures::files("sd1", |_, _| None);
        let engine = CpuEngine::new("test");
        let report = Report::read(&files, engine.info()).await.unwrap();
        let names: Vec<&str> = report.files.iter().map(|(path, _)| path.as_str()).collect();
        for name in ["unet/config.json", "unet/diffusion_pytorch_model.safetensors", "tokenizer/vocab.json"] {
            assert!(names.contains(&name), "{names:?}");
        }
        for (path, bytes) in &report.files {
            assert_eq!(files.size(path).await.unwrap(), Some(*bytes));
        }
        assert_eq!(report.fit, Ok(()));
        // What loading then really takes: all weights, as this engine keeps them.
        let counted = Tight::of(u64::MAX);
        let _pipeline = pipeline("sd1", &counted, &Watcher::default()).await;
        assert_eq!(report.needs.weight_bytes, counted.used.get());
        // An adapter that is too small is told so, with both figures.
        let small = EngineInfo { kind: EngineKind::Gpu, largest_buffer: 1 << 10, ..engine.info().clone() };
        let refused = Report::read(&files, &small).await.unwrap().fit.unwrap_err();
        assert!(refused.message().contains("this graphics adapter allows 0 MiB"), "{refused}");
        // Without a GPU half a gibibyte of weights is the most that is loaded; a GPU has its own limits.
        let of = |weight_bytes| Needs { weight_bytes, ..report.needs };
        assert_eq!(of(512 << 20).fit(engine.info()), Ok(()));
        let refused = of((512 << 20) + 1).fit(engine.info()).unwrap_err();
        assert!(refused.message().contains("without a GPU at most 512 MiB"), "{refused}");
        let large = EngineInfo { kind: EngineKind::Gpu, ..engine.info().clone() };
        assert_eq!(of(2 << 30).fit(&large), Ok(()));
    });
}

/// A checkpoint whose network's file says that it is larger than it is.
struct Longer {
    files: MemoryFiles,
    by: u64,
}

const NETWORK: &str = "unet/diffusion_pytorch_model.safetensors";

impl Files for Longer {
    fn size<'a>(&'a self, path: &'a str) -> LocalBoxFuture<'a, Result<Option<u64>, Error>> {
        Box::pin(async move {
            let longer = if path == NETWORK { self.by } else { 0 };
            Ok(self.files.size(path).await?.map(|size| size + longer))
        })
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> LocalBoxFuture<'a, Result<Vec<u8>, Error>> {
        self.files.read(path, range)
    }
}

/// What the report says of the fixture on a GPU, and on the processor, with the network's file changed and so many MiB longer
/// by a tensor that nothing reads.
async fn weight_bytes(change: impl Fn(&mut tensor_file::Entry), mebibytes: u64) -> [u64; 2] {
    let by = mebibytes << 20;
    let files = fixtures::files("sd1", |name, bytes| {
        (name == NETWORK).then(|| {
            let small = tensor_file::changed(bytes, &change);
            // An entry behind all others: its bytes are not there.
            let length = u64::from_le_bytes(small[..8].try_into().unwrap()) as usize;
            let data = (small.len() - 8 - length) as u64;
            let header = std::str::from_utf8(&small[8..8 + length]).unwrap();
            let entry = format!(
                ",\"unused\":{{\"dtype\":\"F32\",\"shape\":[{}],\"data_offsets\":[{data},{}]}}}}",
                by / 4,
                data + by
            );
            let header = [header.strip_suffix('}').unwrap(), &entry].concat();
            [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &small[8 + length..]].concat()
        })
    });
    let files = Longer { files, by };
    let cpu = CpuEngine::new("test").info().clone();
    let gpu = EngineInfo { kind: EngineKind::Gpu, largest_buffer: 1 << 30, ..cpu.clone() };
    let of = async |engine: &EngineInfo| Report::read(&files, engine).await.unwrap().needs.weight_bytes;
    [of(&gpu).await, of(&cpu).await]
}

#[test]
fn shards_are_read_as_one_file_is_and_those_of_the_variant_first() {
    pollster::block_on(async {
        let engine = CpuEngine::new("test");
        let whole = pipeline("sd1", &engine, &Watcher::default()).await;
        let request = Request { prompt: "a red ball".into(), steps: 2, ..whole.usual_request() };
        let expected = whole.generate(&request, &engine, &control(), &Watcher::default()).await.unwrap();
        let all = fixtures::files("sd1", |_, _| None);
        let report = Report::read(&all, engine.info()).await.unwrap();
        for [variant, other] in [[".index", ".index"], [".index.fp16", ".index"], [".index", ".index.fp16"]] {
            let mut files = MemoryFiles::default();
            for (path, size) in &report.files {
                let bytes = all.read(path, 0..*size).await.unwrap();
                if path != NETWORK {
                    files.insert(path, bytes);
                    continue;
                }
                // Every third tensor into each of three files.
                let mut shards = [Vec::new(), Vec::new(), Vec::new()];
                let mut map = Vec::new();
                for (n, entry) in tensor_file::entries(&bytes).into_iter().enumerate() {
                    map.push(format!("{:?}: \"part-0000{}-of-00003.safetensors\"", entry.name, n % 3 + 1));
                    shards[n % 3].push(entry);
                }
                for (n, shard) in shards.iter().enumerate() {
                    let path = format!("unet/part-0000{}-of-00003.safetensors", n + 1);
                    files.insert(&path, tensor_file::file(shard));
                }
                let index = format!("{{\"metadata\": {{}}, \"weight_map\": {{{}}}}}", map.join(", "));
                let at = |kind: &str| format!("unet/diffusion_pytorch_model.safetensors{kind}.json");
                // What is not to be read names a file that is not there.
                files.insert(&at(other), index.replace("part", "nowhere").into_bytes());
                files.insert(&at(variant), index.into_bytes());
            }
            let sharded = Report::read(&files, engine.info()).await;
            if other.ends_with("fp16") {
                assert!(sharded.unwrap_err().message().contains("nowhere-00001"));
                continue;
            }
            assert_eq!(sharded.unwrap().needs, report.needs);
            let pipeline = Pipeline::load(Rc::new(files), &engine, &control(), &Watcher::default()).await.unwrap();
            let made = pipeline.generate(&request, &engine, &control(), &Watcher::default()).await.unwrap();
            assert_eq!(made[0].rgba(), expected[0].rgba(), "{variant}");
        }
    });
}

#[test]
fn a_gpu_keeps_halves_of_bfloat16_and_of_large_components() {
    pollster::block_on(async {
        let [floats, on_cpu] = weight_bytes(|_| (), 1).await;
        assert_eq!(floats, on_cpu);
        let [large, large_on_cpu] = weight_bytes(|_| (), 257).await;
        let [bfloat16, bfloat16_on_cpu] = weight_bytes(tensor_file::Entry::halve, 1).await;
        assert_eq!([large_on_cpu, bfloat16_on_cpu], [on_cpu; 2]);
        assert_eq!(large, bfloat16);
        // The network is the most of this checkpoint; its norms stay floats.
        assert!(large * 10 < floats * 8, "{large} of {floats}");
    });
}
