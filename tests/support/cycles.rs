//! The queue's cycles, to be timed natively and in wasm.
#![allow(dead_code, reason = "each bench uses its part")]

use gradus::ids::{JobId, LaneId, ListenerId, SessionId};
use gradus::queue::{Effect, LaneConfig, ListenerConfig, Queue, QueueConfig, WorkerEvent};
use gradus::value::Time;

fn queue() -> Queue {
    Queue::new(QueueConfig::new(vec![LaneConfig::new("lane", 2)], vec![ListenerConfig::new(LaneId(0))]))
}

fn submit(queue: &mut Queue, n: u64, session: u64) -> JobId {
    queue.handle_submit(Time::from_micros(n), ListenerId(0), SessionId(session), 0).unwrap_or(JobId(0))
}

/// Submit, start, begin and finish, with so many jobs waiting all the time.
pub fn cycles_a_second(waiting: u64, cycles: u64, seconds: impl Fn() -> f64) -> f64 {
    let mut queue = queue();
    (0..waiting).for_each(|n| {
        submit(&mut queue, n, n % 5000);
    });
    let began = seconds();
    let mut ended = 0;
    let mut next = waiting;
    while ended < cycles {
        submit(&mut queue, next, next % 5000);
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
                Effect::Stop { .. } | Effect::StartBatch { .. } | Effect::Chained { .. } => {}
            }
            while queue.poll_fact().is_some() {}
            if queue.waiting(LaneId(0)) < waiting as usize {
                submit(&mut queue, next, next % 5000);
                next += 1;
            }
        }
    }
    cycles as f64 / (seconds() - began).max(1e-9)
}

pub fn cancels_a_second(waiting: u64, seconds: impl Fn() -> f64) -> f64 {
    let mut queue = queue();
    let jobs: Vec<JobId> = (0..waiting).map(|n| submit(&mut queue, n, 1)).collect();
    let began = seconds();
    // From the middle outwards: the worst for a row.
    let (first, second) = jobs.split_at(jobs.len() / 2);
    for job in second.iter().chain(first.iter().rev()) {
        queue.handle_cancel(Time::ZERO, *job);
        while queue.poll_effect().is_some_and(|effect| !matches!(effect, Effect::Start { .. })) {}
    }
    waiting as f64 / (seconds() - began).max(1e-9)
}

/// What a waiting job takes in the queue, told by what the process holds before and after so many.
pub fn bytes_a_waiting_job(jobs: u64, resident: impl Fn() -> Option<u64>) -> Option<f64> {
    let mut queue = queue();
    let before = resident()?;
    for n in 0..jobs {
        submit(&mut queue, n, n % 5000);
        while queue.poll_fact().is_some() {}
    }
    Some(resident()?.saturating_sub(before) as f64 / jobs as f64)
}
