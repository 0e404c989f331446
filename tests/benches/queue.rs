//! How fast the queue core is, one JSON line for each figure.

#[path = "../support/cycles.rs"]
mod cycles;

use std::time::Instant;

/// What this process holds in memory, where Linux says so.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    pages.split_whitespace().nth(1)?.parse::<u64>().ok().map(|pages| pages * 4096)
}

fn main() {
    let start = Instant::now();
    let seconds = || start.elapsed().as_secs_f64();
    for waiting in [0, 10_000, 100_000] {
        let best = (0..3).map(|_| cycles::cycles_a_second(waiting, 500_000, seconds)).fold(0.0, f64::max);
        println!("{{\"name\":\"queue_cycles_native_{waiting}_waiting\",\"value\":{best:.0},\"unit\":\"1/s\"}}");
    }
    if let Some(bytes) = cycles::bytes_a_waiting_job(200_000, resident) {
        println!("{{\"name\":\"queue_memory_a_waiting_job\",\"value\":{bytes:.0},\"unit\":\"B\"}}");
    }
    let cancels = cycles::cancels_a_second(100_000, seconds);
    println!("{{\"name\":\"queue_cancels_native_100000_waiting\",\"value\":{cancels:.0},\"unit\":\"1/s\"}}");
}
