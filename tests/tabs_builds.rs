//! Pages of different builds of an app: which one leads, what becomes of the other's promises and of stored logs.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/browser.rs"]
mod browser;

use std::rc::Rc;

use browser::Browser;
use gradus::blocks::App;
use gradus::ports::Found;
use gradus::prelude::*;
use gradus::runtime::view::Told;

/// A later build of the same app: a component more before the others, the listeners in another order, "two" gone.
fn later_build() -> Rc<App> {
    let blocks = Blocks::named("test", |ui| {
        ui.add(Markdown::new("News"));
        let text = ui.add(Textbox::new().label("Text"));
        let out = ui.add(Textbox::new().label("Out"));
        ui.add(Button::new("New")).click(|text: String| text, text, out).api_name("new");
        ui.add(Button::new("Go")).click(browser::slow, text, out).concurrency_id("slow").api_name("slow");
    });
    Rc::new(blocks.build().unwrap())
}

#[test]
fn a_new_build_takes_over_and_keeps_what_it_cannot_run() {
    let browser = Browser::new();
    let old = browser.open(1);
    for name in ["slow", "slow", "two"] {
        browser.submit(old, name, name);
    }
    browser.kill(old);
    let new = browser.open_build(1, later_build);
    browser.pass(1_000);
    assert_eq!(browser.states(new), [("done", 2)]);
    assert_eq!(browser.text(new, "Out"), "slow!");
    let toasts = browser.toasts(new);
    assert!(toasts.iter().any(|text| text.contains("1 stored jobs") && text.contains("two")), "{toasts:?}");
    browser.kill(new);
    let again = browser.open(1);
    browser.pass(1_000);
    assert_eq!(browser.states(again), [("done", 3)], "kept for the build that can");
    assert_eq!(browser.text(again, "Out"), "two!");
}

#[test]
fn a_newer_build_asks_an_older_leader_to_step_down() {
    let browser = Browser::new();
    let old = browser.open(1);
    browser.click(old, "Go");
    browser.pass(50);
    let new = browser.open_build(2, later_build);
    browser.pass(1_000);
    assert_eq!(browser.parts(), [(old, false), (new, true)]);
    assert_eq!(browser.states(new), [("done", 1)]);
    assert!(browser.toasts(old).iter().any(|text| text.contains("Reload this one")));
    // What it is asked for now is refused and does not hang.
    browser.submit(old, "slow", "x");
    assert!(browser.accepted(old).is_empty());
    let told = browser.tab(old).told.borrow().clone();
    assert!(
        matches!(told[..], [(None, Told::Refused(why))] if why.to_string().contains("Reload this one")),
        "{told:?}"
    );
}

#[test]
fn what_was_taken_by_a_page_that_steps_down_is_settled_there() {
    let browser = Browser::new();
    let old = browser.open(1);
    browser.submit(old, "slow", "x");
    browser.pass(50);
    browser.open_build(2, later_build);
    browser.pass(50);
    let told = browser.tab(old).told.borrow().clone();
    assert!(matches!(told[..], [(_, Told::Accepted(_)), (_, Told::Refused(_))]), "{told:?}");
    assert!(!browser.tab(old).runtime.busy(), "nothing runs on there");
}

/// The records of a log, each with its length before it.
fn unpacked(mut bytes: &[u8]) -> Found {
    let mut found = Found::default();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (record, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        found.records.push(record.to_vec());
        bytes = rest;
    }
    found
}

/// A log of each version of the format, as the page of that time wrote it: what waited runs, what was done is there.
#[test]
fn logs_of_earlier_versions_are_taken_up() {
    let browser = Browser::new();
    browser.origin.set_found(unpacked(include_bytes!("fixtures/log_v1.bin")));
    let tab = browser.open_build(1, later_build);
    browser.pass(20);
    assert_eq!(browser.text(tab, "Out"), "first!");
    browser.pass(1_000);
    assert_eq!(browser.states(tab), [("done", 2)]);
    assert_eq!(browser.text(tab, "Out"), "second!");
    assert!(browser.toasts(tab).is_empty());
}

/// Writes the log of `logs_of_earlier_versions_are_taken_up`, for a new version; prints it where there is one already.
#[test]
fn the_log_of_this_version() {
    let browser = Browser::new();
    let tab = browser.open_build(1, later_build);
    browser.submit(tab, "slow", "first");
    browser.pass(150);
    browser.submit(tab, "slow", "second");
    let records = browser.origin.found().records;
    let length = |record: &[u8]| (record.len() as u32).to_le_bytes();
    let packed: Vec<u8> = records.iter().flat_map(|record| [&length(record)[..], record].concat()).collect();
    if let Some(path) = std::env::var_os("GRADUS_WRITE_LOG") {
        std::fs::write(path, &packed).unwrap();
    }
    assert_eq!(packed, include_bytes!("fixtures/log_v1.bin"), "another format: a new version, and a log of it");
}
