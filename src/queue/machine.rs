use std::collections::VecDeque;

use super::estimate::Runs;
use super::lane::{Lane, ListenerConfig, QueueConfig};
use super::record::{JobState, JobView, Record, Records};
use super::{Accepted, Cancelled, Effect, End, WorkerEvent};
use crate::ids::{Attempt, JobId, LaneId, ListenerId, SessionId};
use crate::value::{Error, ErrorKind, Time};

/// The queue. See the [module](super) for how to drive it and what it promises.
///
/// ```
/// use gradus::ids::{Attempt, LaneId, ListenerId, SessionId};
/// use gradus::queue::{Effect, LaneConfig, ListenerConfig, Queue, QueueConfig};
/// use gradus::value::Time;
///
/// let mut queue = Queue::new(QueueConfig {
///     lanes: vec![LaneConfig { name: "gpu_queue".into(), count: std::num::NonZeroUsize::new(1) }],
///     listeners: vec![ListenerConfig { lane: LaneId(0) }],
///     history: 200,
/// });
/// let first = queue.handle_submit(Time::ZERO, ListenerId(0), SessionId(1));
/// let second = queue.handle_submit(Time::ZERO, ListenerId(0), SessionId(1));
/// assert_eq!(queue.poll_effect(), Some(Effect::Start { job: first, attempt: Attempt(1) }));
/// assert_eq!(queue.poll_effect(), None);
/// assert_eq!(queue.position(second), Some(2));
/// ```
#[derive(Debug)]
pub struct Queue {
    pub(super) lanes: Vec<Lane>,
    listeners: Vec<ListenerConfig>,
    pub(super) runs: Vec<Runs>,
    /// The jobs that have not ended.
    pub(super) records: Records,
    history: VecDeque<Record>,
    history_most: usize,
    effects: VecDeque<Effect>,
    next_job: u64,
    /// The lane whose turn it is to start.
    turn: usize,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(config: QueueConfig) -> Self {
        Self {
            lanes: config.lanes.into_iter().map(Lane::new).collect(),
            runs: vec![Runs::default(); config.listeners.len()],
            listeners: config.listeners,
            records: Records::default(),
            history: VecDeque::new(),
            history_most: config.history,
            effects: VecDeque::new(),
            next_job: 1,
            turn: 0,
        }
    }

    // Inputs.

    /// Accepts a job. A job of a listener that does not exist fails at once.
    pub fn handle_submit(&mut self, now: Time, listener: ListenerId, session: SessionId) -> JobId {
        let id = JobId(self.next_job);
        self.next_job += 1;
        let lane = self.listeners.get(listener.0 as usize).map(|config| config.lane);
        let mut record = Record {
            id,
            listener,
            lane: lane.unwrap_or(LaneId(0)),
            session,
            state: JobState::Waiting,
            started: false,
            stopping: false,
            lost_device: false,
            attempt: Attempt(1),
            submitted: now,
            began: None,
            ended: None,
            progress: None,
            error: None,
        };
        match lane.and_then(|lane| self.lanes.get_mut(lane.0 as usize)) {
            Some(lane) => {
                lane.waiting.push_back(id);
                self.records.insert(id, record);
            }
            None => {
                record.ended = Some(now);
                self.end(record, End::Failed(Error::new("This app has no such listener. Reload the page.")));
            }
        }
        id
    }

    /// Takes a worker's news of an attempt.
    pub fn handle_worker(&mut self, now: Time, job: JobId, attempt: Attempt, event: WorkerEvent) -> Accepted {
        let Some(record) = self.records.get_mut(&job) else { return Accepted::Stale };
        if record.attempt != attempt || !record.started {
            return Accepted::Stale;
        }
        match event {
            WorkerEvent::Began => {
                if record.began.is_some() {
                    return Accepted::Stale;
                }
                record.began = Some(now);
                record.state = JobState::Running;
                if let Some(lane) = self.lanes.get_mut(record.lane.0 as usize) {
                    lane.begin(job);
                }
            }
            WorkerEvent::Progress(share) => {
                // Never backwards within an attempt, whatever a handler says.
                let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
                record.progress = Some(record.progress.map_or(share, |before| before.max(share)));
            }
            WorkerEvent::Done => self.finish(now, job, End::Done),
            WorkerEvent::Failed(error) => self.failed(now, job, error),
            WorkerEvent::Stopped => self.finish(now, job, End::Cancelled),
            WorkerEvent::Lost => self.run_again(now, job),
        }
        Accepted::Yes
    }

    /// Records a cancel.
    pub fn handle_cancel(&mut self, now: Time, job: JobId) -> Cancelled {
        let Some(record) = self.records.get_mut(&job) else {
            let ended = self.history.iter().any(|record| record.id == job);
            return if ended { Cancelled::TooLate } else { Cancelled::Unknown };
        };
        if record.started {
            if !record.stopping {
                record.stopping = true;
                self.effects.push_back(Effect::Stop { job, attempt: record.attempt });
            }
            return Cancelled::Asked;
        }
        self.finish(now, job, End::Cancelled);
        Cancelled::Now
    }

    // Outputs.

    /// The next thing to be done; see the [module](super).
    pub fn poll_effect(&mut self) -> Option<Effect> {
        if let Some(effect) = self.effects.pop_front() {
            return Some(effect);
        }
        for step in 0..self.lanes.len() {
            let index = (self.turn + step) % self.lanes.len();
            if let Some(job) = self.lanes[index].start_next() {
                self.turn = (index + 1) % self.lanes.len();
                let record = self.records.get_mut(&job)?;
                record.started = true;
                return Some(Effect::Start { job, attempt: record.attempt });
            }
        }
        None
    }

    // Getters.

    /// A job that has not ended, or that the history still has.
    #[must_use]
    pub fn job(&self, job: JobId) -> Option<JobView<'_>> {
        let ended = || self.history.iter().rev().find(|record| record.id == job);
        self.records.get(&job).or_else(ended).map(Record::view)
    }

    /// The jobs of a lane that run, in the order in which they began.
    pub fn running(&self, lane: LaneId) -> impl Iterator<Item = JobId> + '_ {
        self.lanes.get(lane.0 as usize).into_iter().flat_map(|lane| lane.running.iter().copied())
    }

    /// The jobs of a lane that wait, next first.
    pub fn waiting_jobs(&self, lane: LaneId) -> impl Iterator<Item = JobId> + '_ {
        let lane = self.lanes.get(lane.0 as usize);
        lane.into_iter().flat_map(|lane| lane.starting.iter().chain(&lane.waiting).copied())
    }

    /// How many jobs of a lane wait.
    #[must_use]
    pub fn waiting(&self, lane: LaneId) -> usize {
        self.lanes.get(lane.0 as usize).map_or(0, |lane| lane.starting.len() + lane.waiting.len())
    }

    /// How many slots of a lane are taken.
    #[must_use]
    pub fn busy(&self, lane: LaneId) -> usize {
        self.lanes.get(lane.0 as usize).map_or(0, Lane::busy)
    }

    /// The place of a waiting job; 1 is next.
    #[must_use]
    pub fn position(&self, job: JobId) -> Option<usize> {
        let record = self.records.get(&job)?;
        self.lanes.get(record.lane.0 as usize)?.position(job)
    }

    /// The jobs that ended last, oldest first.
    pub fn history(&self) -> impl Iterator<Item = JobView<'_>> {
        self.history.iter().map(Record::view)
    }

    // Transitions.

    fn failed(&mut self, now: Time, job: JobId, error: Error) {
        let Some(record) = self.records.get_mut(&job) else { return };
        if error.kind() != ErrorKind::DeviceLost || record.stopping {
            return self.finish(now, job, End::Failed(error));
        }
        if record.lost_device {
            let twice = format!("The GPU was lost twice under this job, so it was given up. {error}");
            return self.finish(now, job, End::Failed(Error::of(ErrorKind::DeviceLost, twice)));
        }
        record.lost_device = true;
        self.run_again(now, job);
    }

    /// Starts another attempt in the same slot. A job that had begun goes on being shown as running: back in the row
    /// it would make everybody's position grow.
    fn run_again(&mut self, now: Time, job: JobId) {
        let Some(record) = self.records.get_mut(&job) else { return };
        if record.stopping {
            return self.finish(now, job, End::Cancelled);
        }
        record.attempt = Attempt(record.attempt.0 + 1);
        record.progress = None;
        record.began = None;
        self.effects.push_back(Effect::Start { job, attempt: record.attempt });
    }

    fn finish(&mut self, now: Time, job: JobId, end: End) {
        let Some(mut record) = self.records.remove(&job) else { return };
        if let Some(lane) = self.lanes.get_mut(record.lane.0 as usize) {
            if record.started {
                lane.free(job);
            } else {
                lane.leave(job);
            }
        }
        let end = if record.stopping { End::Cancelled } else { end };
        if let (End::Done, Some(began), Some(runs)) =
            (&end, record.began, self.runs.get_mut(record.listener.0 as usize))
        {
            runs.add(now.since(began));
        }
        record.ended = Some(now);
        self.end(record, end);
    }

    fn end(&mut self, mut record: Record, end: End) {
        record.state = match &end {
            End::Done => JobState::Done,
            End::Failed(_) => JobState::Failed,
            End::Cancelled => JobState::Cancelled,
        };
        if let End::Failed(error) = &end {
            record.error = Some(error.clone());
        }
        self.effects.push_back(Effect::Ended { job: record.id, end });
        if self.history.len() >= self.history_most {
            self.history.pop_front();
        }
        if self.history_most > 0 {
            self.history.push_back(record);
        }
    }
}
