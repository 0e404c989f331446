//! Files of a checkpoint are hostile: whatever numbers they have, loading them takes no more memory than what was there to
//! be filled. By itself and in one test, as what is counted is all of the process.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
#[path = "support/hostile.rs"]
mod hostile;
#[path = "support/ticking.rs"]
mod ticking;
#[path = "support/watcher.rs"]
mod watcher;

use std::cell::Cell;

use hostile::{PATHS, load, open_blocks, open_lora};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// How often the files may be in memory: as they are, their texts as values, weights packed, and as they pass by.
const TIMES: usize = 4;
/// What a load may take beside that, however small the files are.
const BESIDE: usize = 4 << 20;

/// Numbers that are likely to hurt: beyond what can be, and as much as is believed.
const NUMBERS: [&str; 14] = [
    "0",
    "1",
    "-1",
    "0.5",
    "1e308",
    "-Infinity",
    "512",
    "2048",
    "8192",
    "65536",
    "1048576",
    "4294967295",
    "4294967296",
    "18446744073709551615",
];

/// Runs of digits in a text, from where to where.
fn digits(text: &[u8]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, _) in text.iter().enumerate().filter(|(_, byte)| byte.is_ascii_digit()) {
        match runs.last_mut() {
            Some((_, end)) if *end == at => *end = at + 1,
            _ => runs.push((at, at + 1)),
        }
    }
    runs
}

fn bytes_of(fixture: &str) -> usize {
    let sum = Cell::new(0);
    fixtures::files(fixture, |path, bytes| {
        if !path.starts_with("golden") {
            sum.set(sum.get() + bytes.len());
        }
        None
    });
    sum.get()
}

/// What was held at the most while this ran, more than before.
fn peak(run: impl FnOnce()) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    run();
    MEMORY.peak_usage().saturating_sub(before)
}

/// The worst of all cases, which is told.
#[derive(Default)]
struct Worst(usize, String);

impl Worst {
    fn check(&mut self, files: usize, case: &str, run: impl FnOnce()) {
        let held = peak(run);
        if held > self.0 {
            *self = Self(held, case.to_owned());
        }
        assert!(held <= files * TIMES + BESIDE, "{case}: {held} bytes at once, for files of {files}");
    }
}

/// One number of a text in the place of another.
fn with_number(bytes: &mut Vec<u8>, (start, end): (usize, usize), number: &str) {
    bytes.splice(start..end, number.bytes());
}

/// The header of a file of weights, changed, with its length.
fn with_header(bytes: &mut Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header = bytes[8..8 + length].to_vec();
    change(&mut header);
    bytes.splice(..8 + length, (header.len() as u64).to_le_bytes().into_iter().chain(header.iter().copied()));
}

#[test]
fn no_number_of_a_file_takes_more_memory_than_the_files_could_fill() {
    let mut worst = Worst::default();
    let flow = bytes_of("flow");
    let read = |path: &str| {
        let found = Cell::new(Vec::new());
        fixtures::files("flow", |name, bytes| {
            if name == path {
                found.set(bytes.to_vec());
            }
            None
        });
        found.into_inner()
    };
    for path in PATHS {
        let whole = read(path);
        if path.ends_with(".safetensors") {
            let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
            // Shapes and places of the first tensors and of the last ones.
            let runs = digits(&whole[8..8 + length]);
            let some = runs.iter().take(24).chain(runs.iter().rev().take(12));
            for (&place, number) in some.flat_map(|place| NUMBERS.map(|number| (place, number))) {
                worst.check(flow, &format!("{path}: {place:?} is {number}"), || {
                    load(path, |bytes| with_header(bytes, |header| with_number(header, place, number)));
                });
            }
            for length in [0, 1, u64::from(u32::MAX), u64::MAX, 32 << 20, whole.len() as u64] {
                worst.check(flow, &format!("{path}: a header of {length}"), || {
                    load(path, |bytes| bytes[..8].copy_from_slice(&length.to_le_bytes()));
                });
            }
        } else {
            // All numbers of a configuration, and the first and last of a vocabulary.
            let runs = digits(&whole);
            let most = if path.starts_with("tokenizer/") { 8 } else { runs.len() };
            let some = runs.iter().take(most).chain(runs.iter().rev().take(most.min(8)));
            for (&place, number) in some.flat_map(|place| NUMBERS.map(|number| (place, number))) {
                worst.check(flow, &format!("{path}: {place:?} is {number}"), || {
                    load(path, |bytes| with_number(bytes, place, number));
                });
            }
        }
    }
    for (fixture, lora) in [("lora", true), ("blocks", false)] {
        let files = bytes_of(fixture);
        for (n, number) in (0..24).flat_map(|n| NUMBERS.map(|number| (n, number))) {
            worst.check(files, &format!("{fixture}: number {n} is {number}"), || {
                let change = |bytes: &mut Vec<u8>| {
                    with_header(bytes, |header| {
                        let place = digits(header)[n];
                        with_number(header, place, number);
                    });
                };
                if lora { open_lora(change) } else { open_blocks(change) }
            });
        }
    }
    println!("{{\"worst_mib\":{:.1},\"case\":{:?},\"flow\":{flow}}}", worst.0 as f64 / (1 << 20) as f64, worst.1);
}
