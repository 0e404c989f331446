//! Many lives at once: each is told by its seed alone, so they are shared among the processor's cores.
#![allow(clippy::panic, clippy::expect_used, reason = "a test fails by a panic")]

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// Lives every seed and adds up what the lives give. A hundred times on the way a long run says how far it is.
///
/// # Panics
/// With what a broken life says, once the others that had begun are over.
pub fn live_all<R: Default + Send>(
    seeds: Range<u64>,
    live: impl Fn(u64) -> Result<R, String> + Sync,
    add: impl Fn(&mut R, R) + Sync,
) -> R {
    let count = seeds.end - seeds.start;
    let (next, broke) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let (sum, failures) = (Mutex::new((R::default(), 0)), Mutex::new(Vec::new()));
    let work = || {
        while !broke.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            match live(seed) {
                Ok(lived) => {
                    let mut sum = sum.lock().expect("no other life broke here");
                    add(&mut sum.0, lived);
                    sum.1 += 1;
                    if count >= 2_000 && sum.1 % (count / 100) == 0 {
                        eprintln!("{} of {count} lives", sum.1);
                    }
                }
                Err(why) => {
                    broke.store(true, Ordering::Relaxed);
                    failures.lock().expect("no other life broke here").push((seed, why));
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let mut failures = failures.into_inner().expect("all lives are over");
    failures.sort();
    if let Some((_, why)) = failures.first() {
        panic!("{why}");
    }
    sum.into_inner().expect("all lives are over").0
}
