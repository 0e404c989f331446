//! Gradio's own queue tests as specifications of this queue: each test bears the numbers of the tests that it takes up.
//! README.md beside this file has every number, those that differ or do not apply too.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "../support/world.rs"]
mod world;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream;
use gradus::blocks::Handle;
use gradus::ids::ListenerId;
use gradus::prelude::*;
use gradus::runtime::view::{End, Told};
use gradus::value::NoteLevel;
use world::World;

/// So many seconds of work.
async fn work(seconds: u64, ctx: &Context) {
    world::sleep(ctx, seconds * 1000).await;
}

async fn two_seconds(text: String, ctx: Context) -> String {
    work(2, &ctx).await;
    text
}

/// A page with one text, one output and one button per listener.
fn page(wire: impl Fn(&Ui, Handle<'_, Textbox>, Handle<'_, Textbox>) + 'static) -> World {
    World::new(move |ui| {
        let text = ui.add(Textbox::new().label("Text"));
        let out = ui.add(Textbox::new().label("Out"));
        wire(ui, text, out);
    })
}

/// What a submit was told, as words.
fn told(world: &World, name: &str, inputs: Vec<Value>) -> Rc<RefCell<Vec<String>>> {
    let heard: Rc<RefCell<Vec<String>>> = Rc::default();
    let words = Rc::clone(&heard);
    let place = world.runtime.app().listeners().iter().position(|spec| spec.key.api_name == name).unwrap();
    let watcher = Rc::new(move |told| {
        let text = |outputs: &[Option<Value>]| match outputs.first() {
            Some(Some(Value::Text(text))) => text.clone(),
            other => format!("{other:?}"),
        };
        words.borrow_mut().push(match told {
            Told::Accepted(_) => "accepted".into(),
            Told::Refused(refused) => format!("refused: {refused}"),
            Told::Partial(outputs) => text(&outputs),
            Told::Ended(End::Done, outputs) => format!("done {}", text(&outputs)),
            Told::Ended(End::Failed(error), _) => format!("failed: {error}"),
            Told::Ended(End::Cancelled, _) => "cancelled".into(),
        });
    });
    world.runtime.submit(ListenerId(place as u32), inputs, watcher);
    heard
}

#[test]
fn n01_single_request() {
    let world = page(|_, text, out| {
        text.submit(|name: String| format!("Hello, {name}!"), text, out);
    });
    world.type_into("Text", "x");
    world.runtime.fire(world.find("Text"), Event::Submit);
    world.pass(10);
    assert_eq!(world.text("Out"), "Hello, x!");
}

#[test]
fn n02_n38_n51_statuses_in_order() {
    let world = page(|ui, text, out| {
        ui.add(Button::new("Go")).click(two_seconds, text, out).concurrency_limit(2);
    });
    (0..4).for_each(|_| world.click("Go"));
    let mut seen = Vec::new();
    for _ in 0..50 {
        let states = world.states();
        if seen.last() != Some(&states) {
            seen.push(states);
        }
        world.pass(100);
    }
    assert_eq!(seen, [vec![("running", 2), ("waiting", 2)], vec![("done", 2), ("running", 2)], vec![("done", 4)],]);
}

#[test]
fn n05_default_concurrency_limits() {
    for (limit, running) in [(Some(Some(1)), 1), (None, 1), (Some(None), 3), (Some(Some(2)), 2)] {
        let world = page(move |ui, text, out| {
            let go = ui.add(Button::new("Go")).click(two_seconds, text, out);
            if let Some(limit) = limit {
                go.concurrency_limit(limit);
            }
        });
        (0..3).for_each(|_| world.click("Go"));
        world.pass(1_000);
        assert_eq!((world.running().len(), world.waiting().len()), (running, 3 - running), "{limit:?}");
    }
}

#[test]
fn n07_cancel_removes_a_waiting_one() {
    let world = page(|ui, text, out| {
        ui.add(Button::new("Go")).click(two_seconds, text, out).concurrency_limit(1);
    });
    (0..3).for_each(|_| world.click("Go"));
    let waiting = world.waiting();
    assert_eq!(waiting.len(), 2);
    world.runtime.cancel(waiting[0]);
    assert_eq!(world.waiting(), [waiting[1]], "the third is kept");
    world.pass(5_000);
    assert_eq!(world.states(), [("cancelled", 1), ("done", 2)]);
}

fn counted(to: u32) -> impl Stream<Item = String> {
    stream::iter((0..to).map(|n| n.to_string()))
}

#[test]
fn n11_n12_n17_n22_n28_n39_generators() {
    let world = page(|ui, text, out| {
        let press = |name: &str| ui.add(Button::new(name));
        press("Async").click(|| counted(3), (), out).concurrency_id("main").concurrency_limit(2).api_name("async");
        let letters = |text: String| text.chars().map(|letter| Ok(letter.to_string())).collect::<Vec<_>>().into_iter();
        press("Sync").click(letters, text, out).concurrency_id("main").api_name("sync");
        press("Ten").click(|| counted(10), (), out).api_name("ten");
    });
    let (asynchronous, synchronous) = (told(&world, "async", vec![]), told(&world, "sync", vec!["abc".into()]));
    let ten = told(&world, "ten", vec![]);
    world.pass(100);
    assert_eq!(*asynchronous.borrow(), ["accepted", "0", "1", "2", "done 2"]);
    assert_eq!(*synchronous.borrow(), ["accepted", "a", "b", "c", "done c"]);
    assert_eq!(ten.borrow()[1..11], (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    // It begins at 0 again.
    let again = told(&world, "async", vec![]);
    world.pass(100);
    assert_eq!(*again.borrow(), *asynchronous.borrow());
}

#[test]
fn n28_n29_n40_n53_an_error_after_a_partial_result() {
    let world = page(|ui, _, out| {
        let broken = || stream::iter([Ok("0".to_owned()), Err(Error::new("no more"))]);
        ui.add(Button::new("Go")).click(broken, (), out).api_name("broken");
        let at_once = || Err::<String, _>(Error::new("at once"));
        ui.add(Button::new("At once")).click(at_once, (), out).api_name("at_once");
    });
    let (late, early) = (told(&world, "broken", vec![]), told(&world, "at_once", vec![]));
    world.pass(100);
    assert_eq!(*late.borrow(), ["accepted", "0", "failed: no more"]);
    assert_eq!(*early.borrow(), ["accepted", "failed: at once"]);
}

#[test]
fn n19_n43_n44_n60_cancel_stops_what_runs() {
    let steps = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&steps);
    let world = page(move |ui, _, out| {
        let seen = Rc::clone(&seen);
        let nine = move |ctx: Context| {
            let seen = Rc::clone(&seen);
            async move {
                for step in 0..9 {
                    seen.borrow_mut().push(step);
                    world::sleep(&ctx, 200).await;
                }
                "9".to_owned()
            }
        };
        let go = ui.add(Button::new("Go")).click(nine, (), out);
        let stop = ui.add(Button::new("Stop")).click(|| (), (), ()).cancels([go]);
        stop.then(|| "Cancel follow-up ran".to_owned(), (), out);
    });
    world.click("Go");
    world.pass(2_500);
    assert_eq!(steps.take(), (0..9).collect::<Vec<_>>(), "all of it without a stop");
    world.click("Go");
    world.pass(250);
    world.click("Stop");
    world.pass(5_000);
    assert!(steps.borrow().len() < 4, "{steps:?}");
    assert_eq!(world.text("Out"), "Cancel follow-up ran");
}

#[test]
fn n45_a_job_after_a_cancelled_one_runs_all_of_it() {
    let world = page(|ui, text, out| {
        ui.add(Button::new("Go")).click(two_seconds, text, out).api_name("go");
    });
    let first = told(&world, "go", vec!["1".into()]);
    world.pass(500);
    world.runtime.cancel(world.running()[0]);
    let second = told(&world, "go", vec!["2".into()]);
    world.pass(5_000);
    assert_eq!(*first.borrow(), ["accepted", "cancelled"]);
    assert_eq!(*second.borrow(), ["accepted", "done 2"]);
}

#[test]
fn n09_n35_nothing_accumulates() {
    let world = page(|ui, text, out| {
        ui.add(Button::new("Go")).click(|text: String| text, text, out);
    });
    let batch = || {
        (0..250).for_each(|_| world.click("Go"));
        world.pass(500);
        world.runtime.census()
    };
    let first = batch();
    assert_eq!(batch(), first, "two identical batches");
}

#[test]
fn n26_names() {
    let world = page(|ui, text, out| {
        for name in ["One", "Two", "Three"] {
            ui.add(Button::new(name)).click(two_seconds, text, out).api_name("p");
        }
    });
    let names: Vec<_> = world.runtime.app().listeners().iter().map(|spec| spec.key.api_name.clone()).collect();
    assert_eq!(names, ["p", "p_1", "p_2"]);
    let watcher = Rc::new(|_| ());
    assert!(world.runtime.submit_by_name("p_2", Some(vec!["x".into()]), watcher.clone()).is_ok());
    let unknown = world.runtime.submit_by_name("q", None, watcher).unwrap_err();
    assert!(unknown.contains("p, p_1, p_2"), "{unknown}");
}

#[test]
fn n27_n32_n37_beside_the_queue() {
    let world = page(|ui, text, out| {
        let count = ui.add(State::new(0.0));
        let next = |count: f64| (count + 1.0, format!("{}", count + 1.0));
        ui.add(Button::new("Go")).click(two_seconds, text, out).queue(false);
        ui.add(Button::new("Count")).click(next, count, (count, out)).queue(false);
        ui.add(Button::new("Count in line")).click(next, count, (count, out));
    });
    (0..5).for_each(|_| world.click("Go"));
    world.pass(10);
    assert_eq!(world.running().len(), 5);
    world.pass(3_000);
    for expected in ["1", "2"] {
        world.click("Count");
        world.pass(10);
        assert_eq!(world.text("Out"), expected);
    }
    world.click("Count in line");
    world.pass(10);
    assert_eq!(world.text("Out"), "3", "with and without the queue");
}

#[test]
fn n33_n62_one_function_for_several_triggers() {
    let world = page(|ui, text, out| {
        let go = ui.add(Button::new("Go"));
        let both = ui.on([go.on(Event::Click), text.on(Event::Submit)], |text: String| text, text, out);
        both.then(String::new, (), text);
    });
    for fire in [true, false] {
        world.type_into("Text", "said");
        if fire {
            world.click("Go")
        } else {
            world.runtime.fire(world.find("Text"), Event::Submit)
        }
        world.pass(20);
        assert_eq!((world.text("Out").as_str(), world.text("Text").as_str()), ("said", ""));
    }
}

#[test]
fn n34_n42_progress_with_its_unit() {
    let world = page(|ui, _, out| {
        let twenty = |ctx: Context| async move {
            for _ in ctx.track((0..20).collect::<Vec<_>>(), "steps") {
                world::sleep(&ctx, 100).await;
            }
            String::new()
        };
        ui.add(Button::new("Go")).click(twenty, (), out);
    });
    world.click("Go");
    let mut seen = Vec::new();
    for _ in 0..25 {
        world.pass(100);
        seen.extend(world.runtime.component(world.find("Out")).status.map(|status| status.text));
    }
    for step in [1, 10, 19] {
        assert!(seen.iter().any(|text| text.starts_with(&format!("{step}/20 steps"))), "{step}: {seen:?}");
    }
}

#[test]
fn n34_n61_messages_and_errors() {
    let world = page(|ui, text, out| {
        let alerts = |text: String, ctx: Context| async move {
            text.chars().for_each(|letter| ctx.info(letter));
            if text.len() < 5 {
                ctx.warning("Too short!");
            }
            text
        };
        ui.add(Button::new("Go")).click(alerts, text, out);
    });
    world.type_into("Text", "Jon");
    world.click("Go");
    world.pass(20);
    let heard: Vec<(NoteLevel, String)> = world.toasts().into_iter().map(|toast| (toast.level, toast.text)).collect();
    let info = |text: &str| (NoteLevel::Info, text.to_owned());
    assert_eq!(heard, [info("J"), info("o"), info("n"), (NoteLevel::Warning, "Too short!".into())]);
}

#[test]
fn n41_timeout() {
    let world = page(|ui, text, out| {
        ui.add(Button::new("Go")).click(two_seconds, text, out).time_limit(Duration::from_secs(1)).api_name("go");
    });
    let heard = told(&world, "go", vec!["x".into()]);
    world.pass(3_000);
    assert_eq!(*heard.borrow(), ["accepted", "failed: It took longer than its time limit of 1 s."]);
}

#[test]
fn n46_n59_a_full_queue_and_an_error_that_does_not_block_it() {
    let world = page(|ui, text, out| {
        let often = |text: String, ctx: Context| async move {
            work(5, &ctx).await;
            if text == "raise" { Err(Error::new("This is an error")) } else { Ok(text) }
        };
        ui.max_size(2);
        for name in ["One", "Two", "Three", "Four"] {
            ui.add(Button::new(name)).click(often, text, out).concurrency_id("f").api_name(name);
        }
    });
    let heard: Vec<_> = [("One", "1"), ("Two", "raise"), ("Three", "3"), ("Four", "4")]
        .map(|(name, text)| told(&world, name, vec![text.into()]))
        .into_iter()
        .collect();
    world.pass(20_000);
    assert_eq!(heard[0].borrow().last().unwrap(), "done 1");
    assert_eq!(heard[1].borrow().last().unwrap(), "failed: This is an error");
    assert_eq!(heard[2].borrow().last().unwrap(), "done 3", "an error does not block the queue");
    assert!(heard[3].borrow()[0].contains("2 wait and 2 may"), "{:?}", heard[3]);
}

#[test]
fn n48_newlines_and_n50_long_answers() {
    let text = format!("a\nb\r\nc\u{85}d\u{2028}e{}", "x".repeat(1 << 20));
    let answer = text.clone();
    let world = page(move |ui, _, out| {
        let answer = answer.clone();
        let go = move |ctx: Context| {
            ctx.info("long");
            answer.clone()
        };
        ui.add(Button::new("Go")).click(go, (), out);
    });
    world.click("Go");
    world.pass(20);
    assert_eq!(world.text("Out"), text);
    assert_eq!(world.toasts().len(), 1);
}

#[test]
fn n49_more_jobs_than_workers() {
    let world = page(|ui, text, out| {
        ui.add(Button::new("Go")).click(|text: String| text, text, out).concurrency_limit(None);
    });
    (0..150).for_each(|_| world.click("Go"));
    world.pass(500);
    assert_eq!(world.states(), [("done", 150)]);
}

#[test]
fn n61_chained_events() {
    let world = page(|ui, text, out| {
        let first = |text: String| if text == "bad" { Err(Error::new("bad")) } else { Ok(()) };
        let go = ui.add(Button::new("Go")).click(first, text, ());
        let more = |word: &'static str| move |out: String| out + word;
        go.success(more("s"), out, out).success(more("S"), out, out);
        go.failure(more("f"), out, out);
    });
    for (text, expected) in [("good", "sS"), ("bad", "sSf")] {
        world.type_into("Text", text);
        world.click("Go");
        world.pass(50);
        assert_eq!(world.text("Out"), expected);
    }
}

#[test]
fn n63_rapid_generation() {
    let world = World::new(|ui| {
        let go = ui.add(Button::new("Go"));
        for chain in ["One", "Two", "Three"] {
            let count = ui.add(Number::new().label(chain).value(0.0));
            let mut last = go.click(|count: f64| count + 1.0, count, count).api_name(chain);
            for _ in 1..22 {
                last = last.then(|count: f64| count + 1.0, count, count);
            }
        }
    });
    world.click("Go");
    world.pass(1_000);
    assert_eq!(["One", "Two", "Three"].map(|chain| world.number(chain)), [22.0; 3]);
}

#[test]
fn n68_n70_n71_change_input_and_load() {
    let world = World::new(|ui| {
        let text = ui.add(Textbox::new().label("Text"));
        let changes = ui.add(Number::new().label("Changes").value(0.0));
        let inputs = ui.add(Number::new().label("Inputs").value(0.0));
        let loaded = ui.add(Number::new().label("Loaded").value(0.0));
        let one_more = |count: f64| count + 1.0;
        text.change(one_more, changes, changes).trigger_mode(TriggerMode::Multiple);
        text.input(one_more, inputs, inputs).trigger_mode(TriggerMode::Multiple);
        ui.load(one_more, loaded, loaded);
        ui.add(Button::new("Set")).click(|| "set".to_owned(), (), text);
    });
    world.pass(20);
    let counts = || ["Changes", "Inputs", "Loaded"].map(|label| world.number(label));
    assert_eq!(counts(), [0.0, 0.0, 1.0]);
    world.type_into("Text", "typed");
    world.pass(20);
    assert_eq!(counts(), [1.0, 1.0, 1.0]);
    for _ in 0..2 {
        world.click("Set");
        world.pass(20);
    }
    assert_eq!(counts(), [2.0, 1.0, 1.0], "a change only where the value is another");
}
