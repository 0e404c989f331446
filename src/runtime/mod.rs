//! The page's conductor: drives the queue and the workers through ports, and says what the page shows.
//!
//! PURE. May name `blocks`, `queue`, `wire`, `ports`, `value` and `ids`. Commands come in as method calls, state goes
//! out as the plain data of [`view`]; nothing here draws.

mod conduct;
mod follow;
mod hear;
mod keep;
mod look;
mod pool;
mod snapshot;
mod status;
pub mod view;
mod visitor;

use std::cell::RefCell;
use std::rc::Rc;

use crate::blocks::{App, Event};
use crate::ids::{ComponentId, JobId, LaneId, ListenerId, SessionId};
use crate::ports::{Clock, Spawn, Store, Timer, WorkerListener, Workers};
pub use crate::queue::Move;
use crate::value::{EngineInfo, Value};
use crate::wire::{EngineChoice, ToWorker};
use conduct::State;
pub use snapshot::{JobSnapshot, LaneSnapshot, Snapshot};
use view::{Changes, ComponentView, PanelView};

/// Under which a remembered text is kept, before its own key.
const MEMORY: &str = "memory/";
/// Under which the keys of the remembered texts are kept, one a line.
const MEMORY_KEYS: &str = "memory-keys";

/// The outside of a page.
#[derive(Clone)]
pub struct Ports {
    /// Reads the time.
    pub clock: Rc<dyn Clock>,
    /// Waits for a worker that does not stop.
    pub timer: Rc<dyn Timer>,
    /// Runs that wait.
    pub spawn: Rc<dyn Spawn>,
    /// Starts and ends workers.
    pub workers: Rc<dyn Workers>,
    /// Keeps what handlers remember.
    pub store: Rc<dyn Store>,
}

/// What differs from page to page.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which engine the workers choose.
    pub engine: EngineChoice,
    /// Who submits from this page.
    pub session: SessionId,
    /// Where the jobs' random numbers begin.
    pub seed: u64,
}

/// The page's conductor. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    app: Rc<App>,
    state: Rc<RefCell<State>>,
}

impl Runtime {
    /// A conductor of `app`; nothing runs before [`Runtime::open`].
    #[must_use]
    pub fn new(app: Rc<App>, ports: Ports, options: Options) -> Self {
        let state = Rc::new_cyclic(|weak: &std::rc::Weak<RefCell<State>>| {
            let weak = weak.clone();
            let listener: WorkerListener = Rc::new(move |worker, signal| {
                if let Some(state) = weak.upgrade() {
                    conduct::with(&state, |state| state.hear(worker, signal));
                }
            });
            let (hash, store) = (app.hash(), Rc::clone(&ports.store));
            let boot = move || {
                let keys = store.get(MEMORY_KEYS).unwrap_or_default();
                let kept = keys.lines().filter_map(|key| Some((key.to_owned(), store.get(&format!("{MEMORY}{key}"))?)));
                ToWorker::Boot { app: hash, engine: options.engine, memory: kept.collect() }
            };
            RefCell::new(State::new(Rc::clone(&app), ports, options, listener, Box::new(boot)))
        });
        Self { app, state }
    }

    /// The page is open: starts the worker and sets off the `load` listeners.
    pub fn open(&self) {
        self.with(State::open);
    }

    /// The app it conducts.
    #[must_use]
    pub fn app(&self) -> &Rc<App> {
        &self.app
    }

    /// The visitor changed a component: takes the value, clears its error and sets off `input` and `change`.
    pub fn set_value(&self, component: ComponentId, value: Value) {
        self.with(|state| state.set_by_visitor(component, value));
    }

    /// The visitor set off an event of a component. Inputs that are refused say so at their component, and nothing
    /// is queued.
    pub fn fire(&self, component: ComponentId, event: Event) {
        self.with(|state| state.fire(Some(component), event));
    }

    /// The visitor cancels a job; one that has ended stays as it is.
    pub fn cancel(&self, job: JobId) {
        self.with(|state| state.cancel(job));
    }

    /// The visitor cancels all jobs of a lane that wait.
    pub fn cancel_waiting(&self, lane: LaneId) {
        self.with(|state| state.cancel_waiting(lane));
    }

    /// The visitor stops a lane from starting jobs, or lets it go on.
    pub fn pause(&self, lane: LaneId, paused: bool) {
        self.with(|state| state.pause(lane, paused));
    }

    /// The visitor moves a waiting job.
    pub fn move_job(&self, job: JobId, to: Move) {
        self.with(|state| state.move_job(job, to));
    }

    /// The visitor runs a failed job again, with the same inputs.
    pub fn retry(&self, job: JobId) {
        self.with(|state| state.retry(job));
    }

    /// An event that was refused because the queue was full is tried again as soon as a job has ended.
    pub fn retry_when_free(&self, listener: ListenerId) {
        self.with(|state| state.retry_when_free(listener));
    }

    /// How many entries each container has: what must not grow with the number of jobs that ended.
    #[must_use]
    pub fn census(&self) -> Vec<usize> {
        self.state.borrow().census()
    }

    /// Calls `listener` when something changed since the last [`Runtime::take_changes`]; once, until they are taken.
    pub fn on_change(&self, listener: Rc<dyn Fn()>) {
        self.with(|state| state.listen(listener));
    }

    /// What changed since the last call.
    #[must_use]
    pub fn take_changes(&self) -> Changes {
        self.state.borrow_mut().take_changes()
    }

    /// A component as it is now.
    #[must_use]
    pub fn component(&self, component: ComponentId) -> ComponentView {
        self.state.borrow().component_view(component)
    }

    /// The queue as it is now, with at most `rows` waiting jobs a lane.
    #[must_use]
    pub fn panel(&self, rows: usize) -> PanelView {
        self.state.borrow().panel_view(rows)
    }

    /// Whether any job waits or runs: then times change, and the page looks again every 100 ms.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.state.borrow().busy()
    }

    /// The whole queue and the jobs that ended last, as `window.gradus.snapshot()` gives it.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.state.borrow().snapshot()
    }

    /// What computes; `None` until the worker has said.
    #[must_use]
    pub fn engine(&self) -> Option<EngineInfo> {
        self.state.borrow().engine()
    }

    fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        conduct::with(&self.state, act)
    }
}
