//! The queue against a model that is simple enough to be plainly right: several sessions, priorities, moves, pauses,
//! retries and chains. Batches have tests/batches.rs, limits of time and what is written down tests/simulator.rs.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/row_model.rs"]
mod row_model;

use std::collections::BTreeMap;
use std::time::Duration;

use gradus::ids::{Attempt, JobId, LaneId, ListenerId, SessionId};
use gradus::queue::{
    Accepted, Cancelled, Effect, End, Fact, JobState, Kept, LaneConfig, ListenerConfig, Move, Queue, QueueConfig,
    Refused, WorkerEvent,
};
use gradus::value::{Error, ErrorKind, Time};
use proptest::prelude::*;
use row_model::{COUNTS, CROWDED, HISTORY, LISTENERS, MOST_WAITING, Model, ModelJob, Phase, config};

#[derive(Clone, Debug)]
enum Op {
    /// The last of the listeners does not exist.
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
}

fn op() -> impl Strategy<Value = Op> {
    let to = prop_oneof![Just(Move::ToFront), Just(Move::Up), Just(Move::Down)];
    prop_oneof![
        10 => (0..=LISTENERS.len(), 1..4u64, 0..2i32)
            .prop_map(|(listener, session, raise)| Op::Submit { listener, session, raise }),
        10 => (0..64usize, 0..8u8).prop_map(|(pick, event)| Op::Worker { pick, event }),
        2 => (0..64usize, 1..3u32, 0..8u8).prop_map(|(pick, off, event)| Op::Stale { pick, off, event }),
        3 => (0..64usize).prop_map(|pick| Op::Cancel { pick }),
        4 => (0..64usize, to).prop_map(|(pick, to)| Op::Move { pick, to }),
        2 => (0..COUNTS.len(), any::<bool>()).prop_map(|(lane, paused)| Op::Pause { lane, paused }),
        1 => (0..COUNTS.len()).prop_map(|lane| Op::CancelWaiting { lane }),
        2 => (0..700u64).prop_map(|millis| Op::Time { millis }),
        6 => (0..8usize).prop_map(|times| Op::Poll { times }),
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

struct Pair {
    queue: Queue,
    model: Model,
    now: Time,
    /// What the queue has told.
    ended: BTreeMap<u64, End>,
    paused: [bool; COUNTS.len()],
    /// Where each job stood last.
    positions: BTreeMap<u64, usize>,
}

impl Pair {
    fn new() -> Self {
        Self {
            queue: Queue::new(config()),
            model: Model::default(),
            now: Time::ZERO,
            ended: BTreeMap::new(),
            paused: Default::default(),
            positions: BTreeMap::new(),
        }
    }

    fn apply(&mut self, op: &Op) {
        self.now = self.now + Duration::from_millis(7);
        match *op {
            Op::Submit { listener, session, raise } => {
                let given = self.queue.handle_submit(self.now, ListenerId(listener as u32), SessionId(session), raise);
                let expected = match LISTENERS.get(listener) {
                    None => Err(Refused::NoListener),
                    Some(&(CROWDED, ..)) if self.outside_of_slots(CROWDED).len() >= MOST_WAITING => {
                        Err(Refused::Full { waiting: self.outside_of_slots(CROWDED).len(), most: MOST_WAITING })
                    }
                    Some(_) => Ok(JobId(self.model.accept(listener, session, raise))),
                };
                assert_eq!(given, expected);
            }
            Op::Worker { pick, event: number } => {
                let Some(id) = self.model.nth(pick, in_slot) else { return };
                let event = event(number);
                let job = &self.model.jobs[&id];
                // A worker begins an attempt once, and nothing else can be heard of one that has not begun but its loss.
                let sound = match event {
                    WorkerEvent::Began => !job.begun,
                    WorkerEvent::Lost | WorkerEvent::Stopped => true,
                    _ => job.begun,
                };
                if !sound {
                    return;
                }
                let accepted = self.queue.handle_worker(self.now, JobId(id), Attempt(job.attempt), event.clone());
                assert_eq!(accepted, Accepted::Yes, "{id} {event:?}");
                self.model.news(self.now, id, &event);
            }
            Op::Stale { pick, off, event: number } => {
                let Some(id) = self.model.nth(pick, |_| true) else { return };
                let attempt = Attempt(self.model.jobs[&id].attempt + off);
                let accepted = self.queue.handle_worker(self.now, JobId(id), attempt, event(number));
                assert_eq!(accepted, Accepted::Stale, "{id}: news of an attempt that is not its own");
            }
            Op::Cancel { pick } => {
                let Some(id) = self.model.nth(pick, |_| true) else { return };
                let outcome = self.queue.handle_cancel(self.now, JobId(id));
                match self.model.jobs[&id].phase {
                    Phase::Row | Phase::Again => {
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
            Op::Move { pick, to } => {
                let Some(id) = self.model.nth(pick, |job| job.phase != Phase::Over) else { return };
                let moved = self.queue.handle_move(JobId(id), to);
                assert_eq!(moved, self.model.shift(id, to), "{id} {to:?}");
                if moved {
                    // Others may now stand further behind, as the visitor wished.
                    let (model, lane) = (&self.model, self.model.jobs[&id].lane);
                    self.positions.retain(|other, _| model.jobs[other].lane != lane);
                }
            }
            Op::Pause { lane, paused } => {
                self.queue.handle_pause(LaneId(lane as u32), paused);
                self.paused[lane] = paused;
            }
            Op::CancelWaiting { lane } => {
                let all = self.outside_of_slots(lane);
                self.queue.handle_cancel_waiting(self.now, LaneId(lane as u32));
                all.into_iter().for_each(|id| self.model.expect_end(id, End::Cancelled));
            }
            Op::Time { millis } => {
                self.now = self.now + Duration::from_millis(millis);
                self.queue.handle_time(self.now);
            }
            Op::Poll { times } => {
                // What is due is known by the clock that the queue was last told.
                self.queue.handle_time(self.now);
                (0..times).for_each(|_| {
                    self.poll();
                });
            }
        }
        self.check();
    }

    /// What waits in a lane and has no slot, in the order of starts.
    fn outside_of_slots(&self, lane: usize) -> Vec<u64> {
        [self.model.listed(lane, Phase::Again), self.model.row(lane)].concat()
    }

    fn may_start(&self, lane: usize) -> bool {
        !self.paused[lane] && COUNTS[lane].is_none_or(|count| self.model.in_slots(lane) < count)
    }

    /// Those of a lane that must begin again by now.
    fn overdue(&self, lane: usize) -> Vec<u64> {
        let again = self.model.listed(lane, Phase::Again).into_iter();
        again.filter(|id| self.model.due(*id, self.now) == Some(true)).collect()
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
                let started = &self.model.jobs[&job.0];
                assert!(self.may_start(started.lane), "{job} starts in a lane that is paused or full");
                assert_eq!(attempt, Attempt(started.attempt));
                if started.phase == Phase::Again {
                    assert!(self.model.due(job.0, self.now).is_some(), "{job} begins again at once");
                } else {
                    assert_eq!(self.model.row(started.lane).first(), Some(&job.0), "the first of the row is started");
                    assert_eq!(self.overdue(started.lane), [0; 0], "who failed begins again before the row");
                }
                self.model.start(job.0);
            }
            Effect::Stop { job, .. } => {
                assert!(self.model.jobs[&job.0].cancelled, "only what was cancelled is stopped")
            }
            Effect::Ended { job, end } => {
                assert_eq!(kind(&self.model.ends[&job.0]), kind(&end), "{job}");
                assert!(self.ended.insert(job.0, end).is_none(), "{job} ended twice");
            }
            Effect::Chained { after, job, listener } => {
                let place = self.model.chained.iter().position(|chained| *chained == (after.0, job.0));
                self.model.chained.remove(place.expect("only what follows is set off"));
                assert_eq!(self.model.jobs[&job.0].listener, listener.0 as usize);
            }
            Effect::StartBatch { .. } => panic!("nothing here is a batch"),
        }
        true
    }

    fn check_nothing_can_start(&self) {
        for lane in (0..COUNTS.len()).filter(|&lane| self.may_start(lane)) {
            assert_eq!(self.model.row(lane), [0; 0], "lane {lane} has a free slot, and nothing is started");
            assert_eq!(self.overdue(lane), [0; 0], "lane {lane} has a free slot, and nothing begins again");
        }
        assert!(self.model.starts.is_empty(), "a restart was forgotten: {:?}", self.model.starts);
        assert!(self.model.chained.is_empty(), "a chain stopped: {:?}", self.model.chained);
    }

    fn check(&mut self) {
        for (lane, count) in COUNTS.iter().enumerate() {
            let id = LaneId(lane as u32);
            assert_eq!(self.queue.busy(id), self.model.in_slots(lane), "slots of lane {lane}");
            assert!(count.is_none_or(|count| self.queue.busy(id) <= count), "lane {lane} is over its count");
            assert_eq!(self.queue.is_paused(id), self.paused[lane]);
            let running: Vec<u64> = self.queue.running(id).map(|job| job.0).collect();
            assert_eq!(running, self.model.listed(lane, Phase::Slot(true)), "what runs in lane {lane}");
            let waiting: Vec<u64> = self.queue.waiting_jobs(id).map(|job| job.0).collect();
            let expected = [self.model.listed(lane, Phase::Slot(false)), self.outside_of_slots(lane)].concat();
            assert_eq!(waiting, expected, "what waits in lane {lane}");
            assert_eq!(self.queue.waiting(id), waiting.len());
            for job in waiting {
                let place = self.model.place(job).map(|place| place + 1);
                assert_eq!(self.queue.position(JobId(job)), place, "the position of {job}");
                let before = place.and_then(|place| self.positions.insert(job, place));
                assert!(before.is_none_or(|before| place <= Some(before)), "the position of {job} grew");
            }
        }
        for (id, job) in &self.model.jobs {
            let view = self.queue.job(JobId(*id));
            let state = match (job.phase, self.model.ends.get(id)) {
                (Phase::Row | Phase::Again | Phase::Slot(false), _) => JobState::Waiting,
                (Phase::Slot(true), _) => JobState::Running,
                (Phase::Over, Some(End::Done)) => JobState::Done,
                (Phase::Over, Some(End::Failed(_))) => JobState::Failed,
                (Phase::Over, _) => JobState::Cancelled,
            };
            let Some(view) = view else {
                assert!(job.phase == Phase::Over, "{id} is forgotten");
                continue;
            };
            let seen = (view.state, view.attempt.0, view.session.0, view.priority);
            assert_eq!(seen, (state, job.attempt, job.session, job.priority), "{id}");
        }
        assert!(self.queue.history().count() <= HISTORY, "the history grows");
    }

    /// Works everything off; then every job has exactly one end.
    fn finish(mut self) {
        for lane in 0..COUNTS.len() {
            self.apply(&Op::Pause { lane, paused: false });
        }
        loop {
            self.queue.handle_time(self.now);
            while self.poll() {}
            if let Some(id) = self.model.nth(0, in_slot) {
                let attempt = Attempt(self.model.jobs[&id].attempt);
                let events = [WorkerEvent::Began, WorkerEvent::Done];
                for event in events.into_iter().skip(usize::from(self.model.jobs[&id].begun)) {
                    self.queue.handle_worker(self.now, JobId(id), attempt, event.clone());
                    self.model.news(self.now, id, &event);
                }
            } else if self.model.nth(0, |job| job.phase != Phase::Over).is_some() {
                self.now = self.queue.next_time().expect("what waits waits for a time");
            } else {
                break;
            }
            self.check();
        }
        assert_eq!(self.ended.len(), self.model.jobs.len(), "each job has one end");
    }
}

fn in_slot(job: &ModelJob) -> bool {
    matches!(job.phase, Phase::Slot(_))
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
