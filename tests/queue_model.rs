//! The queue against a model that is simple enough to be plainly right: several sessions, priorities, moves, pauses,
//! retries, chains, batches, limits of time and of what may wait, pages that go away, and tabs that follow.
//! tests/simulator.rs has what is written late, or never.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/queue_pair.rs"]
mod queue_pair;
#[path = "support/row_model.rs"]
mod row_model;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gradus::ids::{Attempt, JobId, LaneId, ListenerId, SessionId};
use gradus::queue::{Effect, End, Fact, Kept, LaneConfig, ListenerConfig, Queue, QueueConfig, WorkerEvent};
use gradus::value::Time;
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestError, TestRunner};
use queue_pair::{Op, Pair, Seen, op};
use row_model::config;

fn cases() -> u32 {
    std::env::var("GRADUS_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

/// How many may wait in all lanes together, and what happens.
type Case = (Option<usize>, Vec<Op>);

/// Lives so many cases by chance; each its own number of jobs that may wait.
fn live(settings: ProptestConfig, set_up: impl Fn(&mut QueueConfig)) -> Result<Seen, TestError<Case>> {
    let seen = RefCell::new(Seen::default());
    let case = (prop::option::of(4..12usize), prop::collection::vec(op(), 1..=64));
    TestRunner::new(settings).run(&case, |(most, ops)| {
        let mut config = config(most);
        set_up(&mut config);
        let mut pair = Pair::new(config);
        ops.iter().for_each(|op| pair.apply(op));
        pair.finish().into_iter().for_each(|(what, times)| *seen.borrow_mut().entry(what).or_default() += times);
        Ok(())
    })?;
    Ok(seen.into_inner())
}

/// What each so many cases must have seen once, or they are not about it.
const SEEN_ONCE_IN: [(&str, usize); 6] =
    [("batch", 2), ("time limit", 50), ("full lane", 50), ("full in all", 10), ("reload", 2), ("interrupted", 200)];

#[test]
fn the_queue_keeps_its_promises() {
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u32;
    let part = || {
        let kept = Box::new(FileFailurePersistence::Direct("tests/queue_model.regressions"));
        let cases = cases().div_ceil(threads);
        let settings = ProptestConfig { cases, failure_persistence: Some(kept), ..ProptestConfig::default() };
        live(settings, |_| {}).unwrap_or_else(|why| panic!("{why}"))
    };
    let parts: Vec<Seen> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(part)).collect();
        all.into_iter().map(|one| one.join().unwrap_or_else(|why| std::panic::resume_unwind(why))).collect()
    });
    for (what, once_in) in SEEN_ONCE_IN {
        let times: usize = parts.iter().filter_map(|seen| seen.get(what)).sum();
        println!("{what}: {times}");
        assert!(times >= cases() as usize / once_in, "{what} is seen {times} times only");
    }
    // A quarter of that on two cores.
    let minutes = cases().div_ceil(100_000);
    assert!(began.elapsed() < Duration::from_secs(60) * minutes, "{:?} for {} cases", began.elapsed(), cases());
}

#[cfg(feature = "faults")]
#[test]
fn planted_faults_are_found() {
    use gradus::queue::Fault::*;
    let faults = [
        LimitOffByOne,
        SlotFreedOnCancel,
        StaleAttemptAccepted,
        DoneOverCancel,
        HistoryGrows,
        LostChain,
        BatchTooLarge,
        BatchWaitsForNone,
        TimeLimitForgotten,
        DoneOverTimeLimit,
        LimitInAllForgotten,
    ];
    let survives = |fault| {
        let settings = ProptestConfig {
            cases: 5_000,
            max_shrink_iters: 0,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        live(settings, |config| config.fault = Some(fault)).is_ok()
    };
    let missed: Vec<_> = faults.into_iter().filter(|fault| survives(*fault)).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
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
    let mut queue = Queue::new(config(None));
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
