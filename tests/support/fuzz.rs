//! What is fuzzed: bytes from outside, given to the page's own code. Nothing may panic, and nothing that was not
//! submitted may run.
#![allow(dead_code, reason = "each target uses its part")]

use std::rc::Rc;

use gradus::ports::{Found, TabSignal};
use gradus::value::Value;
use gradus::wire::{self, ToPage, ToWorker};

use super::browser::{Browser, app};

/// A log that holds these bytes: each record is its length in two bytes, then itself.
pub fn stored_log(data: &[u8]) {
    let mut found = Found::default();
    let mut rest = data;
    while let Some((length, more)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(more.len());
        let (record, after) = more.split_at(length);
        found.records.push(record.to_vec());
        rest = after;
    }
    let browser = Browser::new();
    browser.origin.set_found(found);
    let tab = browser.open(1);
    browser.pass(20);
    let _ = (browser.jobs(tab), browser.tab(tab).runtime.panel(20));
    browser.click(tab, "Go");
    browser.pass(20);
}

/// What another tab says.
pub fn tab_message(data: &[u8]) {
    let browser = Browser::new();
    let (leader, other) = (browser.open(1), browser.open(2));
    browser.click(other, "Go");
    let hash = wire::encode(&app().hash()).unwrap_or_default();
    let known = [&hash[..], data].concat();
    for tab in [leader, other] {
        browser.origin.signal(tab, TabSignal::Message(data.to_vec()));
        browser.origin.signal(tab, TabSignal::Message(known.clone()));
    }
    browser.pass(20);
    let _ = (browser.jobs(leader), browser.jobs(other), browser.tab(other).runtime.panel(20));
}

/// What a worker and a page say to each other.
pub fn worker_message(data: &[u8]) {
    let _ = (wire::decode::<ToPage>(data), wire::decode::<ToWorker>(data));
    let browser = Browser::new();
    let tab = browser.open(1);
    browser.click(tab, "Go");
    browser.pass(10);
    browser.worker_says(tab, data.to_vec());
    browser.pass(10);
    let _ = browser.jobs(tab);
}

/// What a script submits: a name, then values.
pub fn script_input(data: &[u8]) {
    let browser = Browser::new();
    let tab = browser.open(1);
    let (name, values) = data.split_at(data.len().min(4));
    let name = String::from_utf8_lossy(name);
    let inputs = wire::decode::<Vec<Value>>(values).ok();
    let runtime = &browser.tab(tab).runtime;
    let taken = runtime.submit_by_name(&name, inputs.clone(), Rc::new(|_| ()));
    let again = runtime.submit_by_name("slow", inputs, Rc::new(|_| ()));
    browser.settle();
    assert_eq!(browser.jobs(tab).len(), usize::from(taken.is_ok()) + usize::from(again.is_ok()));
}
