//! An in-memory browser with several tabs: one log, one lead, one channel. What would arrive by itself arrives by
//! [`Origin::deliver`], and a tab can be killed, or kept from hearing, at any step.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use super::{Found, Log, LogError, Put, TabSignal, Tabs};

type Listener = Rc<dyn Fn(TabSignal)>;

#[derive(Default)]
struct Shared {
    found: Found,
    epoch: u64,
    /// Puts and openings that may be through; more wait.
    allowed: usize,
    puts: usize,
    fail: Option<String>,
    /// Who wants to lead; the first does.
    line: VecDeque<usize>,
    told: Option<usize>,
    listeners: BTreeMap<usize, Listener>,
    signals: VecDeque<(usize, TabSignal)>,
    frozen: Vec<usize>,
}

/// The browser. Cheap to clone.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use gradus::ports::{Tabs as _, TabSignal, memory::Origin};
/// let origin = Origin::default();
/// let (tab, leads) = (origin.tab(1), Rc::new(Cell::new(false)));
/// let heard = Rc::clone(&leads);
/// tab.listen(Rc::new(move |signal| heard.set(signal == TabSignal::Lead)));
/// tab.stand();
/// origin.deliver();
/// assert!(leads.get());
/// ```
#[derive(Clone, Default)]
pub struct Origin(Rc<RefCell<Shared>>);

impl Origin {
    /// A tab's share in the lead and the channel; each number is given once.
    #[must_use]
    pub fn tab(&self, id: usize) -> MemoryTabs {
        MemoryTabs(Rc::clone(&self.0), id)
    }

    /// A tab's way to the log.
    #[must_use]
    pub fn log(&self, id: usize) -> MemoryLog {
        MemoryLog { shared: Rc::clone(&self.0), tab: id, epoch: Rc::default() }
    }

    /// Lets so many more puts and openings be through.
    pub fn write(&self, puts: usize) {
        let mut shared = self.0.borrow_mut();
        shared.allowed = shared.allowed.saturating_add(puts);
    }

    /// Lets no put be through until [`Origin::write`] says so.
    pub fn hold(&self) {
        self.0.borrow_mut().allowed = 0;
    }

    /// From now on the log refuses, for this reason; or works again.
    pub fn break_log(&self, reason: Option<&str>) {
        self.0.borrow_mut().fail = reason.map(str::to_owned);
    }

    /// What the log holds.
    #[must_use]
    pub fn found(&self) -> Found {
        self.0.borrow().found.clone()
    }

    /// Makes the log hold this.
    pub fn set_found(&self, found: Found) {
        self.0.borrow_mut().found = found;
    }

    /// How many puts there were.
    #[must_use]
    pub fn puts(&self) -> usize {
        self.0.borrow().puts
    }

    /// The tab is gone, with what it had on its way to itself.
    pub fn kill(&self, id: usize) {
        let mut shared = self.0.borrow_mut();
        shared.line.retain(|&tab| tab != id);
        shared.listeners.remove(&id);
        shared.frozen.retain(|&tab| tab != id);
        shared.signals.retain(|(tab, _)| *tab != id);
        if shared.told == Some(id) {
            shared.told = None;
        }
    }

    /// The tab hears nothing until it is thawed, as a hung one; what is sent to it waits.
    pub fn freeze(&self, id: usize, frozen: bool) {
        let mut shared = self.0.borrow_mut();
        shared.frozen.retain(|&tab| tab != id);
        if frozen {
            shared.frozen.push(id);
        }
    }

    /// Says this to a tab, as the browser does.
    pub fn signal(&self, id: usize, signal: TabSignal) {
        self.0.borrow_mut().signals.push_back((id, signal));
    }

    /// Says this to a tab within this call, as the browser does before it freezes a page.
    pub fn signal_now(&self, id: usize, signal: TabSignal) {
        let listener = self.0.borrow().listeners.get(&id).cloned();
        if let Some(listener) = listener {
            listener(signal);
        }
    }

    /// Delivers what is on its way; whether there was anything.
    pub fn deliver(&self) -> bool {
        let ready: Vec<(Listener, TabSignal)> = {
            let mut shared = self.0.borrow_mut();
            if let Some(&first) = shared.line.front()
                && shared.told != Some(first)
            {
                shared.told = Some(first);
                shared.signals.push_back((first, TabSignal::Lead));
            }
            let frozen = shared.frozen.clone();
            let (waits, ready): (VecDeque<_>, VecDeque<_>) =
                shared.signals.drain(..).partition(|(tab, _)| frozen.contains(tab));
            shared.signals = waits;
            ready.into_iter().filter_map(|(tab, signal)| Some((shared.listeners.get(&tab).cloned()?, signal))).collect()
        };
        let any = !ready.is_empty();
        for (listener, signal) in ready {
            listener(signal);
        }
        any
    }
}

/// One tab of an [`Origin`].
pub struct MemoryTabs(Rc<RefCell<Shared>>, usize);

impl Tabs for MemoryTabs {
    fn listen(&self, listener: Listener) {
        self.0.borrow_mut().listeners.insert(self.1, listener);
    }

    fn stand(&self) {
        self.0.borrow_mut().line.push_back(self.1);
    }

    fn resign(&self) {
        let mut shared = self.0.borrow_mut();
        shared.line.retain(|&tab| tab != self.1);
        shared.signals.retain(|(tab, signal)| (*tab, signal) != (self.1, &TabSignal::Lead));
        if shared.told == Some(self.1) {
            shared.told = None;
        }
    }

    fn send(&self, message: Vec<u8>) {
        let mut shared = self.0.borrow_mut();
        let others: Vec<usize> = shared.listeners.keys().copied().filter(|&tab| tab != self.1).collect();
        for tab in others {
            shared.signals.push_back((tab, TabSignal::Message(message.clone())));
        }
    }
}

/// A tab's way to the log of an [`Origin`].
pub struct MemoryLog {
    shared: Rc<RefCell<Shared>>,
    tab: usize,
    epoch: Rc<Cell<u64>>,
}

impl MemoryLog {
    fn allowed(&self) -> impl FnMut() -> bool + 'static {
        let (shared, tab) = (Rc::clone(&self.shared), self.tab);
        move || {
            let mut shared = shared.borrow_mut();
            let may = shared.allowed > 0 && !shared.frozen.contains(&tab);
            if may {
                shared.allowed -= 1;
            }
            may
        }
    }
}

impl Log for MemoryLog {
    fn open(&self) -> LocalBoxFuture<'static, Result<Found, LogError>> {
        let (shared, epoch, mut allowed) = (Rc::clone(&self.shared), Rc::clone(&self.epoch), self.allowed());
        poll_fn(move |_| {
            if !allowed() {
                return Poll::Pending;
            }
            let mut shared = shared.borrow_mut();
            if let Some(reason) = &shared.fail {
                return Poll::Ready(Err(LogError::Failed(reason.clone())));
            }
            shared.epoch += 1;
            epoch.set(shared.epoch);
            Poll::Ready(Ok(shared.found.clone()))
        })
        .boxed_local()
    }

    fn put(&self, put: Put) -> LocalBoxFuture<'static, Result<(), LogError>> {
        let (shared, epoch, mut allowed) = (Rc::clone(&self.shared), Rc::clone(&self.epoch), self.allowed());
        let mut put = Some(put);
        poll_fn(move |_| {
            if !allowed() {
                return Poll::Pending;
            }
            let mut shared = shared.borrow_mut();
            if let Some(reason) = &shared.fail {
                return Poll::Ready(Err(LogError::Failed(reason.clone())));
            }
            if epoch.get() != shared.epoch {
                return Poll::Ready(Err(LogError::Fenced));
            }
            if let Some(put) = put.take() {
                shared.puts += 1;
                if put.whole {
                    shared.found = Found::default();
                }
                shared.found.records.push(put.record);
                let values = &mut shared.found.values;
                values.retain(|(key, _)| put.values.iter().all(|(new, _)| new != key));
                values.extend(put.values);
                values.retain(|(key, _)| !put.dropped.contains(key));
            }
            Poll::Ready(Ok(()))
        })
        .boxed_local()
    }
}
