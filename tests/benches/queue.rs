//! How fast the queue core is, one JSON line for each figure.

#[path = "../support/cycles.rs"]
mod cycles;

use std::time::Instant;

fn main() {
    let start = Instant::now();
    let seconds = || start.elapsed().as_secs_f64();
    for waiting in [0, 10_000, 100_000] {
        let best = (0..3).map(|_| cycles::cycles_a_second(waiting, 500_000, seconds)).fold(0.0, f64::max);
        println!("{{\"name\":\"queue_cycles_native_{waiting}_waiting\",\"value\":{best:.0},\"unit\":\"1/s\"}}");
    }
    let cancels = cycles::cancels_a_second(100_000, seconds);
    println!("{{\"name\":\"queue_cancels_native_100000_waiting\",\"value\":{cancels:.0},\"unit\":\"1/s\"}}");
}
