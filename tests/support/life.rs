//! One life of a queue: a page, its workers and its disk, by chance.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use gradus::ids::{Attempt, JobId, LaneId, ListenerId, SessionId};
use gradus::queue::{
    Accepted, Batch, Cancelled, Effect, End, Fact, Fault, JobState, LaneConfig, Ledger, Link, ListenerConfig, Move,
    Queue, QueueConfig, WorkerEvent,
};
use gradus::value::{Error, ErrorKind, Time};

/// Faults outside of the queue itself: in how it is driven.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Planted {
    None,
    InQueue(Fault),
    /// A job is accepted before it is written.
    WriteAfterAccept,
    /// A start is acted on before it is written.
    StartBeforeWrite,
    /// What ran when the page died is forgotten.
    ForgetsInterrupted,
}

const COUNTS: [usize; 3] = [1, 2, 0];
const HISTORY: usize = 50;

fn config(planted: Planted) -> QueueConfig {
    let lanes = COUNTS.iter().enumerate().map(|(index, count)| LaneConfig::new(format!("lane {index}"), *count));
    let mut lanes: Vec<LaneConfig> = lanes.collect();
    lanes[0].max_waiting = Some(30);
    let plain = |lane| ListenerConfig::new(LaneId(lane));
    let batch = Batch { most: std::num::NonZeroUsize::new(3).unwrap(), wait: Duration::from_millis(200) };
    let listeners = vec![
        ListenerConfig { links: vec![(Link::Then, ListenerId(3)), (Link::Failure, ListenerId(4))], ..plain(0) },
        ListenerConfig { retries: 3, time_limit: Some(Duration::from_secs(5)), ..plain(1) },
        ListenerConfig { priority: 1, ..plain(1) },
        ListenerConfig { links: vec![(Link::Success, ListenerId(4))], ..plain(2) },
        plain(1),
        ListenerConfig { batch: Some(batch), ..plain(1) },
    ];
    let fault = match planted {
        Planted::InQueue(fault) => Some(fault),
        _ => None,
    };
    QueueConfig { history: HISTORY, fault, ..QueueConfig::new(lanes, listeners) }
}

/// Which links a listener has, said again: the links of `config` are what is tested.
fn followers(listener: u32, end: &End) -> usize {
    match (listener, end) {
        (0, End::Failed(_)) => 2,
        (0, _) | (3, End::Done) => 1,
        _ => 0,
    }
}

/// SplitMix64 (Steele, Lea & Flood).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

/// What is known of a job from outside: what its submitter was promised and what happened.
#[derive(Debug)]
struct Job {
    listener: u32,
    session: u64,
    cancel_recorded: bool,
    ends: usize,
    followers: usize,
}

/// Work that really goes on in a worker, which ends with its page.
struct Work {
    job: JobId,
    attempt: Attempt,
    lane: usize,
    /// Those of a batch share it.
    slot: u64,
    began: bool,
    asked_to_stop: bool,
}

pub struct World {
    planted: Planted,
    random: Random,
    now: Time,
    queue: Queue,
    /// What the disk has.
    disk: Vec<Fact>,
    /// What the disk came to when it was last shortened.
    base: Vec<gradus::queue::Kept>,
    base_next: u64,
    base_paused: Vec<LaneId>,
    /// What is on its way there.
    unwritten: VecDeque<Fact>,
    /// Starts that wait until what is before them is written.
    held: VecDeque<(usize, Effect)>,
    written: usize,
    /// Submits that wait for the same, and are then accepted.
    promised: VecDeque<(usize, JobId, u32, u64)>,
    work: Vec<Work>,
    jobs: BTreeMap<JobId, Job>,
    /// Attempts that recorded an end.
    recorded: BTreeSet<(JobId, Attempt)>,
    positions: BTreeMap<JobId, usize>,
    slots: u64,
    pub over: usize,
    pub kills: usize,
}

impl World {
    pub fn new(seed: u64, planted: Planted) -> Self {
        Self {
            planted,
            random: Random(seed),
            now: Time::ZERO,
            queue: Queue::new(config(planted)),
            disk: Vec::new(),
            base: Vec::new(),
            base_next: 1,
            base_paused: Vec::new(),
            unwritten: VecDeque::new(),
            held: VecDeque::new(),
            written: 0,
            promised: VecDeque::new(),
            work: Vec::new(),
            jobs: BTreeMap::new(),
            recorded: BTreeSet::new(),
            positions: BTreeMap::new(),
            slots: 0,
            over: 0,
            kills: 0,
        }
    }

    pub fn step(&mut self) {
        self.now = self.now + Duration::from_millis(self.random.next() % 40);
        match self.random.below(100) {
            0..25 => self.submit(),
            25..60 => self.worker_says(),
            60..72 => self.disk_writes(),
            72..78 => self.cancel(),
            78..81 => self.shift(),
            81..82 => {
                let (lane, paused) = (LaneId(self.random.below(3) as u32), self.random.one_in(3));
                self.queue.handle_pause(lane, paused);
            }
            82..83 if self.random.one_in(20) => self.now = self.now + Duration::from_secs(3600),
            83..84 => self.worker_breaks(),
            84..85 if self.random.one_in(4) => self.page_dies(),
            85..86 if self.random.one_in(10) => {
                let lane = LaneId(self.random.below(3) as u32);
                self.queue.handle_cancel_waiting(self.now, lane);
                self.positions.clear();
            }
            _ => {}
        }
        self.queue.handle_time(self.now);
        self.follow();
        self.check();
    }

    fn submit(&mut self) {
        let listener = [0, 1, 2, 5][self.random.below(4)];
        // One session submits most of all.
        let session = if self.random.one_in(2) { 1 } else { 2 + self.random.next() % 3 };
        let raise = i32::from(self.random.one_in(10));
        let before = self.queue.waiting(LaneId(0));
        let accepted = self.queue.handle_submit(self.now, ListenerId(listener), SessionId(session), raise);
        self.gather();
        match accepted {
            Ok(job) if self.planted == Planted::WriteAfterAccept => self.accepted(job, listener, session),
            Ok(job) => self.promised.push_back((self.written + self.unwritten.len(), job, listener, session)),
            Err(refused) => assert!(listener == 0 && before >= 30, "refused with room: {refused}"),
        }
    }

    fn accepted(&mut self, job: JobId, listener: u32, session: u64) {
        let new = Job { listener, session, cancel_recorded: false, ends: 0, followers: 0 };
        assert!(self.jobs.insert(job, new).is_none(), "{job} accepted twice");
    }

    /// Takes the facts that came true.
    fn gather(&mut self) {
        while let Some(fact) = self.queue.poll_fact() {
            self.unwritten.push_back(fact);
        }
    }

    fn disk_writes(&mut self) {
        let all = self.unwritten.len();
        // A put is whole or not at all; what one call brought about is one put.
        for _ in 0..all {
            let Some(fact) = self.unwritten.pop_front() else { break };
            self.written += 1;
            match &fact {
                Fact::Accepted { job, listener, session, after: Some(_), .. } => {
                    self.accepted(*job, listener.0, session.0);
                }
                Fact::Cancelling { job } => {
                    if let Some(job) = self.jobs.get_mut(job) {
                        job.cancel_recorded = true;
                    }
                }
                _ => {}
            }
            while self.promised.front().is_some_and(|(at, ..)| *at <= self.written) {
                let (_, job, listener, session) = self.promised.pop_front().unwrap();
                if !self.jobs.contains_key(&job) {
                    self.accepted(job, listener, session);
                }
            }
            if let Fact::Ended { job, ref end, .. } = fact {
                self.recorded_end(job, end);
            }
            self.disk.push(fact);
        }
        if self.disk.len() > 400 {
            let ledger = self.ledger();
            (self.base, self.base_next) = (ledger.jobs(), ledger.next_job());
            self.base_paused = ledger.paused().collect();
            self.disk.clear();
        }
    }

    fn recorded_end(&mut self, id: JobId, end: &End) {
        let job = self.jobs.get_mut(&id).unwrap_or_else(|| panic!("{id} ended and was never accepted"));
        job.ends += 1;
        assert_eq!(job.ends, 1, "{id} has two ends on disk");
        assert!(!(job.cancel_recorded && *end == End::Done), "{id} is done though its cancel was recorded");
        job.followers = followers(job.listener, end);
        self.over += 1;
    }

    fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::new(&config(Planted::None));
        self.base.iter().cloned().for_each(|kept| ledger.add_kept(kept));
        for lane in &self.base_paused {
            ledger.add(&Fact::Paused { lane: *lane, paused: true });
        }
        self.disk.iter().for_each(|fact| ledger.add(fact));
        ledger
    }

    /// All that was not written is gone, and all work with it; a new page takes up what the disk has.
    fn page_dies(&mut self) {
        self.kills += 1;
        let ledger = self.ledger();
        let mut kept = ledger.jobs();
        if self.planted == Planted::ForgetsInterrupted {
            kept.retain(|kept| !kept.started);
        }
        for (id, job) in &self.jobs {
            let there = ledger.has(*id);
            assert_eq!(there, job.ends == 0, "{id} was accepted and is lost, or has ended and is back");
        }
        self.queue = Queue::new(config(self.planted));
        self.queue.restore(self.now, kept, ledger.next_job().max(self.base_next));
        for lane in ledger.paused() {
            self.queue.handle_pause(lane, true);
        }
        self.unwritten.clear();
        self.held.clear();
        self.promised.clear();
        self.work.clear();
        self.positions.clear();
        self.written = 0;
        self.gather();
    }

    fn follow(&mut self) {
        self.gather();
        while let Some(effect) = self.queue.poll_effect() {
            self.gather();
            match effect {
                Effect::Start { .. } | Effect::StartBatch { .. } => {
                    let at = self.written + self.unwritten.len();
                    if self.planted == Planted::StartBeforeWrite {
                        self.act(effect);
                    } else {
                        self.held.push_back((at, effect));
                    }
                }
                Effect::Stop { job, attempt } => {
                    let held = |(_, effect): &(usize, Effect)| matches!(effect, Effect::Start { job: held, .. } if *held == job);
                    if let Some(place) = self.held.iter().position(held) {
                        self.held.remove(place);
                        self.queue.handle_worker(self.now, job, attempt, WorkerEvent::Stopped);
                    }
                    for work in self.work.iter_mut().filter(|work| work.job == job && work.attempt == attempt) {
                        work.asked_to_stop = true;
                    }
                }
                Effect::Ended { job, .. } => {
                    self.positions.remove(&job);
                }
                Effect::Chained { .. } => {}
            }
            self.gather();
        }
        while self.held.front().is_some_and(|(at, _)| *at <= self.written) {
            let (_, effect) = self.held.pop_front().unwrap();
            self.act(effect);
        }
    }

    fn act(&mut self, effect: Effect) {
        let attempts = match effect {
            Effect::Start { job, attempt } => vec![(job, attempt)],
            Effect::StartBatch { jobs } => jobs,
            _ => return,
        };
        self.slots += 1;
        for (job, attempt) in attempts {
            let Some(view) = self.queue.job(job) else { continue };
            let on_disk = |fact: &Fact| matches!(fact, Fact::Started { job: other, attempt: of } if (*other, *of) == (job, attempt));
            assert!(
                self.unwritten.iter().all(|fact| !on_disk(fact)),
                "{job} {attempt} works before its start is written"
            );
            let lane = view.lane.0 as usize;
            self.work.push(Work { job, attempt, lane, slot: self.slots, began: false, asked_to_stop: view.stopping });
        }
    }

    /// A worker says something of its work; sometimes of work that it has not.
    fn worker_says(&mut self) {
        if self.work.is_empty() {
            return;
        }
        let pick = self.random.below(self.work.len());
        let (job, attempt) = (self.work[pick].job, self.work[pick].attempt);
        if self.random.one_in(12) {
            let old = Attempt(attempt.0.wrapping_sub(1));
            let heard = self.queue.handle_worker(self.now, job, old, WorkerEvent::Done);
            assert_eq!(heard, Accepted::Stale, "{job}: news of an earlier attempt were taken");
            return;
        }
        if !self.work[pick].began {
            self.work[pick].began = true;
            self.queue.handle_worker(self.now, job, attempt, WorkerEvent::Began);
            return;
        }
        let event = match self.random.below(8) {
            0 | 1 => WorkerEvent::Progress(self.random.below(100) as f32 / 100.0),
            2 => WorkerEvent::Failed(Error::new("broken")),
            3 => WorkerEvent::Failed(Error::of(ErrorKind::DeviceLost, "gone")),
            4 | 5 if self.work[pick].asked_to_stop => WorkerEvent::Stopped,
            _ => WorkerEvent::Done,
        };
        if !matches!(event, WorkerEvent::Progress(_)) {
            self.work.remove(pick);
            assert!(self.recorded.insert((job, attempt)), "{job} {attempt} recorded twice");
        }
        self.queue.handle_worker(self.now, job, attempt, event);
    }

    /// A worker breaks by the fault of none of its jobs: they begin anew in their slots.
    fn worker_breaks(&mut self) {
        let lost: Vec<Work> = self.work.drain(..).collect();
        for work in lost {
            self.queue.handle_worker(self.now, work.job, work.attempt, WorkerEvent::Lost);
        }
    }

    fn some_job(&mut self) -> Option<JobId> {
        let all: Vec<JobId> = {
            let mut all: Vec<JobId> = self.queue.jobs().map(|view| view.id).collect();
            all.sort_unstable();
            all
        };
        (!all.is_empty()).then(|| all[self.random.below(all.len())])
    }

    fn cancel(&mut self) {
        let Some(job) = self.some_job() else { return };
        let waits = self.queue.job(job).is_some_and(|view| view.state == JobState::Waiting && !view.starting);
        let outcome = self.queue.handle_cancel(self.now, job);
        assert_eq!(outcome == Cancelled::Now, waits, "{job}");
    }

    fn shift(&mut self) {
        let Some(job) = self.some_job() else { return };
        let to = [Move::ToFront, Move::Up, Move::Down][self.random.below(3)];
        if self.queue.handle_move(job, to) {
            self.positions.clear();
            if to == Move::ToFront {
                let lane = self.queue.job(job).unwrap().lane;
                let first = self.queue.waiting_jobs(lane).find(|other| {
                    let view = self.queue.job(*other).unwrap();
                    !view.starting && view.due.is_none()
                });
                assert_eq!(first, Some(job), "moved to the front and not first");
            }
        }
    }

    fn check(&mut self) {
        for (lane, count) in COUNTS.iter().enumerate() {
            let slots: BTreeSet<u64> =
                self.work.iter().filter(|work| work.lane == lane).map(|work| work.slot).collect();
            assert!(*count == 0 || slots.len() <= *count, "lane {lane} really works on {} of {count}", slots.len());
            let id = LaneId(lane as u32);
            let taken = self.queue.busy(id);
            assert!(*count == 0 || taken <= *count, "lane {lane} has taken {taken} of {count} slots");
            self.check_starts(id, *count, taken);
        }
        for view in self.queue.jobs() {
            if let Some(position) = self.queue.position(view.id) {
                let before = self.positions.insert(view.id, position);
                assert!(before.is_none_or(|before| position <= before), "the position of {} grew", view.id);
            }
        }
        let census = self.queue.census();
        assert!(census[1] <= HISTORY, "the history grows: {}", census[1]);
    }

    /// No slot is free while something waits that may start.
    fn check_starts(&self, lane: LaneId, count: usize, taken: usize) {
        if self.queue.is_paused(lane) || (count != 0 && taken >= count) {
            return;
        }
        for job in self.queue.waiting_jobs(lane) {
            let view = self.queue.job(job).unwrap();
            let fills = view.listener == ListenerId(5)
                || self
                    .queue
                    .waiting_jobs(lane)
                    .any(|other| self.queue.job(other).is_some_and(|other| other.listener == ListenerId(5)));
            let later = view.due.is_some_and(|due| due > self.now);
            assert!(view.starting || later || fills, "{job} waits before a free slot");
        }
    }

    /// Lets everything go on to its end; then each accepted job has exactly one.
    pub fn finish(&mut self) {
        for lane in 0..COUNTS.len() as u32 {
            self.queue.handle_pause(LaneId(lane), false);
        }
        for _ in 0..1_000_000 {
            self.now = self.now + Duration::from_millis(50);
            self.queue.handle_time(self.now);
            self.follow();
            self.disk_writes();
            self.follow();
            self.worker_says();
            self.gather();
            if self.queue.jobs().next().is_none() && self.unwritten.is_empty() {
                break;
            }
        }
        let open: Vec<&JobId> = self.jobs.iter().filter(|(_, job)| job.ends != 1).map(|(id, _)| id).collect();
        assert!(open.is_empty(), "without an end: {open:?}");
        let chained = self.jobs.values().filter(|job| job.listener == 3 || job.listener == 4).count();
        let expected: usize = self.jobs.values().map(|job| job.followers).sum();
        assert_eq!(chained, expected, "links of chains that ran, and those that should have");
        assert_eq!(self.queue.waiting(LaneId(0)) + self.queue.busy(LaneId(0)), 0);
        assert!(self.jobs.values().any(|job| job.session == 1));
    }
}
