//! How long until a job is done.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::machine::Queue;
use super::record::{JobState, Record};
use crate::ids::{JobId, LaneId, ListenerId};
use crate::value::Time;

/// Below this share a job's own pace says too little about its end.
const PACE_KNOWN_FROM: f32 = 0.02;

/// What the successful runs of a listener took: their mean and spread, by Welford's method.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Runs {
    count: u32,
    /// In seconds.
    mean: f64,
    /// The sum of squared differences from the mean.
    squares: f64,
}

impl Runs {
    /// Adds one run.
    pub fn add(&mut self, took: Duration) {
        self.count = self.count.saturating_add(1);
        let seconds = took.as_secs_f64();
        let off = seconds - self.mean;
        self.mean += off / f64::from(self.count);
        self.squares += off * (seconds - self.mean);
    }

    /// The mean; `None` before the first run.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::try_from_secs_f64(self.mean).unwrap_or_default())
    }

    /// The standard deviation; `None` before the second run.
    #[must_use]
    pub fn spread(&self) -> Option<Duration> {
        let variance = self.squares / f64::from(self.count.saturating_sub(1));
        (self.count > 1).then(|| Duration::try_from_secs_f64(variance.sqrt()).unwrap_or_default())
    }
}

impl Queue {
    /// What a run of this listener takes: the mean of its successful runs, `None` before the first.
    #[must_use]
    pub fn mean(&self, listener: ListenerId) -> Option<Duration> {
        self.runs(listener).and_then(Runs::mean)
    }

    /// What the runs of this listener took.
    #[must_use]
    pub fn runs(&self, listener: ListenerId) -> Option<&Runs> {
        self.runs.get(listener.0 as usize)
    }

    /// What is known from before.
    pub fn restore_runs(&mut self, listener: ListenerId, runs: Runs) {
        if let Some(known) = self.runs.get_mut(listener.0 as usize) {
            *known = runs;
        }
    }

    /// Takes over what another queue of the same app knows of its runs.
    pub fn keep_runs_of(&mut self, other: &Self) {
        self.runs.clone_from(&other.runs);
    }

    /// How long a job in a slot still takes; `None` where nothing is known.
    #[must_use]
    pub fn remaining(&self, job: JobId, now: Time) -> Option<Duration> {
        self.records.get(&job).filter(|record| record.slot.is_some()).and_then(|record| self.remaining_of(record, now))
    }

    /// By the mean of earlier runs, by the job's own pace, or by both: the further a job is, the more its own pace is
    /// to be trusted, so the share done is the weight.
    fn remaining_of(&self, record: &Record, now: Time) -> Option<Duration> {
        let elapsed = record.began.map_or(Duration::ZERO, |began| now.since(began));
        let by_mean = self.mean(record.listener).map(|mean| mean.saturating_sub(elapsed));
        let share = record.progress.filter(|&share| share >= PACE_KNOWN_FROM && record.state == JobState::Running);
        let Some(share) = share else { return by_mean };
        let by_pace = elapsed.mul_f32((1.0 - share) / share);
        Some(by_mean.map_or(by_pace, |by_mean| by_pace.mul_f32(share) + by_mean.mul_f32(1.0 - share)))
    }

    /// For the first jobs of a lane that wait, next first: how long until each is done.
    ///
    /// Plays the lane's slots forward: each job takes the slot that is free first and holds it for its listener's mean.
    /// So it is exact for equal jobs. From the first job on whose mean is not known, nothing is known; nor is it in a lane
    /// that is paused.
    #[must_use]
    pub fn estimates(&self, lane: LaneId, now: Time, first: usize) -> Vec<(JobId, Option<Duration>)> {
        let Some(state) = self.lanes.get(lane.0 as usize) else { return Vec::new() };
        let record = |job: &JobId| self.records.get(job);
        let in_slot = |job: &JobId| record(job).and_then(|record| self.remaining_of(record, now));
        let mean = |job: &JobId| record(job).and_then(|record| self.mean(record.listener));
        let mut estimates: Vec<_> = state.starting.iter().take(first).map(|job| (*job, in_slot(job))).collect();
        let waiting = state.again.iter().copied().chain(state.row.iter()).take(first - estimates.len());
        let Some(count) = state.config.count else {
            estimates.extend(waiting.map(|job| (job, mean(&job))));
            return estimates;
        };
        let busy: Option<Vec<Duration>> = state.running.iter().chain(&state.starting).map(in_slot).collect();
        let mut free_at = busy.filter(|_| !state.paused).map(|busy| {
            let idle = count.get().saturating_sub(busy.len()).min(first);
            busy.into_iter().chain(std::iter::repeat_n(Duration::ZERO, idle)).map(Reverse).collect::<BinaryHeap<_>>()
        });
        for job in waiting {
            let done = free_at.as_mut().and_then(|heap| {
                let Reverse(free) = heap.pop()?;
                let done = free + mean(&job)?;
                heap.push(Reverse(done));
                Some(done)
            });
            if done.is_none() {
                free_at = None;
            }
            estimates.push((job, done));
        }
        estimates
    }
}
