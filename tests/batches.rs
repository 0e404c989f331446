//! Several jobs in one call of a handler: when a call begins, what each job gets, who can leave it.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/world.rs"]
mod world;

use std::cell::RefCell;
use std::time::Duration;

use gradus::blocks::Handle;
use gradus::ids::JobId;
use gradus::prelude::*;
use world::World;

thread_local!(static CALLS: RefCell<Vec<Vec<String>>> = const { RefCell::new(Vec::new()) });

fn calls() -> Vec<Vec<String>> {
    CALLS.take()
}

/// 100 ms for each call; a text that is "bad" fails alone.
async fn shout(texts: Vec<String>, ctx: Context) -> Vec<Result<String, Error>> {
    CALLS.with_borrow_mut(|calls| calls.push(texts.clone()));
    ctx.progress(Progress::step(0, texts.len() as u64));
    ctx.info("at work");
    world::sleep(&ctx, 100).await;
    let one = |text: String| if text == "bad" { Err(Error::new("It is bad.")) } else { Ok(text.to_uppercase()) };
    texts.into_iter().map(one).collect()
}

fn page(describe: impl Fn(Handle<'_, Button>, Handle<'_, Textbox>, Handle<'_, Textbox>) + 'static) -> World {
    calls();
    World::new(move |ui| {
        let text = ui.add(Textbox::new().label("Text"));
        let out = ui.add(Textbox::new().label("Out"));
        describe(ui.add(Button::new("Go")), text, out);
    })
}

fn fours(count: usize) -> World {
    page(move |go, text, out| {
        go.click(batch(4, Duration::from_millis(50), shout), text, out).concurrency_count(count);
    })
}

fn submit(world: &World, texts: &[&str]) {
    for text in texts {
        world.type_into("Text", text);
        world.click("Go");
    }
}

fn states(world: &World) -> Vec<&'static str> {
    world.runtime.snapshot().jobs.iter().map(|job| job.state).collect()
}

/// The same in the tab that leads and in one that follows.
#[test]
fn what_a_call_says_is_said_once_in_each_tab() {
    fn app() -> std::rc::Rc<gradus::blocks::App> {
        let blocks = Blocks::named("test", |ui| {
            let text = ui.add(Textbox::new().label("Text"));
            let go = ui.add(Button::new("Go"));
            go.click(batch(4, Duration::from_millis(50), shout), text, text).api_name("shout");
        });
        std::rc::Rc::new(blocks.build().unwrap())
    }
    let browser = browser::Browser::new();
    for tab in [browser.open_build(1, app), browser.open_build(2, app)] {
        browser.settle();
        let _ = browser.toasts(tab);
        (0..3).for_each(|_| browser.submit(tab, "shout", "a"));
        browser.pass(100);
        assert_eq!(browser.toasts(tab), ["at work"]);
        browser.pass(1_000);
    }
}

#[test]
fn a_call_begins_when_it_is_full_or_when_the_first_has_waited() {
    let world = fours(1);
    submit(&world, &["a"]);
    world.pass(40);
    assert_eq!((calls().len(), states(&world)), (0, vec!["waiting"]), "it waits for more");
    world.pass(20);
    assert_eq!((calls(), states(&world)), (vec![vec!["a".to_owned()]], vec!["running"]), "and goes alone");
    // While it runs, six more: four of them at once when the slot is free, two once they have waited.
    submit(&world, &["b", "c", "d", "e", "f", "g"]);
    world.pass(300);
    assert_eq!(calls(), [vec!["b", "c", "d", "e"], vec!["f", "g"]]);
    assert_eq!((states(&world), world.text("Out").as_str()), (vec!["done"; 7], "G"));
}

#[test]
fn a_batch_takes_one_slot() {
    let world = fours(2);
    submit(&world, &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"]);
    assert_eq!(calls().len(), 2, "two slots, four jobs in each");
    assert_eq!(world.running().len(), 8);
    assert_eq!(world.waiting().len(), 4);
}

#[test]
fn one_fails_alone() {
    let world = fours(1);
    submit(&world, &["a", "bad", "c", "d"]);
    world.pass(150);
    assert_eq!(states(&world), ["done", "failed", "done", "done"]);
    let failed = &world.runtime.snapshot().jobs[1];
    assert!(failed.error.as_ref().unwrap().contains("It is bad."), "{failed:?}");
    assert_eq!(world.toasts().len(), 1, "what a call says to all of one page is said once");
}

#[test]
fn a_wrong_number_of_results_and_an_error_of_the_call_fail_all() {
    for (fails, words) in [(false, "gave 1 results for 2 jobs"), (true, "No luck today.")] {
        let world = page(move |go, text, out| {
            let few = move |mut texts: Vec<String>| async move {
                texts.truncate(1);
                if fails { Err(Error::new("No luck today.")) } else { Ok(texts) }
            };
            go.click(batch(2, Duration::from_millis(50), few), text, out);
        });
        submit(&world, &["a", "b"]);
        let jobs = world.runtime.snapshot().jobs;
        assert_eq!(jobs.len(), 2);
        assert!(jobs.iter().all(|job| job.error.as_ref().unwrap().contains(words)), "{jobs:?}");
    }
}

#[test]
fn one_leaves_a_running_call_and_the_slot_stays_taken() {
    let world = fours(1);
    submit(&world, &["a", "b", "c", "d", "e"]);
    world.runtime.cancel(JobId(1));
    world.runtime.cancel(JobId(2));
    world.pass(10);
    assert_eq!(states(&world), ["cancelled", "cancelled", "running", "running", "waiting"]);
    world.pass(60);
    assert_eq!(calls().len(), 1, "e would run beside the call");
    world.pass(50);
    assert_eq!(states(&world), ["cancelled", "cancelled", "done", "done", "running"]);
    assert_eq!(calls(), [vec!["e"]]);
}

#[test]
fn a_call_whose_jobs_are_all_cancelled_is_dropped() {
    let world = fours(1);
    submit(&world, &["a", "b", "c", "d", "e"]);
    (1..5).for_each(|job| world.runtime.cancel(JobId(job)));
    world.pass(60);
    assert_eq!(states(&world), ["cancelled", "cancelled", "cancelled", "cancelled", "running"]);
}

#[test]
fn one_that_waits_is_cancelled_at_once_and_not_called() {
    let world = fours(1);
    submit(&world, &["a", "b", "c"]);
    world.runtime.cancel(JobId(2));
    assert_eq!(states(&world), ["waiting", "cancelled", "waiting"]);
    world.pass(60);
    assert_eq!(calls(), [vec!["a", "c"]]);
}

#[test]
fn those_of_a_lost_worker_run_again_each_by_itself() {
    let world = fours(1);
    submit(&world, &["a", "b", "c", "d"]);
    world.pass(50);
    world.workers.break_worker(world.workers.running()[0], "out of memory");
    world.pass(1000);
    assert_eq!(states(&world), ["done"; 4]);
    assert_eq!(calls(), [vec!["a", "b", "c", "d"], vec!["a"], vec!["b"], vec!["c"], vec!["d"]]);
}

#[test]
fn two_inputs_are_a_tuple_and_two_outputs_too() {
    let world = World::new(|ui| {
        let text = ui.add(Textbox::new().label("Text").value("ha"));
        let times = ui.add(Number::new().label("Times").value(3.0));
        let (long, length) = (ui.add(Textbox::new().label("Long")), ui.add(Number::new().label("Length")));
        let repeat = async |items: Vec<(String, u8)>| -> Vec<(String, f64)> {
            let one = |(text, times): (String, u8)| text.repeat(times.into());
            items.into_iter().map(one).map(|long| (long.clone(), long.len() as f64)).collect()
        };
        ui.add(Button::new("Go")).click(batch(2, Duration::ZERO, repeat), (text, times), (long, length));
    });
    world.click("Go");
    assert_eq!((world.text("Long").as_str(), world.number("Length")), ("hahaha", 6.0));
}

#[test]
fn a_batch_of_none_is_refused_when_the_app_is_built() {
    let build = Blocks::named("test", |ui| {
        let text = ui.add(Textbox::new().label("Text"));
        ui.add(Button::new("Go")).click(batch(0, Duration::ZERO, shout), text, text);
    });
    assert!(build.build().unwrap_err().to_string().contains("the listener \"shout\""));
}
