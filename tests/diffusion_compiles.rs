//! A GPU's kernels are compiled before they are run, one at a time: told, and with a turn between them.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
mod support;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use gradus::diffusion::{Pipeline, Request, Start};
use gradus::gpu;
use gradus::kernels::{Buffer, Command, Control, Engine, EngineError, Kernel, Recording, cpu::CpuEngine};
use gradus::ports::Files;
use gradus::value::{EngineInfo, Time};
use support::Ticking;
use support::watcher::Watcher;

fn control() -> Ticking {
    Ticking::by(Duration::from_millis(2))
}

/// The processor, as if it had to compile.
struct Compiling {
    engine: CpuEngine,
    compiled: RefCell<Vec<&'static Kernel>>,
    /// What was run without having been compiled.
    late: RefCell<Vec<&'static str>>,
}

impl Compiling {
    fn new() -> Self {
        Self { engine: CpuEngine::new("test"), compiled: RefCell::default(), late: RefCell::default() }
    }
}

impl Engine for Compiling {
    fn info(&self) -> &EngineInfo {
        self.engine.info()
    }

    fn is_ready(&self, kernel: &'static Kernel) -> bool {
        self.compiled.borrow().iter().any(|known| std::ptr::eq(*known, kernel))
    }

    fn prepare<'a>(&'a self, kernel: &'static Kernel) -> LocalBoxFuture<'a, Result<(), EngineError>> {
        assert!(!self.is_ready(kernel), "{kernel:?} twice");
        self.compiled.borrow_mut().push(kernel);
        std::future::ready(Ok(())).boxed_local()
    }

    fn buffer(&self, name: &str, words: usize) -> Result<Buffer, EngineError> {
        self.engine.buffer(name, words)
    }

    fn run<'a>(
        &'a self,
        recording: &'a Recording,
        control: &'a dyn Control,
    ) -> LocalBoxFuture<'a, Result<(), EngineError>> {
        for command in recording.commands() {
            if let Command::Dispatch(dispatch) = command
                && !self.is_ready(dispatch.kernel)
            {
                self.late.borrow_mut().push(dispatch.kernel.name);
            }
        }
        self.engine.run(recording, control)
    }

    fn read<'a>(&'a self, buffer: &'a Buffer) -> LocalBoxFuture<'a, Result<Vec<u32>, EngineError>> {
        self.engine.read(buffer)
    }

    fn idle(&self) -> LocalBoxFuture<'_, ()> {
        self.engine.idle()
    }
}

async fn pipeline(engine: &dyn Engine) -> (Pipeline, Request) {
    let files: Rc<dyn Files> = Rc::new(fixtures::files("flow", |_, _| None));
    let pipeline = Pipeline::load(files, engine, &control(), &Watcher::default()).await.unwrap();
    let request = Request { prompt: "a red ball".into(), steps: 2, ..pipeline.usual_request() };
    (pipeline, request)
}

/// The words of a watcher that tell of compiling, as (which, of how many).
fn told(watcher: &Watcher) -> Vec<(usize, usize)> {
    let numbers = |words: &str| {
        let (done, all) = words.strip_prefix("Preparing the GPU: ")?.strip_suffix(" kernels")?.split_once(" of ")?;
        Some((done.parse().ok()?, all.parse().ok()?))
    };
    watcher.progress.borrow().iter().filter_map(|progress| numbers(&progress.description)).collect()
}

/// For each plan 1, 2, .. of its number, and how many in all.
fn counted(told: &[(usize, usize)]) -> usize {
    for (before, now) in told.iter().zip(&told[1..]) {
        assert!(*now == (before.0 + 1, before.1) || (before.0 == before.1 && now.0 == 1), "{told:?}");
    }
    assert!(
        told.first().is_some_and(|first| first.0 == 1) && told.last().is_some_and(|last| last.0 == last.1),
        "{told:?}"
    );
    told.len()
}

#[test]
fn kernels_are_compiled_before_they_run_and_told_one_by_one() {
    pollster::block_on(async {
        let engine = Compiling::new();
        let (pipeline, request) = pipeline(&engine).await;
        let watcher = Watcher::default();
        let first = pipeline.generate(&request, &engine, &control(), &watcher).await.unwrap();
        assert_eq!(counted(&told(&watcher)), engine.compiled.borrow().len());
        assert!((5..=25).contains(&engine.compiled.borrow().len()), "{:?}", engine.compiled.borrow());
        assert_eq!(*engine.late.borrow(), [""; 0]);
        // Behind it the steps are told anew, from none on.
        let progress = watcher.progress.take();
        let last = progress.iter().rposition(|progress| progress.description.starts_with("Preparing")).unwrap();
        assert_eq!(progress[last + 1].steps, Some((0, 2)));
        // The second picture finds all of it.
        let watcher = Watcher::default();
        let second = pipeline.generate(&request, &engine, &control(), &watcher).await.unwrap();
        assert_eq!(told(&watcher), []);
        assert_eq!(first[0].rgba(), second[0].rgba());
        // One that begins from a picture, with a mask, has an encoder and a kernel more.
        let (known, watcher) = (engine.compiled.borrow().len(), Watcher::default());
        let [picture, mask] = [first[0].clone(), second[0].clone()];
        let masked = Request { start: Some(Start { picture, strength: 0.9, mask: Some(mask) }), ..request };
        pipeline.generate(&masked, &engine, &control(), &watcher).await.unwrap();
        assert_eq!(counted(&told(&watcher)), engine.compiled.borrow().len() - known);
        assert_eq!(*engine.late.borrow(), [""; 0]);
    });
}

#[test]
fn a_gpu_tells_it_and_the_processor_has_nothing_to_tell() {
    pollster::block_on(async {
        let gpu = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        let (pipeline_of_gpu, request) = pipeline(&gpu).await;
        let watcher = Watcher::default();
        pipeline_of_gpu.generate(&request, &gpu, &control(), &watcher).await.unwrap();
        let count = counted(&told(&watcher));
        assert!((5..=25).contains(&count), "{count}");
        let cpu = CpuEngine::new("test");
        let (pipeline, request) = pipeline(&cpu).await;
        let watcher = Watcher::default();
        pipeline.generate(&request, &cpu, &control(), &watcher).await.unwrap();
        assert_eq!(told(&watcher), []);
    });
}

/// A visitor who cancels when so many kernels are compiled: the next turn never ends.
struct Cancelled<'a> {
    engine: &'a Compiling,
    at: usize,
    waits: Cell<bool>,
}

impl Control for Cancelled<'_> {
    fn now(&self) -> Time {
        Time::ZERO
    }

    fn checkpoint(&self) -> LocalBoxFuture<'_, ()> {
        if self.engine.compiled.borrow().len() >= self.at {
            self.waits.set(true);
            return std::future::pending().boxed_local();
        }
        std::future::ready(()).boxed_local()
    }
}

#[test]
fn a_cancel_gets_in_between_two_kernels() {
    let engine = Compiling::new();
    let (pipeline, request) = pollster::block_on(pipeline(&engine));
    let control = Cancelled { engine: &engine, at: 4, waits: Cell::new(false) };
    let watcher = Watcher::default();
    // Dropped where it waits, as a job is that was cancelled.
    assert!(pipeline.generate(&request, &engine, &control, &watcher).now_or_never().is_none());
    assert!(control.waits.get());
    assert_eq!(engine.compiled.borrow().len(), 4);
    // The text encoder's three, and the second of the network's.
    let told = told(&watcher);
    assert!(told.len() == 5 && told[4].0 == 2 && told[4].1 > 2, "{told:?}");
    // The next picture goes on where that one was.
    let made = pollster::block_on(pipeline.generate(&request, &engine, &self::control(), &watcher));
    assert!(made.is_ok());
    assert_eq!(*engine.late.borrow(), [""; 0]);
}
