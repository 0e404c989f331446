//! The worker role: takes jobs from the page, drives their handlers, says what becomes of them.
//!
//! PURE. May name `blocks`, `kernels`, `wire`, `ports`, `value` and `ids`. A worker never decides what runs next: it
//! runs what it is given, all of it at once, each handler taking its turn at its checkpoints.

mod batch;
mod drive;
mod job;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, Shared};

use crate::blocks::{App, Context};
use crate::ids::{Attempt, JobId, ListenerId};
use crate::kernels::Engine;
use crate::ports::{Clock, Link, Spawn, Timer};
#[cfg(feature = "pictures")]
use crate::ports::{Files, memory::MemoryFiles};
use crate::value::{EngineInfo, Error, SortedMap};
use crate::wire::{self, EngineChoice, JobToRun, News, ToPage, ToWorker};
use job::WorkerJob;

/// Makes engines for a worker.
pub trait Engines {
    /// What [`Engines::open`] will give, found out without making it.
    fn look(&self, choice: EngineChoice) -> LocalBoxFuture<'static, EngineInfo>;

    /// Makes the engine.
    fn open(&self, choice: EngineChoice) -> LocalBoxFuture<'static, Result<Rc<dyn Engine>, Error>>;

    /// The files below an address; none unless the outside has some.
    #[cfg(feature = "pictures")]
    fn files(&self, _address: &str) -> Rc<dyn Files> {
        Rc::new(MemoryFiles::default())
    }
}

/// The outside of a worker.
#[derive(Clone)]
pub struct Ports {
    /// Reads the time.
    pub clock: Rc<dyn Clock>,
    /// Gives turns.
    pub timer: Rc<dyn Timer>,
    /// Runs handlers.
    pub spawn: Rc<dyn Spawn>,
    /// Speaks to the page.
    pub page: Rc<dyn Link>,
    /// Makes the engine.
    pub engines: Rc<dyn Engines>,
}

type OpenEngine = Shared<LocalBoxFuture<'static, Result<Rc<dyn Engine>, Error>>>;

/// A worker. Cheap to clone.
#[derive(Clone)]
pub struct Worker(Rc<Inner>);

struct Inner {
    app: Rc<App>,
    ports: Ports,
    choice: Cell<EngineChoice>,
    engine: RefCell<Option<OpenEngine>>,
    memory: RefCell<SortedMap<String, String>>,
    jobs: RefCell<SortedMap<JobId, Rc<WorkerJob>>>,
    polled: Cell<Option<(JobId, Attempt)>>,
}

impl Worker {
    /// A worker that runs the handlers of `app`.
    #[must_use]
    pub fn new(app: Rc<App>, ports: Ports) -> Self {
        Self(Rc::new(Inner {
            app,
            ports,
            choice: Cell::default(),
            engine: RefCell::default(),
            memory: RefCell::default(),
            jobs: RefCell::default(),
            polled: Cell::default(),
        }))
    }

    /// Takes a message of the page.
    pub fn handle_message(&self, bytes: &[u8]) {
        match wire::decode(bytes) {
            Ok(ToWorker::Boot { app, engine, memory }) => self.boot(app, engine, memory),
            Ok(ToWorker::Run { listener, jobs }) => self.run(listener, jobs),
            Ok(ToWorker::Cancel { job, attempt }) => {
                // A job that is not here has ended, and its end is on its way to the page.
                if let Some(running) = self.0.jobs.borrow().get(&job).filter(|running| running.attempt == attempt) {
                    running.cancelled.set(true);
                }
            }
            Err(malformed) => self.0.tell(&ToPage::Refused(malformed.to_string())),
        }
    }

    /// Says that this worker broke, and which job was being polled. Called by the panic hook, before the abort.
    pub fn handle_panic(&self, message: &str) {
        self.0.tell(&ToPage::Panicked { blamed: self.0.polled.get(), message: message.to_owned() });
    }

    fn boot(&self, app: u64, choice: EngineChoice, memory: Vec<(String, String)>) {
        let inner = Rc::clone(&self.0);
        if app != inner.app.hash() {
            inner.tell(&ToPage::Refused(
                "the worker built another app than the page: the function given to gradus::launch must do the same \
                 each time it is called (no randomness, no clock, no address). Mend it and reload."
                    .into(),
            ));
            return;
        }
        inner.choice.set(choice);
        inner.memory.borrow_mut().extend(memory);
        inner.tell(&ToPage::Ready);
        let look = inner.ports.engines.look(choice);
        let spawn = Rc::clone(&inner.ports.spawn);
        spawn.spawn(
            async move {
                let info = look.await;
                inner.tell(&ToPage::Engine(info));
            }
            .boxed_local(),
        );
    }

    fn run(&self, listener: ListenerId, jobs: Vec<JobToRun>) {
        let inner = &self.0;
        let (mut begun, mut inputs) = (Vec::new(), Vec::new());
        for JobToRun { job: id, attempt, inputs: values, seed } in jobs {
            let job = Rc::new(WorkerJob::new(Rc::clone(inner), id, attempt, listener, seed));
            if inner.app.listener(listener).is_none() {
                job.tell(News::Ended(Err(Error::new("This build of the app has no such listener. Reload the page."))));
                continue;
            }
            inner.jobs.borrow_mut().insert(id, Rc::clone(&job));
            job.tell(News::Began);
            begun.push(job);
            inputs.push(values);
        }
        let Some(spec) = inner.app.listener(listener) else { return };
        if let Some(spec) = &spec.batch {
            return batch::start(begun, inputs, spec);
        }
        for (job, inputs) in begun.into_iter().zip(inputs) {
            let context = Context::new(Rc::clone(&job) as Rc<dyn crate::blocks::Job>);
            let call = job.blamed(|| (spec.handler)(inputs, context));
            drive::start(job, call);
        }
    }
}

impl Inner {
    fn tell(&self, message: &ToPage) {
        // Encoding fails only without memory, and then there is nothing left to tell it with.
        if let Ok(bytes) = wire::encode(message) {
            self.ports.page.send(bytes);
        }
    }

    /// The engine, made on first use and shared by all jobs.
    #[cfg(feature = "pictures")]
    fn engine(&self) -> OpenEngine {
        self.engine.borrow_mut().get_or_insert_with(|| self.ports.engines.open(self.choice.get()).shared()).clone()
    }

    /// Forgets the engine, so that the next job makes it anew.
    fn drop_engine(&self) {
        self.engine.borrow_mut().take();
    }

    /// The engine, if it has been made.
    fn made_engine(&self) -> Option<Rc<dyn Engine>> {
        let engine = self.engine.borrow();
        engine.as_ref().and_then(|open| open.peek().cloned()).and_then(Result::ok)
    }
}
