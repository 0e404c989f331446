//! In-memory twins of the ports, on a virtual clock: nothing sleeps, nothing is random.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use super::{Clock, Store};
use crate::value::Time;

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

/// A store that lasts as long as the value.
#[derive(Debug, Default)]
pub struct MemoryStore(RefCell<BTreeMap<String, String>>);

impl Store for MemoryStore {
    fn get(&self, key: &str) -> Option<String> {
        self.0.borrow().get(key).cloned()
    }

    fn set(&self, key: &str, text: &str) {
        self.0.borrow_mut().insert(key.to_owned(), text.to_owned());
    }
}
