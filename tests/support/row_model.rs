//! A queue that is simple enough to be plainly right: a bag of jobs, of which everything is worked out anew at each step.
//! It shares nothing with the queue but the types.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use gradus::ids::LaneId;
use gradus::queue::{End, LaneConfig, Link, ListenerConfig, Move, QueueConfig, WorkerEvent};
use gradus::value::{ErrorKind, Time};

pub const COUNTS: [Option<usize>; 4] = [Some(1), Some(2), Some(3), None];
/// How many may wait in the second lane.
pub const MOST_WAITING: usize = 6;
pub const CROWDED: usize = 1;
/// Listeners: lane, priority, retries. Two share the second lane.
pub const LISTENERS: [(usize, i32, u32); 5] = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 0, 1), (3, 0, 2)];
/// What follows on the end of a listener's job.
const LINKS: [(usize, Link, usize); 3] = [(0, Link::Success, 4), (0, Link::Failure, 2), (1, Link::Then, 3)];
pub const HISTORY: usize = 16;

pub fn config() -> QueueConfig {
    let lane = |(index, count): (usize, &Option<usize>)| LaneConfig {
        max_waiting: (index == CROWDED).then_some(MOST_WAITING),
        ..LaneConfig::new(format!("lane {index}"), count.unwrap_or(0))
    };
    let listener = |(index, &(lane, priority, retries)): (usize, &(usize, i32, u32))| ListenerConfig {
        priority,
        retries,
        links: links(index).map(|(link, to)| (link, gradus::ids::ListenerId(to as u32))).collect(),
        ..ListenerConfig::new(LaneId(lane as u32))
    };
    let lanes = COUNTS.iter().enumerate().map(lane).collect();
    QueueConfig { history: HISTORY, ..QueueConfig::new(lanes, LISTENERS.iter().enumerate().map(listener).collect()) }
}

fn links(of: usize) -> impl Iterator<Item = (Link, usize)> {
    LINKS.into_iter().filter(move |(from, ..)| *from == of).map(|(_, link, to)| (link, to))
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Phase {
    Row,
    /// Waits for the time of another attempt.
    Again,
    /// In a slot; whether a worker has ever begun it there.
    Slot(bool),
    Over,
}

#[derive(Debug)]
pub struct ModelJob {
    pub listener: usize,
    pub lane: usize,
    pub session: u64,
    pub priority: i32,
    pub phase: Phase,
    pub attempt: u32,
    pub retries: u32,
    pub cancelled: bool,
    /// Whether a worker has begun this attempt.
    pub begun: bool,
    /// When it failed the last time.
    pub failed: Time,
    /// Lower comes before, among those of its session and priority.
    key: i64,
    /// When it came to where it is.
    since: i64,
}

#[derive(Default)]
pub struct Model {
    pub jobs: BTreeMap<u64, ModelJob>,
    /// Attempts that go on in the slot of the one before.
    pub starts: Vec<(u64, u32)>,
    /// What ends have set off: the job that ended, and the new one.
    pub chained: Vec<(u64, u64)>,
    pub ends: BTreeMap<u64, End>,
    /// When a lane's session was served last or came to wait, by priority; lower is served before.
    turns: BTreeMap<(usize, i32, u64), i64>,
    count: i64,
}

impl Model {
    fn next(&mut self) -> i64 {
        self.count += 1;
        self.count
    }

    pub fn accept(&mut self, listener: usize, session: u64, raise: i32) -> u64 {
        let id = self.jobs.len() as u64 + 1;
        let (lane, priority, _) = LISTENERS[listener];
        let (priority, now) = (priority + raise, self.next());
        if self.own_row(lane, priority, session).is_empty() {
            self.turns.insert((lane, priority, session), now);
        }
        let (phase, failed) = (Phase::Row, Time::ZERO);
        let new = ModelJob {
            listener,
            lane,
            session,
            priority,
            phase,
            attempt: 1,
            retries: 0,
            cancelled: false,
            begun: false,
            failed,
            key: now,
            since: now,
        };
        self.jobs.insert(id, new);
        id
    }

    /// The jobs of a lane in a phase, in the order in which they came to it.
    pub fn listed(&self, lane: usize, phase: Phase) -> Vec<u64> {
        let mut found: Vec<_> = self.jobs.iter().filter(|(_, job)| job.lane == lane && job.phase == phase).collect();
        found.sort_by_key(|(_, job)| job.since);
        found.into_iter().map(|(id, _)| *id).collect()
    }

    /// What waits of a session and priority, in its order.
    fn own_row(&self, lane: usize, priority: i32, session: u64) -> Vec<u64> {
        let own = |job: &ModelJob| (job.lane, job.priority, job.session) == (lane, priority, session);
        let mut found: Vec<_> = self.jobs.iter().filter(|(_, job)| own(job) && job.phase == Phase::Row).collect();
        found.sort_by_key(|(_, job)| job.key);
        found.into_iter().map(|(id, _)| *id).collect()
    }

    pub fn place(&self, id: u64) -> Option<usize> {
        let job = &self.jobs[&id];
        self.own_row(job.lane, job.priority, job.session).iter().position(|other| *other == id)
    }

    /// The row in the order of starts: by priority; then the first jobs of all sessions, the second of all, and so on.
    pub fn row(&self, lane: usize) -> Vec<u64> {
        let mut found: Vec<_> =
            self.jobs.iter().filter(|(_, job)| job.lane == lane && job.phase == Phase::Row).collect();
        found.sort_by_key(|(_, job)| (Reverse(job.priority), job.session, job.key));
        let mut order = Vec::with_capacity(found.len());
        let (mut before, mut place) = (None, 0);
        for (id, job) in found {
            let of = (job.priority, job.session);
            place = if before == Some(of) { place + 1 } else { 0 };
            before = Some(of);
            order.push((Reverse(job.priority), place, self.turns[&(lane, job.priority, job.session)], *id));
        }
        order.sort_unstable();
        order.into_iter().map(|(.., id)| id).collect()
    }

    pub fn in_slots(&self, lane: usize) -> usize {
        self.jobs.values().filter(|job| job.lane == lane && matches!(job.phase, Phase::Slot(_))).count()
    }

    pub fn nth(&self, pick: usize, able: impl Fn(&ModelJob) -> bool) -> Option<u64> {
        let ids: Vec<u64> = self.jobs.iter().filter(|(_, job)| able(job)).map(|(id, _)| *id).collect();
        (!ids.is_empty()).then(|| ids[pick % ids.len()])
    }

    pub fn expect_end(&mut self, id: u64, end: End) {
        let job = self.jobs.get_mut(&id).unwrap();
        job.phase = Phase::Over;
        let end = if job.cancelled { End::Cancelled } else { end };
        let (listener, session) = (job.listener, job.session);
        for (_, to) in links(listener).filter(|(link, _)| link.follows(&end)) {
            let next = self.accept(to, session, 0);
            self.chained.push((id, next));
        }
        assert!(self.ends.insert(id, end).is_none(), "job {id} ended twice");
    }

    /// A start takes a job into a slot.
    pub fn start(&mut self, id: u64) {
        let now = self.next();
        let job = self.jobs.get_mut(&id).unwrap();
        if job.phase == Phase::Row {
            self.turns.insert((job.lane, job.priority, job.session), now);
        }
        (job.phase, job.since, job.begun) = (Phase::Slot(false), now, false);
    }

    /// What a worker's news of the current attempt must bring about.
    pub fn news(&mut self, now: Time, id: u64, event: &WorkerEvent) {
        let count = self.next();
        let job = self.jobs.get_mut(&id).unwrap();
        match event {
            WorkerEvent::Began => {
                if job.phase == Phase::Slot(false) {
                    job.since = count;
                }
                (job.phase, job.begun) = (Phase::Slot(true), true);
            }
            WorkerEvent::Progress(_) => {}
            WorkerEvent::Done => self.expect_end(id, End::Done),
            WorkerEvent::Stopped => self.expect_end(id, End::Cancelled),
            WorkerEvent::Failed(error)
                if error.kind() == ErrorKind::DeviceLost
                    && !job.cancelled
                    && job.retries < LISTENERS[job.listener].2 =>
            {
                job.retries += 1;
                job.attempt += 1;
                (job.phase, job.since, job.failed, job.begun) = (Phase::Again, count, now, false);
            }
            WorkerEvent::Failed(error) => self.expect_end(id, End::Failed(error.clone())),
            WorkerEvent::Lost if job.cancelled => self.expect_end(id, End::Cancelled),
            WorkerEvent::Lost => {
                job.attempt += 1;
                job.begun = false;
                self.starts.push((id, job.attempt));
            }
        }
    }

    /// Moves a job; whether there was anything to move.
    pub fn shift(&mut self, id: u64, to: Move) -> bool {
        let job = &self.jobs[&id];
        let (lane, session, priority) = (job.lane, job.session, job.priority);
        let Some(place) = self.place(id) else { return false };
        let own = self.own_row(lane, priority, session);
        if to == Move::ToFront {
            let row = self.row(lane);
            if row[0] == id {
                return false;
            }
            let before = -self.next();
            let highest = self.jobs[&row[0]].priority;
            let job = self.jobs.get_mut(&id).unwrap();
            (job.priority, job.key) = (highest, before);
            self.turns.insert((lane, highest, session), before);
            return true;
        }
        let other = if to == Move::Up { place.checked_sub(1) } else { Some(place + 1) };
        let Some(other) = other.and_then(|other| own.get(other)) else { return false };
        let (mine, others) = (self.jobs[&id].key, self.jobs[other].key);
        self.jobs.get_mut(&id).unwrap().key = others;
        self.jobs.get_mut(other).unwrap().key = mine;
        true
    }

    /// Whether a job that failed may (`Some(false)`) or must (`Some(true)`) begin again by now: half a second after the
    /// first failure, twice that after the second, a quarter more or less.
    pub fn due(&self, id: u64, now: Time) -> Option<bool> {
        let job = &self.jobs[&id];
        let whole = Duration::from_millis(500) * 2u32.pow(job.retries - 1);
        let waited = now.since(job.failed);
        (waited >= whole * 3 / 4).then_some(waited >= whole * 5 / 4)
    }
}
