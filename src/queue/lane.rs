//! A lane: its slots, which are what a semaphore counts, and the row behind them.

use std::collections::VecDeque;

use super::config::LaneConfig;
use super::row::Row;
use crate::ids::JobId;

/// The slots of a lane and the row behind them.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) config: LaneConfig,
    /// No job starts.
    pub(super) paused: bool,
    /// Not begun, next first.
    pub(super) row: Row,
    /// Failed by nobody's fault or interrupted; they start before the row, each once its time has come.
    pub(super) again: VecDeque<JobId>,
    /// In a slot, not yet begun by a worker, in the order of their starts.
    pub(super) starting: VecDeque<JobId>,
    /// In a slot, in the order in which they began.
    pub(super) running: VecDeque<JobId>,
    /// Slots that are taken: one a job, or one a batch.
    pub(super) taken: usize,
}

impl Lane {
    pub(super) fn new(config: LaneConfig) -> Self {
        Self {
            config,
            paused: false,
            row: Row::default(),
            again: VecDeque::new(),
            starting: VecDeque::new(),
            running: VecDeque::new(),
            taken: 0,
        }
    }

    pub(super) fn has_free_slot(&self) -> bool {
        !self.paused && self.config.count.is_none_or(|count| self.taken < count.get())
    }

    /// How many wait outside of a slot.
    pub(super) fn waiting(&self) -> usize {
        self.row.len() + self.again.len()
    }

    /// A worker has begun the job.
    pub(super) fn begin(&mut self, job: JobId) {
        if take(&mut self.starting, job) {
            self.running.push_back(job);
        }
    }

    /// Takes a job out of where the jobs in slots are listed.
    pub(super) fn unlist(&mut self, job: JobId) {
        if !take(&mut self.running, job) {
            take(&mut self.starting, job);
        }
    }
}

/// Removes a job; it is almost always near the front, since jobs leave in about the order in which they came.
pub(super) fn take(row: &mut VecDeque<JobId>, job: JobId) -> bool {
    let place = row.iter().position(|&other| other == job);
    place.is_some_and(|place| row.remove(place).is_some())
}
