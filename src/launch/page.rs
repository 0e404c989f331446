//! The page role.

use std::rc::Rc;

use crate::blocks::Blocks;
use crate::browser::{self, BrowserClock, BrowserSpawn, BrowserStore, BrowserTimer, BrowserWorkers};
use crate::ids::SessionId;
use crate::launch::javascript;
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
        _ => EngineChoice::Auto,
    };
    let ports = Ports {
        clock: Rc::new(BrowserClock::default()),
        timer: Rc::new(BrowserTimer::default()),
        spawn: Rc::new(BrowserSpawn),
        workers: Rc::new(BrowserWorkers::default()),
        store: Rc::new(BrowserStore::new(app.name())),
    };
    let options = Options { engine, session: SessionId(1), seed: browser::entropy() };
    let runtime = Runtime::new(app, ports, options);
    javascript::install(&runtime);
    ui::mount(&runtime);
    runtime.open();
}
