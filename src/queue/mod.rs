//! The queue, sans-IO: lanes, slots, jobs, attempts and estimates as a state machine.
//!
//! PURE. May name `value` and `ids`. Time comes in as an argument; what is to be done comes out as [`Effect`]s.
//!
//! **How to drive it.** After every `handle_*` call, take [`Queue::poll_effect`] until it gives `None`, in order: it
//! gives first what the call brought about (ends, stops, restarts), then starts, lane by lane in turn, for as long as
//! a slot is free and work waits.
//!
//! **What it promises.**
//! - `queue` never has more jobs in a lane's slots than its count, and never leaves a slot free while work waits.
//! - A slot is never freed by asking for a cancel, only by the news that the work is over.
//! - Jobs of a lane never start in another order than they were accepted.
//! - A job never ends twice, and never ends as done once a cancel was recorded.
//! - News of another attempt than the current one never changes anything.
//! - A position never grows.
//! - Nothing ever grows with the number of ended jobs but a history of stated size.

mod estimate;
mod lane;
mod machine;
mod record;

pub use lane::{LaneConfig, ListenerConfig, QueueConfig};
pub use machine::Queue;
pub use record::{JobState, JobView};

use crate::ids::{Attempt, JobId};
use crate::value::Error;

/// What a worker says of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerEvent {
    /// The handler was called.
    Began,
    /// The share done, 0 to 1.
    Progress(f32),
    /// It gave its result.
    Done,
    /// It gave an error.
    Failed(Error),
    /// It was cancelled, and nothing of it computes any more.
    Stopped,
    /// Its worker is gone by no fault of this job: it runs again.
    Lost,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Give this attempt to a worker; its slot is taken.
    Start {
        /// The job.
        job: JobId,
        /// The attempt.
        attempt: Attempt,
    },
    /// Stop this attempt, and say [`WorkerEvent::Stopped`] when it is over.
    Stop {
        /// The job.
        job: JobId,
        /// The attempt.
        attempt: Attempt,
    },
    /// This job has ended; it will not be heard of again.
    Ended {
        /// The job.
        job: JobId,
        /// How.
        end: End,
    },
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// With a result.
    Done,
    /// With an error.
    Failed(Error),
    /// By a cancel.
    Cancelled,
}

/// Whether news were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// They were.
    Yes,
    /// They were of another attempt, of a job that has ended, or of none.
    Stale,
}

/// What became of a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// The job waited, and has ended.
    Now,
    /// The job has a slot; it ends when its work is over.
    Asked,
    /// The job had ended before.
    TooLate,
    /// There is no such job, or its end is longer ago than the history reaches.
    Unknown,
}
