//! A handler's model on the engine of its worker: what is found out about a GPU is found out once.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
#[path = "support/world.rs"]
mod world;

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use gradus::kernels::nn::{CONV, TileChoices};
use gradus::kernels::{
    Buffer, BufferId, Command, Control, Engine, EngineError, EngineInfo, EngineKind, Kernel, Recording,
};
use gradus::models::Model;
use gradus::ports::memory::{ManualClock, MemoryFiles, MemoryStore};
use gradus::ports::{Files, Kept};
use gradus::prelude::*;
use gradus::wire::EngineChoice;
use gradus::worker::Engines;
use world::World;

/// A GPU that computes nothing: the second variant of the product takes a quarter of the first one's time, the others twice
/// as long.
struct Paper {
    info: EngineInfo,
    clock: Rc<ManualClock>,
    timed: Cell<usize>,
    chosen: RefCell<Vec<TileChoices>>,
}

fn variant(kernel: &'static Kernel) -> Option<usize> {
    CONV.iter().position(|variant| variant.kernels.iter().any(|known| std::ptr::eq(known, kernel)))
}

impl Engine for Paper {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn buffer(&self, _: &str, words: usize) -> Result<Buffer, EngineError> {
        Ok(Buffer::new(BufferId(0), words, |_| ()))
    }

    fn run<'a>(&'a self, recording: &'a Recording, _: &'a dyn Control) -> LocalBoxFuture<'a, Result<(), EngineError>> {
        for command in recording.commands() {
            let Command::Dispatch(dispatch) = command else { continue };
            let variant = variant(dispatch.kernel).expect("a product");
            self.timed.set(self.timed.get() + 1);
            let quarters = [4.0, 1.0, 8.0][variant.min(2)];
            let seconds = f64::from(dispatch.items) * f64::from(dispatch.cost) * quarters / 1e12;
            self.clock.advance(Duration::from_secs_f64(seconds));
        }
        std::future::ready(Ok(())).boxed_local()
    }

    fn read<'a>(&'a self, buffer: &'a Buffer) -> LocalBoxFuture<'a, Result<Vec<u32>, EngineError>> {
        std::future::ready(Ok(vec![1f32.to_bits(); buffer.words()])).boxed_local()
    }

    fn idle(&self) -> LocalBoxFuture<'_, ()> {
        std::future::ready(()).boxed_local()
    }

    fn choose(&self, choices: TileChoices) {
        self.chosen.borrow_mut().push(choices);
    }
}

/// Files of which this is kept.
struct Held(MemoryFiles, Kept);

impl Files for Held {
    fn size<'a>(&'a self, path: &'a str) -> LocalBoxFuture<'a, Result<Option<u64>, Error>> {
        self.0.size(path)
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> LocalBoxFuture<'a, Result<Vec<u8>, Error>> {
        self.0.read(path, range)
    }

    /// From a server that never answers.
    fn keep<'a>(&'a self, _: &'a str, _: Range<u64>) -> LocalBoxFuture<'a, Result<(), Error>> {
        std::future::pending().boxed_local()
    }

    fn kept(&self) -> LocalBoxFuture<'_, Result<Kept, Error>> {
        std::future::ready(Ok(self.1)).boxed_local()
    }
}

struct Papers(Rc<Paper>, Kept);

impl Engines for Papers {
    fn look(&self, _: EngineChoice) -> LocalBoxFuture<'static, EngineInfo> {
        std::future::ready(self.0.info.clone()).boxed_local()
    }

    fn open(&self, _: EngineChoice) -> LocalBoxFuture<'static, Result<Rc<dyn Engine>, Error>> {
        std::future::ready(Ok(Rc::clone(&self.0) as Rc<dyn Engine>)).boxed_local()
    }

    fn files(&self, _: &str) -> Rc<dyn Files> {
        Rc::new(Held(fixtures::files("flow", |_, _| None), self.1))
    }
}

async fn load(_: String, ctx: Context) -> Result<String, Error> {
    Model::at("flow").load(&ctx).await.map(|_| String::new())
}

async fn download(_: String, ctx: Context) -> Result<String, Error> {
    Model::at("flow").download(&ctx).await.map(|()| String::new())
}

async fn forget(_: String, ctx: Context) -> Result<String, Error> {
    ctx.remember("products on Paper, packed-f16", "32");
    Ok(String::new())
}

fn page(ui: &Ui) {
    let text = ui.add(Textbox::new().label("Text"));
    ui.add(Button::new("Load")).click(load, text, text);
    ui.add(Button::new("Download")).click(download, text, text);
    ui.add(Button::new("Another build")).click(forget, text, text);
}

fn gpu() -> EngineInfo {
    EngineInfo {
        kind: EngineKind::Gpu,
        name: "Paper".into(),
        software: false,
        tier: "packed-f16".into(),
        largest_buffer: 1 << 30,
        note: String::new(),
    }
}

/// What a visit that presses these finds out: how many products were timed, and what was chosen.
fn visit(store: &Rc<MemoryStore>, info: &EngineInfo, buttons: &[&str]) -> (usize, Vec<TileChoices>) {
    let (paper, _) = visited(store, info, Kept::default(), buttons);
    (paper.timed.get(), paper.chosen.take())
}

fn visited(store: &Rc<MemoryStore>, info: &EngineInfo, kept: Kept, buttons: &[&str]) -> (Rc<Paper>, World) {
    let clock = Rc::new(ManualClock::default());
    let (timed, chosen) = (Cell::default(), RefCell::default());
    let paper = Rc::new(Paper { info: info.clone(), clock: Rc::clone(&clock), timed, chosen });
    let world = World::open(page, Rc::clone(store), clock, Rc::new(Papers(Rc::clone(&paper), kept)));
    for (n, button) in buttons.iter().enumerate() {
        world.click(button);
        let mut turns = 0;
        while world.states() != [("done", n + 1)] {
            world.pass(10);
            turns += 1;
            assert!(turns < 1000, "{:?} {:?}", world.states(), world.toasts());
        }
    }
    (paper, world)
}

#[test]
fn tiles_are_timed_once_for_an_adapter_and_build() {
    let store = Rc::<MemoryStore>::default();
    let info = gpu();
    let (timed, first) = visit(&store, &info, &["Load"]);
    assert!(timed > 0);
    let [found] = first[..] else { panic!("{first:?}") };
    assert_ne!(found, TileChoices::default());
    assert!(found.tiles());
    // The next visit does as that one found.
    assert_eq!(visit(&store, &info, &["Load", "Load"]), (0, vec![found; 2]));
    // Another adapter, another tier, and a build whose kernels are others know nothing of it.
    let other = EngineInfo { name: "Other paper".into(), ..info.clone() };
    let quicker = EngineInfo { tier: "subgroups".into(), ..info.clone() };
    for (info, buttons) in [(&other, &["Load"][..]), (&quicker, &["Load"]), (&info, &["Another build", "Load"])] {
        assert_eq!(visit(&store, info, buttons), (timed, vec![found]), "{info:?}");
        assert_eq!(visit(&store, info, &["Load"]), (0, vec![found]), "{info:?}");
    }
    // One in software gains nothing by tiles.
    let software = EngineInfo { software: true, name: "Software".into(), ..info };
    assert_eq!(visit(&store, &software, &["Load"]), (0, vec![]));
}

/// Some browsers ask the visitor: not for what is fetched again in a moment.
#[test]
fn who_loads_a_large_model_asks_the_browser_to_keep_it() {
    let gigabyte = 1_000_000_000;
    for (bytes, asks) in [(gigabyte, true), (gigabyte / 100, false)] {
        let store = Rc::<MemoryStore>::default();
        let kept = Kept { bytes, used: bytes, room: Some(100 * gigabyte) };
        let (_, world) = visited(&store, &gpu(), kept, &["Load"]);
        assert_eq!((store.persists(), world.toasts().len()), (asks, 0), "{bytes} bytes");
    }
}

/// A worker that does not stop within five seconds is ended, and with it other listeners' jobs.
#[test]
fn a_download_whose_server_does_not_answer_is_cancelled_at_once() {
    let (_, world) = visited(&Rc::default(), &gpu(), Kept::default(), &[]);
    world.click("Download");
    world.pass(1_000);
    let [job] = world.running()[..] else { panic!("{:?}", world.states()) };
    world.runtime.cancel(job);
    world.pass(200);
    assert_eq!(world.states(), [("cancelled", 1)]);
}

#[test]
fn a_model_that_cannot_be_kept_is_used_and_the_visitor_told() {
    let kept = Kept { bytes: 0, used: 900_000, room: Some(1_000_000) };
    let (_, world) = visited(&Rc::default(), &gpu(), kept, &["Load"]);
    let toasts = world.toasts();
    let told = toasts.iter().any(|toast| toast.text.contains("gives this page 0 MB. It is used now"));
    assert!(told, "{toasts:?}");
}
