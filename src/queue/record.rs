use std::hash::{BuildHasherDefault, Hasher};

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

/// All that the queue knows of a job.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: JobId,
    pub(super) listener: ListenerId,
    pub(super) lane: LaneId,
    pub(super) session: SessionId,
    pub(super) state: JobState,
    /// It has a slot.
    pub(super) started: bool,
    /// A cancel was recorded.
    pub(super) stopping: bool,
    /// The GPU was lost under it before.
    pub(super) lost_device: bool,
    pub(super) attempt: Attempt,
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
    /// Where it is.
    pub state: JobState,
    /// It waits, but has a slot already: it waits for a worker.
    pub starting: bool,
    /// A cancel was recorded, and its work is not over.
    pub stopping: bool,
    /// Which attempt, from 1.
    pub attempt: Attempt,
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
    pub(super) fn view(&self) -> JobView<'_> {
        JobView {
            id: self.id,
            listener: self.listener,
            lane: self.lane,
            session: self.session,
            state: self.state,
            starting: self.state == JobState::Waiting && self.started,
            stopping: self.stopping && self.ended.is_none(),
            attempt: self.attempt,
            progress: self.progress,
            submitted: self.submitted,
            began: self.began,
            ended: self.ended,
            error: self.error.as_ref(),
        }
    }
}

/// Ids are counted up by the queue itself, so nobody can choose them to collide: one multiplication mixes enough.
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
