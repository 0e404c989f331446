//! From commands and workers' news to the queue, and from its effects back.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::pool::{Pool, Stop, Task};
use super::view::{Changes, Status, Toast};
use super::{MEMORY, MEMORY_KEYS, Options, Ports};
use crate::blocks::{App, Event};
use crate::ids::{Attempt, ComponentId, JobId, LaneId, ListenerId, WorkerId};
use crate::ports::{WorkerListener, WorkerSignal};
use crate::queue::{Effect, End, LaneConfig, ListenerConfig, Queue, QueueConfig, WorkerEvent};
use crate::value::{EngineInfo, Error, ErrorKind, NoteLevel, Picture, Progress, SortedMap, SortedSet, Time, Value};
use crate::wire::{self, News, ToPage, ToWorker};

/// How long a cancelled job may take to its next checkpoint before its worker is ended.
const GRACE: Duration = Duration::from_secs(5);

/// Ended jobs that are kept to be looked at.
pub(super) const HISTORY: usize = 200;

/// Panics of one listener after which its jobs run alone in a worker.
const PANICS_BEFORE_ALONE: u32 = 2;

/// Times that an innocent job begins anew before the worker's breaking is blamed on it after all.
const MOST_ATTEMPTS: u32 = 5;

/// A component as the page has it.
pub(super) struct Slot {
    pub(super) value: Value,
    pub(super) version: u64,
    pub(super) error: Option<String>,
    /// The jobs that will write it and have not ended.
    pub(super) active: SortedSet<JobId>,
    /// How the last job that wrote it ended.
    pub(super) last: Option<Status>,
}

/// What the queue need not know of a job.
pub(super) struct JobData {
    pub(super) listener: ListenerId,
    inputs: Vec<Value>,
    /// The latest value of each output, where there was one.
    latest: Vec<Option<Value>>,
    pub(super) progress: Option<Progress>,
    pub(super) preview: Option<Picture>,
}

/// All that the page knows.
pub(super) struct State {
    pub(super) app: Rc<App>,
    pub(super) queue: Queue,
    pub(super) slots: Vec<Slot>,
    pub(super) jobs: SortedMap<JobId, JobData>,
    pub(super) engine: Option<EngineInfo>,
    ports: Ports,
    options: Options,
    pool: Pool,
    panics: SortedMap<ListenerId, u32>,
    changed: SortedSet<ComponentId>,
    panel_changed: bool,
    toasts: Vec<Toast>,
    listener: Option<Rc<dyn Fn()>>,
    announced: bool,
    /// Jobs that were asked to stop and not yet given their grace.
    to_watch: Vec<(JobId, Attempt)>,
}

/// Acts on the state, then lets the effects follow, then tells the page; no borrow is held while it is told.
pub(super) fn with<R>(state: &Rc<RefCell<State>>, act: impl FnOnce(&mut State) -> R) -> R {
    let (result, tell, watch) = {
        let mut state = state.borrow_mut();
        let result = act(&mut state);
        state.follow_effects();
        (result, state.whom_to_tell(), std::mem::take(&mut state.to_watch))
    };
    for (job, attempt) in watch {
        end_if_it_does_not_stop(state, job, attempt);
    }
    if let Some(listener) = tell {
        listener();
    }
    result
}

fn end_if_it_does_not_stop(state: &Rc<RefCell<State>>, job: JobId, attempt: Attempt) {
    let weak = Rc::downgrade(state);
    let ports = state.borrow().ports.clone();
    let sleep = ports.timer.sleep(GRACE);
    let wait = async move {
        sleep.await;
        if let Some(state) = weak.upgrade() {
            with(&state, |state| state.end_worker_of(job, attempt));
        }
    };
    ports.spawn.spawn(wait.boxed_local());
}

impl State {
    pub(super) fn new(
        app: Rc<App>,
        ports: Ports,
        options: Options,
        listener: WorkerListener,
        boot: Box<dyn Fn() -> ToWorker>,
    ) -> Self {
        let lane = |lane: &crate::blocks::LaneSpec| LaneConfig { name: lane.name.clone(), count: lane.count };
        let queue = Queue::new(QueueConfig {
            lanes: app.lanes().iter().map(lane).collect(),
            listeners: app.listeners().iter().map(|listener| ListenerConfig { lane: listener.lane }).collect(),
            history: HISTORY,
        });
        let slot = |value: &Value| Slot {
            value: value.clone(),
            version: 0,
            error: None,
            active: SortedSet::default(),
            last: None,
        };
        let slots = app.components().iter().map(|spec| slot(&spec.value)).collect();
        let pool = Pool::new(Rc::clone(&ports.workers), listener, boot);
        let warning = |text: &String| Toast { level: NoteLevel::Warning, text: text.clone() };
        let toasts = app.warnings().iter().map(warning).collect();
        Self {
            app,
            queue,
            slots,
            jobs: SortedMap::default(),
            engine: None,
            ports,
            options,
            pool,
            panics: SortedMap::default(),
            changed: SortedSet::default(),
            panel_changed: true,
            toasts,
            listener: None,
            announced: false,
            to_watch: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Time {
        self.ports.clock.now()
    }

    pub(super) fn warm_up(&mut self) {
        self.pool.warm_up();
    }

    // What the page wants.

    pub(super) fn set_by_visitor(&mut self, id: ComponentId, value: Value) {
        let Some(slot) = self.slots.get_mut(id.0 as usize) else { return };
        if slot.error.take().is_some() {
            self.changed.insert(id);
        }
        if slot.value != value {
            slot.value = value;
            self.changed.insert(id);
            self.fire(Some(id), Event::Input);
            self.fire(Some(id), Event::Change);
        }
    }

    pub(super) fn fire(&mut self, source: Option<ComponentId>, event: Event) {
        let listeners: Vec<ListenerId> = self.app.listeners_of(source, event).collect();
        for listener in listeners {
            self.submit(listener);
        }
    }

    fn submit(&mut self, listener: ListenerId) {
        let app = Rc::clone(&self.app);
        let Some(spec) = app.listener(listener) else { return };
        let mut accepted = true;
        for &input in &spec.inputs {
            let (Some(component), Some(slot)) = (app.component(input), self.slots.get_mut(input.0 as usize)) else {
                continue;
            };
            let refusal = component.accept(&slot.value).err();
            accepted &= refusal.is_none();
            if slot.error != refusal {
                slot.error = refusal;
                self.changed.insert(input);
            }
        }
        if !accepted {
            return;
        }
        let value_of = |id: &ComponentId| self.slots.get(id.0 as usize).map_or(Value::Null, |slot| slot.value.clone());
        let inputs = spec.inputs.iter().map(value_of).collect();
        let job = self.queue.handle_submit(self.now(), listener, self.options.session);
        let latest = vec![None; spec.outputs.len()];
        self.jobs.insert(job, JobData { listener, inputs, latest, progress: None, preview: None });
        for &output in &spec.outputs {
            if let Some(slot) = self.slots.get_mut(output.0 as usize) {
                slot.active.insert(job);
                self.changed.insert(output);
            }
        }
        self.panel_changed = true;
    }

    pub(super) fn cancel(&mut self, job: JobId) {
        // One that ended a moment ago, or was cancelled before, stays as it is: the click came too late.
        self.queue.handle_cancel(self.now(), job);
        self.touch(job);
    }

    // What the workers say.

    pub(super) fn hear(&mut self, worker: WorkerId, signal: WorkerSignal) {
        let message = match signal {
            WorkerSignal::Broken(reason) => return self.worker_broke(worker, &reason),
            WorkerSignal::Message(bytes) => wire::decode(&bytes),
        };
        match message {
            Ok(ToPage::Ready) => self.pool.ready(worker),
            Ok(ToPage::Refused(reason)) => self.worker_broke(worker, &reason),
            Ok(ToPage::Engine(info)) => {
                self.engine = Some(info);
                self.panel_changed = true;
            }
            Ok(ToPage::Job { job, attempt, news }) => {
                if self.pool.has(worker, job, attempt) {
                    self.hear_of_job(worker, job, attempt, news);
                }
            }
            Ok(ToPage::Panicked { blamed, message }) => self.worker_panicked(worker, blamed, &message),
            Ok(ToPage::Remember { key, text }) => self.remember(&key, &text),
            Err(malformed) => self.worker_broke(worker, &malformed.to_string()),
        }
    }

    fn hear_of_job(&mut self, worker: WorkerId, job: JobId, attempt: Attempt, news: News) {
        let now = self.now();
        match news {
            News::Began => {
                self.queue.handle_worker(now, job, attempt, WorkerEvent::Began);
            }
            News::Progress(progress) => {
                if let Some(share) = progress.fraction() {
                    self.queue.handle_worker(now, job, attempt, WorkerEvent::Progress(share));
                }
                if let Some(data) = self.jobs.get_mut(&job) {
                    data.progress = Some(progress);
                }
            }
            News::Partial(outputs) => self.show_partial(job, outputs),
            News::Note(level, text) => self.toasts.push(Toast { level, text }),
            News::Ended(outcome) => {
                self.pool.release(worker, job);
                let event = match outcome {
                    Ok(outputs) => {
                        self.keep_latest(job, outputs);
                        WorkerEvent::Done
                    }
                    Err(error) => WorkerEvent::Failed(error),
                };
                self.queue.handle_worker(now, job, attempt, event);
            }
            News::Stopped => {
                self.pool.release(worker, job);
                self.queue.handle_worker(now, job, attempt, WorkerEvent::Stopped);
            }
        }
        self.touch(job);
    }

    fn worker_panicked(&mut self, worker: WorkerId, blamed: Option<(JobId, Attempt)>, message: &str) {
        let blamed = blamed.filter(|&(job, attempt)| self.pool.has(worker, job, attempt));
        let Some((job, attempt)) = blamed else { return self.worker_broke(worker, message) };
        if let Some(data) = self.jobs.get(&job) {
            *self.panics.get_or_insert_with(data.listener, || 0) += 1;
        }
        let others = self.pool.end(worker);
        let error = Error::of(ErrorKind::Panic, format!("The handler panicked: {message}"));
        self.queue.handle_worker(self.now(), job, attempt, WorkerEvent::Failed(error));
        self.lost(others.into_iter().filter(|(other, _)| *other != job).collect());
        self.pool.refill();
    }

    /// A worker that broke with nobody to blame: its jobs begin anew, unless it never came up or they have tried often.
    fn worker_broke(&mut self, worker: WorkerId, reason: &str) {
        let came_up = self.pool.is_ready(worker);
        let jobs = self.pool.end(worker);
        if came_up {
            let (again, tired): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|(_, attempt)| attempt.0 < MOST_ATTEMPTS);
            self.fail(tired, &format!("The worker broke {MOST_ATTEMPTS} times under this job: {reason}"));
            self.lost(again);
        } else {
            let text = format!("The worker could not start: {reason}");
            self.toasts.push(Toast { level: NoteLevel::Warning, text: text.clone() });
            self.fail(jobs, &text);
        }
        self.pool.refill();
        self.panel_changed = true;
    }

    fn lost(&mut self, jobs: Vec<(JobId, Attempt)>) {
        let now = self.now();
        for (job, attempt) in jobs {
            self.queue.handle_worker(now, job, attempt, WorkerEvent::Lost);
            self.touch(job);
        }
    }

    fn fail(&mut self, jobs: Vec<(JobId, Attempt)>, why: &str) {
        let now = self.now();
        for (job, attempt) in jobs {
            self.queue.handle_worker(now, job, attempt, WorkerEvent::Failed(Error::new(why)));
        }
    }

    fn end_worker_of(&mut self, job: JobId, attempt: Attempt) {
        if let Some(others) = self.pool.end_of(job, attempt) {
            self.queue.handle_worker(self.now(), job, attempt, WorkerEvent::Stopped);
            self.lost(others);
            self.pool.refill();
        }
    }

    fn remember(&mut self, key: &str, text: &str) {
        let store = &self.ports.store;
        let keys = store.get(MEMORY_KEYS).unwrap_or_default();
        if !keys.lines().any(|known| known == key) {
            store.set(MEMORY_KEYS, &format!("{keys}{key}\n"));
        }
        store.set(&format!("{MEMORY}{key}"), text);
    }

    // What follows.

    fn follow_effects(&mut self) {
        while let Some(effect) = self.queue.poll_effect() {
            match effect {
                Effect::Start { job, attempt } => self.start(job, attempt),
                Effect::Stop { job, attempt } => match self.pool.stop(job, attempt) {
                    Stop::Over => {
                        self.queue.handle_worker(self.now(), job, attempt, WorkerEvent::Stopped);
                    }
                    Stop::Asked => self.to_watch.push((job, attempt)),
                },
                Effect::Ended { job, end } => self.ended(job, end),
            }
            self.panel_changed = true;
        }
    }

    fn start(&mut self, job: JobId, attempt: Attempt) {
        let app = Rc::clone(&self.app);
        let Some(data) = self.jobs.get_mut(&job) else { return };
        let Some(spec) = app.listener(data.listener) else { return };
        data.progress = None;
        data.preview = None;
        data.latest.fill(None);
        let message = ToWorker::Run {
            job,
            attempt,
            listener: data.listener,
            inputs: data.inputs.clone(),
            seed: seed_of(self.options.seed, job),
        };
        let alone = self.panics.get(&data.listener).is_some_and(|&panics| panics >= PANICS_BEFORE_ALONE);
        self.pool.run(Task { job, attempt, runs: spec.runs, alone, message });
        self.touch(job);
    }

    fn ended(&mut self, job: JobId, end: End) {
        let Some(data) = self.jobs.remove(&job) else { return };
        let app = Rc::clone(&self.app);
        let Some(spec) = app.listener(data.listener) else { return };
        let status = self.end_status(job, &end);
        for (&output, value) in spec.outputs.iter().zip(data.latest) {
            if let Some(slot) = self.slots.get_mut(output.0 as usize) {
                slot.active.remove(&job);
                slot.last = Some(status.clone());
            }
            self.changed.insert(output);
            if let (End::Done, Some(value)) = (&end, value) {
                self.write(output, value);
            }
        }
    }

    fn keep_latest(&mut self, job: JobId, outputs: Vec<Option<Value>>) {
        let Some(data) = self.jobs.get_mut(&job) else { return };
        for (latest, value) in data.latest.iter_mut().zip(outputs) {
            if let Some(Value::Picture(picture)) = &value {
                data.preview = Some(picture.clone());
            }
            if value.is_some() {
                *latest = value;
            }
        }
    }

    fn show_partial(&mut self, job: JobId, outputs: Vec<Option<Value>>) {
        self.keep_latest(job, outputs.clone());
        let app = Rc::clone(&self.app);
        let Some(spec) = self.jobs.get(&job).and_then(|data| app.listener(data.listener)) else { return };
        for (&output, value) in spec.outputs.iter().zip(outputs) {
            if let Some(value) = value
                && self.followed(output) == Some(job)
            {
                self.write(output, value);
            }
        }
    }

    /// A result of a handler goes into a component.
    fn write(&mut self, id: ComponentId, value: Value) {
        let app = Rc::clone(&self.app);
        let (Some(spec), Some(slot)) = (app.component(id), self.slots.get_mut(id.0 as usize)) else { return };
        self.changed.insert(id);
        if !spec.holds(&value) {
            let (kind, given) = (spec.kind.name(), value.kind());
            slot.error = Some(format!("The handler gave {given}, which a {kind} does not hold."));
            return;
        }
        slot.error = None;
        if slot.value != value {
            slot.value = value;
            slot.version += 1;
            self.fire(Some(id), Event::Change);
        }
    }

    // What the page is told.

    /// The outputs of a job and the panel are to be drawn anew.
    fn touch(&mut self, job: JobId) {
        self.panel_changed = true;
        let spec = self.jobs.get(&job).and_then(|data| self.app.listener(data.listener));
        self.changed.extend(spec.into_iter().flat_map(|spec| spec.outputs.iter().copied()));
    }

    pub(super) fn listen(&mut self, listener: Rc<dyn Fn()>) {
        self.listener = Some(listener);
        self.announced = false;
    }

    fn whom_to_tell(&mut self) -> Option<Rc<dyn Fn()>> {
        let anything = self.panel_changed || !self.changed.is_empty() || !self.toasts.is_empty();
        if !anything || self.announced {
            return None;
        }
        let listener = self.listener.clone()?;
        self.announced = true;
        Some(listener)
    }

    pub(super) fn take_changes(&mut self) -> Changes {
        self.announced = false;
        Changes {
            components: std::mem::take(&mut self.changed).into_iter().collect(),
            panel: std::mem::take(&mut self.panel_changed),
            toasts: std::mem::take(&mut self.toasts),
        }
    }

    pub(super) fn lane_count(&self, lane: LaneId) -> Option<NonZeroUsize> {
        self.app.lanes().get(lane.0 as usize).and_then(|lane| lane.count)
    }
}

/// Another row of random numbers for each job, by one round of SplitMix64's mixer.
fn seed_of(page: u64, job: JobId) -> u64 {
    let mixed = page ^ job.0.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}
