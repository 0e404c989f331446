//! How a queue is set up: its lanes, its listeners, its limits.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::ids::{LaneId, ListenerId};
pub use crate::value::ChainLink as Link;

/// A lane as it is set up.
///
/// ```
/// let lane = gradus::queue::LaneConfig::new("gpu_queue", 2);
/// assert_eq!(lane.count.unwrap().get(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneConfig {
    /// The `concurrency_id`, or the listener's name.
    pub name: String,
    /// How many slots; `None` is no limit.
    pub count: Option<NonZeroUsize>,
    /// How many jobs may wait; a submit beyond is refused.
    pub max_waiting: Option<usize>,
    /// Its jobs run at once, beside the lanes: never paused, never refused, not counted among those that wait.
    pub beside: bool,
}

impl LaneConfig {
    /// A lane with so many slots (0 is no limit) and nothing else set.
    pub fn new(name: impl Into<String>, count: usize) -> Self {
        Self { name: name.into(), count: NonZeroUsize::new(count), max_waiting: None, beside: false }
    }
}

/// How jobs of a listener are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The most in one batch.
    pub most: NonZeroUsize,
    /// How long the first of a batch waits for more.
    pub wait: Duration,
}

/// A listener as it is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerConfig {
    /// Where its jobs wait.
    pub lane: LaneId,
    /// Higher starts first.
    pub priority: i32,
    /// How long an attempt may take.
    pub time_limit: Option<Duration>,
    /// How often a job begins anew after a failure that is nobody's fault.
    pub retries: u32,
    /// Several jobs a start.
    pub batch: Option<Batch>,
    /// What follows on its jobs' ends.
    pub links: Vec<(Link, ListenerId)>,
}

impl ListenerConfig {
    /// A listener of a lane with nothing else set: one retry, no limit of time.
    #[must_use]
    pub fn new(lane: LaneId) -> Self {
        Self { lane, priority: 0, time_limit: None, retries: 1, batch: None, links: Vec::new() }
    }
}

/// A queue as it is set up; nothing of it changes later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// The lanes; a [`LaneId`] is the index.
    pub lanes: Vec<LaneConfig>,
    /// The listeners; a [`ListenerId`] is the index.
    pub listeners: Vec<ListenerConfig>,
    /// How many jobs may wait in all lanes together.
    pub max_waiting: Option<usize>,
    /// How often a job whose page went away is taken up again before that is blamed on it.
    pub max_interrupts: u32,
    /// How many ended jobs are kept to be looked at.
    pub history: usize,
    /// A planted fault, which the tests must find.
    #[cfg(feature = "faults")]
    pub fault: Option<super::Fault>,
}

impl QueueConfig {
    /// These lanes and listeners, and a history of 200.
    #[must_use]
    pub fn new(lanes: Vec<LaneConfig>, listeners: Vec<ListenerConfig>) -> Self {
        Self {
            lanes,
            listeners,
            max_waiting: None,
            max_interrupts: 3,
            history: 200,
            #[cfg(feature = "faults")]
            fault: None,
        }
    }
}
