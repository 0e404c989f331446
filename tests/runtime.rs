//! Page and worker together, in one thread on a virtual clock: what a browser makes hard to bring about.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use gradus::blocks::{App, Event};
use gradus::ids::{ComponentId, JobId, SessionId};
use gradus::kernels::{Engine, cpu::CpuEngine};
use gradus::ports::Observer as _;
use gradus::ports::memory::{ManualClock, ManualTimer, MemoryStore, MemoryWorkers, Tasks};
use gradus::prelude::*;
use gradus::runtime::view::Phase;
use gradus::runtime::{Options, Ports, Runtime};
use gradus::value::{EngineInfo, ErrorKind};
use gradus::wire::EngineChoice;
use gradus::worker::{Engines, Worker};

struct World {
    runtime: Runtime,
    clock: Rc<ManualClock>,
    tasks: Rc<Tasks>,
    workers: Rc<MemoryWorkers>,
    store: Rc<MemoryStore>,
}

thread_local!(static ENGINES_OPENED: Cell<u32> = const { Cell::new(0) });

struct CpuEngines;

impl Engines for CpuEngines {
    fn look(&self, _: EngineChoice) -> LocalBoxFuture<'static, EngineInfo> {
        async { CpuEngine::new("test").info().clone() }.boxed_local()
    }

    fn open(&self, _: EngineChoice) -> LocalBoxFuture<'static, Result<Rc<dyn Engine>, Error>> {
        ENGINES_OPENED.set(ENGINES_OPENED.get() + 1);
        async { Ok(Rc::new(CpuEngine::new("test")) as Rc<dyn Engine>) }.boxed_local()
    }
}

impl World {
    fn new(describe: fn(&Ui)) -> Self {
        Self::with(describe, describe, 3, true)
    }

    fn with(page: fn(&Ui), worker: fn(&Ui), cores: usize, starts: bool) -> Self {
        let world = Self::starting(page, worker, cores, starts);
        world.settle();
        world
    }

    /// Its workers are not up yet.
    fn starting(page: fn(&Ui), worker: fn(&Ui), cores: usize, starts: bool) -> Self {
        let build = |describe: fn(&Ui)| -> Rc<App> { Rc::new(Blocks::named("test", describe).build().unwrap()) };
        let (clock, tasks, store) =
            (Rc::new(ManualClock::default()), Rc::new(Tasks::default()), Rc::<MemoryStore>::default());
        let timer = Rc::new(ManualTimer(Rc::clone(&clock)));
        let (its_clock, its_timer, its_tasks) = (Rc::clone(&clock), Rc::clone(&timer), Rc::clone(&tasks));
        let workers = Rc::new(MemoryWorkers::new(cores, move |page| {
            let ports = gradus::worker::Ports {
                clock: its_clock.clone(),
                timer: its_timer.clone(),
                spawn: its_tasks.clone(),
                page,
                engines: Rc::new(CpuEngines),
            };
            let worker = Worker::new(build(worker), ports);
            starts.then(|| Rc::new(move |message: &[u8]| worker.handle_message(message)) as _)
        }));
        let ports = Ports {
            clock: clock.clone(),
            timer,
            spawn: tasks.clone(),
            workers: workers.clone(),
            store: store.clone(),
            log: None,
            tabs: None,
        };
        let options = Options { engine: EngineChoice::Auto, session: SessionId(1), seed: 7 };
        let runtime = Runtime::new(build(page), ports, options);
        runtime.open();
        Self { runtime, clock, tasks, workers, store }
    }

    /// Lets everything happen that happens without time; of what goes on for ever, some.
    fn settle(&self) {
        let mut quiet = 0;
        for _ in 0..500 {
            self.tasks.poll_all();
            quiet = if self.workers.deliver() { 0 } else { quiet + 1 };
            if quiet == 4 {
                break;
            }
        }
    }

    fn advance(&self, time: Duration) {
        self.clock.advance(time);
        self.settle();
    }

    fn find(&self, label: &str) -> ComponentId {
        let place = self.runtime.app().components().iter().position(|spec| spec.label == label);
        ComponentId(place.unwrap_or_else(|| panic!("no component {label}")) as u32)
    }

    fn click(&self, label: &str) {
        self.runtime.fire(self.find(label), Event::Click);
        self.settle();
    }

    fn text(&self, label: &str) -> String {
        match self.runtime.component(self.find(label)).value {
            Value::Text(text) => text,
            other => format!("{other:?}"),
        }
    }

    fn states(&self) -> Vec<(&'static str, u32)> {
        self.runtime.snapshot().jobs.iter().map(|job| (job.state, job.attempt)).collect()
    }
}

thread_local!(static COUNT: Cell<u32> = const { Cell::new(0) });

fn count() -> u32 {
    COUNT.with(|count| count.replace(count.get() + 1))
}

/// Waits until the test says so, by the count.
async fn wait_for(at_least: u32, ctx: &Context) {
    while COUNT.get() < at_least {
        ctx.checkpoint().await;
    }
}

fn patient(ui: &Ui) {
    let text = ui.add(Textbox::new().label("Text").value("x"));
    let out = ui.add(Textbox::new().label("Out"));
    let wait = async |text: String, ctx: Context| {
        ctx.partial((format!("{text} begins {}", ctx.job_id()),))?;
        wait_for(100, &ctx).await;
        Ok::<_, Error>(format!("{text} ends {}", ctx.job_id()))
    };
    ui.add(Button::new("Go")).click(wait, text, out).concurrency_count(None);
    ui.add(Button::new("One")).click(wait, text, out);
    ui.add(Button::new("Never")).click(
        async || {
            std::future::pending::<()>().await;
            String::new()
        },
        (),
        out,
    );
    let numbers = |_: Context| std::iter::repeat_with(|| "again".to_owned());
    ui.add(Button::new("Endless")).click(numbers, (), out).concurrency_count(None);
}

#[test]
fn a_click_becomes_a_result() {
    let world = World::new(|ui| {
        let name = ui.add(Textbox::new().label("Name").value("Ada"));
        let out = ui.add(Textbox::new().label("Out"));
        ui.add(Button::new("Greet")).click(async |name: String| format!("Hello, {name}!"), name, out);
        ui.load(async || "loaded".to_owned(), (), out);
        out.change(|text: String| text.len() as f64, out, ui.add(Number::new().label("Length")));
    });
    assert_eq!(world.text("Out"), "loaded");
    world.click("Greet");
    assert_eq!(world.text("Out"), "Hello, Ada!");
    assert_eq!(world.runtime.component(world.find("Length")).value, Value::Number(11.0), "change runs on results too");
    assert!(world.states().iter().all(|state| *state == ("done", 1)));
}

#[test]
fn slow_previews_leave_time_for_the_work() {
    let world = World::new(|ui| {
        let out = ui.add(Image::new().label("Out"));
        let paint = async |ctx: Context| {
            let picture = Picture::from_rgba(1, 1, vec![0; 4]).map_err(|why| Error::new(why.to_string()))?;
            for _ in 0..8 {
                ctx.pause(Duration::from_millis(60)).await;
                if ctx.wants_preview() {
                    // To decode one takes longer than the wait between two.
                    ctx.pause(Duration::from_millis(300)).await;
                    ctx.preview(picture.clone());
                    count();
                }
            }
            Ok::<_, Error>(picture)
        };
        ui.add(Button::new("Paint")).click(paint, (), out);
    });
    COUNT.set(0);
    world.click("Paint");
    for _ in 0..300 {
        world.advance(Duration::from_millis(10));
    }
    assert_eq!(world.states(), [("done", 1)]);
    assert_eq!(COUNT.get(), 2, "work takes at least as long as previews");
}

#[test]
fn a_lost_gpu_is_opened_anew_and_the_job_retried_once() {
    let world = World::new(|ui| {
        let out = ui.add(Textbox::new().label("Out"));
        let lose = |times: u32| {
            move |ctx: Context| async move {
                ctx.engine().await?;
                if count() < times { Err(Error::of(ErrorKind::DeviceLost, "gone")) } else { Ok("made it".to_owned()) }
            }
        };
        ui.add(Button::new("Never")).click(lose(0), (), out);
        ui.add(Button::new("Once")).click(lose(1), (), out);
        ui.add(Button::new("Twice")).click(lose(2), (), out);
    });
    let click = |name: &str| {
        COUNT.set(0);
        world.click(name);
    };
    ENGINES_OPENED.set(0);
    click("Never");
    click("Never");
    assert_eq!(ENGINES_OPENED.get(), 1, "jobs share the engine");
    click("Once");
    let last = || world.states().pop().unwrap();
    assert_eq!(last(), ("waiting", 2), "another attempt waits for its time");
    world.advance(Duration::from_secs(1));
    assert_eq!((world.text("Out").as_str(), last()), ("made it", ("done", 2)));
    assert_eq!(ENGINES_OPENED.get(), 2, "the other attempt has an engine of its own");
    click("Twice");
    world.advance(Duration::from_secs(1));
    let last = world.runtime.snapshot().jobs.pop().unwrap();
    assert_eq!((last.state, last.attempt), ("failed", 2));
    assert!(last.error.unwrap().contains("tried 2 times"));
    assert_eq!(world.runtime.component(world.find("Out")).status.unwrap().phase, Phase::Failed);
    assert_eq!(ENGINES_OPENED.get(), 3);
    click("Never");
    assert_eq!(ENGINES_OPENED.get(), 4, "who comes after a failure has a new engine too");
    assert_eq!(world.text("Out"), "made it");
}

#[test]
fn outputs_follow_one_job_and_take_every_result() {
    COUNT.set(0);
    let world = World::new(patient);
    world.click("Go");
    world.click("Go");
    assert_eq!(world.text("Out"), "x begins j1", "the second's partial result would flicker");
    COUNT.set(100);
    world.settle();
    assert_eq!(world.text("Out"), "x ends j2");
}

#[test]
fn a_worker_takes_sixty_four_jobs_at_a_time() {
    COUNT.set(0);
    let world = World::new(patient);
    for _ in 0..70 {
        world.runtime.fire(world.find("Go"), Event::Click);
    }
    world.settle();
    let lane = &world.runtime.panel(100).lanes[0];
    assert_eq!((lane.busy.len(), lane.waiting.len()), (64, 6));
    assert!(lane.waiting.iter().all(|row| row.starting), "they have slots and wait for the worker");
    COUNT.set(100);
    world.settle();
    assert_eq!(world.states().len(), 70);
    assert!(world.states().iter().all(|state| *state == ("done", 1)));
}

#[test]
fn blocking_handlers_have_a_worker_each_and_a_cancel_ends_it() {
    COUNT.set(0);
    let world = World::new(patient);
    for _ in 0..3 {
        world.click("Endless");
    }
    // Three cores: two workers for what blocks, beside the shared one.
    assert_eq!(world.workers.running().len(), 3);
    let lane = |world: &World| world.runtime.panel(9).lanes[3].clone();
    assert_eq!((lane(&world).busy.len(), lane(&world).waiting.len()), (2, 1));
    let first = lane(&world).busy[0].job;
    world.runtime.cancel(first);
    world.settle();
    assert_eq!(world.runtime.snapshot().jobs[0].state, "cancelled", "at once");
    assert_eq!((lane(&world).busy.len(), lane(&world).waiting.len()), (2, 0), "the next has its worker");
}

/// A listener's handler panics twice.
fn panics_twice(world: &World, label: &str) {
    for _ in 0..2 {
        world.click(label);
        let job = world.runtime.snapshot().jobs.pop().unwrap().id;
        let blamed = Some((job, gradus::ids::Attempt(1)));
        let news = gradus::wire::ToPage::Panicked { blamed, message: "as planned".into() };
        world.workers.say(*world.workers.running().last().unwrap(), gradus::wire::encode(&news).unwrap());
        world.settle();
        assert_eq!(world.states().pop(), Some(("failed", 1)));
    }
}

#[test]
fn who_panicked_twice_runs_alone_in_as_many_workers_as_there_may_be() {
    COUNT.set(0);
    let world = World::new(patient);
    panics_twice(&world, "Go");
    (0..4).for_each(|_| world.click("Go"));
    world.click("Endless");
    let lanes = world.runtime.panel(9).lanes;
    assert_eq!((lanes[0].busy.len(), lanes[0].waiting.len(), lanes[3].waiting.len()), (2, 2, 1), "three cores");
    assert_eq!(world.workers.running().len(), 2);
    COUNT.set(100);
    world.settle();
    assert_eq!(world.states()[2..6], [("done", 1); 4]);
    assert_eq!(world.runtime.panel(9).lanes[3].busy.len(), 1);
    assert_eq!(world.workers.running().len(), 1, "what panicked leaves no worker");
}

#[test]
fn a_blocking_handler_that_panicked_twice_is_ended_by_a_cancel() {
    let world = World::new(patient);
    panics_twice(&world, "Endless");
    world.click("Endless");
    world.runtime.cancel(JobId(3));
    assert_eq!(world.states()[2], ("cancelled", 1), "at once");
}

#[test]
fn who_takes_no_checkpoint_is_ended_after_five_seconds_and_the_others_run_again() {
    COUNT.set(0);
    let world = World::new(patient);
    world.click("Never");
    world.click("One");
    world.runtime.cancel(JobId(1));
    world.advance(Duration::from_millis(4900));
    assert_eq!(world.states(), [("running", 1), ("running", 1)], "its slot is not free before its work is over");
    world.advance(Duration::from_millis(200));
    assert_eq!(world.states(), [("cancelled", 1), ("running", 2)], "the other begins again at no cost");
    COUNT.set(100);
    world.settle();
    assert_eq!(world.states(), [("cancelled", 1), ("done", 2)]);
}

#[test]
fn a_cancel_is_over_at_the_next_checkpoint() {
    COUNT.set(0);
    let world = World::new(patient);
    world.click("One");
    world.click("One");
    world.runtime.cancel(JobId(1));
    assert_eq!(world.states(), [("running", 1), ("waiting", 1)], "asked");
    world.settle();
    assert_eq!(world.states(), [("cancelled", 1), ("running", 1)], "over");
    COUNT.set(100);
    world.settle();
    assert_eq!(world.text("Out"), "x ends j2");
}

#[test]
fn before_its_worker_is_up_a_job_waits_and_a_cancel_is_over_at_once() {
    COUNT.set(0);
    let world = World::starting(patient, patient, 3, true);
    for label in ["One", "One", "Endless", "Endless"] {
        world.runtime.fire(world.find(label), Event::Click);
    }
    world.workers.be_late(world.workers.running()[0], "The way is long.");
    world.runtime.cancel(JobId(1));
    world.runtime.cancel(JobId(3));
    assert_eq!(world.states(), [("cancelled", 1), ("waiting", 1), ("cancelled", 1), ("waiting", 1)]);
    let workers = world.workers.running();
    world.settle();
    let told = world.runtime.take_changes();
    assert_eq!([&told.toasts[0].text, &told.past[0]], ["The way is long."; 2], "no longer true once one is up");
    world.advance(Duration::from_secs(6));
    assert_eq!(world.states(), [("cancelled", 1), ("running", 1), ("cancelled", 1), ("running", 1)]);
    assert_eq!(world.workers.running(), workers, "no worker was ended for it");
    COUNT.set(100);
    world.settle();
    assert_eq!(world.states()[1], ("done", 1));
}

#[test]
fn a_broken_worker_is_replaced() {
    COUNT.set(0);
    let world = World::new(patient);
    world.click("One");
    let worker = world.workers.running()[0];
    world.workers.break_worker(worker, "out of memory");
    world.settle();
    assert_eq!(world.states(), [("running", 2)]);
    assert_ne!(world.workers.running(), [worker]);
    COUNT.set(100);
    world.settle();
    assert_eq!(world.states(), [("done", 2)]);
}

#[test]
fn what_cannot_start_says_so() {
    let check = |world: World, part: &str| {
        world.click("One");
        world.settle();
        let job = world.runtime.snapshot().jobs.pop().unwrap();
        assert_eq!(job.state, "failed");
        assert!(job.error.as_ref().unwrap().contains(part), "{part}: {job:?}");
    };
    check(World::with(patient, patient, 2, false), "it does not start");
    // An app that is not the same each time it is described.
    let other = |ui: &Ui| ui.default_concurrency_count(2);
    check(World::with(patient, other, 2, true), "another app");
}

#[test]
fn refused_inputs_queue_nothing_and_say_so_until_they_are_mended() {
    let world = World::new(|ui| {
        let number = ui.add(Number::new().label("Width").range(64.0, 2048.0).value(64.0));
        let out = ui.add(Textbox::new().label("Out"));
        ui.add(Button::new("Go")).click(async |width: f64| width.to_string(), number, out);
    });
    let width = world.find("Width");
    for value in [Value::Number(63.0), Value::Number(f64::NAN), Value::Null] {
        world.runtime.set_value(width, value);
        world.click("Go");
        assert!(world.runtime.component(width).error.is_some());
    }
    assert_eq!(world.states(), []);
    world.runtime.set_value(width, Value::Number(100.0));
    assert_eq!(world.runtime.component(width).error, None);
    world.click("Go");
    assert_eq!(world.text("Out"), "100");
}

#[test]
fn a_text_is_remembered() {
    let world = World::new(|ui| {
        let out = ui.add(Textbox::new().label("Out"));
        ui.add(Button::new("Keep")).click(
            async |ctx: Context| {
                let before = ctx.recall("key").unwrap_or_default();
                ctx.remember("key", format!("{before}+"));
                before
            },
            (),
            out,
        );
    });
    world.click("Keep");
    world.click("Keep");
    assert_eq!(world.text("Out"), "+");
    use gradus::ports::Store as _;
    assert_eq!(world.store.get("memory/key").as_deref(), Some("++"), "for the next visit");
}

/// A world that is at rest, and how often its page is told of a change.
fn counted(describe: fn(&Ui)) -> (World, Rc<Cell<u32>>) {
    let world = World::new(describe);
    let _ = world.runtime.take_changes();
    let told = Rc::new(Cell::new(0));
    let counter = Rc::clone(&told);
    world.runtime.on_change(Rc::new(move || counter.set(counter.get() + 1)));
    (world, told)
}

#[test]
fn the_page_is_told_once_until_it_looks() {
    COUNT.set(100);
    let (world, told) = counted(patient);
    world.click("One");
    assert_eq!(told.get(), 1);
    let changes = world.runtime.take_changes();
    assert!(changes.panel && changes.components.contains(&world.find("Out")));
    world.click("One");
    assert_eq!(told.get(), 2);
}

/// A quick job is drawn once, with its end; what a slow one is at shows a frame later.
#[test]
fn an_end_is_told_at_once_and_what_a_job_is_at_a_frame_later() {
    COUNT.set(100);
    let (world, told) = counted(patient);
    world.click("One");
    assert_eq!((told.get(), world.states()), (1, vec![("done", 1)]), "without any time");
    let _ = world.runtime.take_changes();
    world.advance(Duration::from_millis(50));
    COUNT.set(0);
    world.click("One");
    world.advance(Duration::from_millis(10));
    assert_eq!(told.get(), 1);
    world.advance(Duration::from_millis(10));
    assert_eq!(told.get(), 2, "that it runs");
    let _ = world.runtime.take_changes();
    COUNT.set(100);
    world.settle();
    assert_eq!((told.get(), world.states()), (3, vec![("done", 1), ("done", 1)]));
}
