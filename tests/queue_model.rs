//! The queue against a model that is simple enough to be plainly right.
//!
//! The model keeps one row of jobs and works everything out from it anew at each step; it shares nothing with the
//! queue but the types.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::time::Duration;

use gradus::ids::{Attempt, JobId, LaneId, ListenerId, SessionId};
use gradus::queue::{
    Accepted, Cancelled, Effect, End, Fact, JobState, Kept, LaneConfig, ListenerConfig, Queue, QueueConfig, WorkerEvent,
};
use gradus::value::{Error, ErrorKind, Time};
use proptest::prelude::*;

const COUNTS: [Option<usize>; 4] = [Some(1), Some(2), Some(3), None];
/// Listeners to lanes: two share the second.
const LANES: [u32; 5] = [0, 1, 1, 2, 3];

fn config() -> QueueConfig {
    let lane = |(index, count): (usize, &Option<usize>)| LaneConfig::new(format!("lane {index}"), count.unwrap_or(0));
    let listener = |&lane: &u32| ListenerConfig { retries: 0, ..ListenerConfig::new(LaneId(lane)) };
    let lanes = COUNTS.iter().enumerate().map(lane).collect();
    QueueConfig { history: 16, ..QueueConfig::new(lanes, LANES.iter().map(listener).collect()) }
}

#[derive(Clone, Debug)]
enum Op {
    Submit {
        listener: u32,
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
    Poll {
        times: usize,
    },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..LANES.len() as u32).prop_map(|listener| Op::Submit { listener }),
        5 => (0..64usize, 0..7u8).prop_map(|(pick, event)| Op::Worker { pick, event }),
        1 => (0..64usize, 1..3u32, 0..7u8).prop_map(|(pick, off, event)| Op::Stale { pick, off, event }),
        2 => (0..64usize).prop_map(|pick| Op::Cancel { pick }),
        3 => (0..8usize).prop_map(|times| Op::Poll { times }),
    ]
}

fn event(number: u8) -> WorkerEvent {
    match number {
        0 | 1 => WorkerEvent::Began,
        2 => WorkerEvent::Done,
        3 => WorkerEvent::Failed(Error::new("broken")),
        4 => WorkerEvent::Stopped,
        5 => WorkerEvent::Lost,
        _ => WorkerEvent::Failed(Error::of(ErrorKind::DeviceLost, "gone")),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Row,
    /// In a slot; whether a worker has begun it.
    Slot(bool),
    Over,
}

#[derive(Debug)]
struct ModelJob {
    lane: usize,
    phase: Phase,
    attempt: u32,
    cancelled: bool,
}

#[derive(Default)]
struct Model {
    jobs: BTreeMap<u64, ModelJob>,
    starts: Vec<(u64, u32)>,
    ends: BTreeMap<u64, End>,
    positions: BTreeMap<u64, usize>,
    last_started: BTreeMap<usize, u64>,
}

impl Model {
    fn in_slots(&self, lane: usize) -> usize {
        self.jobs.values().filter(|job| job.lane == lane && matches!(job.phase, Phase::Slot(_))).count()
    }

    fn waiting(&self, lane: usize) -> Vec<u64> {
        let of = |phase: Phase| {
            let found = self.jobs.iter().filter(move |(_, job)| job.lane == lane && job.phase == phase);
            found.map(|(id, _)| *id)
        };
        of(Phase::Slot(false)).chain(of(Phase::Row)).collect()
    }

    fn nth(&self, pick: usize, in_slot: bool) -> Option<u64> {
        let able = |job: &ModelJob| if in_slot { matches!(job.phase, Phase::Slot(_)) } else { true };
        let ids: Vec<u64> = self.jobs.iter().filter(|(_, job)| able(job)).map(|(id, _)| *id).collect();
        (!ids.is_empty()).then(|| ids[pick % ids.len()])
    }

    fn expect_end(&mut self, id: u64, end: End) {
        let job = self.jobs.get_mut(&id).unwrap();
        job.phase = Phase::Over;
        let end = if job.cancelled { End::Cancelled } else { end };
        assert!(self.ends.insert(id, end).is_none(), "job {id} ended twice");
    }

    /// What a worker's news of the current attempt must bring about.
    fn news(&mut self, id: u64, event: &WorkerEvent) {
        let job = self.jobs.get_mut(&id).unwrap();
        match event {
            WorkerEvent::Began => job.phase = Phase::Slot(true),
            WorkerEvent::Progress(_) => {}
            WorkerEvent::Done => self.expect_end(id, End::Done),
            WorkerEvent::Stopped => self.expect_end(id, End::Cancelled),
            WorkerEvent::Failed(error) => self.expect_end(id, End::Failed(error.clone())),
            WorkerEvent::Lost if job.cancelled => self.expect_end(id, End::Cancelled),
            WorkerEvent::Lost => {
                job.attempt += 1;
                self.starts.push((id, job.attempt));
            }
        }
    }
}

struct Pair {
    queue: Queue,
    model: Model,
    now: Time,
    /// Restarts and ends that the model foresaw and the queue has not yet told.
    ended: BTreeMap<u64, End>,
}

impl Pair {
    fn new() -> Self {
        Self { queue: Queue::new(config()), model: Model::default(), now: Time::ZERO, ended: BTreeMap::new() }
    }

    fn apply(&mut self, op: &Op) {
        self.now = self.now + Duration::from_millis(7);
        match *op {
            Op::Submit { listener } => {
                let job = self.queue.handle_submit(self.now, ListenerId(listener), SessionId(1), 0).unwrap();
                let lane = LANES[listener as usize] as usize;
                let new = ModelJob { lane, phase: Phase::Row, attempt: 1, cancelled: false };
                assert!(self.model.jobs.insert(job.0, new).is_none(), "an id twice");
            }
            Op::Worker { pick, event: number } => {
                let Some(id) = self.model.nth(pick, true) else { return };
                let event = event(number);
                let job = &self.model.jobs[&id];
                // A worker begins an attempt once, and nothing else can be heard of one that has not begun but its loss.
                let began = job.phase == Phase::Slot(true);
                let sound = match event {
                    WorkerEvent::Began => !began,
                    WorkerEvent::Lost | WorkerEvent::Stopped => true,
                    _ => began,
                };
                if !sound {
                    return;
                }
                let attempt = Attempt(job.attempt);
                // A second attempt begins again, though it goes on being shown as running.
                let accepted = self.queue.handle_worker(self.now, JobId(id), attempt, event.clone());
                assert_eq!(accepted, Accepted::Yes, "{id} {event:?}");
                self.model.news(id, &event);
            }
            Op::Stale { pick, off, event: number } => {
                let Some(id) = self.model.nth(pick, false) else { return };
                let attempt = Attempt(self.model.jobs[&id].attempt + off);
                let accepted = self.queue.handle_worker(self.now, JobId(id), attempt, event(number));
                assert_eq!(accepted, Accepted::Stale, "{id}: news of an attempt that is not its own");
            }
            Op::Cancel { pick } => {
                let Some(id) = self.model.nth(pick, false) else { return };
                let outcome = self.queue.handle_cancel(self.now, JobId(id));
                let phase = self.model.jobs[&id].phase;
                match phase {
                    Phase::Row => {
                        assert_eq!(outcome, Cancelled::Now);
                        self.model.expect_end(id, End::Cancelled);
                    }
                    Phase::Slot(_) => {
                        assert_eq!(outcome, Cancelled::Asked);
                        self.model.jobs.get_mut(&id).unwrap().cancelled = true;
                    }
                    Phase::Over => assert!(matches!(outcome, Cancelled::TooLate | Cancelled::Unknown)),
                }
            }
            Op::Poll { times } => (0..times).for_each(|_| {
                self.poll();
            }),
        }
        self.check();
    }

    fn poll(&mut self) -> bool {
        let Some(effect) = self.queue.poll_effect() else {
            self.check_nothing_can_start();
            return false;
        };
        match effect {
            Effect::Start { job, attempt } => {
                if let Some(place) = self.model.starts.iter().position(|start| *start == (job.0, attempt.0)) {
                    self.model.starts.remove(place);
                    return true;
                }
                let lane = self.model.jobs[&job.0].lane;
                let next = self.model.jobs.iter().find(|(_, other)| other.lane == lane && other.phase == Phase::Row);
                assert_eq!(next.map(|(id, _)| *id), Some(job.0), "the first of the row is started");
                assert_eq!(attempt, Attempt(1));
                self.model.jobs.get_mut(&job.0).unwrap().phase = Phase::Slot(false);
                if let Some(before) = self.model.last_started.insert(lane, job.0) {
                    assert!(before < job.0, "first in, first out");
                }
            }
            Effect::Stop { job, .. } => {
                assert!(self.model.jobs[&job.0].cancelled, "only what was cancelled is stopped")
            }
            Effect::Ended { job, end } => {
                assert_eq!(kind(&self.model.ends[&job.0]), kind(&end), "{job}");
                assert!(self.ended.insert(job.0, end).is_none(), "{job} ended twice");
            }
            Effect::StartBatch { .. } | Effect::Chained { .. } => panic!("nothing here is a batch or a chain"),
        }
        true
    }

    fn check_nothing_can_start(&self) {
        for (lane, count) in COUNTS.iter().enumerate() {
            let row = self.model.jobs.values().any(|job| job.lane == lane && job.phase == Phase::Row);
            let free = count.is_none_or(|count| self.model.in_slots(lane) < count);
            assert!(!(row && free), "lane {lane} has a free slot and a waiting job, and nothing is started");
        }
        assert!(self.model.starts.is_empty(), "a restart was forgotten: {:?}", self.model.starts);
    }

    fn check(&mut self) {
        for (lane, count) in COUNTS.iter().enumerate() {
            let id = LaneId(lane as u32);
            assert_eq!(self.queue.busy(id), self.model.in_slots(lane), "slots of lane {lane}");
            assert!(count.is_none_or(|count| self.queue.busy(id) <= count), "lane {lane} is over its count");
            let waiting: Vec<u64> = self.queue.waiting_jobs(id).map(|job| job.0).collect();
            assert_eq!(waiting, self.model.waiting(lane), "the row of lane {lane}");
            assert_eq!(self.queue.waiting(id), waiting.len());
            let row = waiting.iter().filter(|job| self.model.jobs[job].phase == Phase::Row);
            for (place, job) in row.enumerate() {
                assert_eq!(self.queue.position(JobId(*job)), Some(place + 1));
                let before = self.model.positions.insert(*job, place + 1);
                assert!(before.is_none_or(|before| place < before), "the position of {job} grew");
            }
        }
        for (id, job) in &self.model.jobs {
            let view = self.queue.job(JobId(*id));
            let state = view.as_ref().map(|view| view.state);
            match job.phase {
                Phase::Row | Phase::Slot(false) if job.attempt == 1 => {
                    assert_eq!(state, Some(JobState::Waiting), "{id}")
                }
                Phase::Row | Phase::Slot(_) => {
                    assert!(matches!(state, Some(JobState::Running | JobState::Waiting)), "{id}")
                }
                Phase::Over => assert!(
                    !matches!(state, Some(JobState::Running | JobState::Waiting)),
                    "{id} has ended and is {state:?}"
                ),
            }
        }
        assert!(self.queue.history().count() <= 16, "the history grows");
    }

    /// Works everything off; then every job has exactly one end.
    fn finish(mut self) {
        loop {
            while self.poll() {}
            let Some(id) = self.model.nth(0, true) else { break };
            let attempt = Attempt(self.model.jobs[&id].attempt);
            if self.model.jobs[&id].phase == Phase::Slot(false) {
                self.queue.handle_worker(self.now, JobId(id), attempt, WorkerEvent::Began);
                self.model.news(id, &WorkerEvent::Began);
            }
            self.queue.handle_worker(self.now, JobId(id), attempt, WorkerEvent::Done);
            self.model.news(id, &WorkerEvent::Done);
            self.check();
        }
        assert_eq!(self.ended.len(), self.model.jobs.len(), "each job has one end");
    }
}

fn kind(end: &End) -> u8 {
    match end {
        End::Done => 0,
        End::Failed(_) => 1,
        End::Cancelled => 2,
    }
}

fn cases() -> u32 {
    std::env::var("GRADUS_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: Some(Box::new(
            proptest::test_runner::FileFailurePersistence::Direct("tests/queue_model.regressions"),
        )),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_queue_keeps_its_promises(ops in prop::collection::vec(op(), 1..=64)) {
        let mut pair = Pair::new();
        for op in &ops {
            pair.apply(op);
        }
        pair.finish();
    }
}

fn one_lane(count: usize) -> Queue {
    Queue::new(QueueConfig::new(vec![LaneConfig::new("lane", count)], vec![ListenerConfig::new(LaneId(0))]))
}

fn submit(queue: &mut Queue, now: Time, session: u64) -> JobId {
    queue.handle_submit(now, ListenerId(0), SessionId(session), 0).unwrap()
}

/// Plays equal jobs on a virtual clock; gives when each was done.
#[test]
fn estimates_are_exact_for_equal_jobs() {
    for count in [1, 2, 5] {
        let took = Duration::from_millis(1000);
        let mut queue = one_lane(count);
        // One run to know the mean by.
        let first = submit(&mut queue, Time::ZERO, 1);
        queue.poll_effect();
        queue.handle_worker(Time::ZERO, first, Attempt(1), WorkerEvent::Began);
        let mut now = Time::ZERO + took;
        queue.handle_worker(now, first, Attempt(1), WorkerEvent::Done);

        let jobs: Vec<JobId> = (0..17).map(|_| submit(&mut queue, now, 1)).collect();
        let start = now;
        let mut foretold: BTreeMap<JobId, Duration> = BTreeMap::new();
        let mut done: BTreeMap<JobId, Time> = BTreeMap::new();
        while done.len() < jobs.len() {
            while let Some(effect) = queue.poll_effect() {
                if let Effect::Start { job, attempt } = effect {
                    queue.handle_worker(now, job, attempt, WorkerEvent::Began);
                }
            }
            if now == start {
                foretold
                    .extend(queue.estimates(LaneId(0), now, 100).into_iter().map(|(job, left)| (job, left.unwrap())));
                let running: Vec<JobId> = queue.running(LaneId(0)).collect();
                foretold.extend(running.into_iter().map(|job| (job, queue.remaining(job, now).unwrap())));
            }
            // Half-way through, what was foretold at the start still holds.
            let halfway = now + took / 2;
            for (job, left) in queue.estimates(LaneId(0), halfway, 100) {
                assert_eq!(halfway + left.unwrap(), start + foretold[&job], "count {count}, {job} half-way");
            }
            now = now + took;
            for job in queue.running(LaneId(0)).collect::<Vec<_>>() {
                queue.handle_worker(now, job, Attempt(1), WorkerEvent::Done);
                done.insert(job, now);
            }
        }
        for job in jobs {
            assert_eq!(done[&job], start + foretold[&job], "count {count}, {job}");
        }
    }
}

#[test]
fn a_page_that_is_younger_than_what_a_job_took_still_knows_how_long_it_took() {
    for opened in [0, 300, 60_000] {
        let mut queue = one_lane(1);
        let kept = Kept::new(JobId(4), ListenerId(0), SessionId(1), 0, None);
        queue.restore_ended(Time::from_millis(opened), &kept, &End::Done, 3_800_000);
        // And one that ended elsewhere since, as this page hears it.
        let now = Time::from_millis(opened + 10);
        let (job, end, took) = (JobId(5), End::Done, 3_800_000);
        queue.follow_other(now, vec![Kept { started: true, attempt: Some(Attempt(1)), job, ..kept }], 6);
        queue.replay(now, &Fact::Ended { job, end, took });
        let took: Vec<_> = queue.history().filter_map(|view| Some(view.ended?.since(view.began?))).collect();
        assert_eq!(took, [Duration::from_millis(3_800); 2], "{opened} ms after it opened");
    }
}

#[test]
fn estimates_know_what_they_do_not_know_and_follow_progress() {
    let mut queue = one_lane(1);
    let now = Time::from_millis(0);
    let first = submit(&mut queue, now, 1);
    let second = submit(&mut queue, now, 1);
    while queue.poll_effect().is_some() {}
    assert_eq!(queue.estimates(LaneId(0), now, 9), [(first, None), (second, None)], "no run yet, no estimate");
    queue.handle_worker(now, first, Attempt(1), WorkerEvent::Began);
    queue.handle_worker(now, first, Attempt(1), WorkerEvent::Progress(0.25));
    let later = Time::from_millis(1000);
    assert_eq!(queue.remaining(first, later), Some(Duration::from_millis(3000)), "a quarter took a second");
    queue.handle_worker(now, first, Attempt(1), WorkerEvent::Progress(0.1));
    assert_eq!(queue.job(first).unwrap().progress, Some(0.25), "progress never goes back");
}

#[test]
fn five_thousand_sessions_share_one_queue() {
    let mut queue = one_lane(3);
    let now = Time::ZERO;
    let jobs: Vec<JobId> = (0..15_000u64).map(|n| submit(&mut queue, now, n % 5_000)).collect();
    let mut running: Vec<JobId> = Vec::new();
    let mut ended = 0;
    let mut started = Vec::new();
    loop {
        while let Some(effect) = queue.poll_effect() {
            match effect {
                Effect::Start { job, attempt } => {
                    queue.handle_worker(now, job, attempt, WorkerEvent::Began);
                    running.push(job);
                    started.push(job);
                }
                Effect::Ended { .. } => ended += 1,
                _ => panic!("nothing was cancelled"),
            }
        }
        assert!(running.len() <= 3 && queue.busy(LaneId(0)) == running.len());
        let Some(job) = (!running.is_empty()).then(|| running.remove(0)) else { break };
        queue.handle_worker(now, job, Attempt(1), WorkerEvent::Done);
    }
    assert_eq!((ended, &started), (15_000, &jobs), "all of them, in order");
    assert_eq!(queue.history().count(), 200);
}

#[test]
fn lanes_with_work_are_served_in_turn() {
    let mut queue = Queue::new(config());
    for listener in [0, 0, 1, 1, 3, 3] {
        queue.handle_submit(Time::ZERO, ListenerId(listener), SessionId(1), 0).unwrap();
    }
    let lanes: Vec<u32> = std::iter::from_fn(|| queue.poll_effect())
        .filter_map(|effect| match effect {
            Effect::Start { job, .. } => queue_lane(&job),
            _ => None,
        })
        .collect();
    assert_eq!(lanes, [0, 1, 2, 1, 2], "one of each before the second of any");
}

/// The lane of the n-th job of the test above.
fn queue_lane(job: &JobId) -> Option<u32> {
    [0, 0, 1, 1, 2, 2].get(job.0 as usize - 1).copied()
}
