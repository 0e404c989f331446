//! The queue and its model, driven by the same operations and compared after each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::time::Duration;

use gradus::ids::{Attempt, JobId, LaneId, ListenerId, SessionId};
use gradus::queue::{
    Accepted, Cancelled, Effect, End, JobState, Kept, Ledger, Move, Queue, QueueConfig, Refused, WorkerEvent,
};
use gradus::value::{Error, ErrorKind, Time};
use proptest::prelude::*;

use crate::row_model::{BESIDE, COUNTS, HISTORY, LISTENERS, MOST_WAITING, Model, ModelJob, Phase, Stop};

#[derive(Clone, Debug)]
pub enum Op {
    /// There may be no such listener.
    Submit {
        listener: usize,
        session: u64,
        raise: i32,
    },
    /// To the n-th job that has a slot, with its own attempt.
    Worker {
        pick: usize,
        event: u8,
    },
    /// To any job, with an attempt that is not its own.
    Stale {
        pick: usize,
        off: u32,
        event: u8,
    },
    Cancel {
        pick: usize,
    },
    Move {
        pick: usize,
        to: Move,
    },
    Pause {
        lane: usize,
        paused: bool,
    },
    CancelWaiting {
        lane: usize,
    },
    Time {
        millis: u64,
    },
    Poll {
        times: usize,
    },
    /// The page goes away, and another takes up what was written.
    Reload,
}

pub fn op() -> impl Strategy<Value = Op> {
    let to = prop_oneof![Just(Move::ToFront), Just(Move::Up), Just(Move::Down)];
    // The lane of the batches is of interest only when several wait in it.
    let listener = prop_oneof![4 => 0..=LISTENERS.len(), 1 => 6..9usize];
    prop_oneof![
        12 => (listener, 1..4u64, 0..2i32)
            .prop_map(|(listener, session, raise)| Op::Submit { listener, session, raise }),
        10 => (0..64usize, 0..8u8).prop_map(|(pick, event)| Op::Worker { pick, event }),
        2 => (0..64usize, 1..3u32, 0..8u8).prop_map(|(pick, off, event)| Op::Stale { pick, off, event }),
        3 => (0..64usize).prop_map(|pick| Op::Cancel { pick }),
        4 => (0..64usize, to).prop_map(|(pick, to)| Op::Move { pick, to }),
        2 => (0..COUNTS.len(), any::<bool>()).prop_map(|(lane, paused)| Op::Pause { lane, paused }),
        1 => (0..COUNTS.len()).prop_map(|lane| Op::CancelWaiting { lane }),
        2 => (0..700u64).prop_map(|millis| Op::Time { millis }),
        6 => (0..8usize).prop_map(|times| Op::Poll { times }),
        1 => Just(Op::Reload),
    ]
}

fn event(number: u8) -> WorkerEvent {
    match number {
        0 | 1 => WorkerEvent::Began,
        2 => WorkerEvent::Done,
        3 => WorkerEvent::Failed(Error::new("broken")),
        4 => WorkerEvent::Stopped,
        5 => WorkerEvent::Lost,
        6 => WorkerEvent::Progress(0.5),
        _ => WorkerEvent::Failed(Error::of(ErrorKind::DeviceLost, "gone")),
    }
}

/// How often what happened.
pub type Seen = BTreeMap<&'static str, usize>;

pub struct Pair {
    config: QueueConfig,
    queue: Queue,
    model: Model,
    /// What was written.
    ledger: Ledger,
    /// That of a tab which hears of what was written.
    follower: Queue,
    now: Time,
    /// What the queue has told.
    ended: BTreeMap<u64, End>,
    /// Where each job stood last.
    positions: BTreeMap<u64, usize>,
    seen: Seen,
}

impl Pair {
    pub fn new(config: QueueConfig) -> Self {
        Self {
            queue: Queue::new(config.clone()),
            model: Model::new(config.max_waiting),
            ledger: Ledger::new(&config),
            follower: follower(&config, Time::ZERO, Vec::new(), 1),
            config,
            now: Time::ZERO,
            ended: BTreeMap::new(),
            positions: BTreeMap::new(),
            seen: Seen::new(),
        }
    }

    fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub fn apply(&mut self, op: &Op) {
        self.now = self.now + Duration::from_millis(7);
        self.model.now = self.now;
        match *op {
            Op::Submit { listener, session, raise } => self.submit(listener, session, raise),
            Op::Worker { pick, event: number } => self.worker_says(pick, event(number)),
            Op::Stale { pick, off, event: number } => {
                let Some(id) = self.model.nth(pick, |_| true) else { return };
                let attempt = Attempt(self.model.jobs[&id].attempt + off);
                let accepted = self.queue.handle_worker(self.now, JobId(id), attempt, event(number));
                assert_eq!(accepted, Accepted::Stale, "{id}: news of an attempt that is not its own");
            }
            Op::Cancel { pick } => self.cancel(pick),
            Op::Move { pick, to } => self.shift(pick, to),
            Op::Pause { lane, paused } => {
                self.queue.handle_pause(LaneId(lane as u32), paused);
                self.model.paused[lane] = paused && lane != BESIDE;
            }
            Op::CancelWaiting { lane } => {
                let all = self.model.outside_of_slots(lane);
                self.queue.handle_cancel_waiting(self.now, LaneId(lane as u32));
                all.into_iter().for_each(|id| self.model.expect_end(id, End::Cancelled));
            }
            Op::Time { millis } => {
                self.now = self.now + Duration::from_millis(millis);
                self.time_passes();
            }
            Op::Poll { times } => {
                // What is due is known by the clock that the queue was last told.
                self.time_passes();
                (0..times).for_each(|_| {
                    self.poll();
                });
                self.write_down();
                self.check_follower();
            }
            Op::Reload => self.reload(),
        }
        self.check();
    }

    fn submit(&mut self, listener: usize, session: u64, raise: i32) {
        let given = self.queue.handle_submit(self.now, ListenerId(listener as u32), SessionId(session), raise);
        match self.model.refusal(listener) {
            Some(why) => {
                assert_eq!(given, Err(why));
                match why {
                    Refused::NoListener | Refused::Retired => {}
                    Refused::Full { most: MOST_WAITING, .. } => self.saw("full lane"),
                    Refused::Full { .. } => self.saw("full in all"),
                }
            }
            None => assert_eq!(given, Ok(JobId(self.model.accept(listener, session, raise)))),
        }
    }

    fn worker_says(&mut self, pick: usize, event: WorkerEvent) {
        let Some(id) = self.model.nth(pick, in_slot) else { return };
        let job = &self.model.jobs[&id];
        // A worker begins an attempt once, and nothing else can be heard of one that has not begun but its loss.
        let sound = match event {
            WorkerEvent::Began => job.began.is_none(),
            WorkerEvent::Lost | WorkerEvent::Stopped => true,
            _ => job.began.is_some(),
        };
        if sound {
            self.tell(id, &event);
        }
    }

    fn tell(&mut self, id: u64, event: &WorkerEvent) {
        let attempt = Attempt(self.model.jobs[&id].attempt);
        let accepted = self.queue.handle_worker(self.now, JobId(id), attempt, event.clone());
        assert_eq!(accepted, Accepted::Yes, "{id} {event:?}");
        self.model.news(id, event);
    }

    fn cancel(&mut self, pick: usize) {
        let Some(id) = self.model.nth(pick, |_| true) else { return };
        let outcome = self.queue.handle_cancel(self.now, JobId(id));
        match self.model.jobs[&id].phase {
            Phase::Row | Phase::Again => {
                assert_eq!(outcome, Cancelled::Now);
                self.model.expect_end(id, End::Cancelled);
            }
            Phase::Slot(_) => {
                assert_eq!(outcome, Cancelled::Asked);
                self.model.stop(id, Stop::Cancel);
            }
            Phase::Over => assert!(matches!(outcome, Cancelled::TooLate | Cancelled::Unknown)),
        }
    }

    fn shift(&mut self, pick: usize, to: Move) {
        let Some(id) = self.model.nth(pick, |job| job.phase != Phase::Over) else { return };
        let moved = self.queue.handle_move(JobId(id), to);
        assert_eq!(moved, self.model.shift(id, to), "{id} {to:?}");
        if moved {
            // Others may now stand further behind, as the visitor wished.
            let (model, lane) = (&self.model, self.model.jobs[&id].lane);
            self.positions.retain(|other, _| model.jobs[other].lane != lane);
        }
    }

    fn time_passes(&mut self) {
        self.model.now = self.now;
        self.queue.handle_time(self.now);
        self.model.time_passes();
    }

    /// What was brought about is told before the page goes: a page acts on it at once.
    fn reload(&mut self) {
        self.time_passes();
        while self.poll() {}
        self.write_down();
        self.queue = Queue::new(self.config.clone());
        self.queue.restore(self.now, self.ledger.jobs(), self.ledger.next_job());
        self.ledger.paused().for_each(|lane| self.queue.handle_pause(lane, true));
        self.model.reload();
        self.saw("reload");
        self.write_down();
        self.follower = follower(&self.config, self.now, self.queue.kept(), self.queue.next_job());
        self.ledger.paused().for_each(|lane| self.follower.handle_pause(lane, true));
        self.check_follower();
    }

    fn write_down(&mut self) {
        while let Some(fact) = self.queue.poll_fact() {
            self.ledger.add(&fact);
            self.follower.replay(self.now, &fact);
        }
    }

    /// What stands in a row stands in the same order in every tab.
    fn check_follower(&self) {
        for lane in 0..COUNTS.len() {
            let id = LaneId(lane as u32);
            let waiting = self.follower.waiting_jobs(id).map(|job| job.0);
            let row: Vec<u64> = waiting.filter(|job| self.model.jobs[job].phase == Phase::Row).collect();
            assert_eq!(row, self.model.row(lane), "what another tab shows of lane {lane}");
            assert_eq!(self.follower.is_paused(id), self.model.paused[lane]);
        }
    }

    fn poll(&mut self) -> bool {
        let Some(effect) = self.queue.poll_effect() else {
            self.check_nothing_can_start();
            return false;
        };
        match effect {
            Effect::Start { job, attempt } => {
                if !took(&mut self.model.starts, (job.0, attempt.0)) {
                    self.started(&[(job, attempt)]);
                }
            }
            Effect::StartBatch { jobs } => {
                self.saw("batch");
                self.started(&jobs);
            }
            Effect::Stop { job, attempt } => {
                assert!(took(&mut self.model.stops, (job.0, attempt.0)), "{job} is stopped for no reason, or twice")
            }
            Effect::Ended { job, end } => {
                assert_eq!(kind(&self.model.ends[&job.0]), kind(&end), "{job}");
                if kind(&end) == (1, Some(ErrorKind::Timeout)) {
                    self.saw("time limit");
                }
                if kind(&end) == (1, Some(ErrorKind::Interrupted)) {
                    self.saw("interrupted");
                }
                assert!(self.ended.insert(job.0, end).is_none(), "{job} ended twice");
            }
            Effect::Chained { after, job, listener } => {
                assert!(took(&mut self.model.chained, (after.0, job.0)), "{job}: only what follows is set off");
                assert_eq!(self.model.jobs[&job.0].listener, listener.0 as usize);
            }
        }
        true
    }

    /// These take a slot together.
    fn started(&mut self, jobs: &[(JobId, Attempt)]) {
        let ids: Vec<u64> = jobs.iter().map(|(job, _)| job.0).collect();
        let first = &self.model.jobs[&ids[0]];
        let lane = first.lane;
        assert!(self.model.may_start(lane), "{ids:?} start in a lane that is paused or full");
        if first.phase == Phase::Again {
            assert_eq!(ids.len(), 1, "what begins again does so by itself");
            assert!(self.model.may_begin_again(ids[0]), "{ids:?} begins again at once");
        } else {
            let (due, call) = self.model.next_start(lane).expect("only what waits is started");
            assert_eq!(ids, call, "what stands first in the row is started");
            assert!(due <= self.now, "{ids:?}: a call that is not full waits for more");
            assert_eq!(self.overdue(lane), [0; 0], "who failed begins again before the row");
        }
        for (job, attempt) in jobs {
            assert_eq!(*attempt, Attempt(self.model.jobs[&job.0].attempt));
        }
        self.model.start(&ids);
    }

    /// Those of a lane that must begin again by now.
    fn overdue(&self, lane: usize) -> Vec<u64> {
        let again = self.model.listed(lane, Phase::Again).into_iter();
        again.filter(|id| self.model.latest_again(*id) <= self.now).collect()
    }

    fn check_nothing_can_start(&self) {
        // When the queue asks to be told of the time.
        let next = self.queue.next_time();
        let in_time = |due: Time| due > self.now && next.is_some_and(|next| next <= due);
        for lane in 0..COUNTS.len() {
            for id in self.model.listed(lane, Phase::Slot(true)) {
                assert!(self.model.time_limit(id).is_none_or(in_time), "nobody looks at the time limit of {id}");
            }
            if self.model.may_start(lane) {
                let start = self.model.next_start(lane);
                assert!(start.as_ref().is_none_or(|(due, _)| in_time(*due)), "lane {lane} leaves {start:?}");
                for id in self.model.listed(lane, Phase::Again) {
                    assert!(in_time(self.model.latest_again(id)), "{id} does not begin again");
                }
            }
        }
        assert!(self.model.starts.is_empty(), "a restart was forgotten: {:?}", self.model.starts);
        assert!(self.model.stops.is_empty(), "a stop was forgotten: {:?}", self.model.stops);
        assert!(self.model.chained.is_empty(), "a chain stopped: {:?}", self.model.chained);
    }

    fn check(&mut self) {
        self.write_down();
        for lane in 0..COUNTS.len() {
            self.check_lane(lane);
        }
        for id in self.model.jobs.keys() {
            self.check_job(*id);
        }
        assert!(self.queue.history().count() <= HISTORY, "the history grows");
    }

    fn check_lane(&mut self, lane: usize) {
        let id = LaneId(lane as u32);
        assert_eq!(self.queue.is_paused(id), self.model.paused[lane]);
        if self.model.is_empty(lane) {
            let all = (self.queue.busy(id), self.queue.running(id).count(), self.queue.waiting_jobs(id).count());
            assert_eq!(all, (0, 0, 0), "lane {lane} has nothing to do");
            return;
        }
        assert_eq!(self.queue.busy(id), self.model.in_slots(lane), "slots of lane {lane}");
        assert!(COUNTS[lane].is_none_or(|count| self.queue.busy(id) <= count), "lane {lane} is over its count");
        let running: Vec<u64> = self.queue.running(id).map(|job| job.0).collect();
        assert_eq!(running, self.model.listed(lane, Phase::Slot(true)), "what runs in lane {lane}");
        let waiting: Vec<u64> = self.queue.waiting_jobs(id).map(|job| job.0).collect();
        let expected = [self.model.listed(lane, Phase::Slot(false)), self.model.outside_of_slots(lane)].concat();
        assert_eq!(waiting, expected, "what waits in lane {lane}");
        assert_eq!(self.queue.waiting(id), waiting.len());
        let places = self.model.places(lane);
        for job in waiting {
            let place = places.get(&job).copied();
            assert_eq!(self.queue.position(JobId(job)), place, "the position of {job}");
            let before = place.and_then(|place| self.positions.insert(job, place));
            assert!(before.is_none_or(|before| place <= Some(before)), "the position of {job} grew");
        }
    }

    fn check_job(&self, id: u64) {
        let job = &self.model.jobs[&id];
        let state = match (job.phase, self.model.ends.get(&id)) {
            (Phase::Row | Phase::Again | Phase::Slot(false), _) => JobState::Waiting,
            (Phase::Slot(true), _) => JobState::Running,
            (Phase::Over, Some(End::Done)) => JobState::Done,
            (Phase::Over, Some(End::Failed(_))) => JobState::Failed,
            (Phase::Over, _) => JobState::Cancelled,
        };
        let Some(view) = self.queue.job(JobId(id)) else {
            assert!(job.phase == Phase::Over, "{id} is forgotten");
            return;
        };
        let seen = (view.state, view.session.0, view.priority);
        assert_eq!(seen, (state, job.session, job.priority), "{id}");
        assert!(job.phase == Phase::Over || view.attempt.0 == job.attempt, "{id} is at {}", view.attempt);
        assert_eq!(view.stopping, job.stop.is_some() && job.phase != Phase::Over, "{id}");
    }

    /// Works everything off; then every job has exactly one end. Gives what was seen on the way.
    pub fn finish(mut self) -> Seen {
        for lane in 0..COUNTS.len() {
            self.apply(&Op::Pause { lane, paused: false });
        }
        loop {
            self.time_passes();
            while self.poll() {}
            if let Some(id) = self.model.nth(0, in_slot) {
                if self.model.jobs[&id].began.is_none() {
                    self.tell(id, &WorkerEvent::Began);
                }
                self.tell(id, &WorkerEvent::Done);
            } else if self.model.nth(0, |job| job.phase != Phase::Over).is_some() {
                self.now = self.queue.next_time().expect("what waits waits for a time");
            } else {
                break;
            }
            self.check();
        }
        assert_eq!(self.ended.len(), self.model.jobs.len(), "each job has one end");
        self.seen
    }
}

fn follower(config: &QueueConfig, now: Time, jobs: Vec<Kept>, next_job: u64) -> Queue {
    let mut follower = Queue::new(config.clone());
    follower.follow_other(now, jobs, next_job);
    follower
}

fn in_slot(job: &ModelJob) -> bool {
    matches!(job.phase, Phase::Slot(_))
}

/// Takes one out, if it is there.
fn took<T: PartialEq>(from: &mut Vec<T>, one: T) -> bool {
    let place = from.iter().position(|other| *other == one);
    place.map(|place| from.remove(place)).is_some()
}

fn kind(end: &End) -> (u8, Option<ErrorKind>) {
    match end {
        End::Done => (0, None),
        End::Failed(error) => (1, Some(error.kind())),
        End::Cancelled => (2, None),
    }
}
