//! What is long: in the log it stands apart, inputs while their job has not ended, results while the history has them; in
//! memory it has a limit without a log, too.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/browser.rs"]
mod browser;

use std::rc::Rc;

use browser::Browser;
use gradus::blocks::App;
use gradus::ids::JobId;
use gradus::prelude::*;

/// Its inputs are long and its results short.
fn app() -> Rc<App> {
    let blocks = Blocks::named("test", |ui| {
        let text = ui.add(Textbox::new().label("Text"));
        let out = ui.add(Textbox::new().label("Out"));
        let length = async |text: String, ctx: Context| {
            browser::slow(String::new(), ctx).await;
            if text.starts_with("fail") { Err(Error::new("as asked")) } else { Ok(text.len().to_string()) }
        };
        let first = ui.add(Button::new("Go")).click(length, text, out).concurrency_id("lane").api_name("length");
        first.then(length, text, out).concurrency_id("lane").api_name("link");
    });
    Rc::new(blocks.build().unwrap())
}

fn long(start: &str) -> String {
    start.to_owned() + &"x".repeat(20_000)
}

fn stored(browser: &Browser) -> usize {
    browser.origin.found().values.len()
}

/// Each submit of a job and its link, by turns done, failed, cancelled while it runs and cancelled while it waits.
fn live(browser: &Browser, tab: usize, rounds: usize) {
    for round in 0..rounds {
        browser.type_into(tab, "Text", &long("page"));
        browser.submit(tab, "length", &long(if round % 4 == 1 { "fail" } else { "" }));
        browser.submit(tab, "length", &long("second"));
        let jobs = browser.accepted(tab);
        let job = |back: usize| JobId(jobs[jobs.len() - back]);
        browser.pass(20);
        assert!(stored(browser) >= 2, "what has not ended is there");
        match round % 4 {
            2 => browser.tab(tab).runtime.cancel(job(2)),
            3 => browser.tab(tab).runtime.cancel(job(1)),
            _ => {}
        }
        browser.pass(500);
    }
}

#[test]
fn inputs_go_with_the_end_of_their_job() {
    let browser = Browser::new();
    let mut tabs = vec![browser.open_build(1, app)];
    browser.settle();
    live(&browser, tabs[0], 8);
    assert_eq!(stored(&browser), 0, "in one tab");
    tabs.push(browser.open_build(2, app));
    browser.settle();
    live(&browser, tabs[1], 8);
    assert_eq!(stored(&browser), 0, "of a tab that follows");
    browser.submit(tabs[0], "length", &long(""));
    browser.submit(tabs[1], "length", &long(""));
    browser.kill(tabs[0]);
    browser.pass(20);
    assert!(stored(&browser) >= 2, "the next leader has them");
    browser.pass(1_000);
    assert_eq!(stored(&browser), 0, "taken up from a page that died");
    let done = browser.states(tabs[1]);
    assert!(done.iter().all(|(state, _)| ["done", "failed", "cancelled"].contains(state)), "{done:?}");
    browser.kill(tabs[1]);
    let again = browser.open_build(2, app);
    browser.settle();
    assert_eq!(browser.states(again), done);
    live(&browser, again, 4);
    assert_eq!(stored(&browser), 0, "after a reload");
}

/// A job that ends before its inputs are written: nothing of it is left.
#[test]
fn inputs_that_end_in_the_put_that_holds_them() {
    let browser = Browser::new();
    let tab = browser.open_build(1, app);
    browser.settle();
    browser.submit(tab, "length", &long("first"));
    browser.hold_writes();
    browser.submit(tab, "length", &long("second"));
    browser.click(tab, "Go");
    browser.tab(tab).runtime.cancel_waiting(gradus::ids::LaneId(0));
    browser.let_writes();
    browser.pass(1_000);
    assert_eq!(stored(&browser), 0);
}

const LARGE: usize = 12 << 20;

/// Results and inputs of 12 MB.
fn large_app() -> Rc<App> {
    let blocks = Blocks::named("test", |ui| {
        for (name, button) in ["a", "b", "c", "d"].into_iter().zip(["Go a", "Go b", "Go c", "Go d"]) {
            let out = ui.add(Textbox::new().label(name));
            ui.add(Button::new(button)).click(async || "x".repeat(LARGE), (), out).api_name(name);
        }
        let text = ui.add(Textbox::new().label("Text"));
        let fail = async |_: String| Err::<(), _>(Error::new("as asked"));
        ui.add(Button::new("Fail")).click(fail, text, ()).api_name("fail");
    });
    Rc::new(blocks.build().unwrap())
}

#[test]
fn without_a_log_results_have_the_same_limit() {
    for broken in [None, Some("full disk")] {
        let browser = Browser::new();
        browser.origin.break_log(broken);
        browser.open_build(1, large_app);
        browser.settle();
        let tab = browser.open_build(2, large_app);
        browser.settle();
        for button in ["Go a", "Go b", "Go c", "Go d"] {
            browser.click(tab, button);
            browser.pass(20);
        }
        browser.kill(tab);
        let again = browser.open_build(2, large_app);
        browser.pass(20);
        let kept = ["a", "b", "c", "d"].map(|label| browser.text(again, label).len());
        assert_eq!(kept, [0, 0, LARGE, LARGE], "{broken:?}");
    }
}

#[test]
fn the_inputs_of_failed_jobs_have_a_limit() {
    let browser = Browser::new();
    let tab = browser.open_build(1, large_app);
    browser.settle();
    for _ in 0..4 {
        browser.type_into(tab, "Text", &"x".repeat(LARGE));
        browser.click(tab, "Fail");
        browser.pass(20);
    }
    let ended = browser.tab(tab).runtime.panel(10).ended;
    let retry: Vec<bool> = ended.iter().map(|ended| ended.retry).collect();
    assert_eq!(retry, [true, true, false, false], "latest first");
}
