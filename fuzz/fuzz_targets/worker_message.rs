#![no_main]
#![allow(clippy::unwrap_used, reason = "a target fails by a panic")]

#[path = "../../tests/support/browser.rs"]
mod browser;
#[path = "../../tests/support/fuzz.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::worker_message(data));
