//! How jobs end, begin again, and set others off.

use std::cmp::Reverse;
use std::time::Duration;

use super::config::Link;
use super::fact::Fact;
use super::lane::take;
use super::record::{JobState, Record, Stopping};
use super::{Effect, End, Fault, Queue};
use crate::ids::{Attempt, JobId};
use crate::value::{Error, ErrorKind, Time, decimal};

/// The first wait before another attempt; each later one is twice as long.
const BACK_OFF: Duration = Duration::from_millis(500);

/// The longest wait before another attempt.
const BACK_OFF_MOST: Duration = Duration::from_secs(60);

impl Link {
    /// Whether this link follows such an end.
    ///
    /// ```
    /// use gradus::queue::{End, Link};
    /// assert!(Link::Then.follows(&End::Cancelled));
    /// assert!(!Link::Success.follows(&End::Cancelled));
    /// ```
    #[must_use]
    pub fn follows(self, end: &End) -> bool {
        match self {
            Self::Then => true,
            Self::Success => matches!(end, End::Done),
            Self::Failure => matches!(end, End::Failed(_)),
        }
    }
}

/// How long a job waits before its `retry`-th new attempt: twice as long each time, and up to a quarter more or less,
/// so that jobs that failed together do not come back together.
fn back_off(job: JobId, retry: u32) -> Duration {
    let whole = BACK_OFF.saturating_mul(1 << retry.saturating_sub(1).min(16)).min(BACK_OFF_MOST);
    let mixed = (job.0 ^ u64::from(retry) << 32).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let quarter = whole / 4;
    // 24 random bits, as a share of half the wait.
    whole - quarter + (quarter * 2).mul_f32(mixed as f32 / 16_777_216.0)
}

impl Queue {
    pub(super) fn failed(&mut self, now: Time, job: JobId, error: Error) {
        let Some(record) = self.records.get_mut(&job) else { return };
        let retries = self.listeners.get(record.listener.0 as usize).map_or(0, |config| config.retries);
        if !error.kind().is_transient() || record.stopping.is_some() {
            return self.finish(now, job, End::Failed(error));
        }
        if record.retries >= retries {
            let end = if record.retries == 0 {
                error
            } else {
                let times = record.retries + 1;
                let text = format!("It was tried {times} times, so it was given up. The last time: {error}");
                Error::of(error.kind(), text)
            };
            return self.finish(now, job, End::Failed(end));
        }
        self.facts.push_back(Fact::Retried { job });
        self.retried(now, job);
    }

    /// Lets a job out of its slot and begin again in a while.
    pub(super) fn retried(&mut self, now: Time, job: JobId) {
        self.leave_slot(job);
        let Some(record) = self.records.get_mut(&job) else { return };
        record.retries += 1;
        record.attempt = Attempt(record.attempt.0 + 1);
        let due = now + back_off(job, record.retries);
        self.line_up_again(job, due);
    }

    /// Lets a job begin again before the row, from `due` on.
    pub(super) fn line_up_again(&mut self, job: JobId, due: Time) {
        let Some(record) = self.records.get_mut(&job) else { return };
        record.due = Some(due);
        record.state = JobState::Waiting;
        record.began = None;
        record.progress = None;
        self.alarms.push(Reverse((due, None)));
        if let Some(lane) = self.lanes.get_mut(record.lane.0 as usize) {
            lane.again.push_back(job);
        }
    }

    /// Starts another attempt in the same slot: its worker ended for another's sake. A job that had begun goes on being
    /// shown as running.
    pub(super) fn run_again(&mut self, now: Time, job: JobId) {
        let Some(record) = self.records.get_mut(&job) else { return };
        if record.stopping.is_some() {
            return self.finish(now, job, End::Cancelled);
        }
        record.attempt = Attempt(record.attempt.0 + 1);
        record.progress = None;
        record.began = None;
        if self.listeners.get(record.listener.0 as usize).is_some_and(|listener| listener.batch.is_some()) {
            // Those of a batch would each be a call now, and share a slot: each gets one of its own, in their order.
            self.leave_slot(job);
            return self.line_up_again(job, now);
        }
        self.facts.push_back(Fact::Started { job, attempt: record.attempt });
        self.effects.push_back(Effect::Start { job, attempt: record.attempt });
    }

    /// Takes a job out of its slot, and frees the slot with the last of its jobs.
    fn leave_slot(&mut self, job: JobId) {
        let Some(record) = self.records.get_mut(&job) else { return };
        let Some(slot) = record.slot.take() else { return };
        let Some(lane) = self.lanes.get_mut(record.lane.0 as usize) else { return };
        lane.unlist(job);
        let left = self.slots.get(&slot).map_or(0, |jobs| jobs.saturating_sub(1));
        if left == 0 {
            self.slots.remove(&slot);
            lane.taken = lane.taken.saturating_sub(1);
        } else {
            self.slots.insert(slot, left);
        }
    }

    pub(super) fn finish(&mut self, now: Time, job: JobId, end: End) {
        self.leave_slot(job);
        let done_wins = end == End::Done && self.has(Fault::DoneOverCancel);
        let late_wins = end == End::Done && self.has(Fault::DoneOverTimeLimit);
        let Some(mut record) = self.records.remove(&job) else { return };
        if let Some(lane) = self.lanes.get_mut(record.lane.0 as usize)
            && !take(&mut lane.again, job)
        {
            lane.row.remove(record.stand(), job);
        }
        let end = match record.stopping {
            Some(Stopping::Cancel) if !done_wins => End::Cancelled,
            Some(Stopping::TimeLimit) if !late_wins => End::Failed(self.too_long(&record)),
            _ => end,
        };
        let took = record.began.map_or(Duration::ZERO, |began| now.since(began));
        if let (End::Done, true, Some(runs)) =
            (&end, record.began.is_some(), self.runs.get_mut(record.listener.0 as usize))
        {
            runs.add(took);
        }
        record.ended = Some(now);
        record.due = None;
        record.state = end.state();
        if let End::Failed(error) = &end {
            record.error = Some(error.clone());
        }
        let took = took.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(took.subsec_micros()));
        self.facts.push_back(Fact::Ended { job, end: end.clone(), took });
        self.effects.push_back(Effect::Ended { job, end: end.clone() });
        self.follow(now, &record, &end);
        self.remember(record);
    }

    /// What a chain goes on with.
    fn follow(&mut self, now: Time, record: &Record, end: &End) {
        if self.replica {
            return;
        }
        let Some(config) = self.listeners.get(record.listener.0 as usize) else { return };
        let lost = self.has(Fault::LostChain) && *end == End::Cancelled;
        let next: Vec<_> =
            config.links.iter().filter(|(link, _)| link.follows(end) && !lost).map(|(_, to)| *to).collect();
        for listener in next {
            let priority = self.listeners.get(listener.0 as usize).map_or(0, |config| config.priority);
            let job = self.accept(now, listener, record.session, priority, Some(record.id));
            self.effects.push_back(Effect::Chained { after: record.id, job, listener });
        }
    }

    pub(super) fn remember(&mut self, record: Record) {
        let grows = self.has(Fault::HistoryGrows);
        if self.history.len() >= self.history_most && !grows {
            self.history.pop_front();
        }
        if self.history_most > 0 {
            self.history.push_back(record);
        }
    }

    fn too_long(&self, record: &Record) -> Error {
        let limit = self.listeners.get(record.listener.0 as usize).and_then(|config| config.time_limit);
        let seconds = decimal(limit.unwrap_or_default().as_secs_f64(), 2);
        Error::of(ErrorKind::Timeout, format!("It took longer than its time limit of {seconds} s."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_a_quarter() {
        for job in 1..200 {
            for (retry, expected) in [(1, 500.0), (2, 1000.0), (3, 2000.0), (20, 60_000.0)] {
                let millis = back_off(JobId(job), retry).as_secs_f64() * 1000.0;
                assert!((millis - expected).abs() <= expected / 4.0 + 1.0, "{job} {retry}: {millis}");
            }
        }
        assert_ne!(back_off(JobId(1), 1), back_off(JobId(2), 1));
    }

    #[test]
    fn every_end_with_every_link() {
        let failed = End::Failed(Error::new("no"));
        let table = [
            (Link::Then, &End::Done, true),
            (Link::Then, &failed, true),
            (Link::Then, &End::Cancelled, true),
            (Link::Success, &End::Done, true),
            (Link::Success, &failed, false),
            (Link::Success, &End::Cancelled, false),
            (Link::Failure, &End::Done, false),
            (Link::Failure, &failed, true),
            (Link::Failure, &End::Cancelled, false),
        ];
        for (link, end, follows) in table {
            assert_eq!(link.follows(end), follows, "{link:?} after {end:?}");
        }
    }
}
