//! A queue that is simple enough to be plainly right: a bag of jobs, of which everything is worked out anew at each step.
//! It shares nothing with the queue but the types.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use gradus::ids::LaneId;
use gradus::queue::{Batch, End, LaneConfig, Link, ListenerConfig, Move, QueueConfig, Refused, WorkerEvent};
use gradus::value::{Error, ErrorKind, Time};

pub const COUNTS: [Option<usize>; 6] = [Some(1), Some(2), Some(3), None, Some(2), None];
/// How many may wait in the second lane.
pub const MOST_WAITING: usize = 6;
pub const CROWDED: usize = 1;
/// The lane that is beside the others.
pub const BESIDE: usize = 5;
pub const HISTORY: usize = 16;
/// So often may a page go away under a job, and no oftener.
const MOST_INTERRUPTS: u32 = 3;

#[derive(Clone, Copy)]
pub struct Listener {
    pub lane: usize,
    priority: i32,
    retries: u32,
    time_limit: Option<Duration>,
    /// How many jobs a call takes, and how long its first waits for more.
    batch: Option<(usize, Duration)>,
}

const fn plain(lane: usize, priority: i32, retries: u32) -> Listener {
    Listener { lane, priority, retries, time_limit: None, batch: None }
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The second lane is shared by two; the fifth by two that take batches and one that does not.
pub const LISTENERS: [Listener; 9] = [
    Listener { time_limit: Some(millis(60)), ..plain(0, 0, 0) },
    plain(1, 0, 0),
    plain(1, 1, 0),
    plain(2, 0, 1),
    Listener { time_limit: Some(millis(200)), ..plain(3, 0, 2) },
    plain(BESIDE, 0, 1),
    Listener { batch: Some((3, millis(100))), time_limit: Some(millis(80)), ..plain(4, 0, 1) },
    plain(4, 0, 0),
    Listener { batch: Some((2, millis(0))), ..plain(4, 0, 0) },
];

/// What follows on the end of a listener's job.
const LINKS: [(usize, Link, usize); 5] =
    [(0, Link::Success, 4), (0, Link::Failure, 2), (1, Link::Then, 3), (5, Link::Failure, 7), (7, Link::Then, 6)];

/// The same for the queue; `most` may wait in all its lanes.
pub fn config(most: Option<usize>) -> QueueConfig {
    let lane = |(index, count): (usize, &Option<usize>)| LaneConfig {
        max_waiting: (index == CROWDED || index == BESIDE).then_some(MOST_WAITING),
        beside: index == BESIDE,
        ..LaneConfig::new(format!("lane {index}"), count.unwrap_or(0))
    };
    let listener = |(index, own): (usize, &Listener)| ListenerConfig {
        priority: own.priority,
        retries: own.retries,
        time_limit: own.time_limit,
        batch: own.batch.map(|(most, wait)| Batch { most: NonZeroUsize::new(most).unwrap(), wait }),
        links: links(index).map(|(link, to)| (link, gradus::ids::ListenerId(to as u32))).collect(),
        ..ListenerConfig::new(LaneId(own.lane as u32))
    };
    let lanes = COUNTS.iter().enumerate().map(lane).collect();
    let listeners = LISTENERS.iter().enumerate().map(listener).collect();
    let (history, max_interrupts) = (HISTORY, MOST_INTERRUPTS);
    QueueConfig { max_waiting: most, history, max_interrupts, ..QueueConfig::new(lanes, listeners) }
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

/// Why an attempt is being stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stop {
    Cancel,
    TimeLimit,
}

#[derive(Clone, Debug)]
pub struct ModelJob {
    pub listener: usize,
    pub lane: usize,
    pub session: u64,
    pub priority: i32,
    pub phase: Phase,
    pub attempt: u32,
    retries: u32,
    interrupts: u32,
    /// A page that goes away now interrupts it. What is written does not say that a batch's worker was lost, so those of
    /// it are under way until they have begun again.
    under_way: bool,
    pub stop: Option<Stop>,
    /// When a worker began this attempt.
    pub began: Option<Time>,
    /// From when on another attempt may begin, and from when on it must.
    again: (Time, Time),
    /// When this page first had it.
    submitted: Time,
    /// Those of a batch have the same.
    slot: i64,
    /// Lower comes before, among those of its session and priority.
    key: i64,
    /// When it came to where it is.
    since: i64,
}

#[derive(Default)]
pub struct Model {
    pub jobs: BTreeMap<u64, ModelJob>,
    /// How many may wait in all lanes together.
    most: Option<usize>,
    /// What the queue is told the time is.
    pub now: Time,
    pub paused: [bool; COUNTS.len()],
    /// Attempts that go on in the slot of the one before.
    pub starts: Vec<(u64, u32)>,
    /// Attempts that are to be stopped.
    pub stops: Vec<(u64, u32)>,
    /// What ends have set off: the job that ended, and the new one.
    pub chained: Vec<(u64, u64)>,
    pub ends: BTreeMap<u64, End>,
    /// When a lane's session was served last or came to wait, by priority; lower is served before.
    turns: BTreeMap<(usize, i32, u64), i64>,
    count: i64,
}

impl Model {
    pub fn new(most: Option<usize>) -> Self {
        Self { most, ..Self::default() }
    }

    fn next(&mut self) -> i64 {
        self.count += 1;
        self.count
    }

    /// Why a submit must be refused, if it must: for its lane, or for all lanes together.
    pub fn refusal(&self, listener: usize) -> Option<Refused> {
        let Some(own) = LISTENERS.get(listener) else { return Some(Refused::NoListener) };
        if own.lane == BESIDE {
            return None;
        }
        let waiting = |able: &dyn Fn(usize) -> bool| {
            let waits = |job: &&ModelJob| matches!(job.phase, Phase::Row | Phase::Again) && able(job.lane);
            self.jobs.values().filter(waits).count()
        };
        let (in_lane, in_all) = (waiting(&|lane| lane == own.lane), waiting(&|lane| lane != BESIDE));
        if own.lane == CROWDED && in_lane >= MOST_WAITING {
            return Some(Refused::Full { waiting: in_lane, most: MOST_WAITING });
        }
        self.most.filter(|most| in_all >= *most).map(|most| Refused::Full { waiting: in_all, most })
    }

    pub fn accept(&mut self, listener: usize, session: u64, raise: i32) -> u64 {
        let id = self.jobs.len() as u64 + 1;
        let Listener { lane, priority, .. } = LISTENERS[listener];
        let (priority, count) = (priority + raise, self.next());
        if self.own_row(lane, priority, session).is_empty() {
            self.turns.insert((lane, priority, session), count);
        }
        let new = ModelJob {
            listener,
            lane,
            session,
            priority,
            phase: Phase::Row,
            attempt: 1,
            retries: 0,
            interrupts: 0,
            under_way: false,
            stop: None,
            began: None,
            again: (Time::ZERO, Time::ZERO),
            submitted: self.now,
            slot: 0,
            key: count,
            since: count,
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

    /// Where each job of the row stands among those of its session and priority; 1 is next.
    pub fn places(&self, lane: usize) -> BTreeMap<u64, usize> {
        let mut counts = BTreeMap::new();
        let place = |id: u64| {
            let job = &self.jobs[&id];
            let count = counts.entry((job.priority, job.session)).or_insert(0);
            *count += 1;
            (id, *count)
        };
        self.row(lane).into_iter().map(place).collect()
    }

    /// Whether nothing of a lane waits or runs.
    pub fn is_empty(&self, lane: usize) -> bool {
        self.jobs.values().all(|job| job.lane != lane || job.phase == Phase::Over)
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

    /// What waits in a lane and has no slot, in the order of starts.
    pub fn outside_of_slots(&self, lane: usize) -> Vec<u64> {
        [self.listed(lane, Phase::Again), self.row(lane)].concat()
    }

    /// How many slots of a lane are taken.
    pub fn in_slots(&self, lane: usize) -> usize {
        let in_slot = |job: &&ModelJob| job.lane == lane && matches!(job.phase, Phase::Slot(_));
        let mut slots: Vec<i64> = self.jobs.values().filter(in_slot).map(|job| job.slot).collect();
        slots.sort_unstable();
        slots.dedup();
        slots.len()
    }

    pub fn may_start(&self, lane: usize) -> bool {
        !self.paused[lane] && COUNTS[lane].is_none_or(|count| self.in_slots(lane) < count)
    }

    /// The jobs that the row's next start must take, if it were now: the first, and with it those of its listener before
    /// which nothing else stands in their own session's row.
    fn next_call(&self, lane: usize) -> Vec<u64> {
        let row = self.row(lane);
        let Some(first) = row.first() else { return Vec::new() };
        let listener = self.jobs[first].listener;
        let Some((most, _)) = LISTENERS[listener].batch else { return vec![*first] };
        let joins = |id: &u64| {
            let job = &self.jobs[id];
            let own = self.own_row(job.lane, job.priority, job.session);
            own.iter().take_while(|other| *other != id).chain([id]).all(|other| self.jobs[other].listener == listener)
        };
        row.iter().copied().filter(joins).take(most).collect()
    }

    /// When the row's next start must be, and what it takes: a call that is not full waits for more.
    pub fn next_start(&self, lane: usize) -> Option<(Time, Vec<u64>)> {
        let call = self.next_call(lane);
        let first = &self.jobs[call.first()?];
        let waits = LISTENERS[first.listener].batch.filter(|(most, _)| call.len() < *most);
        Some((waits.map_or(Time::ZERO, |(_, wait)| first.submitted + wait), call))
    }

    /// When this must begin again, of those that must.
    pub fn latest_again(&self, id: u64) -> Time {
        self.jobs[&id].again.1
    }

    pub fn may_begin_again(&self, id: u64) -> bool {
        self.jobs[&id].again.0 <= self.now
    }

    /// When what runs has taken too long.
    pub fn time_limit(&self, id: u64) -> Option<Time> {
        let job = &self.jobs[&id];
        let able = matches!(job.phase, Phase::Slot(_)) && job.stop.is_none();
        let limit = LISTENERS[job.listener].time_limit.filter(|_| able)?;
        Some(job.began? + limit)
    }

    /// Stops what takes too long.
    pub fn time_passes(&mut self) {
        let ids: Vec<u64> = self.jobs.keys().copied().collect();
        for id in
            ids.into_iter().filter(|id| self.time_limit(*id).is_some_and(|limit| limit <= self.now)).collect::<Vec<_>>()
        {
            self.stop(id, Stop::TimeLimit);
        }
    }

    /// Asks an attempt to stop; a cancel counts for more than the limit of time.
    pub fn stop(&mut self, id: u64, why: Stop) {
        let job = self.jobs.get_mut(&id).unwrap();
        if job.stop.replace(why).is_none() {
            self.stops.push((id, job.attempt));
        }
    }

    pub fn nth(&self, pick: usize, able: impl Fn(&ModelJob) -> bool) -> Option<u64> {
        let ids: Vec<u64> = self.jobs.iter().filter(|(_, job)| able(job)).map(|(id, _)| *id).collect();
        (!ids.is_empty()).then(|| ids[pick % ids.len()])
    }

    pub fn expect_end(&mut self, id: u64, end: End) {
        let job = self.jobs.get_mut(&id).unwrap();
        job.phase = Phase::Over;
        let end = match job.stop {
            Some(Stop::Cancel) => End::Cancelled,
            Some(Stop::TimeLimit) => End::Failed(Error::of(ErrorKind::Timeout, "")),
            None => end,
        };
        let (listener, session) = (job.listener, job.session);
        for (_, to) in links(listener).filter(|(link, _)| link.follows(&end)) {
            let next = self.accept(to, session, 0);
            self.chained.push((id, next));
        }
        assert!(self.ends.insert(id, end).is_none(), "job {id} ended twice");
    }

    /// A start takes jobs into one slot.
    pub fn start(&mut self, ids: &[u64]) {
        let slot = self.next();
        for id in ids {
            let count = self.next();
            let job = self.jobs.get_mut(id).unwrap();
            if job.phase == Phase::Row {
                self.turns.insert((job.lane, job.priority, job.session), count);
            }
            (job.phase, job.since, job.slot, job.began) = (Phase::Slot(false), count, slot, None);
            job.under_way = true;
        }
    }

    /// What a worker's news of the current attempt must bring about.
    pub fn news(&mut self, id: u64, event: &WorkerEvent) {
        let (count, now) = (self.next(), self.now);
        let job = self.jobs.get_mut(&id).unwrap();
        let own = LISTENERS[job.listener];
        match event {
            WorkerEvent::Began => {
                if job.phase == Phase::Slot(false) {
                    job.since = count;
                }
                (job.phase, job.began) = (Phase::Slot(true), Some(now));
            }
            WorkerEvent::Progress(_) => {}
            WorkerEvent::Done => self.expect_end(id, End::Done),
            WorkerEvent::Stopped => self.expect_end(id, End::Cancelled),
            WorkerEvent::Failed(error)
                if error.kind() == ErrorKind::DeviceLost && job.stop.is_none() && job.retries < own.retries =>
            {
                // Half a second after the first failure, twice that after the second, a quarter more or less.
                let whole = millis(500) * 2u32.pow(job.retries);
                job.retries += 1;
                job.under_way = false;
                self.begins_again(id, (now + whole * 3 / 4, now + whole * 5 / 4));
            }
            WorkerEvent::Failed(error) => self.expect_end(id, End::Failed(error.clone())),
            WorkerEvent::Lost if job.stop.is_some() => self.expect_end(id, End::Cancelled),
            // Each of a batch has a slot of its own from now on.
            WorkerEvent::Lost if own.batch.is_some() => self.begins_again(id, (now, now)),
            WorkerEvent::Lost => {
                job.attempt += 1;
                job.began = None;
                self.starts.push((id, job.attempt));
            }
        }
    }

    fn begins_again(&mut self, id: u64, again: (Time, Time)) {
        let count = self.next();
        let job = self.jobs.get_mut(&id).unwrap();
        if job.phase != Phase::Again {
            job.attempt += 1;
        }
        (job.phase, job.since, job.again, job.began) = (Phase::Again, count, again, None);
    }

    /// The page goes away and comes back: what ran begins again before all others, but not for ever; what waited waits
    /// on, and what was being cancelled is.
    pub fn reload(&mut self) {
        let ids: Vec<u64> = self.jobs.iter().filter(|(_, job)| job.phase != Phase::Over).map(|(id, _)| *id).collect();
        for id in ids {
            let (phase, now) = (self.jobs[&id].phase, self.now);
            let job = self.jobs.get_mut(&id).unwrap();
            job.submitted = now;
            job.interrupts += u32::from(job.under_way);
            job.under_way = false;
            job.stop = job.stop.filter(|stop| *stop == Stop::Cancel);
            if phase == Phase::Row {
                continue;
            }
            if job.stop.is_some() {
                self.expect_end(id, End::Cancelled);
            } else if job.interrupts > MOST_INTERRUPTS {
                self.expect_end(id, End::Failed(Error::of(ErrorKind::Interrupted, "")));
            } else {
                self.begins_again(id, (now, now));
            }
        }
    }

    /// Moves a job; whether there was anything to move.
    pub fn shift(&mut self, id: u64, to: Move) -> bool {
        let job = &self.jobs[&id];
        let (lane, session, priority) = (job.lane, job.session, job.priority);
        let own = self.own_row(lane, priority, session);
        let Some(place) = own.iter().position(|other| *other == id) else { return false };
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
}
