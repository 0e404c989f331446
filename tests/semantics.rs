//! What listeners promise beyond their lanes: trigger modes, chains, cancels, timers, paces, refusals, limits of time,
//! states, messages. Page and worker together on a virtual clock.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use gradus::ids::ComponentId;
use gradus::prelude::*;
use gradus::queue::Move;
use gradus::runtime::view::Phase;
use gradus::value::NoteLevel;
use world::World;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Takes a second of virtual time, then gives what it was given.
async fn slow(text: String, ctx: Context) -> Result<String, Error> {
    world::sleep(&ctx, 1000).await;
    if text.contains("fail") { Err(Error::new("as asked")) } else { Ok(format!("{text}!")) }
}

/// A text that runs `slow` into "Out" on `change`, with this mode.
fn with_mode(mode: TriggerMode) -> World {
    World::new(move |ui| {
        let text = ui.add(Textbox::new().label("Text"));
        let out = ui.add(Textbox::new().label("Out"));
        text.change(slow, text, out).trigger_mode(mode);
    })
}

#[test]
fn trigger_modes() {
    for (mode, runs, last) in
        [(TriggerMode::Once, 1, "a!"), (TriggerMode::Multiple, 4, "abcd!"), (TriggerMode::AlwaysLast, 2, "abcd!")]
    {
        let world = with_mode(mode);
        for text in ["a", "ab", "abc", "abcd"] {
            world.type_into("Text", text);
        }
        world.pass(20_000);
        assert_eq!((world.text("Out").as_str(), world.states()), (last, vec![("done", runs)]), "{mode:?}");
    }
}

#[test]
fn the_last_run_is_not_lost_when_the_running_one_fails() {
    let world = with_mode(TriggerMode::AlwaysLast);
    world.type_into("Text", "fail");
    world.type_into("Text", "good");
    world.pass(5_000);
    assert_eq!(world.text("Out"), "good!");
    assert_eq!(world.states(), [("done", 1), ("failed", 1)]);
}

#[test]
fn modes_by_default() {
    let world = World::new(|ui| {
        let text = ui.add(Textbox::new().label("Text"));
        let go = ui.add(Button::new("Go"));
        let timer = ui.add(Timer::every(ms(100)).active(false));
        let out = ui.add(Textbox::new().label("Out"));
        go.click(slow, text, out);
        text.submit(slow, text, out);
        text.change(slow, text, out);
        text.input(slow, text, out);
        timer.tick(slow, text, out);
        ui.load(slow, text, out);
    });
    let modes: Vec<TriggerMode> = world.runtime.app().listeners().iter().map(|spec| spec.mode).collect();
    use TriggerMode::{AlwaysLast, Multiple, Once};
    assert_eq!(modes, [Multiple, Multiple, AlwaysLast, AlwaysLast, Once, Multiple]);
}

/// The table of previous end and link, cell by cell.
#[test]
fn chains() {
    for (end, expected) in
        [("good", "then success"), ("fail", "then failure"), ("cancel", "then"), ("cancel waiting", "then")]
    {
        let world = World::new(|ui| {
            let text = ui.add(Textbox::new().label("Text"));
            let out = ui.add(Textbox::new().label("Out"));
            let log = |name: &str| ui.add(Textbox::new().label(name));
            let (then, success, failure) = (log("Then"), log("Success"), log("Failure"));
            let first = ui.add(Button::new("Go")).click(slow, text, out);
            first.then(|| String::from("then"), (), then);
            first.success(|| String::from("success"), (), success);
            first.failure(|| String::from("failure"), (), failure);
        });
        world.type_into("Text", end);
        world.click("Go");
        if end == "cancel waiting" {
            world.click("Go");
            world.runtime.cancel(world.waiting()[0]);
            world.pass(100);
        } else if end == "cancel" {
            world.pass(100);
            world.runtime.cancel(world.running()[0]);
            world.pass(100);
        } else {
            world.pass(3_000);
        }
        let ran = ["Then", "Success", "Failure"].map(|log| world.text(log)).join(" ");
        assert_eq!(ran.trim().replace("  ", " "), expected, "after {end}");
    }
}

#[test]
fn links_of_links_run_in_order_and_see_what_the_one_before_wrote() {
    let world = World::new(|ui| {
        let text = ui.add(Textbox::new().label("Text").value("a"));
        let go = ui.add(Button::new("Go"));
        let add = |letter: char| move |text: String| format!("{text}{letter}");
        go.click(add('b'), text, text).then(add('c'), text, text).success(add('d'), text, text);
    });
    world.click("Go");
    world.pass(100);
    assert_eq!(world.text("Text"), "abcd");
    let jobs = world.runtime.snapshot().jobs;
    assert_eq!(jobs.iter().map(|job| job.after).collect::<Vec<_>>(), [None, Some(jobs[0].id), Some(jobs[1].id)]);
}

#[test]
fn cancels_of_a_listener_take_what_waits_and_what_runs() {
    let world = World::new(|ui| {
        let text = ui.add(Textbox::new().label("Text"));
        let out = ui.add(Textbox::new().label("Out"));
        let go = ui.add(Button::new("Go")).click(slow, text, out);
        let other = ui.add(Button::new("Other")).click(slow, text, out);
        ui.add(Button::new("Stop")).click(|| (), (), ()).cancels([go]).queue(false);
        let _ = other;
    });
    world.click("Go");
    world.click("Go");
    world.click("Other");
    world.pass(50);
    world.click("Stop");
    world.pass(5_000);
    assert_eq!(world.states(), [("cancelled", 2), ("done", 2)], "both of Go; Stop itself and Other are done");
}

#[test]
fn one_listener_for_several_triggers_has_one_lane() {
    let world = World::new(|ui| {
        let text = ui.add(Textbox::new().label("Text"));
        let out = ui.add(Textbox::new().label("Out"));
        let go = ui.add(Button::new("Go"));
        ui.on([go.on(Event::Click), text.on(Event::Submit)], slow, text, out);
    });
    world.click("Go");
    world.runtime.fire(world.find("Text"), Event::Submit);
    world.pass(50);
    assert_eq!((world.running().len(), world.waiting().len()), (1, 1));
}

#[test]
fn an_event_that_a_component_does_not_have_is_refused() {
    let errors = Blocks::named("test", |ui| {
        let go = ui.add(Button::new("Go"));
        ui.on([go.on(Event::Change)], || (), (), ());
    })
    .build()
    .unwrap_err();
    assert!(errors.to_string().contains("waits for an event that the Button \"Go\" does not have"), "{errors}");
}

#[test]
fn timers_tick_until_they_are_stopped() {
    let world = World::new(|ui| {
        let timer = ui.add(Timer::every(ms(100)));
        let beats = ui.add(Number::new().label("Beats").value(0.0));
        timer.tick(|beats: f64| beats + 1.0, beats, beats);
        ui.add(Button::new("Stop")).click(|| false, (), timer);
        ui.add(Button::new("Start")).click(|| true, (), timer);
    });
    world.pass(1_050);
    assert_eq!(world.number("Beats"), 10.0);
    world.click("Stop");
    world.pass(1_000);
    assert_eq!(world.number("Beats"), 10.0);
    world.click("Start");
    world.pass(500);
    assert_eq!(world.number("Beats"), 15.0);
}

#[test]
fn events_are_thinned_out() {
    let runs = |thin: for<'a> fn(gradus::blocks::Listener<'a>)| {
        let world = World::new(move |ui| {
            let text = ui.add(Textbox::new().label("Text"));
            let out = ui.add(Textbox::new().label("Out"));
            thin(text.change(|text: String| text, text, out));
        });
        for letter in 'a'..='j' {
            world.type_into("Text", &letter.to_string());
            world.pass(30);
        }
        world.pass(1_000);
        assert_eq!(world.text("Out"), "j", "the last is not lost");
        world.runtime.snapshot().jobs.len()
    };
    assert_eq!(runs(|_| ()), 10);
    assert_eq!(
        runs(|listener| {
            listener.debounce(ms(100));
        }),
        1
    );
    // 300 ms of typing: at 0, 100, 200 and 300.
    assert_eq!(
        runs(|listener| {
            listener.throttle(ms(100));
        }),
        4
    );
}

#[test]
fn beside_the_queue_everything_runs_at_once() {
    let world = World::new(|ui| {
        let text = ui.add(Textbox::new().label("Text"));
        let out = ui.add(Textbox::new().label("Out"));
        ui.add(Button::new("Go")).click(slow, text, out).queue(false);
    });
    (0..9).for_each(|_| world.click("Go"));
    world.pass(10);
    assert_eq!(world.states(), [("running", 9)]);
}

#[test]
fn a_time_limit_is_a_failure_with_that_name() {
    let world = World::new(|ui| {
        let text = ui.add(Textbox::new().label("Text"));
        let out = ui.add(Textbox::new().label("Out"));
        ui.add(Button::new("Go")).click(slow, text, out).time_limit(ms(500));
    });
    world.click("Go");
    world.click("Go");
    world.pass(5_000);
    let jobs = world.runtime.snapshot().jobs;
    assert_eq!(world.states(), [("failed", 2)], "each from its own start");
    assert_eq!(jobs[0].error.as_deref(), Some("It took longer than its time limit of 0.5 s."));
}

#[test]
fn priorities_and_moves_by_hand() {
    let world = World::new(|ui| {
        let text = ui.add(Textbox::new().label("Text"));
        let out = ui.add(Textbox::new().label("Out"));
        ui.add(Button::new("Low")).click(slow, text, out).concurrency_id("lane");
        ui.add(Button::new("High")).click(slow, text, out).concurrency_id("lane").priority(5);
    });
    for button in ["Low", "Low", "Low", "High"] {
        world.click(button);
        world.pass(10);
    }
    let order = || world.waiting().iter().map(|job| job.0).collect::<Vec<_>>();
    assert_eq!(order(), [4, 2, 3]);
    world.runtime.move_job(gradus::ids::JobId(3), Move::ToFront);
    assert_eq!(order(), [3, 4, 2]);
    let lane = gradus::ids::LaneId(0);
    world.runtime.pause(lane, true);
    world.pass(5_000);
    assert_eq!(world.states(), [("done", 1), ("waiting", 3)], "what ran runs on, nothing starts");
    assert!(world.runtime.panel(9).lanes[0].paused);
    world.runtime.pause(lane, false);
    world.pass(10);
    world.runtime.cancel_waiting(lane);
    world.pass(5_000);
    assert_eq!(world.states(), [("cancelled", 2), ("done", 2)]);
}

#[test]
fn a_failed_job_is_run_again_with_its_own_inputs() {
    let world = World::new(|ui| {
        let text = ui.add(Textbox::new().label("Text"));
        let out = ui.add(Textbox::new().label("Out"));
        ui.add(Button::new("Go")).click(slow, text, out);
    });
    world.type_into("Text", "fail");
    world.click("Go");
    world.pass(2_000);
    let ended = world.runtime.panel(9).ended;
    assert!(ended[0].retry && ended[0].phase == Phase::Failed);
    world.type_into("Text", "good");
    world.runtime.retry(ended[0].job);
    world.pass(2_000);
    assert_eq!(world.states(), [("failed", 2)]);
    assert_eq!(world.runtime.panel(9).ended.iter().filter(|row| row.retry).count(), 1, "the first was run again");
}

#[test]
fn the_panel_names_what_ended_and_leaves_out_what_the_page_asked_for_by_itself() {
    let world = World::new(|ui| {
        let text = ui.add(Textbox::new().label("Text"));
        let out = ui.add(Textbox::new().label("Out"));
        ui.load(async || String::from("open"), (), out);
        ui.add(Button::new("Go")).click(slow, text, out);
    });
    world.click("Go");
    world.pass(2_000);
    assert_eq!(world.states(), [("done", 2)]);
    let ended = world.runtime.panel(9).ended;
    assert_eq!(ended.iter().map(|row| (row.listener.as_str(), row.own)).collect::<Vec<_>>(), [("Go", true)]);
}

#[test]
fn states_are_kept_as_long_as_they_say() {
    fn app(ui: &Ui) {
        let here = ui.add(State::new(0.0));
        let kept = ui.add(BrowserState::new("visits", 0.0));
        let out = ui.add(Textbox::new().label("Out"));
        let count = |here: f64, kept: f64| (here + 1.0, kept + 1.0, format!("{} {}", here + 1.0, kept + 1.0));
        ui.add(Button::new("Go")).click(count, (here, kept), (here, kept, out));
    }
    let world = World::new(app);
    world.click("Go");
    world.pass(10);
    world.click("Go");
    world.pass(10);
    assert_eq!(world.text("Out"), "2 2");
    let again = World::reopened(app, &world);
    again.click("Go");
    again.pass(10);
    assert_eq!(again.text("Out"), "1 3");
}

#[test]
fn estimates_are_there_after_a_reload() {
    fn app(ui: &Ui) {
        let text = ui.add(Textbox::new().label("Text"));
        let out = ui.add(Textbox::new().label("Out"));
        ui.add(Button::new("Go")).click(slow, text, out);
    }
    let world = World::new(app);
    assert_eq!(world.runtime.panel(9).lanes[0].run, None, "before the first run there is no guess");
    world.click("Go");
    world.pass(2_000);
    let (mean, _) = World::reopened(app, &world).runtime.panel(9).lanes[0].run.unwrap();
    assert!((ms(900)..ms(1_200)).contains(&mean), "{mean:?}");
}

#[test]
fn messages_and_nested_progress() {
    async fn talks(ctx: Context) -> String {
        ctx.info("i");
        ctx.warning("w");
        ctx.success("s");
        ctx.error("e");
        for _ in ctx.track(vec![1, 2], "images") {
            world::sleep(&ctx, 100).await;
        }
        "over".into()
    }
    let world = World::new(|ui| {
        let out = ui.add(Textbox::new().label("Out"));
        ui.add(Button::new("Full")).click(talks, (), out);
    });
    world.click("Full");
    world.pass(150);
    let status = world.runtime.component(world.find("Out")).status.unwrap();
    assert!(status.text.starts_with("1/2 images"), "{}", status.text);
    let levels: Vec<NoteLevel> = world.toasts().iter().map(|toast| toast.level).collect();
    assert_eq!(levels, [NoteLevel::Info, NoteLevel::Warning, NoteLevel::Success, NoteLevel::Error]);
}

#[test]
fn progress_is_shown_as_much_as_wanted() {
    for (show, expected) in
        [(ShowProgress::Full, Some(Some(0.5))), (ShowProgress::Minimal, Some(None)), (ShowProgress::Hidden, None)]
    {
        let world = World::new(move |ui| {
            let out = ui.add(Textbox::new().label("Out"));
            let half = |ctx: Context| async move {
                ctx.progress(Progress::fraction_of(0.5));
                world::sleep(&ctx, 100).await;
                "over".to_owned()
            };
            ui.add(Button::new("Go")).click(half, (), out).show_progress(show);
        });
        world.click("Go");
        world.pass(50);
        let status = world.runtime.component(world.find("Out")).status;
        assert_eq!(status.map(|status| status.progress), expected, "{show:?}");
    }
}

#[test]
fn nothing_grows_with_jobs_that_ended() {
    let world = World::new(|ui| {
        let text = ui.add(Textbox::new().label("Text"));
        let out = ui.add(Textbox::new().label("Out"));
        let go = ui.add(Button::new("Go"));
        go.click(|text: String| text, text, out).then(|text: String| text, text, out);
    });
    let batch = || {
        (0..300).for_each(|_| world.click("Go"));
        world.pass(1_000);
        let _ = world.toasts();
        world.runtime.census()
    };
    let first = batch();
    assert_eq!(batch(), first);
    assert_eq!(batch(), first);
}

#[test]
fn a_handler_gives_a_dropdown_other_choices() {
    let world = World::new(|ui| {
        let to = ui.add(Textbox::new().label("To"));
        let pick = ui.add(Dropdown::of(["old", "kept"]).label("Pick"));
        let out = ui.add(Textbox::new().label("Out"));
        let offer = ui.add(Button::new("Offer"));
        let take = ui.add(Button::new("Take"));
        offer.click(async |to: String| Choices::of(["kept", "new"]).chosen(to), to, pick).queue(false);
        take.click(async |picked: String| picked, pick, out).api_name("take").queue(false);
    });
    let pick = |choice: &str| world.runtime.set_value(ComponentId(1), Value::Text(choice.into()));
    let take = || {
        world.click("Take");
        world.pass(100);
        world.text("Out")
    };
    assert_eq!(take(), "old");
    // What it stood at is gone, and nothing is asked for: the first.
    world.click("Offer");
    world.pass(100);
    let offered = world.runtime.component(ComponentId(1)).choices.unwrap();
    assert_eq!((&*offered, take().as_str()), (&["kept".to_owned(), "new".to_owned()][..], "kept"));
    // The one that is asked for, and then the one that it stands at.
    world.type_into("To", "new");
    world.click("Offer");
    world.pass(100);
    assert_eq!(take(), "new");
    world.type_into("To", "nowhere");
    world.click("Offer");
    world.pass(100);
    assert_eq!(take(), "new");
    // A choice that is no more is refused, from the page and from a script.
    pick("old");
    world.click("Take");
    world.pass(100);
    assert_eq!(world.runtime.component(ComponentId(1)).error.unwrap(), "Choose one of the list.");
    let told: gradus::runtime::view::Watcher = std::rc::Rc::new(|_| {});
    let script = |choice: &str| {
        world.runtime.submit_by_name("take", Some(vec![Value::Text(choice.into())]), std::rc::Rc::clone(&told))
    };
    assert!(script("old").unwrap_err().contains("Choose one of the list"));
    assert_eq!(script("new"), Ok(()));
}

/// What was submitted to a GPU goes on after its handler was dropped.
#[test]
fn a_slot_is_free_when_nothing_of_its_job_computes_any_more() {
    let world = World::new(|ui| {
        let out = ui.add(Textbox::new().label("Out"));
        let paint = async |ctx: Context| {
            ctx.engine().await?;
            world::sleep(&ctx, 1000).await;
            Ok::<_, Error>("painted".to_owned())
        };
        ui.add(Button::new("Paint")).click(paint, (), out);
    });
    world.click("Paint");
    world.click("Paint");
    world.pass(100);
    world::COMPUTES.set(true);
    world.runtime.cancel(world.running()[0]);
    world.pass(500);
    assert_eq!(world.states(), [("running", 1), ("waiting", 1)]);
    world::COMPUTES.set(false);
    world.pass(100);
    assert_eq!(world.states(), [("cancelled", 1), ("running", 1)]);
}

#[test]
fn random_numbers_are_the_jobs_own_at_each_attempt() {
    thread_local!(static DRAWN: std::cell::RefCell<Vec<(u64, u64)>> = const { std::cell::RefCell::new(Vec::new()) });
    let world = World::new(|ui| {
        let draw = async |ctx: Context| {
            DRAWN.with_borrow_mut(|drawn| drawn.push((ctx.random(), ctx.random())));
            world::sleep(&ctx, 1000).await;
        };
        ui.add(Button::new("Draw")).click(draw, (), ());
    });
    world.click("Draw");
    world.pass(100);
    world.workers.break_worker(world.workers.running()[0], "out of memory");
    world.pass(3_000);
    world.click("Draw");
    world.pass(3_000);
    let drawn = DRAWN.take();
    assert_eq!((drawn.len(), drawn[0], drawn[2] == drawn[0]), (3, drawn[1], false));
}
