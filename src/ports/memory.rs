//! In-memory twins of the ports, on a virtual clock: nothing sleeps, nothing is random, and what would happen by itself
//! in a browser happens when a test says so.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::ops::Range;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

pub use super::origin::{MemoryLog, MemoryTabs, Origin};
use super::{Clock, Files, Link, Spawn, Store, Timer, WorkerListener, WorkerSignal, Workers};
use crate::ids::WorkerId;
use crate::value::{Error, SortedMap, Time};

/// A clock that stands still until it is moved.
///
/// ```
/// use std::time::Duration;
/// use gradus::ports::{Clock, memory::ManualClock};
/// let clock = ManualClock::default();
/// clock.advance(Duration::from_millis(3));
/// assert_eq!(clock.now().as_micros(), 3000);
/// ```
#[derive(Debug, Default)]
pub struct ManualClock(Cell<Time>);

impl ManualClock {
    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.set(self.0.get() + by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        self.0.get()
    }
}

/// A store that lasts as long as the value; of no tab.
#[derive(Debug, Default)]
pub struct MemoryStore(RefCell<BTreeMap<String, String>>, Cell<bool>);

impl MemoryStore {
    /// Whether it was asked to keep all of it.
    #[must_use]
    pub fn persists(&self) -> bool {
        self.1.get()
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &str) -> Option<String> {
        self.0.borrow().get(key).cloned()
    }

    fn set(&self, key: &str, text: &str) {
        self.0.borrow_mut().insert(key.to_owned(), text.to_owned());
    }

    fn persist(&self) {
        self.1.set(true);
    }
}

/// The same store as the tab with this number has it.
#[derive(Clone, Debug)]
pub struct TabStore(pub Rc<MemoryStore>, pub u64);

impl Store for TabStore {
    fn get(&self, key: &str) -> Option<String> {
        self.0.get(key)
    }

    fn set(&self, key: &str, text: &str) {
        self.0.set(key, text);
    }

    fn get_in_tab(&self, key: &str) -> Option<String> {
        self.0.get(&format!("tab/{}/{key}", self.1))
    }

    fn set_in_tab(&self, key: &str, text: &str) {
        self.0.set(&format!("tab/{}/{key}", self.1), text);
    }
}

/// Files in memory.
///
/// ```
/// use gradus::ports::{Files, memory::MemoryFiles};
/// let mut files = MemoryFiles::default();
/// files.insert("unet/config.json", b"{}".to_vec());
/// # futures_util::FutureExt::now_or_never(async {
/// assert_eq!(files.size("unet/config.json").await, Ok(Some(2)));
/// assert_eq!(files.size("vae/config.json").await, Ok(None));
/// # });
/// ```
#[derive(Debug, Default)]
pub struct MemoryFiles(SortedMap<String, Cow<'static, [u8]>>);

impl MemoryFiles {
    /// Adds a file.
    pub fn insert(&mut self, path: &str, bytes: impl Into<Cow<'static, [u8]>>) {
        self.0.insert(path.to_owned(), bytes.into());
    }
}

impl Files for MemoryFiles {
    fn size<'a>(&'a self, path: &'a str) -> LocalBoxFuture<'a, Result<Option<u64>, Error>> {
        std::future::ready(Ok(self.0.get(path).map(|bytes| bytes.len() as u64))).boxed_local()
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> LocalBoxFuture<'a, Result<Vec<u8>, Error>> {
        let part = self.0.get(path).and_then(|bytes| bytes.get(range.start as usize..range.end as usize));
        let part = part.map(<[u8]>::to_vec).ok_or_else(|| Error::new(format!("{path} has no such bytes.")));
        std::future::ready(part).boxed_local()
    }
}

/// A timer on a [`ManualClock`]; its futures are looked at by [`Tasks::poll_all`], which needs no waking.
pub struct ManualTimer(pub Rc<ManualClock>);

impl Timer for ManualTimer {
    fn sleep(&self, delay: Duration) -> LocalBoxFuture<'static, ()> {
        let (clock, until) = (Rc::clone(&self.0), self.0.now() + delay);
        poll_fn(move |_| if clock.now() >= until { Poll::Ready(()) } else { Poll::Pending }).boxed_local()
    }

    fn turn(&self) -> LocalBoxFuture<'static, ()> {
        let mut turned = false;
        poll_fn(move |_| if std::mem::replace(&mut turned, true) { Poll::Ready(()) } else { Poll::Pending })
            .boxed_local()
    }
}

/// Futures that are polled when a test says so.
#[derive(Default)]
pub struct Tasks(RefCell<Vec<LocalBoxFuture<'static, ()>>>);

impl Tasks {
    /// Polls every task once; gives how many are left.
    pub fn poll_all(&self) -> usize {
        let mut context = Context::from_waker(Waker::noop());
        let mut tasks = self.0.take();
        tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
        // What was spawned meanwhile comes behind.
        let mut all = self.0.borrow_mut();
        tasks.append(&mut all);
        *all = tasks;
        all.len()
    }
}

impl Spawn for Tasks {
    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        self.0.borrow_mut().push(task);
    }
}

/// The worker's end of a link: takes what the page sends.
pub type WorkerEnd = Rc<dyn Fn(&[u8])>;

type ToPage = RefCell<VecDeque<(WorkerId, WorkerSignal)>>;
type ToWorkers = RefCell<VecDeque<(WorkerId, Vec<u8>)>>;

/// Workers in the same thread. Messages wait until they are delivered.
pub struct MemoryWorkers {
    make: Box<dyn Fn(Rc<dyn Link>) -> Option<WorkerEnd>>,
    cores: usize,
    running: RefCell<BTreeMap<WorkerId, (WorkerEnd, WorkerListener)>>,
    to_page: Rc<ToPage>,
    to_workers: Rc<ToWorkers>,
}

struct Queued<T: 'static>(Rc<RefCell<VecDeque<(WorkerId, T)>>>, WorkerId, fn(Vec<u8>) -> T);

impl<T> Link for Queued<T> {
    fn send(&self, message: Vec<u8>) {
        self.0.borrow_mut().push_back((self.1, self.2(message)));
    }
}

impl MemoryWorkers {
    /// Workers of a machine with so many cores. `make` makes a worker from its link to the page; `None` is one that
    /// cannot start.
    pub fn new(cores: usize, make: impl Fn(Rc<dyn Link>) -> Option<WorkerEnd> + 'static) -> Self {
        Self {
            make: Box::new(make),
            cores,
            running: RefCell::default(),
            to_page: Rc::default(),
            to_workers: Rc::default(),
        }
    }

    /// Delivers all messages that are on their way; whether there were any.
    pub fn deliver(&self) -> bool {
        let (out, back) = (self.to_workers.take(), self.to_page.take());
        let any = !out.is_empty() || !back.is_empty();
        for (worker, message) in out {
            let end = self.running.borrow().get(&worker).map(|(end, _)| Rc::clone(end));
            if let Some(end) = end {
                end(&message);
            }
        }
        for (worker, signal) in back {
            let listener = self.running.borrow().get(&worker).map(|(_, listener)| Rc::clone(listener));
            if let Some(listener) = listener {
                listener(worker, signal);
            }
        }
        any
    }

    /// The workers that run.
    pub fn running(&self) -> Vec<WorkerId> {
        self.running.borrow().keys().copied().collect()
    }

    /// Makes a worker say this.
    pub fn say(&self, worker: WorkerId, bytes: Vec<u8>) {
        self.to_page.borrow_mut().push_back((worker, WorkerSignal::Message(bytes)));
    }

    /// A worker takes its time to start.
    pub fn be_late(&self, worker: WorkerId, why: &str) {
        self.to_page.borrow_mut().push_back((worker, WorkerSignal::Late(why.to_owned())));
    }

    /// Breaks a worker, as a browser would that ran out of memory.
    pub fn break_worker(&self, worker: WorkerId, reason: &str) {
        self.to_page.borrow_mut().push_back((worker, WorkerSignal::Broken(reason.to_owned())));
    }
}

impl Workers for MemoryWorkers {
    fn start(&self, worker: WorkerId, listener: WorkerListener) -> Rc<dyn Link> {
        let to_page = Rc::new(Queued(Rc::clone(&self.to_page), worker, WorkerSignal::Message));
        let end = (self.make)(to_page).unwrap_or_else(|| {
            self.break_worker(worker, "it does not start");
            Rc::new(|_: &[u8]| {})
        });
        self.running.borrow_mut().insert(worker, (end, listener));
        Rc::new(Queued(Rc::clone(&self.to_workers), worker, std::convert::identity))
    }

    fn end(&self, worker: WorkerId) {
        self.running.borrow_mut().remove(&worker);
    }

    fn cores(&self) -> usize {
        self.cores
    }
}
