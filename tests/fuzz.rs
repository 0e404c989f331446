//! The fuzz targets of `fuzz/`, on the same bytes each time: what the app writes and says itself, broken in all sorts of
//! ways. The head of `fuzz/Cargo.toml` has the command that looks for more.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/fuzz.rs"]
mod fuzz;

use std::cell::RefCell;
use std::rc::Rc;

use browser::Browser;
use gradus::ports::{TabSignal, Tabs as _};
use gradus::wire;

const ROUNDS: u64 = 5_000;

/// What is good, changed here and there.
fn broken(seeds: &[Vec<u8>], round: u64) -> Vec<u8> {
    let mut state = round.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound.max(1) as u64) as usize
    };
    let mut bytes = seeds[below(seeds.len())].clone();
    for _ in 0..1 + below(4) {
        let place = below(bytes.len());
        match below(5) {
            0 if !bytes.is_empty() => bytes[place] ^= 1 << below(8),
            1 => bytes.truncate(place),
            2 => bytes.insert(place, below(256) as u8),
            3 if !bytes.is_empty() => bytes[place] = [0, 1, 127, 128, 255][below(5)],
            _ => {
                let other = &seeds[below(seeds.len())];
                bytes.splice(place.., other[below(other.len())..].iter().copied());
            }
        }
    }
    bytes
}

fn check(target: fn(&[u8]), seeds: &[Vec<u8>]) {
    seeds.iter().for_each(|seed| target(seed));
    (0..ROUNDS).for_each(|round| target(&broken(seeds, round)));
}

#[test]
fn stored_log() {
    let browser = Browser::new();
    let tab = browser.open(1);
    let mut seeds = Vec::new();
    for button in ["Go", "Chain", "Two", "Go"] {
        browser.click(tab, button);
        browser.pass(70);
        let length = |record: &[u8]| u16::try_from(record.len()).unwrap().to_le_bytes();
        let records = browser.origin.found().records;
        seeds.push(records.iter().flat_map(|record| length(record).into_iter().chain(record.clone())).collect());
    }
    check(fuzz::stored_log, &seeds);
}

#[test]
fn tab_message() {
    let browser = Browser::new();
    let (heard, ear) = (Rc::new(RefCell::new(Vec::new())), browser.origin.tab(99));
    let words = Rc::clone(&heard);
    ear.listen(Rc::new(move |signal| {
        if let TabSignal::Message(bytes) = signal {
            words.borrow_mut().push(bytes);
        }
    }));
    let (leader, other) = (browser.open(1), browser.open(2));
    for tab in [other, leader] {
        browser.click(tab, "Chain");
        browser.pass(150);
    }
    browser.kill(leader);
    browser.pass(50);
    let mut seeds = heard.take();
    // Without the hash that stands before each, which the target puts there.
    let hash = wire::encode(&browser::app().hash()).unwrap().len();
    seeds.iter_mut().for_each(|seed| drop(seed.drain(..hash)));
    assert!(seeds.len() > 10);
    check(fuzz::tab_message, &seeds);
}

#[test]
fn worker_message() {
    use gradus::ids::{Attempt, JobId};
    use gradus::wire::{News, ToPage};
    let job = |news| ToPage::Job { job: JobId(1), attempt: Attempt(1), news };
    let seeds: Vec<Vec<u8>> = [
        ToPage::Ready,
        ToPage::Refused("no".into()),
        ToPage::Panicked { blamed: Some((JobId(1), Attempt(1))), message: "broke".into() },
        job(News::Began),
        job(News::Partial(vec![Some("part".into())])),
        job(News::Ended(Ok(vec![Some("x".into())]))),
        job(News::Stopped),
    ]
    .iter()
    .map(|message| wire::encode(message).unwrap())
    .collect();
    check(fuzz::worker_message, &seeds);
}

#[test]
fn script_input() {
    use gradus::value::Value;
    let values = |values: Vec<Value>| [b"slow".to_vec(), wire::encode(&values).unwrap()].concat();
    let seeds = [values(vec!["x".into()]), values(vec![]), values(vec![Value::Number(1.0), Value::Bool(true)])];
    check(fuzz::script_input, &seeds);
}
