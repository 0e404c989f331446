#![no_main]
#![allow(clippy::unwrap_used, reason = "a target fails by a panic")]

#[path = "../../tests/support/fixtures.rs"]
mod fixtures;
#[path = "../../tests/support/hostile.rs"]
mod hostile;
#[path = "../../tests/support/ticking.rs"]
mod ticking;
#[path = "../../tests/support/watcher.rs"]
mod watcher;

libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::weights_file(data));
