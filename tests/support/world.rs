//! Page and worker in one thread, on a virtual clock.
#![allow(dead_code, reason = "each test file uses its part")]

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use gradus::blocks::App;
use gradus::ids::{ComponentId, JobId, SessionId};
use gradus::kernels::{Buffer, Control, Engine, EngineError, Recording, cpu::CpuEngine};
use gradus::ports::memory::{ManualClock, ManualTimer, MemoryStore, MemoryWorkers, Tasks};
use gradus::prelude::*;
use gradus::runtime::view::Toast;
use gradus::runtime::{Options, Ports, Runtime};
use gradus::value::EngineInfo;
use gradus::wire::EngineChoice;
use gradus::worker::{Engines, Worker};

pub struct World {
    pub runtime: Runtime,
    pub clock: Rc<ManualClock>,
    pub tasks: Rc<Tasks>,
    pub workers: Rc<MemoryWorkers>,
    pub store: Rc<MemoryStore>,
}

/// In a handler: so much virtual time, in which a cancel gets through.
pub async fn sleep(ctx: &Context, millis: u64) {
    let until = ctx.now() + Duration::from_millis(millis);
    while ctx.now() < until {
        ctx.checkpoint().await;
    }
}

struct CpuEngines;

impl Engines for CpuEngines {
    fn look(&self, _: EngineChoice) -> LocalBoxFuture<'static, EngineInfo> {
        async { CpuEngine::new("test").info().clone() }.boxed_local()
    }

    fn open(&self, _: EngineChoice) -> LocalBoxFuture<'static, Result<Rc<dyn Engine>, Error>> {
        async { Ok(Rc::new(Resting(CpuEngine::new("test"))) as Rc<dyn Engine>) }.boxed_local()
    }
}

thread_local! {
    /// What was submitted to the engine still computes, as on a GPU after a handler was dropped.
    pub static COMPUTES: Cell<bool> = const { Cell::new(false) };
}

struct Resting(CpuEngine);

impl Engine for Resting {
    fn info(&self) -> &EngineInfo {
        self.0.info()
    }

    fn buffer(&self, label: &str, words: usize) -> Result<Buffer, EngineError> {
        self.0.buffer(label, words)
    }

    fn run<'a>(&'a self, all: &'a Recording, by: &'a dyn Control) -> LocalBoxFuture<'a, Result<(), EngineError>> {
        self.0.run(all, by)
    }

    fn read<'a>(&'a self, buffer: &'a Buffer) -> LocalBoxFuture<'a, Result<Vec<u32>, EngineError>> {
        self.0.read(buffer)
    }

    fn idle(&self) -> LocalBoxFuture<'_, ()> {
        poll_fn(|_| if COMPUTES.get() { Poll::Pending } else { Poll::Ready(()) }).boxed_local()
    }
}

impl World {
    pub fn new(describe: impl Fn(&Ui) + 'static) -> Self {
        Self::open(describe, Rc::default(), Rc::default(), Rc::new(CpuEngines))
    }

    /// The same browser's next visit.
    pub fn reopened(describe: impl Fn(&Ui) + 'static, before: &Self) -> Self {
        Self::open(describe, Rc::clone(&before.store), Rc::default(), Rc::new(CpuEngines))
    }

    /// A visit to a browser that keeps this, by this clock, with these engines.
    pub fn open(
        describe: impl Fn(&Ui) + 'static,
        store: Rc<MemoryStore>,
        clock: Rc<ManualClock>,
        engines: Rc<dyn Engines>,
    ) -> Self {
        let describe = Rc::new(describe);
        let again = Rc::clone(&describe);
        let tasks = Rc::new(Tasks::default());
        let timer = Rc::new(ManualTimer(Rc::clone(&clock)));
        let (its_clock, its_timer, its_tasks) = (Rc::clone(&clock), Rc::clone(&timer), Rc::clone(&tasks));
        let workers = Rc::new(MemoryWorkers::new(8, move |page| {
            let ports = gradus::worker::Ports {
                clock: its_clock.clone(),
                timer: its_timer.clone(),
                spawn: its_tasks.clone(),
                page,
                engines: Rc::clone(&engines),
            };
            let worker = Worker::new(build(&*again), ports);
            Some(Rc::new(move |message: &[u8]| worker.handle_message(message)) as _)
        }));
        let ports = Ports {
            clock: clock.clone(),
            timer,
            spawn: tasks.clone(),
            workers: workers.clone(),
            store: store.clone(),
            log: None,
            tabs: None,
        };
        let options = Options { engine: EngineChoice::Auto, session: SessionId(1), seed: 7 };
        let runtime = Runtime::new(build(&*describe), ports, options);
        runtime.open();
        let world = Self { runtime, clock, tasks, workers, store };
        world.settle();
        world
    }

    /// Lets everything happen that happens without time; of what goes on for ever, some.
    fn settle(&self) {
        let mut quiet = 0;
        for _ in 0..40 {
            self.tasks.poll_all();
            quiet = if self.workers.deliver() { 0 } else { quiet + 1 };
            if quiet == 4 {
                break;
            }
        }
    }

    /// So much time goes by, in small steps.
    pub fn pass(&self, millis: u64) {
        for _ in 0..millis.div_ceil(10) {
            self.clock.advance(Duration::from_millis(10));
            self.settle();
        }
    }

    pub fn find(&self, label: &str) -> ComponentId {
        let place = self.runtime.app().components().iter().position(|spec| spec.label == label);
        ComponentId(place.unwrap_or_else(|| panic!("no component {label}")) as u32)
    }

    pub fn click(&self, label: &str) {
        self.runtime.fire(self.find(label), Event::Click);
        self.settle();
    }

    pub fn type_into(&self, label: &str, text: &str) {
        self.runtime.set_value(self.find(label), text.into());
        self.settle();
    }

    pub fn text(&self, label: &str) -> String {
        match self.runtime.component(self.find(label)).value {
            Value::Text(text) => text,
            other => format!("{other:?}"),
        }
    }

    pub fn number(&self, label: &str) -> f64 {
        match self.runtime.component(self.find(label)).value {
            Value::Number(number) => number,
            other => panic!("{label} holds {other:?}"),
        }
    }

    /// How many jobs are in each state, by the states' names.
    pub fn states(&self) -> Vec<(&'static str, usize)> {
        let mut counts = std::collections::BTreeMap::new();
        for job in self.runtime.snapshot().jobs {
            *counts.entry(job.state).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }

    pub fn running(&self) -> Vec<JobId> {
        self.runtime.snapshot().lanes.iter().flat_map(|lane| lane.running.clone()).collect()
    }

    pub fn waiting(&self) -> Vec<JobId> {
        self.runtime.snapshot().lanes.iter().flat_map(|lane| lane.waiting.clone()).collect()
    }

    pub fn toasts(&self) -> Vec<Toast> {
        self.runtime.take_changes().toasts
    }
}

fn build(describe: &impl Fn(&Ui)) -> Rc<App> {
    Rc::new(Blocks::named("test", |ui| describe(ui)).build().unwrap())
}
