//! The page's conductor: drives the queue and the workers through ports, and says what the page shows.
//!
//! PURE. May name `blocks`, `queue`, `wire`, `ports`, `value` and `ids`. Commands come in as method calls, state goes
//! out as the plain data of [`view`]; nothing here draws.

mod conduct;
mod look;
mod pool;
mod snapshot;
mod status;
pub mod view;

use std::cell::RefCell;
use std::rc::Rc;

use crate::blocks::{App, Event};
use crate::ids::{ComponentId, JobId, SessionId};
use crate::ports::{Clock, Spawn, Store, Timer, WorkerListener, Workers};
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
        self.with(|state| {
            state.warm_up();
            state.fire(None, Event::Load);
        });
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
