use std::collections::VecDeque;
use std::num::NonZeroUsize;

use crate::ids::{JobId, LaneId};

/// A lane as it is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneConfig {
    /// The `concurrency_id`, or the listener's name.
    pub name: String,
    /// How many jobs may run at once; `None` is no limit.
    pub count: Option<NonZeroUsize>,
}

/// A listener as it is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerConfig {
    /// Where its jobs wait.
    pub lane: LaneId,
}

/// A queue as it is set up; nothing of it changes later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// The lanes; a [`LaneId`] is the index.
    pub lanes: Vec<LaneConfig>,
    /// The listeners; a [`crate::ids::ListenerId`] is the index.
    pub listeners: Vec<ListenerConfig>,
    /// How many ended jobs are kept to be looked at.
    pub history: usize,
}

/// The slots of a lane and the row behind them.
///
/// Ids rise with acceptance and a lane is first in, first out, so `waiting` is sorted and a place in it is found by
/// bisection.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) config: LaneConfig,
    /// In the row, next first.
    pub(super) waiting: VecDeque<JobId>,
    /// In a slot, not yet begun by a worker, in the order of their starts.
    pub(super) starting: VecDeque<JobId>,
    /// In a slot, in the order in which they began.
    pub(super) running: VecDeque<JobId>,
}

impl Lane {
    pub(super) fn new(config: LaneConfig) -> Self {
        Self { config, waiting: VecDeque::new(), starting: VecDeque::new(), running: VecDeque::new() }
    }

    pub(super) fn busy(&self) -> usize {
        self.starting.len() + self.running.len()
    }

    pub(super) fn has_free_slot(&self) -> bool {
        self.config.count.is_none_or(|count| self.busy() < count.get())
    }

    /// Takes the next job of the row into a slot.
    pub(super) fn start_next(&mut self) -> Option<JobId> {
        if !self.has_free_slot() {
            return None;
        }
        let job = self.waiting.pop_front()?;
        self.starting.push_back(job);
        Some(job)
    }

    /// A worker has begun the job.
    pub(super) fn begin(&mut self, job: JobId) {
        if take(&mut self.starting, job) {
            self.running.push_back(job);
        }
    }

    /// Frees the slot of a job.
    pub(super) fn free(&mut self, job: JobId) {
        if !take(&mut self.running, job) {
            take(&mut self.starting, job);
        }
    }

    /// Takes a job out of the row.
    pub(super) fn leave(&mut self, job: JobId) {
        if let Ok(place) = self.waiting.binary_search(&job) {
            self.waiting.remove(place);
        }
    }

    /// The place among those that are not running: those that are starting come first. 1 is next.
    pub(super) fn position(&self, job: JobId) -> Option<usize> {
        let starting = self.starting.iter().position(|&other| other == job);
        let place = starting.or_else(|| Some(self.starting.len() + self.waiting.binary_search(&job).ok()?))?;
        Some(place + 1)
    }
}

/// Removes a job; it is almost always near the front, since jobs leave in about the order in which they came.
fn take(row: &mut VecDeque<JobId>, job: JobId) -> bool {
    let place = row.iter().position(|&other| other == job);
    place.is_some_and(|place| row.remove(place).is_some())
}
