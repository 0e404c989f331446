//! All that the page knows, and how it hears of what happens.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use super::book::{Book, Flight};
use super::held::Held;
use super::message::{Audience, Command, Submit};
use super::pool::Pool;
use super::stored::{Inputs, Stranger};
use super::tabs::{Part, first_token};
use super::take_up::Done;
use super::view::{Changes, Status, Toast, Told, Watcher};
use super::{Options, Ports, STORAGE, TabFault};
use crate::blocks::App;
use crate::ids::{Attempt, ComponentId, JobId, ListenerId, SessionId};
use crate::ports::{Found, LogError, WorkerListener};
use crate::queue::{Batch, LaneConfig, ListenerConfig, Queue, QueueConfig};
use crate::value::{EngineInfo, NoteLevel, Picture, Progress, SortedMap, SortedSet, Time, Value};
use crate::wire::ToWorker;

/// Ended jobs that are kept to be looked at.
pub(super) const HISTORY: usize = 200;

/// How long the page is not told of what a job is at, a frame: drawing takes the time of the write and of the worker's news,
/// and a quick job has ended before. Ends and messages are told at once.
const TOLD_AFTER: Duration = Duration::from_millis(16);

/// A component as the page has it.
pub(super) struct Slot {
    pub(super) value: Value,
    /// What a handler gave a Dropdown to choose from, instead of what it was built with.
    pub(super) choices: Option<Arc<[String]>>,
    pub(super) version: u64,
    pub(super) error: Option<String>,
    /// The jobs that will write it and have not ended.
    pub(super) active: SortedSet<JobId>,
    /// How the last job that wrote it ended.
    pub(super) last: Option<Status>,
    /// What is shown until the ends that wrote it are written down.
    pub(super) held: Option<Held>,
}

/// How soon the page is to be told of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pressing {
    No,
    /// In a while, for which a timer runs.
    Soon,
    Now,
}

/// What the queue need not know of a job.
pub(super) struct JobData {
    pub(super) listener: ListenerId,
    pub(super) session: SessionId,
    /// By which its submitter knows it.
    pub(super) token: u64,
    pub(super) inputs: Inputs,
    /// Its inputs stand apart in the log, and go when it ends.
    pub(super) apart: bool,
    /// It was submitted since this page opened, so that its links read what the components hold.
    pub(super) live: bool,
    /// The latest value of each output, where there was one.
    pub(super) latest: Vec<Option<Value>>,
    pub(super) progress: Option<Progress>,
    pub(super) preview: Option<Picture>,
}

/// Who is told what becomes of a submit.
pub(super) struct Watched {
    pub(super) watcher: Watcher,
    /// It was told that its job was taken.
    pub(super) accepted: bool,
}

/// What a listener of this page is at.
#[derive(Default)]
pub(super) struct Pending {
    /// Its jobs that have not ended.
    pub(super) jobs: usize,
    /// An event came meanwhile, and one more run is to follow.
    pub(super) again: bool,
    /// Refused for want of room, and to be submitted when there is.
    pub(super) parked: bool,
    /// Counts events, so that a debounce knows whether one came after it.
    pub(super) events: u64,
    pub(super) last_run: Option<Time>,
    /// A throttle's last event waits for its time.
    pub(super) throttled: bool,
}

/// Something to be done in a while.
#[derive(Clone, Copy)]
pub(super) enum Later {
    /// End the worker of a cancelled job that has not stopped.
    EndWorker(JobId, Attempt),
    /// A time of the queue has come.
    Alarm,
    /// Events have rested, unless more came.
    Rested(ListenerId, u64),
    /// A throttle lets the next run.
    Let(ListenerId),
    /// No tab has answered for a while, if none has.
    StillOpening,
    /// A Timer component's time is over.
    Tick(ComponentId),
    /// The page is told of what jobs are at.
    Announce,
    /// What the visitor typed is kept.
    KeepTyped,
}

/// All that the page knows.
pub(super) struct State {
    pub(super) app: Rc<App>,
    pub(super) queue: Queue,
    pub(super) slots: Vec<Slot>,
    pub(super) jobs: SortedMap<JobId, JobData>,
    /// Jobs that ended, but whose end is not written down yet: to be shown as they were.
    pub(super) unwritten: SortedMap<JobId, JobData>,
    /// What each listener is at.
    pub(super) pending: Vec<Pending>,
    /// Inputs of the jobs that failed last, so that they can be run again.
    pub(super) failed: VecDeque<(JobId, ListenerId, Vec<Value>)>,
    pub(super) engine: Option<EngineInfo>,
    pub(super) ports: Ports,
    pub(super) options: Options,
    pub(super) pool: Pool,
    pub(super) panics: SortedMap<ListenerId, u32>,
    pub(super) changed: SortedSet<ComponentId>,
    pub(super) panel_changed: bool,
    pub(super) toasts: Vec<Toast>,
    /// Messages that workers are late, until one is up; then they are no longer true.
    pub(super) late: Vec<String>,
    pub(super) past: Vec<String>,
    /// The visitor was told that no tab answers.
    pub(super) unanswered: bool,
    listener: Option<Rc<dyn Fn()>>,
    announced: bool,
    pub(super) pressing: Pressing,
    /// What it is among its app's tabs.
    pub(super) part: Part,
    pub(super) book: Book,
    pub(super) audience: Audience,
    /// Jobs that ended, of all sessions where this page leads.
    pub(super) ended: VecDeque<Done>,
    /// Of those, the jobs whose results this page has shown.
    pub(super) shown: SortedSet<JobId>,
    pub(super) strangers: Vec<Stranger>,
    /// Submits that nobody has taken yet.
    pub(super) sent: SortedMap<u64, Submit>,
    /// What else waits for a part.
    pub(super) early: Vec<Command>,
    pub(super) next_token: u64,
    pub(super) watchers: SortedMap<u64, Watched>,
    pub(super) observers: Vec<Rc<dyn Fn(&'static str, JobId)>>,
    /// What observers are to be told once nothing is borrowed.
    pub(super) seen: Vec<(&'static str, JobId)>,
    /// What watchers are to be told once nothing is borrowed.
    pub(super) told: Vec<(Watcher, Told)>,
    /// What the links of the job that ended last read, where that is not what the components hold.
    pub(super) chain: Option<(JobId, Inputs)>,
    pub(super) flight: Option<Flight>,
    #[cfg(feature = "faults")]
    pub(super) fault: Option<TabFault>,
    /// It wants to lead, or does.
    pub(super) stands: bool,
    /// Counts how often this page gave up to lead: what it wanted before is void.
    pub(super) rests: u64,
    pub(super) opening: Option<LocalBoxFuture<'static, Result<Found, LogError>>>,
    /// What is to be done in a while and not yet given to a timer.
    pub(super) later: Vec<(Duration, Later)>,
    /// The next time of the queue that a timer waits for.
    alarm: Option<Time>,
    /// When the estimates were kept last.
    pub(super) runs_kept: Option<Time>,
    /// The components that hold what the visitor typed.
    pub(super) typed: SortedSet<ComponentId>,
    /// Not kept yet as they are.
    pub(super) typed_changed: bool,
}

/// Acts on the state, then lets the effects follow, then tells the page; no borrow is held while it is told.
pub(super) fn with<R>(state: &Rc<RefCell<State>>, act: impl FnOnce(&mut State) -> R) -> R {
    let (result, tell, later, told, flight, opening, rests) = {
        let mut state = state.borrow_mut();
        let result = act(&mut state);
        state.follow_effects();
        state.send_off();
        state.set_alarm();
        let tell = state.whom_to_tell();
        let (later, told) = (std::mem::take(&mut state.later), std::mem::take(&mut state.told));
        (result, tell, later, told, state.flight.take(), state.opening.take(), state.rests)
    };
    for (delay, what) in later {
        wake(state, delay, what);
    }
    if STORAGE && let Some(Flight { log, put, number }) = flight {
        let through = move |result| Box::new(move |state: &mut State| state.put_is_through(number, result)) as Act;
        follow_up(state, log.put(put).map(through).boxed_local());
    }
    if STORAGE && let Some(opening) = opening {
        let opened = move |found| Box::new(move |state: &mut State| state.opened(rests, found)) as Act;
        follow_up(state, opening.map(opened).boxed_local());
    }
    for (watcher, told) in told {
        watcher(told);
    }
    observe(state);
    if let Some(listener) = tell {
        listener();
    }
    result
}

fn observe(state: &Rc<RefCell<State>>) {
    let (seen, observers) = {
        let mut state = state.borrow_mut();
        (std::mem::take(&mut state.seen), state.observers.clone())
    };
    for (what, job) in seen {
        observers.iter().for_each(|observer| observer(what, job));
    }
}

/// What is to be done with the state once something has happened.
type Act = Box<dyn FnOnce(&mut State)>;

/// Goes on with what a future gives.
fn follow_up(state: &Rc<RefCell<State>>, future: LocalBoxFuture<'static, Act>) {
    let weak = Rc::downgrade(state);
    let spawn = Rc::clone(&state.borrow().ports.spawn);
    let wait = async move {
        let act = future.await;
        if let Some(state) = weak.upgrade() {
            with(&state, act);
        }
    };
    spawn.spawn(wait.boxed_local());
}

fn wake(state: &Rc<RefCell<State>>, delay: Duration, what: Later) {
    let sleep = state.borrow().ports.timer.sleep(delay);
    let woken = move |()| Box::new(move |state: &mut State| state.woken(what)) as Act;
    follow_up(state, sleep.map(woken).boxed_local());
}

/// The queue of an app.
pub(super) fn queue_config(app: &App) -> QueueConfig {
    let lane = |lane: &crate::blocks::LaneSpec| LaneConfig {
        name: lane.name.clone(),
        count: lane.count,
        max_waiting: lane.max_size,
        beside: lane.beside,
    };
    let mut listeners: Vec<ListenerConfig> = Vec::new();
    for spec in app.listeners() {
        listeners.push(ListenerConfig {
            priority: spec.priority,
            time_limit: spec.time_limit,
            retries: spec.retries,
            batch: spec.batch.as_ref().map(|batch| Batch { most: batch.most, wait: batch.wait }),
            ..ListenerConfig::new(spec.lane)
        });
    }
    for (spec, id) in app.listeners().iter().zip((0u32..).map(ListenerId)) {
        if let Some((before, link)) = spec.after
            && let Some(config) = listeners.get_mut(before.0 as usize)
        {
            config.links.push((link, id));
        }
    }
    QueueConfig {
        max_waiting: app.max_size(),
        history: HISTORY,
        ..QueueConfig::new(app.lanes().iter().map(lane).collect(), listeners)
    }
}

impl State {
    pub(super) fn new(
        app: Rc<App>,
        ports: Ports,
        options: Options,
        listener: WorkerListener,
        boot: Box<dyn Fn() -> ToWorker>,
    ) -> Self {
        let slot = |value: &Value| Slot {
            value: value.clone(),
            choices: None,
            version: 0,
            error: None,
            active: SortedSet::default(),
            last: None,
            held: None,
        };
        let warning = |text: &String| Toast::new(NoteLevel::Warning, text.clone());
        let mut state = Self {
            queue: Queue::new(queue_config(&app)),
            slots: app.components().iter().map(|spec| slot(&spec.value)).collect(),
            jobs: SortedMap::default(),
            unwritten: SortedMap::default(),
            pending: app.listeners().iter().map(|_| Pending::default()).collect(),
            failed: VecDeque::new(),
            engine: None,
            pool: Pool::new(Rc::clone(&ports.workers), listener, boot),
            toasts: app.warnings().iter().map(warning).collect(),
            late: Vec::new(),
            past: Vec::new(),
            unanswered: false,
            ports,
            options,
            app,
            panics: SortedMap::default(),
            changed: SortedSet::default(),
            panel_changed: true,
            listener: None,
            announced: false,
            pressing: Pressing::No,
            later: Vec::new(),
            alarm: None,
            part: Part::Opening,
            book: Book::new(),
            audience: Audience::default(),
            ended: VecDeque::new(),
            shown: SortedSet::default(),
            strangers: Vec::new(),
            sent: SortedMap::default(),
            early: Vec::new(),
            next_token: first_token(options.seed),
            watchers: SortedMap::default(),
            observers: Vec::new(),
            seen: Vec::new(),
            told: Vec::new(),
            chain: None,
            flight: None,
            #[cfg(feature = "faults")]
            fault: None,
            stands: false,
            rests: 0,
            opening: None,
            runs_kept: None,
            typed: SortedSet::default(),
            typed_changed: false,
        };
        state.recall();
        state.recall_typed();
        state
    }

    pub(super) fn now(&self) -> Time {
        self.ports.clock.now()
    }

    /// Whether this fault was planted; never outside of tests.
    #[cfg(feature = "faults")]
    pub(super) fn has(&self, fault: TabFault) -> bool {
        self.fault == Some(fault)
    }

    #[cfg(not(feature = "faults"))]
    #[allow(clippy::unused_self, reason = "the same call as under test")]
    pub(super) const fn has(&self, _: TabFault) -> bool {
        false
    }

    fn set_alarm(&mut self) {
        let Some(next) = self.queue.next_time() else { return };
        if self.alarm.is_none_or(|alarm| next < alarm) {
            self.alarm = Some(next);
            self.later.push((next.since(self.now()), Later::Alarm));
        }
    }

    fn woken(&mut self, what: Later) {
        match what {
            Later::EndWorker(job, attempt) => self.end_worker_of(job, attempt),
            Later::Alarm => {
                self.alarm = None;
                self.queue.handle_time(self.now());
                self.panel_changed = true;
            }
            Later::Rested(listener, events) => {
                if self.pending.get(listener.0 as usize).is_some_and(|pending| pending.events == events) {
                    self.trigger(listener);
                }
            }
            Later::Let(listener) => {
                if let Some(pending) = self.pending.get_mut(listener.0 as usize) {
                    pending.throttled = false;
                }
                self.trigger(listener);
            }
            Later::StillOpening => self.still_opening(),
            Later::Tick(timer) => self.tick(timer),
            Later::KeepTyped => self.keep_typed(),
            Later::Announce => {
                if self.pressing == Pressing::Soon {
                    self.pressing = Pressing::Now;
                }
            }
        }
    }

    // What the page is told.

    /// The outputs of a job and the panel are to be drawn anew.
    pub(super) fn touch(&mut self, job: JobId) {
        self.panel_changed = true;
        let spec = self.jobs.get(&job).and_then(|data| self.app.listener(data.listener));
        self.changed.extend(spec.into_iter().flat_map(|spec| spec.outputs.iter().copied()));
    }

    pub(super) fn listen(&mut self, listener: Rc<dyn Fn()>) {
        self.listener = Some(listener);
        self.announced = false;
    }

    fn whom_to_tell(&mut self) -> Option<Rc<dyn Fn()>> {
        let messages = !self.toasts.is_empty() || !self.past.is_empty();
        let anything = self.panel_changed || !self.changed.is_empty() || messages;
        if !anything || self.announced {
            return None;
        }
        let listener = self.listener.clone()?;
        if self.busy() && !messages && self.pressing != Pressing::Now {
            if self.pressing == Pressing::No {
                self.pressing = Pressing::Soon;
                self.later.push((TOLD_AFTER, Later::Announce));
            }
            return None;
        }
        self.pressing = Pressing::No;
        self.announced = true;
        Some(listener)
    }

    pub(super) fn take_changes(&mut self) -> Changes {
        self.announced = false;
        Changes {
            components: std::mem::take(&mut self.changed).into_iter().collect(),
            panel: std::mem::take(&mut self.panel_changed),
            toasts: std::mem::take(&mut self.toasts),
            past: std::mem::take(&mut self.past),
        }
    }
}
