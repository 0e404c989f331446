//! The page role.

use std::rc::Rc;

use crate::blocks::{App, Blocks};
use crate::browser::{self, BrowserClock, BrowserSpawn, BrowserStore, BrowserTimer, BrowserWorkers};
use crate::ids::SessionId;
use crate::launch::javascript;
use crate::ports::{Log, Tabs};
use crate::runtime::{Options, Ports, Runtime};
use crate::ui;
use crate::wire::EngineChoice;

pub(super) fn open(blocks: Blocks) {
    let app = match blocks.build() {
        Ok(app) => Rc::new(app),
        Err(errors) => {
            web_sys::console::error_1(&errors.to_string().into());
            ui::show_build_errors(&errors);
            return;
        }
    };
    let engine = match browser::query("engine").as_deref() {
        Some("gpu") => EngineChoice::Gpu,
        Some("cpu") => EngineChoice::Cpu,
        Some("gpu-f32") => EngineChoice::Floats,
        _ => EngineChoice::Auto,
    };
    #[cfg(feature = "storage")]
    wasm_bindgen_futures::spawn_local(async move {
        let session = browser::session_id(app.name()).await;
        // Without storage and alone among its tabs: for measuring what they cost, and for who wants neither.
        let kept = browser::query("storage").as_deref() != Some("off");
        let (log, tabs) = kept.then(|| browser::origin(app.name())).unzip();
        show(app, engine, session, log, tabs.flatten());
    });
    #[cfg(not(feature = "storage"))]
    show(app, engine, SessionId(1), None, None);
}

fn show(app: Rc<App>, engine: EngineChoice, session: SessionId, log: Option<Rc<dyn Log>>, tabs: Option<Rc<dyn Tabs>>) {
    let ports = Ports {
        clock: Rc::new(BrowserClock::default()),
        timer: Rc::new(BrowserTimer::default()),
        spawn: Rc::new(BrowserSpawn),
        workers: Rc::new(BrowserWorkers::default()),
        store: Rc::new(BrowserStore::new(app.name())),
        log,
        tabs,
    };
    let options = Options { engine, session, seed: browser::entropy() };
    let runtime = Runtime::new(app, ports, options);
    javascript::install(&runtime);
    ui::mount(&runtime);
    runtime.open();
}
