//! The queue's cycles, to be timed natively and in wasm.
#![allow(dead_code, reason = "each bench uses its part")]

use std::num::NonZeroUsize;

use gradus::ids::{JobId, LaneId, ListenerId, SessionId};
use gradus::queue::{Effect, LaneConfig, ListenerConfig, Queue, QueueConfig, WorkerEvent};
use gradus::value::Time;

fn queue() -> Queue {
    Queue::new(QueueConfig {
        lanes: vec![LaneConfig { name: "lane".into(), count: NonZeroUsize::new(2) }],
        listeners: vec![ListenerConfig { lane: LaneId(0) }],
        history: 200,
    })
}

/// Submit, start, begin and finish, with so many jobs waiting all the time.
pub fn cycles_a_second(waiting: u64, cycles: u64, seconds: impl Fn() -> f64) -> f64 {
    let mut queue = queue();
    let submit =
        |queue: &mut Queue, n: u64| queue.handle_submit(Time::from_micros(n), ListenerId(0), SessionId(n % 5000));
    (0..waiting).for_each(|n| {
        submit(&mut queue, n);
    });
    let began = seconds();
    let mut ended = 0;
    let mut next = waiting;
    while ended < cycles {
        submit(&mut queue, next);
        next += 1;
        while let Some(effect) = queue.poll_effect() {
            match effect {
                Effect::Start { job, attempt } => {
                    let now = Time::from_micros(next);
                    queue.handle_worker(now, job, attempt, WorkerEvent::Began);
                    queue.handle_worker(now, job, attempt, WorkerEvent::Done);
                }
                Effect::Ended { .. } => {
                    ended += 1;
                    if ended >= cycles {
                        break;
                    }
                }
                Effect::Stop { .. } => {}
            }
            if queue.waiting(LaneId(0)) < waiting as usize {
                submit(&mut queue, next);
                next += 1;
            }
        }
    }
    cycles as f64 / (seconds() - began).max(1e-9)
}

pub fn cancels_a_second(waiting: u64, seconds: impl Fn() -> f64) -> f64 {
    let mut queue = queue();
    let jobs: Vec<JobId> =
        (0..waiting).map(|n| queue.handle_submit(Time::from_micros(n), ListenerId(0), SessionId(1))).collect();
    let began = seconds();
    // From the middle outwards: the worst for a row.
    let (first, second) = jobs.split_at(jobs.len() / 2);
    for job in second.iter().chain(first.iter().rev()) {
        queue.handle_cancel(Time::ZERO, *job);
        while queue.poll_effect().is_some_and(|effect| !matches!(effect, Effect::Start { .. })) {}
    }
    waiting as f64 / (seconds() - began).max(1e-9)
}
