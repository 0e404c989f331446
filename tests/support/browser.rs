//! A browser with tabs: each a page with workers of its own, all with one log, one lead and one clock.
#![allow(dead_code, reason = "each test file uses its part")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use gradus::blocks::App;
use gradus::ids::{ComponentId, JobId, ListenerId, SessionId};
use gradus::kernels::{Control as _, Engine, cpu::CpuEngine};
use gradus::ports::memory::{ManualClock, ManualTimer, MemoryStore, MemoryWorkers, Origin, TabStore, Tasks};
use gradus::ports::{TabSignal, Timer as _};
use gradus::prelude::*;
use gradus::runtime::view::Told;
use gradus::runtime::{JobSnapshot, LaneSnapshot, Options, Ports, Runtime};
use gradus::value::EngineInfo;
use gradus::wire::EngineChoice;
use gradus::worker::{Engines, Worker};

struct CpuEngines(Rc<ManualTimer>);

impl Engines for CpuEngines {
    /// It takes a while to find out, as in a browser.
    fn look(&self, _: EngineChoice) -> LocalBoxFuture<'static, EngineInfo> {
        let found = self.0.sleep(Duration::from_millis(30));
        async move {
            found.await;
            CpuEngine::new("test").info().clone()
        }
        .boxed_local()
    }

    fn open(&self, _: EngineChoice) -> LocalBoxFuture<'static, Result<Rc<dyn Engine>, Error>> {
        async { Ok(Rc::new(CpuEngine::new("test")) as Rc<dyn Engine>) }.boxed_local()
    }
}

/// 100 ms.
pub async fn slow(text: String, ctx: Context) -> String {
    let until = ctx.now() + Duration::from_millis(100);
    while ctx.now() < until {
        ctx.checkpoint().await;
    }
    format!("{text}!")
}

pub fn app() -> Rc<App> {
    let blocks = Blocks::named("test", |ui| {
        let text = ui.add(Textbox::new().label("Text"));
        let out = ui.add(Textbox::new().label("Out"));
        let log = ui.add(Textbox::new().label("Log"));
        ui.add(Button::new("Go")).click(slow, text, out).concurrency_id("slow").api_name("slow");
        let chain = ui.add(Button::new("Chain")).click(slow, text, out).concurrency_id("slow").api_name("slow_1");
        chain.then(|out: String, log: String| log + &out, (out, log), log).api_name("link");
        ui.add(Button::new("Two")).click(slow, text, out).concurrency_count(2).api_name("two");
    });
    Rc::new(blocks.build().unwrap())
}

/// What a submit was told, with the job where that is known.
type Heard = (Option<JobId>, Told);

pub struct Tab {
    pub runtime: Runtime,
    tasks: Rc<Tasks>,
    workers: Rc<MemoryWorkers>,
    pub told: Rc<RefCell<Vec<Heard>>>,
    session: u64,
}

pub struct Browser {
    pub origin: Origin,
    pub clock: Rc<ManualClock>,
    store: Rc<MemoryStore>,
    tabs: RefCell<BTreeMap<usize, Rc<Tab>>>,
    next: Cell<usize>,
    held: Cell<bool>,
    /// Planted in every page that is opened.
    #[cfg(feature = "faults")]
    pub fault: Cell<Option<gradus::runtime::TabFault>>,
}

impl Browser {
    pub fn new() -> Self {
        Self {
            origin: Origin::default(),
            clock: Rc::default(),
            store: Rc::default(),
            tabs: RefCell::default(),
            next: Cell::new(1),
            held: Cell::new(false),
            #[cfg(feature = "faults")]
            fault: Cell::new(None),
        }
    }

    /// Opens a page in a tab with this session; gives the page's number.
    pub fn open(&self, session: u64) -> usize {
        let id = self.open_only(session);
        self.settle();
        id
    }

    /// As [`Browser::open`], and nothing happens yet.
    pub fn open_only(&self, session: u64) -> usize {
        self.open_build(session, app)
    }

    /// Opens a page of this build of the app, and nothing happens yet.
    pub fn open_build(&self, session: u64, app: fn() -> Rc<App>) -> usize {
        let id = self.next.get();
        self.next.set(id + 1);
        let tasks = Rc::new(Tasks::default());
        let timer = Rc::new(ManualTimer(Rc::clone(&self.clock)));
        let (its_clock, its_timer, its_tasks) = (Rc::clone(&self.clock), Rc::clone(&timer), Rc::clone(&tasks));
        let workers = Rc::new(MemoryWorkers::new(8, move |page| {
            let ports = gradus::worker::Ports {
                clock: its_clock.clone(),
                timer: its_timer.clone(),
                spawn: its_tasks.clone(),
                page,
                engines: Rc::new(CpuEngines(its_timer.clone())),
            };
            let worker = Worker::new(app(), ports);
            Some(Rc::new(move |message: &[u8]| worker.handle_message(message)) as _)
        }));
        let ports = Ports {
            clock: self.clock.clone(),
            timer,
            spawn: tasks.clone(),
            workers: workers.clone(),
            store: Rc::new(TabStore(self.store.clone(), session)),
            log: Some(Rc::new(self.origin.log(id))),
            tabs: Some(Rc::new(self.origin.tab(id))),
        };
        let options = Options { engine: EngineChoice::Auto, session: SessionId(session), seed: id as u64 * 7919 };
        let runtime = Runtime::new(app(), ports, options);
        let tab = Tab { runtime, tasks, workers, told: Rc::default(), session };
        let tab = Rc::new(tab);
        self.tabs.borrow_mut().insert(id, Rc::clone(&tab));
        #[cfg(feature = "faults")]
        if let Some(fault) = self.fault.get() {
            tab.runtime.plant(fault);
        }
        tab.runtime.open();
        id
    }

    pub fn tab(&self, id: usize) -> Rc<Tab> {
        Rc::clone(&self.tabs.borrow()[&id])
    }

    pub fn ids(&self) -> Vec<usize> {
        self.tabs.borrow().keys().copied().collect()
    }

    /// The page and its workers are gone, at once.
    pub fn kill(&self, id: usize) {
        self.kill_only(id);
        self.settle();
    }

    pub fn kill_only(&self, id: usize) {
        self.origin.kill(id);
        self.tabs.borrow_mut().remove(&id);
    }

    /// The sessions of the tabs that are open.
    pub fn sessions(&self) -> Vec<u64> {
        self.tabs.borrow().values().map(|tab| tab.session).collect()
    }

    /// From now on puts are through as they come.
    pub fn let_writes(&self) {
        self.held.set(false);
    }

    /// From now on a put is through only when a test says so.
    pub fn hold_writes(&self) {
        self.held.set(true);
        self.origin.hold();
    }

    pub fn write_one(&self) {
        self.hold_writes();
        self.origin.write(1);
        self.settle();
    }

    /// One turn of everything that happens without time.
    pub fn turn(&self) -> bool {
        self.turn_but(&BTreeSet::new())
    }

    /// As [`Browser::turn`], but nothing happens in these tabs.
    pub fn turn_but(&self, frozen: &BTreeSet<usize>) -> bool {
        if !self.held.get() {
            self.origin.write(4);
        }
        let mut any = self.origin.deliver();
        let awake = |(id, tab): (&usize, &Rc<Tab>)| (!frozen.contains(id)).then(|| Rc::clone(tab));
        let tabs: Vec<Rc<Tab>> = self.tabs.borrow().iter().filter_map(awake).collect();
        for tab in tabs {
            tab.tasks.poll_all();
            any |= tab.workers.deliver();
        }
        any
    }

    pub fn settle(&self) {
        let mut quiet = 0;
        for _ in 0..60 {
            quiet = if self.turn() { 0 } else { quiet + 1 };
            if quiet == 5 {
                break;
            }
        }
    }

    pub fn pass(&self, millis: u64) {
        for _ in 0..millis.div_ceil(10) {
            self.clock.advance(Duration::from_millis(10));
            self.settle();
        }
    }

    /// The page is about to be frozen.
    pub fn rest(&self, id: usize) {
        self.origin.signal(id, TabSignal::Rest);
        self.settle();
    }

    /// As [`Browser::rest`], within the browser's own call.
    pub fn rest_now(&self, id: usize) {
        self.origin.signal_now(id, TabSignal::Rest);
    }

    pub fn wake(&self, id: usize) {
        self.origin.signal(id, TabSignal::Wake);
        self.settle();
    }

    /// Another leads, and this tab does not know.
    pub fn steal_lead(&self, id: usize) {
        use gradus::ports::Tabs as _;
        self.origin.tab(id).resign();
        self.settle();
    }

    fn find(&self, tab: &Tab, label: &str) -> ComponentId {
        let place = tab.runtime.app().components().iter().position(|spec| spec.label == label);
        ComponentId(place.unwrap() as u32)
    }

    pub fn click(&self, id: usize, label: &str) {
        let tab = self.tab(id);
        tab.runtime.fire(self.find(&tab, label), Event::Click);
        self.settle();
    }

    pub fn type_into(&self, id: usize, label: &str, text: &str) {
        let tab = self.tab(id);
        tab.runtime.set_value(self.find(&tab, label), text.into());
    }

    /// The shared worker says this.
    pub fn worker_says(&self, id: usize, bytes: Vec<u8>) {
        let tab = self.tab(id);
        if let Some(worker) = tab.workers.running().first() {
            tab.workers.say(*worker, bytes);
        }
    }

    /// Submits by name, and hears what becomes of it.
    pub fn submit(&self, id: usize, listener: &str, text: &str) {
        self.submit_only(id, listener, text);
        self.settle();
    }

    /// As [`Browser::submit`], and nothing happens yet.
    pub fn submit_only(&self, id: usize, listener: &str, text: &str) {
        let tab = self.tab(id);
        let place = tab.runtime.app().listeners().iter().position(|spec| spec.key.api_name == listener).unwrap();
        let (told, job) = (Rc::clone(&tab.told), Cell::new(None));
        let watcher = Rc::new(move |news| {
            if let Told::Accepted(id) = news {
                job.set(Some(id));
            }
            told.borrow_mut().push((job.get(), news));
        });
        tab.runtime.submit(ListenerId(place as u32), vec![text.into()], watcher);
    }

    /// The tabs, and which of them leads.
    pub fn parts(&self) -> Vec<(usize, bool)> {
        self.tabs.borrow().iter().map(|(id, tab)| (*id, tab.runtime.leads())).collect()
    }

    /// The lane of each job that a worker of any tab has.
    pub fn work(&self) -> Vec<(String, JobId)> {
        let mut all = Vec::new();
        for tab in self.tabs.borrow().values() {
            let at_work = tab.runtime.at_work();
            if at_work.is_empty() {
                continue;
            }
            let jobs = tab.runtime.snapshot().jobs;
            for (job, _) in at_work {
                let lane = jobs.iter().find(|view| view.id == job).map_or_else(String::new, |view| view.lane.clone());
                all.push((lane, job));
            }
        }
        all
    }

    /// The jobs that this page was told are accepted.
    pub fn accepted(&self, id: usize) -> Vec<u64> {
        let tab = self.tab(id);
        let told = tab.told.borrow();
        told.iter().filter_map(|(_, told)| if let Told::Accepted(job) = told { Some(job.0) } else { None }).collect()
    }

    pub fn text(&self, id: usize, label: &str) -> String {
        let tab = self.tab(id);
        match tab.runtime.component(self.find(&tab, label)).value {
            Value::Text(text) => text,
            other => format!("{other:?}"),
        }
    }

    pub fn jobs(&self, id: usize) -> Vec<JobSnapshot> {
        self.tab(id).runtime.snapshot().jobs
    }

    pub fn lane(&self, id: usize, name: &str) -> LaneSnapshot {
        self.tab(id).runtime.snapshot().lanes.into_iter().find(|lane| lane.id == name).unwrap()
    }

    pub fn running(&self, id: usize) -> usize {
        self.tab(id).runtime.snapshot().lanes.iter().map(|lane| lane.running.len()).sum()
    }

    /// Jobs that workers have, in all tabs.
    pub fn really_running(&self) -> usize {
        self.tabs.borrow().values().map(|tab| tab.runtime.at_work().len()).sum()
    }

    pub fn states(&self, id: usize) -> Vec<(&'static str, usize)> {
        let mut counts = BTreeMap::new();
        for job in self.jobs(id) {
            *counts.entry(job.state).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }

    pub fn toasts(&self, id: usize) -> Vec<String> {
        self.tab(id).runtime.take_changes().toasts.into_iter().map(|toast| toast.text).collect()
    }
}
