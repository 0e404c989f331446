//! Reloads, crashes and several tabs, with the page's own code on a virtual clock and a log in memory.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/browser.rs"]
mod browser;

use std::cell::RefCell;
use std::rc::Rc;

use browser::Browser;
use gradus::ids::ComponentId;
use gradus::ports::Found;
use gradus::runtime::view::{End, Phase, Told};

/// What was accepted is there after the page died, in order, and runs; what was done is shown.
#[test]
fn a_reload_loses_nothing() {
    let browser = Browser::new();
    let first = browser.open(1);
    for text in ["a", "b", "c", "d"] {
        browser.type_into(first, "Text", text);
        browser.click(first, "Go");
        browser.pass(60);
    }
    assert_eq!(browser.text(first, "Out"), "b!", "100 ms a run");
    let waiting = browser.lane(first, "slow").waiting;
    browser.kill(first);
    let second = browser.open(1);
    browser.pass(20);
    assert_eq!(browser.text(second, "Out"), "b!", "a result that was done is there");
    assert_eq!(browser.lane(second, "slow").waiting, waiting, "in order");
    browser.pass(2_000);
    assert_eq!(browser.text(second, "Out"), "d!");
    assert_eq!(browser.states(second), [("done", 4)]);
}

#[test]
fn a_job_that_loses_its_page_too_often_is_given_up() {
    let browser = Browser::new();
    let mut tab = browser.open(1);
    browser.click(tab, "Go");
    for _ in 0..4 {
        browser.pass(50);
        assert_eq!(browser.states(tab), [("running", 1)]);
        browser.kill(tab);
        tab = browser.open(1);
    }
    browser.pass(2_000);
    assert_eq!(browser.states(tab), [("failed", 1)]);
    let why = browser.jobs(tab)[0].error.clone().unwrap();
    assert!(why.contains("4 times"), "{why}");
}

/// The log cut after every single put, reopened: what was told as accepted is there, and each job ends once.
#[test]
fn every_crash_point() {
    let browser = Browser::new();
    let tab = browser.open(1);
    let mut logs: Vec<(Found, Vec<u64>)> = Vec::new();
    for step in 0..60 {
        if step % 4 == 0 {
            browser.submit(tab, "slow", &format!("{step}"));
        }
        if step % 14 == 5 {
            browser.click(tab, "Chain");
        }
        for _ in 0..4 {
            browser.write_one();
            logs.push((browser.origin.found(), browser.accepted(tab)));
            browser.pass(5);
        }
    }
    logs.dedup_by(|a, b| a.0 == b.0);
    assert!(logs.len() > 30, "{}", logs.len());
    for (found, accepted) in logs {
        let again = Browser::new();
        again.origin.set_found(found);
        let tab = again.open(1);
        again.pass(20_000);
        let jobs = again.jobs(tab);
        for job in &accepted {
            let states: Vec<_> = jobs.iter().filter(|other| other.id.0 == *job).map(|job| job.state).collect();
            assert_eq!(states, ["done"], "j{job}");
        }
        assert!(jobs.iter().all(|job| job.state == "done"));
        let chains = jobs.iter().filter(|job| job.listener == "slow_1").count();
        let links = jobs.iter().filter(|job| job.after.is_some()).count();
        assert_eq!(chains, links, "a chain survives the page");
    }
}

#[test]
fn accepted_means_written() {
    let browser = Browser::new();
    let tab = browser.open(1);
    browser.hold_writes();
    browser.submit(tab, "slow", "x");
    browser.pass(500);
    assert_eq!((browser.accepted(tab).len(), browser.running(tab)), (0, 0));
    browser.write_one();
    browser.pass(20);
    assert_eq!((browser.accepted(tab).len(), browser.running(tab)), (1, 1));
}

/// What a page has shown of an end is there after it died, whenever that is.
#[test]
fn an_end_is_shown_once_it_is_written() {
    let browser = Browser::new();
    let tab = browser.open(1);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let observer = Rc::clone(&seen);
    browser.tab(tab).runtime.observe(Rc::new(move |what, _| observer.borrow_mut().push(what)));
    browser.type_into(tab, "Text", "x");
    browser.hold_writes();
    browser.click(tab, "Go");
    assert!(seen.borrow().is_empty(), "accepted is not written");
    browser.write_one();
    browser.pass(300);
    assert_eq!(browser.really_running(), 0, "its handler has ended");
    let look = |id: usize| {
        let runtime = &browser.tab(id).runtime;
        let status = runtime.component(ComponentId(1)).status.map(|status| status.phase);
        let panel = runtime.panel(10);
        (browser.text(id, "Out"), browser.states(id), status, panel.running, panel.ended.len())
    };
    assert_eq!(look(tab), (String::new(), vec![("running", 1)], Some(Phase::Running), 1, 0));
    assert_eq!(*seen.borrow(), ["accepted", "started"]);
    assert!(browser.tab(tab).runtime.busy());
    // The page dies, and its log is as it was: what nobody saw is made again.
    let again = Browser::new();
    again.origin.set_found(browser.origin.found());
    let second = again.open(1);
    again.pass(20);
    assert_eq!((again.text(second, "Out"), again.states(second)), (String::new(), vec![("running", 1)]));
    // It lives, and the write is through.
    browser.write_one();
    assert_eq!(look(tab), ("x!".into(), vec![("done", 1)], Some(Phase::Done), 0, 1));
    assert_eq!(*seen.borrow(), ["accepted", "started", "ended"]);
    let again = Browser::new();
    again.origin.set_found(browser.origin.found());
    let second = again.open(1);
    again.pass(20);
    assert_eq!((again.text(second, "Out"), again.states(second)), ("x!".into(), vec![("done", 1)]));
}

/// Ends come faster than writes: each write shows what it holds, and a component that is written all the time does not
/// stand still.
#[test]
fn each_write_shows_the_ends_that_it_holds() {
    let browser = Browser::new();
    let tab = browser.open(1);
    for text in ["a", "b", "c"] {
        browser.type_into(tab, "Text", text);
        browser.click(tab, "Two");
    }
    browser.hold_writes();
    browser.pass(110);
    // a and b have ended; a's end is on its way, b's in the put after it, with c's start.
    let mut shown = vec![browser.text(tab, "Out")];
    for _ in 0..4 {
        browser.write_one();
        browser.pass(110);
        shown.push(browser.text(tab, "Out"));
    }
    assert_eq!(shown, ["", "a!", "b!", "c!", "c!"]);
}

/// What the visitor types into an output while an end waits for its write stays, as if it had come after the end.
#[test]
fn typing_while_an_end_waits() {
    let browser = Browser::new();
    let tab = browser.open(1);
    browser.click(tab, "Go");
    browser.hold_writes();
    browser.pass(200);
    assert_eq!(browser.text(tab, "Out"), "");
    browser.type_into(tab, "Out", "mine");
    assert_eq!(browser.text(tab, "Out"), "mine");
    browser.write_one();
    assert_eq!(browser.text(tab, "Out"), "mine");
}

/// A leader with an end that is not written gives up the lead: it shows what was, and hears of the end from the next.
#[test]
fn an_end_that_its_page_could_not_write_comes_from_the_next_leader() {
    let browser = Browser::new();
    let (leader, other) = (browser.open(1), browser.open(2));
    browser.submit(leader, "slow", "x");
    browser.hold_writes();
    browser.pass(200);
    browser.rest(leader);
    assert_eq!(browser.text(leader, "Out"), "");
    browser.let_writes();
    browser.wake(leader);
    browser.pass(500);
    assert_eq!(browser.parts(), [(leader, false), (other, true)]);
    assert_eq!((browser.text(leader, "Out"), browser.states(leader)), ("x!".into(), vec![("done", 1)]));
    let ends =
        |id: usize| browser.tab(id).told.borrow().iter().filter(|(_, told)| matches!(told, Told::Ended(..))).count();
    assert_eq!(ends(leader), 1, "its promise settles");
}

/// The leader dies when an end is written and before it has told: who submitted it leads now, and is told.
#[test]
fn an_end_that_a_new_leader_finds_settles_its_promise() {
    let until_it_ended = || {
        let browser = Browser::new();
        let (leader, other) = (browser.open(1), browser.open(2));
        browser.submit(other, "slow", "x");
        browser.hold_writes();
        browser.pass(200);
        (browser, leader, other)
    };
    // What the log holds then, from a twin that lived on.
    let (twin, ..) = until_it_ended();
    twin.write_one();
    let (browser, leader, other) = until_it_ended();
    browser.kill_only(leader);
    browser.origin.set_found(twin.origin.found());
    browser.let_writes();
    browser.pass(50);
    assert_eq!(browser.parts(), [(other, true)]);
    assert_eq!((browser.text(other, "Out"), browser.states(other)), ("x!".into(), vec![("done", 1)]));
    let told = browser.tab(other).told.borrow().clone();
    assert!(matches!(told.last(), Some((_, Told::Ended(End::Done, _)))), "{told:?}");
}

#[test]
fn without_a_database_the_queue_goes_on_in_memory() {
    let browser = Browser::new();
    browser.origin.break_log(Some("full disk"));
    let tab = browser.open(1);
    browser.submit(tab, "slow", "x");
    browser.pass(500);
    assert_eq!(browser.states(tab), [("done", 1)]);
    let toasts = browser.toasts(tab);
    assert!(toasts.iter().any(|text| text.contains("full disk")), "{toasts:?}");
    assert_eq!(toasts.len(), 1, "in one line");
}

#[test]
fn a_database_that_fails_later_does_not_stop_the_queue() {
    let browser = Browser::new();
    let tab = browser.open(1);
    browser.submit(tab, "slow", "x");
    browser.pass(50);
    browser.origin.break_log(Some("no room"));
    browser.submit(tab, "slow", "y");
    browser.pass(1_000);
    assert_eq!(browser.states(tab), [("done", 2)]);
    assert!(browser.toasts(tab).iter().any(|text| text.contains("no room")));
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_taken_up() {
    let browser = Browser::new();
    let tab = browser.open(1);
    browser.hold_writes();
    browser.click(tab, "Go");
    browser.write_one();
    browser.pass(20);
    let mut found = browser.origin.found();
    for garbage in [vec![], vec![1], vec![200, 1, 2], vec![1, 1, 255, 255, 255, 255]] {
        let again = Browser::new();
        found.records.push(garbage);
        again.origin.set_found(found.clone());
        let tab = again.open(1);
        again.pass(1_000);
        assert_eq!(again.states(tab), [("done", 1)]);
        assert!(again.toasts(tab).iter().any(|text| text.contains("could not be read")));
        found.records.pop();
    }
}

/// Tabs that open together learn what computes, though the one that leads does not know it yet when the others say hello.
#[test]
fn all_tabs_know_what_computes() {
    let browser = Browser::new();
    let tabs = [browser.open(1), browser.open(2), browser.open(3)];
    let known = || tabs.map(|tab| browser.tab(tab).runtime.engine().map(|info| info.name));
    assert_eq!(known(), [None, None, None]);
    browser.pass(50);
    assert_eq!(known(), ["CPU"; 3].map(|name| Some(name.to_owned())));
}

#[test]
fn tabs_share_one_limit_and_one_queue() {
    let browser = Browser::new();
    let tabs = [browser.open(1), browser.open(2), browser.open(3)];
    for round in 0..4 {
        for tab in tabs {
            browser.type_into(tab, "Text", &format!("{tab} {round}"));
            browser.click(tab, "Two");
        }
    }
    let mut most = 0;
    for _ in 0..200 {
        browser.pass(10);
        most = most.max(browser.really_running());
        let views: Vec<_> = tabs.iter().map(|tab| browser.running(*tab)).collect();
        assert!(views.iter().all(|running| *running <= 2), "{views:?}");
    }
    assert_eq!(most, 2);
    for tab in tabs {
        assert_eq!(browser.text(tab, "Out"), format!("{tab} 3!"), "its own results");
        assert_eq!(browser.states(tab), [("done", 12)], "the same queue");
    }
}

#[test]
fn the_lead_moves_and_loses_nothing() {
    let browser = Browser::new();
    let (leader, other) = (browser.open(1), browser.open(2));
    for (tab, text) in [(leader, "l"), (other, "o")] {
        for _ in 0..3 {
            browser.type_into(tab, "Text", text);
            browser.click(tab, "Go");
        }
    }
    browser.pass(50);
    browser.kill(leader);
    browser.pass(100);
    assert_eq!(browser.running(other), 1, "it leads within a second");
    browser.pass(3_000);
    assert_eq!(browser.text(other, "Out"), "o!");
    assert_eq!(browser.states(other), [("done", 6)], "those of the tab that is gone too");
}

#[test]
fn a_frozen_leader_gives_up_the_lead_and_comes_back_as_a_follower() {
    let browser = Browser::new();
    let (leader, other) = (browser.open(1), browser.open(2));
    browser.type_into(leader, "Text", "l");
    browser.click(leader, "Go");
    browser.pass(50);
    browser.rest(leader);
    browser.pass(20);
    browser.origin.freeze(leader, true);
    browser.pass(1_000);
    assert_eq!(browser.states(other), [("done", 1)], "the other has run it");
    assert!(browser.really_running() <= 1);
    browser.origin.freeze(leader, false);
    browser.wake(leader);
    browser.pass(100);
    assert_eq!(browser.text(leader, "Out"), "l!");
    browser.click(leader, "Go");
    browser.pass(500);
    assert_eq!(browser.states(leader), [("done", 2)]);
}

#[test]
fn a_hung_leader_that_lost_the_log_may_write_no_more() {
    let browser = Browser::new();
    let (leader, other) = (browser.open(1), browser.open(2));
    browser.click(leader, "Go");
    browser.pass(50);
    // The browser takes the lock away from a page that hangs, which does not know.
    browser.steal_lead(leader);
    browser.pass(300);
    assert_eq!(browser.states(other), [("done", 1)]);
    browser.click(leader, "Go");
    browser.pass(2_000);
    assert_eq!(browser.states(other), [("done", 2)], "fenced, it follows, and asks again");
}

/// The leader dies when a submit is written and before it has told: who submitted it leads now.
#[test]
fn a_submit_that_a_new_leader_finds_is_told_to_be_taken() {
    let submitted = || {
        let browser = Browser::new();
        let (leader, other) = (browser.open(1), browser.open(2));
        browser.hold_writes();
        browser.submit(other, "slow", "x");
        browser.pass(20);
        (browser, leader, other)
    };
    let (twin, ..) = submitted();
    twin.write_one();
    let (browser, leader, other) = submitted();
    browser.kill_only(leader);
    browser.origin.set_found(twin.origin.found());
    browser.let_writes();
    browser.pass(500);
    let told = browser.tab(other).told.borrow().clone();
    assert!(matches!(told[..], [(_, Told::Accepted(_)), .., (_, Told::Ended(End::Done, _))]), "{told:?}");
    assert_eq!(browser.accepted(other).len(), 1, "once: {told:?}");
}

/// A day of a job a minute: nothing grows, in memory or in the log, in the tab that leads and in the one that follows.
#[test]
fn a_day_leaves_no_trace_but_the_history() {
    let browser = Browser::new();
    let tabs = [browser.open(1), browser.open(2)];
    let mut hours = Vec::new();
    for minute in 0..24 * 60 {
        let tab = tabs[minute % 2];
        browser.submit(tab, ["slow", "slow_1"][minute / 2 % 2], "x");
        browser.pass(300);
        browser.clock.advance(std::time::Duration::from_millis(59_700));
        if minute % 240 == 239 {
            let _ = tabs.map(|tab| browser.toasts(tab));
            hours.push(tabs.map(|tab| browser.tab(tab).runtime.census()));
            let stored: usize = browser.origin.found().records.iter().map(Vec::len).sum();
            assert!(stored < 600 * 1024, "{stored} bytes in the log");
        }
    }
    // The history of the tab that follows is full after the first hours.
    assert!(hours[1..].windows(2).all(|pair| pair[0] == pair[1]), "{hours:?}");
}
