//! The state machine itself: what comes in, what it decides, what it gives out.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::config::{ListenerConfig, QueueConfig};
use super::estimate::Runs;
use super::fact::{Fact, Kept};
use super::lane::Lane;
use super::record::{JobState, JobView, Record, Records, Stopping};
use super::{Accepted, Cancelled, Effect, End, Fault, Move, Refused, WorkerEvent};
use crate::ids::{Attempt, JobId, LaneId, ListenerId, SessionId};
use crate::value::{SortedMap, Time};

/// When to look again, and at whose time limit, if at any.
type Alarm = (Time, Option<(JobId, Attempt)>);

/// The queue. See the [module](super) for how to drive it and what it promises.
///
/// ```
/// use gradus::ids::{Attempt, LaneId, ListenerId, SessionId};
/// use gradus::queue::{Effect, LaneConfig, ListenerConfig, Queue, QueueConfig};
/// use gradus::value::Time;
///
/// let lanes = vec![LaneConfig::new("gpu_queue", 1)];
/// let mut queue = Queue::new(QueueConfig::new(lanes, vec![ListenerConfig::new(LaneId(0))]));
/// let first = queue.handle_submit(Time::ZERO, ListenerId(0), SessionId(1), 0)?;
/// let second = queue.handle_submit(Time::ZERO, ListenerId(0), SessionId(1), 0)?;
/// assert_eq!(queue.poll_effect(), Some(Effect::Start { job: first, attempt: Attempt(1) }));
/// assert_eq!(queue.poll_effect(), None);
/// assert_eq!(queue.position(second), Some(1));
/// # Ok::<(), gradus::queue::Refused>(())
/// ```
#[derive(Debug)]
pub struct Queue {
    pub(super) lanes: Vec<Lane>,
    pub(super) listeners: Vec<ListenerConfig>,
    pub(super) runs: Vec<Runs>,
    /// The jobs that have not ended.
    pub(super) records: Records,
    pub(super) history: VecDeque<Record>,
    pub(super) history_most: usize,
    pub(super) effects: VecDeque<Effect>,
    pub(super) facts: VecDeque<Fact>,
    pub(super) next_job: u64,
    pub(super) max_interrupts: u32,
    /// Jobs in each slot that is taken.
    pub(super) slots: SortedMap<u64, usize>,
    /// When something is to be looked at again, whatever became of it meanwhile.
    pub(super) alarms: BinaryHeap<Reverse<Alarm>>,
    /// It follows another queue and starts nothing.
    pub(super) replica: bool,
    max_waiting: Option<usize>,
    pub(super) next_slot: u64,
    /// The lane whose turn it is to start.
    turn: usize,
    pub(super) now: Time,
    #[cfg(feature = "faults")]
    fault: Option<Fault>,
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
            facts: VecDeque::new(),
            next_job: 1,
            max_interrupts: config.max_interrupts,
            slots: SortedMap::default(),
            alarms: BinaryHeap::new(),
            replica: false,
            max_waiting: config.max_waiting,
            next_slot: 0,
            turn: 0,
            now: Time::ZERO,
            #[cfg(feature = "faults")]
            fault: config.fault,
        }
    }

    /// Whether this fault was planted; never outside of tests.
    #[cfg(feature = "faults")]
    pub(super) fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    #[cfg(not(feature = "faults"))]
    #[allow(clippy::unused_self, reason = "the same call as under test")]
    pub(super) const fn has(&self, _: Fault) -> bool {
        false
    }

    // Inputs.

    /// Accepts a job, `raise` above its listener's priority.
    ///
    /// # Errors
    /// [`Refused`] when too many wait already, or there is no such listener.
    pub fn handle_submit(
        &mut self,
        now: Time,
        listener: ListenerId,
        session: SessionId,
        raise: i32,
    ) -> Result<JobId, Refused> {
        self.now = now;
        let priority = self.room(listener)?.priority.saturating_add(raise);
        Ok(self.accept(now, listener, session, priority, None))
    }

    /// Whether a submit would be accepted now.
    #[must_use]
    pub fn has_room(&self, listener: ListenerId) -> bool {
        self.room(listener).is_ok()
    }

    /// The listener, where its lane and the whole have room.
    fn room(&self, listener: ListenerId) -> Result<&ListenerConfig, Refused> {
        let config = self.listeners.get(listener.0 as usize).ok_or(Refused::NoListener)?;
        let lane = self.lanes.get(config.lane.0 as usize).ok_or(Refused::NoListener)?;
        if !lane.config.beside {
            let in_lane = lane.config.max_waiting.map(|most| (most, lane.waiting()));
            let in_all = self.max_waiting.filter(|_| !self.has(Fault::LimitInAllForgotten));
            let in_all = in_all.map(|most| (most, self.waiting_in_all()));
            if let Some((most, waiting)) = [in_lane, in_all].into_iter().flatten().find(|(most, now)| now >= most) {
                return Err(Refused::Full { waiting, most });
            }
        }
        Ok(config)
    }

    fn waiting_in_all(&self) -> usize {
        self.lanes.iter().filter(|lane| !lane.config.beside).map(Lane::waiting).sum()
    }

    pub(super) fn accept(
        &mut self,
        now: Time,
        listener: ListenerId,
        session: SessionId,
        priority: i32,
        after: Option<JobId>,
    ) -> JobId {
        let job = JobId(self.next_job);
        self.next_job += 1;
        let Some(config) = self.listeners.get(listener.0 as usize) else { return job };
        let kept = Kept::new(job, listener, session, priority, after);
        self.records.insert(job, Record::new(now, &kept, config.lane));
        self.facts.push_back(Fact::Accepted { job, listener, session, priority, after });
        self.line_up(job);
        job
    }

    /// Puts a job into its lane's row.
    pub(super) fn line_up(&mut self, job: JobId) {
        let Some(record) = self.records.get(&job) else { return };
        if let Some(lane) = self.lanes.get_mut(record.lane.0 as usize) {
            lane.row.push(record.stand(), job);
        }
        if let Some(batch) = self.listeners.get(record.listener.0 as usize).and_then(|own| own.batch) {
            self.alarms.push(Reverse((record.submitted + batch.wait, None)));
        }
    }

    /// Takes a worker's news of an attempt.
    pub fn handle_worker(&mut self, now: Time, job: JobId, attempt: Attempt, event: WorkerEvent) -> Accepted {
        self.now = now;
        let accepts_stale = self.has(Fault::StaleAttemptAccepted);
        let takes_any_time = self.has(Fault::TimeLimitForgotten);
        let Some(record) = self.records.get_mut(&job) else { return Accepted::Stale };
        if (record.attempt != attempt && !accepts_stale) || record.slot.is_none() {
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
                if let Some(limit) = self.listeners.get(record.listener.0 as usize).and_then(|own| own.time_limit)
                    && !takes_any_time
                {
                    self.alarms.push(Reverse((now + limit, Some((job, attempt)))));
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
        self.now = now;
        let frees_at_once = self.has(Fault::SlotFreedOnCancel);
        let Some(record) = self.records.get_mut(&job) else {
            let ended = self.history.iter().any(|record| record.id == job);
            return if ended { Cancelled::TooLate } else { Cancelled::Unknown };
        };
        if record.slot.is_some() {
            if record.stopping != Some(Stopping::Cancel) {
                let asked_before = record.stopping.replace(Stopping::Cancel).is_some();
                self.facts.push_back(Fact::Cancelling { job });
                if !asked_before {
                    self.effects.push_back(Effect::Stop { job, attempt: record.attempt });
                }
            }
            if frees_at_once {
                self.finish(now, job, End::Cancelled);
            }
            return Cancelled::Asked;
        }
        self.finish(now, job, End::Cancelled);
        Cancelled::Now
    }

    /// Time has passed: ends what took too long, lets those begin again whose time has come.
    pub fn handle_time(&mut self, now: Time) {
        self.now = now;
        while let Some(&Reverse((due, what))) = self.alarms.peek() {
            if due > now {
                break;
            }
            self.alarms.pop();
            // What takes too long is stopped by the queue that runs it.
            let Some((job, attempt)) = what.filter(|_| !self.replica) else { continue };
            let Some(record) = self.records.get_mut(&job) else { continue };
            if record.attempt == attempt && record.began.is_some() && record.stopping.is_none() {
                record.stopping = Some(Stopping::TimeLimit);
                self.effects.push_back(Effect::Stop { job, attempt });
            }
        }
    }

    /// When [`Queue::handle_time`] is to be called next; `None` while nothing waits for a time.
    #[must_use]
    pub fn next_time(&self) -> Option<Time> {
        self.alarms.peek().map(|&Reverse((due, _))| due)
    }

    /// Moves a waiting job; `false` where there is nothing to move.
    pub fn handle_move(&mut self, job: JobId, to: Move) -> bool {
        let Some(record) = self.records.get_mut(&job) else { return false };
        let Some(lane) = self.lanes.get_mut(record.lane.0 as usize) else { return false };
        let Some(stand) = lane.row.shift(record.stand(), job, to) else { return false };
        record.priority = stand.priority;
        self.facts.push_back(Fact::Moved { job, to });
        true
    }

    /// Stops a lane from starting jobs, or lets it go on. What runs runs on.
    pub fn handle_pause(&mut self, lane: LaneId, paused: bool) {
        if let Some(state) = self.lanes.get_mut(lane.0 as usize)
            && state.paused != paused
            && !state.config.beside
        {
            state.paused = paused;
            self.facts.push_back(Fact::Paused { lane, paused });
        }
    }

    /// Cancels all jobs of a lane that wait.
    pub fn handle_cancel_waiting(&mut self, now: Time, lane: LaneId) {
        let Some(state) = self.lanes.get(lane.0 as usize) else { return };
        let jobs: Vec<JobId> = state.again.iter().copied().chain(state.row.iter()).collect();
        for job in jobs {
            self.handle_cancel(now, job);
        }
    }

    // Outputs.

    /// The next thing to be done; see the [module](super).
    pub fn poll_effect(&mut self) -> Option<Effect> {
        if let Some(effect) = self.effects.pop_front() {
            return Some(effect);
        }
        if self.replica {
            return None;
        }
        for step in 0..self.lanes.len() {
            let index = (self.turn + step) % self.lanes.len();
            if let Some(effect) = self.start_next(index) {
                self.turn = (index + 1) % self.lanes.len();
                return Some(effect);
            }
        }
        None
    }

    fn start_next(&mut self, index: usize) -> Option<Effect> {
        let one_too_many = self.has(Fault::LimitOffByOne);
        let (too_large, too_early) = (self.has(Fault::BatchTooLarge), self.has(Fault::BatchWaitsForNone));
        let lane = self.lanes.get_mut(index)?;
        let over = one_too_many && !lane.paused && lane.config.count.is_some_and(|count| lane.taken <= count.get());
        if !lane.has_free_slot() && !over {
            return None;
        }
        let (records, now) = (&self.records, self.now);
        let is_due = |job: &JobId| records.get(job).and_then(|record| record.due).is_none_or(|due| due <= now);
        if let Some(place) = lane.again.iter().position(is_due) {
            let job = lane.again.remove(place)?;
            return self.start(index, &[job]);
        }
        let first = lane.row.first()?;
        let listener = self.records.get(&first)?.listener;
        let Some(batch) = self.listeners.get(listener.0 as usize)?.batch else {
            lane.row.start(self.records.get(&first)?.stand(), first);
            return self.start(index, &[first]);
        };
        let same = |job: JobId| self.records.get(&job).is_some_and(|record| record.listener == listener);
        let jobs: Vec<JobId> = lane.row.iter_while(same).take(batch.most.get() + usize::from(too_large)).collect();
        let submitted = self.records.get(&first)?.submitted;
        if jobs.len() < batch.most.get() && self.now < submitted + batch.wait && !too_early {
            return None;
        }
        for job in &jobs {
            let stand = self.records.get(job)?.stand();
            lane.row.start(stand, *job);
        }
        self.start(index, &jobs)
    }

    /// Puts jobs into one slot.
    fn start(&mut self, lane: usize, jobs: &[JobId]) -> Option<Effect> {
        let slot = self.next_slot;
        self.next_slot += 1;
        let lane = self.lanes.get_mut(lane)?;
        lane.taken += 1;
        self.slots.insert(slot, jobs.len());
        let mut attempts = Vec::with_capacity(jobs.len());
        for job in jobs {
            let record = self.records.get_mut(job)?;
            record.slot = Some(slot);
            record.due = None;
            lane.starting.push_back(*job);
            self.facts.push_back(Fact::Started { job: *job, attempt: record.attempt });
            attempts.push((*job, record.attempt));
        }
        match attempts[..] {
            [(job, attempt)] => Some(Effect::Start { job, attempt }),
            _ => Some(Effect::StartBatch { jobs: attempts }),
        }
    }

    // Getters.

    /// A job that has not ended, or that the history still has.
    #[must_use]
    pub fn job(&self, job: JobId) -> Option<JobView<'_>> {
        let ended = || self.history.iter().rev().find(|record| record.id == job);
        self.records.get(&job).or_else(ended).map(Record::view)
    }

    /// All jobs that have not ended, in no order.
    pub fn jobs(&self) -> impl Iterator<Item = JobView<'_>> {
        self.records.values().map(Record::view)
    }

    /// The jobs of a lane that run, in the order in which they began.
    pub fn running(&self, lane: LaneId) -> impl Iterator<Item = JobId> + '_ {
        self.lane(lane).into_iter().flat_map(|lane| lane.running.iter().copied())
    }

    /// The jobs of a lane that wait, next first: those in a slot, those that begin again, then the row.
    pub fn waiting_jobs(&self, lane: LaneId) -> impl Iterator<Item = JobId> + '_ {
        let before = |lane: &'_ Lane| lane.starting.iter().chain(&lane.again).copied().collect::<Vec<_>>();
        self.lane(lane).into_iter().flat_map(move |lane| before(lane).into_iter().chain(lane.row.iter()))
    }

    fn lane(&self, lane: LaneId) -> Option<&Lane> {
        self.lanes.get(lane.0 as usize)
    }

    /// How many jobs of a lane wait.
    #[must_use]
    pub fn waiting(&self, lane: LaneId) -> usize {
        self.lane(lane).map_or(0, |lane| lane.starting.len() + lane.waiting())
    }

    /// How many slots of a lane are taken.
    #[must_use]
    pub fn busy(&self, lane: LaneId) -> usize {
        self.lane(lane).map_or(0, |lane| lane.taken)
    }

    /// Whether a lane starts nothing.
    #[must_use]
    pub fn is_paused(&self, lane: LaneId) -> bool {
        self.lane(lane).is_some_and(|lane| lane.paused)
    }

    /// The place of a job in the row among those of its session and priority; 1 is next. `None` once it has begun.
    #[must_use]
    pub fn position(&self, job: JobId) -> Option<usize> {
        let record = self.records.get(&job)?;
        let place = self.lane(record.lane)?.row.place(record.stand(), job)?;
        Some(place + 1)
    }

    /// The jobs that ended last, oldest first.
    pub fn history(&self) -> impl Iterator<Item = JobView<'_>> {
        self.history.iter().map(Record::view)
    }

    /// How many entries each container has: what must not grow with the number of jobs that ended.
    #[must_use]
    pub fn census(&self) -> [usize; 6] {
        let lanes = self.lanes.iter().map(|lane| lane.waiting() + lane.starting.len() + lane.running.len());
        let (effects, facts) = (self.effects.len(), self.facts.len());
        [self.records.len(), self.history.len(), effects, facts, self.slots.len() + self.alarms.len(), lanes.sum()]
    }
}
