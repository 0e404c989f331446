//! The page's conductor: drives the queue and the workers through ports, and says what the page shows.
//!
//! PURE. May name `blocks`, `queue`, `wire`, `ports`, `value` and `ids`. Commands come in as method calls, state goes
//! out as the plain data of [`view`]; nothing here draws.
//!
//! | module     | what is in it                                             | as the field calls it               |
//! |------------|-----------------------------------------------------------|-------------------------------------|
//! | `conduct`  | all that the page knows, and the turn of every call       | state and event loop                |
//! | `visitor`  | what the visitor does: values, events, the queue by hand  | commands; debounce, throttle, retry |
//! | `follow`   | what the queue's effects bring about, results, chains     | effect interpreter                  |
//! | `pool`     | which worker runs which call                              | worker pool with a backlog          |
//! | `hear`     | what workers say, and what is done when one breaks        | message handler and supervisor      |
//! | `book`     | what is to be written, and what waits for that            | write-ahead log, group commit       |
//! | `stored`   | what a record holds, as bytes                             | log format, serialization           |
//! | `take_up`  | from a log or another tab to this page's state, and back  | recovery, replay, log compaction    |
//! | `held`     | ends that are not written yet, and are not shown          | read-committed view                 |
//! | `keep`     | what is kept in the small store beside the log            | key-value persistence               |
//! | `typed`    | what the visitor typed, over a reload                     | form restoration                    |
//! | `tabs`     | whether this page leads or follows, and what each does    | leader election, replication        |
//! | `message`  | what tabs say to each other                               | wire protocol                       |
//! | `look`     | from the state to what the page draws                     | selectors, presenter                |
//! | `view`     | what the page draws, as plain data                        | view model                          |
//! | `status`   | the words of a job's state                                | status formatting                   |
//! | `snapshot` | the queue as scripts see it                               | public snapshot, data transfer      |

mod book;
mod conduct;
mod follow;
mod hear;
mod held;
mod keep;
mod look;
mod message;
mod pool;
mod snapshot;
mod status;
mod stored;
mod tabs;
mod take_up;
mod typed;
pub mod view;
mod visitor;

use std::cell::RefCell;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;

use crate::blocks::{App, Event};
use crate::ids::{Attempt, ComponentId, JobId, LaneId, ListenerId, SessionId};
use crate::ports::{Clock, Log, Spawn, Store, Tabs, Timer, WorkerListener, Workers};
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

/// Whether the queue may outlive its page and be shared: what is behind it is left out of a download that does without.
const STORAGE: bool = cfg!(feature = "storage");

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
    /// Keeps the queue over reloads; `None` where nothing is kept.
    pub log: Option<Rc<dyn Log>>,
    /// The app's other tabs; `None` where there are none to be heard.
    pub tabs: Option<Rc<dyn Tabs>>,
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

/// Faults that tests plant in a page to see that they find them; without the feature `faults` none can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TabFault {
    /// A submit is told as accepted before it is written.
    TellsBeforeWrite,
    /// An end is shown before it is written.
    ShowsBeforeWrite,
    /// A page that gives up the lead lets its workers go on.
    KeepsWorkers,
    /// A submit that is sent again is taken again.
    TakesTwice,
    /// A page leads though it rested while its log was being opened.
    LeadsAfterRest,
    /// What ran when a page died is forgotten.
    ForgetsInterrupted,
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
            if STORAGE && let Some(tabs) = &ports.tabs {
                tabs.listen(tabs::listener_of(weak));
            }
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

    /// An event that was refused because the queue was full is tried again as soon as there is room.
    pub fn retry_when_free(&self, listener: ListenerId) {
        self.with(|state| state.retry_when_free(listener));
    }

    /// Runs a listener with these inputs, whatever its components hold; `watcher` is told what becomes of it, last of
    /// all its end or that it was refused. Its result is shown as any other.
    pub fn submit(&self, listener: ListenerId, inputs: Vec<Value>, watcher: view::Watcher) {
        self.with(|state| state.submit_with(listener, inputs, Some(watcher)));
    }

    /// Runs a listener by its api name, with these inputs or with what its components hold; see [`Runtime::submit`].
    ///
    /// # Errors
    /// In words for who called: there is no such listener, or its components do not take the inputs.
    pub fn submit_by_name(&self, name: &str, inputs: Option<Vec<Value>>, watcher: view::Watcher) -> Result<(), String> {
        let place = self.app.listeners().iter().position(|spec| spec.key.api_name == name);
        let found = place.and_then(|place| Some((u32::try_from(place).ok()?, self.app.listeners().get(place)?)));
        let Some((place, spec)) = found else {
            let names: Vec<&str> = self.app.listeners().iter().map(|spec| spec.key.api_name.as_str()).collect();
            return Err(format!("This app has no listener {name}. It has: {}", names.join(", ")));
        };
        let inputs = inputs.unwrap_or_else(|| self.state.borrow().inputs_of(ListenerId(place)));
        if inputs.len() != spec.inputs.len() {
            return Err(format!("{name} takes {} inputs, and {} were given.", spec.inputs.len(), inputs.len()));
        }
        let components = spec.inputs.iter().filter_map(|id| Some((*id, self.app.component(*id)?)));
        for ((id, component), value) in components.zip(&inputs) {
            if !component.holds(value) {
                return Err(format!("{} does not hold {}.", component.label, value.kind()));
            }
            let choices = self.state.borrow().slots.get(id.0 as usize).and_then(|slot| slot.choices.clone());
            let accepted = component.accept_among(value, choices.as_deref());
            accepted.map_err(|why| format!("{}: {why}", component.label))?;
        }
        self.submit(ListenerId(place), inputs, watcher);
        Ok(())
    }

    /// What this tab kept of a view under `key`; nothing without storage.
    #[must_use]
    pub fn recall(&self, key: &str) -> Option<String> {
        if STORAGE { self.state.borrow().ports.store.get_in_tab(key) } else { None }
    }

    /// Keeps what a view is to be when this tab is loaded again.
    pub fn keep(&self, key: &str, text: &str) {
        if STORAGE {
            self.state.borrow().ports.store.set_in_tab(key, text);
        }
    }

    /// Calls `observer` with "accepted", "started" or "ended" and the job, of all tabs, as it comes true.
    pub fn observe(&self, observer: Rc<dyn Fn(&'static str, JobId)>) {
        self.state.borrow_mut().observers.push(observer);
    }

    /// Plants a fault.
    #[cfg(feature = "faults")]
    pub fn plant(&self, fault: TabFault) {
        self.state.borrow_mut().fault = Some(fault);
    }

    /// Whether this page has the queue and the workers, for all tabs of its app.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.state.borrow().part == tabs::Part::Leads
    }

    /// The attempts that this page's workers have.
    #[must_use]
    pub fn at_work(&self) -> Vec<(JobId, Attempt)> {
        self.state.borrow().pool.at_work()
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

    /// Is over with the next turn of the event loop.
    #[must_use]
    pub fn turn(&self) -> LocalBoxFuture<'static, ()> {
        self.state.borrow().ports.timer.turn()
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

    /// The whole queue and the jobs that ended last, as `window.gradus.snapshot()` gives it. An end is in it
    /// once it is written; a job that waits may not be written yet, its promise waits for that.
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
