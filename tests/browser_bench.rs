//! How fast the queue core is in wasm, in a worker of headless Chromium; `cargo xtask bench` runs it for release.
#![cfg(target_arch = "wasm32")]

#[path = "support/cycles.rs"]
mod cycles;

use gradus::browser::BrowserClock;
use gradus::ports::Clock;
use wasm_bindgen_test::{console_log, wasm_bindgen_test};

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test]
fn queue_cycles() {
    let clock = BrowserClock::default();
    let seconds = || clock.now().as_micros() as f64 / 1e6;
    let best = (0..3).map(|_| cycles::cycles_a_second(10_000, 200_000, seconds)).fold(0.0, f64::max);
    console_log!("{{\"name\":\"queue_cycles_wasm_10000_waiting\",\"value\":{best:.0},\"unit\":\"1/s\"}}");
    assert!(best > 0.0);
}
