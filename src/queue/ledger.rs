//! Facts read back: which jobs had not ended, and in which order they waited.

use super::fact::{Fact, Kept};
use super::record::JobState;
use super::row::{Row, Stand};
use super::{End, QueueConfig};
use crate::ids::{Attempt, JobId, LaneId};
use crate::value::SortedMap;

/// What facts come to. Add them in order; then a queue takes up [`Ledger::jobs`].
///
/// ```
/// use gradus::ids::{JobId, LaneId, ListenerId, SessionId};
/// use gradus::queue::{Fact, LaneConfig, Ledger, ListenerConfig, QueueConfig};
/// let config = QueueConfig::new(vec![LaneConfig::new("lane", 1)], vec![ListenerConfig::new(LaneId(0))]);
/// let mut ledger = Ledger::new(&config);
/// let (job, listener, session) = (JobId(3), ListenerId(0), SessionId(1));
/// ledger.add(&Fact::Accepted { job, listener, session, priority: 0, after: None });
/// assert_eq!(ledger.jobs()[0].job, job);
/// assert_eq!(ledger.next_job(), 4);
/// ```
#[derive(Debug)]
pub struct Ledger {
    lane_of: Vec<LaneId>,
    rows: Vec<Row>,
    paused: Vec<bool>,
    jobs: SortedMap<JobId, Kept>,
    next_job: u64,
}

impl Ledger {
    /// An empty ledger of a queue that is set up so.
    #[must_use]
    pub fn new(config: &QueueConfig) -> Self {
        Self {
            lane_of: config.listeners.iter().map(|listener| listener.lane).collect(),
            rows: config.lanes.iter().map(|_| Row::default()).collect(),
            paused: vec![false; config.lanes.len()],
            jobs: SortedMap::default(),
            next_job: 1,
        }
    }

    /// Adds a fact. One that does not fit the others (of a job that is not there) changes nothing.
    pub fn add(&mut self, fact: &Fact) {
        match *fact {
            Fact::Accepted { job, listener, session, priority, after } => {
                self.next_job = self.next_job.max(job.0.saturating_add(1));
                let kept = Kept::new(job, listener, session, priority, after);
                if let Some(row) = self.row_of(&kept) {
                    row.push(Stand { priority, session }, job);
                    self.jobs.insert(job, kept);
                }
            }
            Fact::Started { job, attempt } => {
                self.leave_row(job, true);
                if let Some(kept) = self.jobs.get_mut(&job) {
                    kept.attempt = Some(attempt);
                    kept.started = true;
                }
            }
            Fact::Retried { job } => {
                if let Some(kept) = self.jobs.get_mut(&job) {
                    kept.retries = kept.retries.saturating_add(1);
                    kept.started = false;
                }
            }
            Fact::Interrupted { job } => {
                if let Some(kept) = self.jobs.get_mut(&job) {
                    kept.interrupts = kept.interrupts.saturating_add(1);
                    kept.started = false;
                }
            }
            Fact::Cancelling { job } => {
                if let Some(kept) = self.jobs.get_mut(&job) {
                    kept.cancelling = true;
                }
            }
            Fact::Ended { job, .. } => {
                self.leave_row(job, false);
                self.jobs.remove(&job);
            }
            Fact::Moved { job, to } => {
                let Some(kept) = self.jobs.get(&job) else { return };
                let stand = Stand { priority: kept.priority, session: kept.session };
                let Some(row) = self.lane_of.get(kept.listener.0 as usize).map(|lane| lane.0 as usize) else { return };
                let moved = self.rows.get_mut(row).and_then(|row| row.shift(stand, job, to));
                if let (Some(stand), Some(kept)) = (moved, self.jobs.get_mut(&job)) {
                    kept.priority = stand.priority;
                }
            }
            Fact::Paused { lane, paused } => {
                if let Some(state) = self.paused.get_mut(lane.0 as usize) {
                    *state = paused;
                }
            }
        }
    }

    /// Adds a job as an earlier ledger had it.
    pub fn add_kept(&mut self, kept: Kept) {
        self.next_job = self.next_job.max(kept.job.0.saturating_add(1));
        let (job, stand) = (kept.job, Stand { priority: kept.priority, session: kept.session });
        let waits = kept.attempt.is_none();
        if let Some(row) = self.row_of(&kept) {
            if waits {
                row.push(stand, job);
            }
            self.jobs.insert(job, kept);
        }
    }

    fn row_of(&mut self, kept: &Kept) -> Option<&mut Row> {
        let lane = self.lane_of.get(kept.listener.0 as usize)?;
        self.rows.get_mut(lane.0 as usize)
    }

    fn leave_row(&mut self, job: JobId, by_start: bool) {
        let Some(kept) = self.jobs.get(&job).cloned() else { return };
        let Some(row) = self.row_of(&kept) else { return };
        let stand = Stand { priority: kept.priority, session: kept.session };
        if by_start {
            row.start(stand, job);
        } else {
            row.remove(stand, job);
        }
    }

    /// The jobs that have not ended: those that were begun, then those that wait, in order.
    #[must_use]
    pub fn jobs(&self) -> Vec<Kept> {
        let begun = self.jobs.values().filter(|kept| kept.attempt.is_some());
        let waiting = self.rows.iter().flat_map(Row::iter).filter_map(|job| self.jobs.get(&job));
        begun.chain(waiting).cloned().collect()
    }

    /// A job that has not ended.
    #[must_use]
    pub fn job(&self, job: JobId) -> Option<&Kept> {
        self.jobs.get(&job)
    }

    /// Whether a job has not ended.
    #[must_use]
    pub fn has(&self, job: JobId) -> bool {
        self.jobs.contains_key(&job)
    }

    /// The lanes that were paused.
    pub fn paused(&self) -> impl Iterator<Item = LaneId> + '_ {
        (0u32..).map(LaneId).zip(&self.paused).filter(|(_, paused)| **paused).map(|(lane, _)| lane)
    }

    /// The first id that no job has had.
    #[must_use]
    pub fn next_job(&self) -> u64 {
        self.next_job
    }
}

impl End {
    /// The state of a job that ended so.
    #[must_use]
    pub fn state(&self) -> JobState {
        match self {
            Self::Done => JobState::Done,
            Self::Failed(_) => JobState::Failed,
            Self::Cancelled => JobState::Cancelled,
        }
    }
}

impl Kept {
    /// The attempt that comes next.
    #[must_use]
    pub fn next_attempt(&self) -> Attempt {
        self.attempt.map_or(Attempt(1), |attempt| Attempt(attempt.0.saturating_add(1)))
    }
}
