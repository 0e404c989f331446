//! What the visitor typed, over a reload of the tab.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/browser.rs"]
mod browser;

use std::rc::Rc;

use browser::Browser;
use gradus::blocks::App;
use gradus::ids::ComponentId;
use gradus::prelude::*;
use gradus::value::Value;

fn app() -> Rc<App> {
    describe(&["small", "large"])
}

fn of_another_build() -> Rc<App> {
    describe(&["small", "large", "huge"])
}

/// Each kind of what is typed and chosen, and a button whose handler writes the text that is typed, too.
fn describe(sizes: &[&str]) -> Rc<App> {
    let sizes = sizes.to_owned();
    let blocks = Blocks::named("test", move |ui| {
        let text = ui.add(Textbox::new().label("Text"));
        ui.add(Number::new().label("Number").value(2.0));
        ui.add(Slider::between(0.0, 10.0).label("Slider"));
        ui.add(Checkbox::new().label("Checkbox"));
        ui.add(Dropdown::of(sizes).label("Dropdown"));
        ui.add(Button::new("Go")).click(async || "example".to_owned(), (), text).api_name("example");
    });
    Rc::new(blocks.build().unwrap())
}

const KEPT_AFTER: u64 = 300;

fn values(browser: &Browser, tab: usize) -> Vec<Value> {
    (0..5).map(|id| browser.tab(tab).runtime.component(ComponentId(id)).value).collect()
}

fn set(browser: &Browser, tab: usize, values: &[Value]) {
    for (id, value) in (0..).zip(values) {
        browser.tab(tab).runtime.set_value(ComponentId(id), value.clone());
    }
}

fn typed() -> Vec<Value> {
    vec!["a fox".into(), Value::Number(3.5), Value::Number(7.0), Value::Bool(true), "large".into()]
}

fn opened(browser: &Browser, session: u64) -> usize {
    let tab = browser.open_build(session, app);
    browser.settle();
    tab
}

#[test]
fn a_reload_keeps_what_was_typed_and_another_tab_has_none_of_it() {
    let browser = Browser::new();
    let tab = opened(&browser, 1);
    let first = values(&browser, tab);
    set(&browser, tab, &typed());
    browser.pass(KEPT_AFTER);
    browser.kill(tab);
    let again = opened(&browser, 1);
    assert_eq!(values(&browser, again), typed());
    assert_eq!(values(&browser, opened(&browser, 2)), first);
}

#[test]
fn a_number_that_was_emptied_stays_empty() {
    let browser = Browser::new();
    let tab = opened(&browser, 1);
    set(&browser, tab, &["".into(), Value::Null]);
    browser.pass(KEPT_AFTER);
    browser.kill(tab);
    assert_eq!(values(&browser, opened(&browser, 1))[1], Value::Null);
    assert_eq!(values(&browser, opened(&browser, 2))[1], Value::Number(2.0));
}

#[test]
fn a_page_that_is_left_keeps_it_at_once() {
    let browser = Browser::new();
    let tab = opened(&browser, 1);
    set(&browser, tab, &typed());
    browser.rest(tab);
    browser.kill(tab);
    assert_eq!(values(&browser, opened(&browser, 1)), typed());
}

#[test]
fn the_later_of_typing_and_a_handler_holds_over_a_reload() {
    for (typed_last, expected) in [(true, "mine"), (false, "example")] {
        let browser = Browser::new();
        let mut tab = opened(&browser, 1);
        let type_it = |tab| browser.type_into(tab, "Text", "mine");
        let run_it = |tab| browser.click(tab, "Go");
        if typed_last {
            run_it(tab)
        } else {
            type_it(tab)
        }
        browser.pass(KEPT_AFTER);
        if typed_last {
            type_it(tab)
        } else {
            run_it(tab)
        }
        browser.pass(KEPT_AFTER);
        for _ in 0..2 {
            assert_eq!(browser.text(tab, "Text"), expected, "typed last: {typed_last}");
            browser.kill(tab);
            tab = opened(&browser, 1);
        }
        assert_eq!(browser.text(tab, "Text"), expected, "typed last: {typed_last}, twice");
    }
}

#[test]
fn what_another_build_kept_or_is_too_long_or_no_number_begins_anew() {
    let browser = Browser::new();
    let tab = opened(&browser, 1);
    let first = values(&browser, tab);
    set(&browser, tab, &[Value::Text("x".repeat(20_001)), Value::Number(f64::NAN), Value::Null]);
    browser.pass(KEPT_AFTER);
    browser.kill(tab);
    let tab = opened(&browser, 1);
    assert_eq!(values(&browser, tab)[..2], first[..2]);
    set(&browser, tab, &typed());
    browser.pass(KEPT_AFTER);
    browser.kill(tab);
    let other = browser.open_build(1, of_another_build);
    assert_eq!(values(&browser, other), first);
}
