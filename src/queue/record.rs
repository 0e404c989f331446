//! What the queue knows of one job, and how it looks from outside.

use std::hash::{BuildHasherDefault, Hasher};

use super::fact::Kept;
use super::row::Stand;
use crate::ids::{Attempt, JobId, LaneId, ListenerId, SessionId};
use crate::value::{Error, Time};

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// In its lane's row, or in a slot and not yet begun by a worker.
    Waiting,
    /// Begun by a worker.
    Running,
    /// Ended with a result.
    Done,
    /// Ended with an error.
    Failed,
    /// Ended by a cancel.
    Cancelled,
}

/// Why an attempt is being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopping {
    Cancel,
    TimeLimit,
}

/// All that the queue knows of a job.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: JobId,
    pub(super) listener: ListenerId,
    pub(super) lane: LaneId,
    pub(super) session: SessionId,
    pub(super) priority: i32,
    pub(super) after: Option<JobId>,
    pub(super) state: JobState,
    /// The slot it has; a batch shares one.
    pub(super) slot: Option<u64>,
    pub(super) stopping: Option<Stopping>,
    pub(super) attempt: Attempt,
    pub(super) retries: u32,
    pub(super) interrupts: u32,
    /// Not to be started before.
    pub(super) due: Option<Time>,
    pub(super) submitted: Time,
    pub(super) began: Option<Time>,
    pub(super) ended: Option<Time>,
    pub(super) progress: Option<f32>,
    pub(super) error: Option<Error>,
}

/// A job as one can look at it.
#[derive(Clone, Copy, Debug)]
pub struct JobView<'a> {
    /// Its id.
    pub id: JobId,
    /// Whose run it is.
    pub listener: ListenerId,
    /// Where it waits and runs.
    pub lane: LaneId,
    /// Who submitted it.
    pub session: SessionId,
    /// Higher starts first.
    pub priority: i32,
    /// The job whose end set it off.
    pub after: Option<JobId>,
    /// Where it is.
    pub state: JobState,
    /// It waits, but has a slot already: it waits for a worker.
    pub starting: bool,
    /// It is asked to stop, and its work is not over.
    pub stopping: bool,
    /// Which attempt, from 1.
    pub attempt: Attempt,
    /// When its next attempt may begin, while it waits for that.
    pub due: Option<Time>,
    /// The share done, 0 to 1, if its attempt has said.
    pub progress: Option<f32>,
    /// When it was accepted.
    pub submitted: Time,
    /// When its current attempt began.
    pub began: Option<Time>,
    /// When it ended.
    pub ended: Option<Time>,
    /// Why it failed.
    pub error: Option<&'a Error>,
}

impl Record {
    pub(super) fn new(now: Time, kept: &Kept, lane: LaneId) -> Self {
        Self {
            id: kept.job,
            listener: kept.listener,
            lane,
            session: kept.session,
            priority: kept.priority,
            after: kept.after,
            state: JobState::Waiting,
            slot: None,
            stopping: None,
            attempt: kept.next_attempt(),
            retries: kept.retries,
            interrupts: kept.interrupts,
            due: None,
            submitted: now,
            began: None,
            ended: None,
            progress: None,
            error: None,
        }
    }

    /// What facts say of it, with the last attempt that was given a slot.
    pub(super) fn kept(&self, attempt: Option<Attempt>) -> Kept {
        Kept {
            job: self.id,
            listener: self.listener,
            session: self.session,
            priority: self.priority,
            after: self.after,
            started: attempt.is_some(),
            attempt,
            retries: self.retries,
            interrupts: self.interrupts,
            cancelling: self.stopping == Some(Stopping::Cancel),
        }
    }

    pub(super) fn stand(&self) -> Stand {
        Stand { priority: self.priority, session: self.session }
    }

    pub(super) fn view(&self) -> JobView<'_> {
        JobView {
            id: self.id,
            listener: self.listener,
            lane: self.lane,
            session: self.session,
            priority: self.priority,
            after: self.after,
            state: self.state,
            starting: self.state == JobState::Waiting && self.slot.is_some(),
            stopping: self.stopping.is_some() && self.ended.is_none(),
            attempt: self.attempt,
            due: self.due,
            progress: self.progress,
            submitted: self.submitted,
            began: self.began,
            ended: self.ended,
            error: self.error.as_ref(),
        }
    }
}

/// Ids are counted up by the queue itself or drawn at random, so nobody can choose them to collide: one multiplication
/// mixes enough.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = (self.0 ^ id).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}

pub(super) type Records = std::collections::HashMap<JobId, Record, BuildHasherDefault<IdHasher>>;
