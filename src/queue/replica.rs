//! A queue that follows another: the tab that does not lead has one, made of the leader's facts.

use super::fact::{Fact, Kept};
use super::lane::take;
use super::record::{JobState, Record, Stopping};
use super::{End, Queue};
use crate::ids::{Attempt, JobId};
use crate::value::Time;

impl Queue {
    /// The jobs that have not ended, as [`Queue::restore`] takes them: those begun, then those that wait, in order.
    #[must_use]
    pub fn kept(&self) -> Vec<Kept> {
        let mut all = Vec::with_capacity(self.records.len());
        for lane in &self.lanes {
            let in_slots = lane.running.iter().chain(&lane.starting);
            all.extend(
                in_slots.filter_map(|job| self.records.get(job)).map(|record| record.kept(Some(record.attempt))),
            );
            let again = lane.again.iter().filter_map(|job| self.records.get(job));
            all.extend(again.map(|record| Kept { started: false, ..record.kept(before(record.attempt)) }));
        }
        for lane in &self.lanes {
            all.extend(lane.row.iter().filter_map(|job| self.records.get(&job)).map(|record| record.kept(None)));
        }
        all
    }

    /// The first id that no job has had.
    #[must_use]
    pub fn next_job(&self) -> u64 {
        self.next_job
    }

    /// Takes up a job that ended in an earlier page, so that the history has it.
    pub fn restore_ended(&mut self, now: Time, kept: &Kept, end: &End, took: u64) {
        self.next_job = self.next_job.max(kept.job.0.saturating_add(1));
        let Some(config) = self.listeners.get(kept.listener.0 as usize) else { return };
        let mut record = Record::new(now, kept, config.lane);
        record.attempt = kept.attempt.unwrap_or(Attempt(1));
        let ended = at_least(now, took);
        record.began = (took > 0).then(|| ago(ended, took));
        record.ended = Some(ended);
        record.state = end.state();
        if let End::Failed(error) = end {
            record.error = Some(error.clone());
        }
        self.remember(record);
    }

    /// Becomes a follower of a queue that has these jobs: it starts nothing by itself, and changes by
    /// [`Queue::replay`] and by news of attempts only.
    pub fn follow_other(&mut self, now: Time, jobs: Vec<Kept>, next_job: u64) {
        self.replica = true;
        self.now = now;
        self.next_job = self.next_job.max(next_job);
        for kept in jobs {
            let Some(config) = self.listeners.get(kept.listener.0 as usize) else { continue };
            let mut record = Record::new(now, &kept, config.lane);
            if kept.cancelling {
                record.stopping = Some(Stopping::Cancel);
            }
            let (job, attempt) = (kept.job, kept.attempt);
            self.records.insert(job, record);
            match attempt {
                Some(attempt) if kept.started => self.occupy(job, attempt),
                Some(_) => self.line_up_again(job, now),
                None => self.line_up(job),
            }
        }
        self.facts.clear();
    }

    /// Whether it follows another.
    #[must_use]
    pub fn follows(&self) -> bool {
        self.replica
    }

    /// Takes what came true in the queue that it follows.
    pub fn replay(&mut self, now: Time, fact: &Fact) {
        self.now = now;
        match *fact {
            Fact::Accepted { job, listener, session, priority, after } => {
                self.next_job = self.next_job.max(job.0.saturating_add(1));
                if let Some(config) = self.listeners.get(listener.0 as usize) {
                    let kept = Kept::new(job, listener, session, priority, after);
                    self.records.insert(job, Record::new(now, &kept, config.lane));
                    self.line_up(job);
                }
            }
            Fact::Started { job, attempt } => self.occupy(job, attempt),
            Fact::Retried { job } => self.retried(now, job),
            Fact::Interrupted { .. } => {}
            Fact::Cancelling { job } => {
                if let Some(record) = self.records.get_mut(&job) {
                    record.stopping = Some(Stopping::Cancel);
                }
            }
            Fact::Ended { job, ref end, took } => {
                if let Some(record) = self.records.get_mut(&job) {
                    let ended = at_least(now, took);
                    record.began = (took > 0).then(|| ago(ended, took));
                    record.stopping = None;
                    self.finish(ended, job, end.clone());
                }
            }
            Fact::Moved { job, to } => {
                self.handle_move(job, to);
            }
            Fact::Paused { lane, paused } => self.handle_pause(lane, paused),
        }
        self.facts.clear();
    }

    /// Puts a job into a slot, from wherever it is.
    fn occupy(&mut self, job: JobId, attempt: Attempt) {
        let Some(record) = self.records.get_mut(&job) else { return };
        record.attempt = attempt;
        record.began = None;
        record.progress = None;
        record.due = None;
        record.state = JobState::Waiting;
        if record.slot.is_some() {
            return;
        }
        record.slot = Some(self.next_slot);
        self.slots.insert(self.next_slot, 1);
        self.next_slot += 1;
        let stand = record.stand();
        if let Some(lane) = self.lanes.get_mut(record.lane.0 as usize) {
            if !take(&mut lane.again, job) {
                lane.row.start(stand, job);
            }
            lane.taken += 1;
            lane.starting.push_back(job);
        }
    }
}

fn before(attempt: Attempt) -> Option<Attempt> {
    attempt.0.checked_sub(1).filter(|&number| number > 0).map(Attempt)
}

/// A page that has just opened may be younger than what a job took.
fn at_least(now: Time, took: u64) -> Time {
    now.max(Time::from_micros(took))
}

fn ago(now: Time, took: u64) -> Time {
    Time::from_micros(now.as_micros().saturating_sub(took))
}
