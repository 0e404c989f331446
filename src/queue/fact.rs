//! What of the queue is worth keeping: facts in the order in which they came true, and the queue made of them again.

use serde::{Deserialize, Serialize};

use super::{End, Move, Queue};
use crate::ids::{Attempt, JobId, LaneId, ListenerId, SessionId};
use crate::value::{Error, Time};

/// Something that came true. Written down in order, they give the queue again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// A job was accepted.
    Accepted {
        /// Which.
        job: JobId,
        /// Whose run it is.
        listener: ListenerId,
        /// Who submitted it.
        session: SessionId,
        /// Higher starts first.
        priority: i32,
        /// The job whose end set it off.
        after: Option<JobId>,
    },
    /// An attempt was given a slot.
    Started {
        /// Whose.
        job: JobId,
        /// Which.
        attempt: Attempt,
    },
    /// An attempt failed by nobody's fault, and another will follow.
    Retried {
        /// Whose.
        job: JobId,
    },
    /// An attempt's page went away.
    Interrupted {
        /// Whose.
        job: JobId,
    },
    /// A cancel was asked for while it ran.
    Cancelling {
        /// Whose.
        job: JobId,
    },
    /// A job ended.
    Ended {
        /// Which.
        job: JobId,
        /// How.
        end: End,
        /// How long the last attempt ran, in microseconds; 0 when none began.
        took: u64,
    },
    /// The visitor moved a job.
    Moved {
        /// Which.
        job: JobId,
        /// Where to.
        to: Move,
    },
    /// A lane was stopped or let go on.
    Paused {
        /// Which.
        lane: LaneId,
        /// Stopped.
        paused: bool,
    },
}

/// A job that had not ended, as facts tell it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Which.
    pub job: JobId,
    /// Whose run it is.
    pub listener: ListenerId,
    /// Who submitted it.
    pub session: SessionId,
    /// Higher starts first.
    pub priority: i32,
    /// The job whose end set it off.
    pub after: Option<JobId>,
    /// The last attempt that was given a slot, if any was.
    pub attempt: Option<Attempt>,
    /// An attempt was under way.
    pub started: bool,
    /// Failures that were nobody's fault.
    pub retries: u32,
    /// Pages that went away under it.
    pub interrupts: u32,
    /// A cancel was asked for.
    pub cancelling: bool,
}

impl Kept {
    /// A job that was just accepted.
    #[must_use]
    pub fn new(job: JobId, listener: ListenerId, session: SessionId, priority: i32, after: Option<JobId>) -> Self {
        Self {
            job,
            listener,
            session,
            priority,
            after,
            attempt: None,
            started: false,
            retries: 0,
            interrupts: 0,
            cancelling: false,
        }
    }
}

impl Queue {
    /// The next fact to be written down; those of one `handle_*` call belong into one write.
    pub fn poll_fact(&mut self) -> Option<Fact> {
        self.facts.pop_front()
    }

    /// Takes up what an earlier page left, in the order in which it waited. Attempts that were under way are
    /// interrupted: they begin again before all others, until that has happened too often. No id at or above
    /// `next_job` was used.
    ///
    /// To be called before anything else; jobs of listeners that do not exist are left out.
    pub fn restore(&mut self, now: Time, jobs: Vec<Kept>, next_job: u64) {
        self.now = now;
        self.next_job = self.next_job.max(next_job);
        let mut over = Vec::new();
        for kept in jobs {
            self.next_job = self.next_job.max(kept.job.0 + 1);
            let Some(config) = self.listeners.get(kept.listener.0 as usize) else { continue };
            let lane_id = config.lane;
            let mut record = super::record::Record::new(now, &kept, lane_id);
            if kept.cancelling {
                record.stopping = Some(super::record::Stopping::Cancel);
            }
            let was_begun = kept.attempt.is_some();
            self.records.insert(kept.job, record);
            if kept.cancelling {
                // Nothing of it runs any more, so the cancel is through.
                over.push((kept.job, End::Cancelled));
            } else if !was_begun {
                self.line_up(kept.job);
            } else if let Some(end) = self.take_up(now, &kept) {
                over.push((kept.job, end));
            }
        }
        // What these ends set off comes behind all that waited.
        for (job, end) in over {
            self.finish(now, job, end);
        }
    }

    /// Lets what ran begin again; its end, if it is given up.
    fn take_up(&mut self, now: Time, kept: &Kept) -> Option<End> {
        let record = self.records.get_mut(&kept.job)?;
        if kept.started {
            record.interrupts += 1;
            self.facts.push_back(Fact::Interrupted { job: kept.job });
        }
        if record.interrupts > self.max_interrupts {
            let times = record.interrupts;
            let why = format!("The page went away {times} times while this ran, so it was given up. Try again.");
            return Some(End::Failed(Error::of(crate::value::ErrorKind::Interrupted, why)));
        }
        self.line_up_again(kept.job, now);
        None
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use super::super::{Batch, Effect, LaneConfig, Link, ListenerConfig, QueueConfig};
    use super::*;

    /// One lane with one slot, of a listener that is set up so.
    fn queue(listener: ListenerConfig) -> Queue {
        Queue::new(QueueConfig::new(vec![LaneConfig::new("lane", 1)], vec![listener]))
    }

    fn kept(job: u64) -> Kept {
        Kept::new(JobId(job), ListenerId(0), SessionId(1), 0, None)
    }

    #[test]
    fn what_waits_for_a_batch_after_a_reload_wakes_the_queue() {
        let batch = NonZeroUsize::new(4).map(|most| Batch { most, wait: Duration::from_millis(50) });
        let mut queue = queue(ListenerConfig { batch, ..ListenerConfig::new(LaneId(0)) });
        queue.restore(Time::ZERO, vec![kept(1)], 2);
        assert_eq!(queue.poll_effect(), None, "it waits for more");
        let due = Time::from_millis(50);
        assert_eq!(queue.next_time(), Some(due));
        queue.handle_time(due);
        assert_eq!(queue.poll_effect(), Some(Effect::Start { job: JobId(1), attempt: Attempt(1) }));
    }

    #[test]
    fn what_a_reload_sets_off_comes_behind_what_waited() {
        let links = vec![(Link::Then, ListenerId(0))];
        let mut queue = queue(ListenerConfig { links, ..ListenerConfig::new(LaneId(0)) });
        let cancelled = Kept { attempt: Some(Attempt(1)), started: true, cancelling: true, ..kept(1) };
        let given_up = Kept { attempt: Some(Attempt(4)), started: true, interrupts: 3, ..kept(2) };
        queue.restore(Time::ZERO, vec![cancelled, given_up, kept(3)], 4);
        assert_eq!(queue.waiting_jobs(LaneId(0)).collect::<Vec<_>>(), [JobId(3), JobId(4), JobId(5)]);
    }
}
