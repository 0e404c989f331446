//! In a page of headless Chromium: WebGPU works there too, pictures keep their texts, the queue is fast enough.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use gradus::browser::{BrowserClock, BrowserStore, BrowserTimer, Role, role};
use gradus::gpu;
use gradus::ports::{Store, Timer};
use gradus::value::{Picture, add_texts};
use support::{RealTime, conformance};
use wasm_bindgen_test::wasm_bindgen_test;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
fn this_is_a_page() {
    assert_eq!(role(), Role::Page);
}

#[wasm_bindgen_test]
async fn gpu_engine() {
    let engine = gpu::probe().await.unwrap().open().await.unwrap();
    let control = RealTime { clock: Rc::new(BrowserClock::default()), timer: Rc::new(BrowserTimer::default()) };
    conformance::check(&engine, &control, 100_000).await;
}

/// The browser's own timers fire at once where they are asked for more than 24.8 days.
#[wasm_bindgen_test]
async fn a_long_time_is_not_over_at_once() {
    let timer = BrowserTimer::default();
    for delay in [Duration::from_secs(30 * 24 * 60 * 60), Duration::MAX] {
        let first = select(timer.sleep(delay), timer.sleep(Duration::from_millis(1))).await;
        assert!(matches!(first, Either::Right(_)), "{delay:?} were over in a millisecond");
    }
}

#[wasm_bindgen_test]
fn a_picture_keeps_its_texts_in_a_file() {
    let picture = Picture::from_rgba(2, 1, vec![255, 0, 0, 255, 0, 0, 255, 255]).unwrap();
    let file = add_texts(&picture.to_png().unwrap(), &[("Prompt".into(), "мяч 🦄".into())]);
    let back = Picture::from_png(&file).unwrap();
    assert_eq!((back.rgba(), back.fact("Prompt")), (picture.rgba(), Some("мяч 🦄")));
}

#[wasm_bindgen_test]
fn the_store_keeps_texts_for_each_app() {
    let (one, other) = (BrowserStore::new("one"), BrowserStore::new("other"));
    one.set("key", "text");
    assert_eq!((one.get("key").as_deref(), other.get("key")), (Some("text"), None));
}
