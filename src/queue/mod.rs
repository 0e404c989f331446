//! The queue, sans-IO: lanes, slots, jobs, attempts, chains and estimates as a state machine.
//!
//! PURE. May name `value` and `ids`. Time comes in as an argument; what is to be done comes out as [`Effect`]s, what is
//! to be written down as [`Fact`]s.
//!
//! **How to drive it.** After every `handle_*` call, take [`Queue::poll_effect`] until it gives `None`, in order: it
//! gives first what the call brought about (ends, chained jobs, stops, restarts), then starts, lane by lane in turn, for
//! as long as a slot is free and work waits. Then take [`Queue::poll_fact`] until `None` and write those down together;
//! a start is to be acted on once the facts before it are written. Call [`Queue::handle_time`] at
//! [`Queue::next_time`].
//!
//! **What it promises.** A job that was accepted is stored before its promise resolves. It runs at least once; its
//! result is recorded at most once for each (job, attempt). Never do more than `concurrency_count` jobs of one
//! `concurrency_id` run at the same time in the origin, over all its tabs and workers, not even after a cancel, a crash,
//! a reload or a frozen tab. Every accepted job reaches exactly one end (done, failed, cancelled) or stays visibly
//! waiting. A recorded cancel wins over a later completion. Order is FIFO inside a session and priority of a lane; a
//! position grows only when the user reorders. Nothing grows with finished jobs but a history of stated size.
//!
//! What of this the state machine keeps by itself, as absences:
//! - `queue` never has more jobs (a batch is one) in a lane's slots than its count, and never leaves a slot free while
//!   work waits that may start.
//! - A slot is never freed by asking for a cancel, only by the news that the work is over.
//! - Jobs of one session and priority of a lane never start in another order than they were accepted, unless moved.
//! - A session's jobs never keep another session's first job of the same priority waiting for more than one start.
//! - A job never ends twice, and never ends as done once a cancel was recorded.
//! - News of another attempt than the current one never changes anything.
//! - A position (the place among the jobs of one's own session and priority) never grows, unless moved.
//! - A chain never stops because a link before it failed or was cancelled, unless its own link says so.
//! - Nothing ever grows with the number of ended jobs but a history of stated size.

mod config;
mod ends;
mod estimate;
mod fact;
mod lane;
mod ledger;
mod machine;
mod record;
mod replica;
mod row;

pub use config::{Batch, LaneConfig, Link, ListenerConfig, QueueConfig};
pub use estimate::Runs;
pub use fact::{Fact, Kept};
pub use ledger::Ledger;
pub use machine::Queue;
pub use record::{JobState, JobView};
pub use row::Move;

use serde::{Deserialize, Serialize};

use crate::ids::{Attempt, JobId, ListenerId};
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
    /// Give these attempts to a worker as one call; they share a slot.
    StartBatch {
        /// The jobs and their attempts.
        jobs: Vec<(JobId, Attempt)>,
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
    /// The end of a job set this one off, which is accepted.
    Chained {
        /// The job that ended.
        after: JobId,
        /// The new one.
        job: JobId,
        /// Whose run it is.
        listener: ListenerId,
    },
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum End {
    /// With a result.
    Done,
    /// With an error.
    Failed(Error),
    /// By a cancel.
    Cancelled,
}

/// Why a job was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    /// As many wait as may.
    Full {
        /// So many wait.
        waiting: usize,
        /// So many may.
        most: usize,
    },
    /// There is no such listener.
    NoListener,
    /// A newer build of the page has the queue, in another tab.
    Retired,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full { waiting, most } => {
                write!(f, "The queue is full: {waiting} wait and {most} may. Try again when one has ended.")
            }
            Self::NoListener => f.write_str("This app has no such listener. Reload the page."),
            Self::Retired => {
                f.write_str("Another version of this page is open in another tab and has the queue. Reload this one.")
            }
        }
    }
}

impl std::error::Error for Refused {}

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

/// Faults that tests plant to see that they find them; without the feature `faults` none can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A lane starts one job more than its count.
    LimitOffByOne,
    /// A slot is free as soon as a cancel is asked for.
    SlotFreedOnCancel,
    /// News of an earlier attempt count.
    StaleAttemptAccepted,
    /// A completion wins over a recorded cancel.
    DoneOverCancel,
    /// The history has no end.
    HistoryGrows,
    /// A chain stops at a cancel.
    LostChain,
    /// A call takes one job more than it may.
    BatchTooLarge,
    /// A call that is not full begins at once.
    BatchWaitsForNone,
    /// Nobody looks at limits of time.
    TimeLimitForgotten,
    /// A completion wins over a limit of time that was reached.
    DoneOverTimeLimit,
    /// As many may wait in all lanes together as may in each.
    LimitInAllForgotten,
}
