//! How fast the queue core is, one JSON line for each figure.
#![allow(clippy::unwrap_used, reason = "a bench fails by a panic")]

use std::num::NonZeroUsize;
use std::time::Instant;

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
fn cycles_a_second(waiting: u64, cycles: u64) -> f64 {
    let mut queue = queue();
    let submit =
        |queue: &mut Queue, n: u64| queue.handle_submit(Time::from_micros(n), ListenerId(0), SessionId(n % 5000));
    (0..waiting).for_each(|n| {
        submit(&mut queue, n);
    });
    let began = Instant::now();
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
    cycles as f64 / began.elapsed().as_secs_f64()
}

fn cancels_a_second(waiting: u64) -> f64 {
    let mut queue = queue();
    let jobs: Vec<JobId> =
        (0..waiting).map(|n| queue.handle_submit(Time::from_micros(n), ListenerId(0), SessionId(1))).collect();
    let began = Instant::now();
    // From the middle outwards: the worst for a row.
    let (first, second) = jobs.split_at(jobs.len() / 2);
    for job in second.iter().chain(first.iter().rev()) {
        queue.handle_cancel(Time::ZERO, *job);
        while queue.poll_effect().is_some_and(|effect| !matches!(effect, Effect::Start { .. })) {}
    }
    waiting as f64 / began.elapsed().as_secs_f64()
}

fn main() {
    for waiting in [0, 10_000, 100_000] {
        let best = (0..3).map(|_| cycles_a_second(waiting, 500_000)).fold(0.0, f64::max);
        println!("{{\"name\":\"queue_cycles_native_{waiting}_waiting\",\"value\":{best:.0},\"unit\":\"1/s\"}}");
    }
    println!(
        "{{\"name\":\"queue_cancels_native_100000_waiting\",\"value\":{:.0},\"unit\":\"1/s\"}}",
        cancels_a_second(100_000)
    );
}
