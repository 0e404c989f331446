//! The worker role.

use std::panic;
use std::rc::Rc;

use crate::blocks::Blocks;
use crate::browser::{BrowserClock, BrowserSpawn, BrowserTimer, PageLink, listen_to_page};
use crate::launch::engines::BrowserEngines;
use crate::ports::Link;
use crate::wire::{self, ToPage};
use crate::worker::{Ports, Worker};

thread_local! {
    // The panic hook must be `Send`, which nothing of a worker is.
    static WORKER: std::cell::RefCell<Option<Worker>> = const { std::cell::RefCell::new(None) };
}

pub(super) fn open(blocks: Blocks) {
    let Some(page) = PageLink::of_this_worker() else {
        web_sys::console::error_1(&"Gradus runs in a page or in a dedicated worker, and this is neither.".into());
        return;
    };
    let app = match blocks.build() {
        Ok(app) => Rc::new(app),
        Err(errors) => {
            if let Ok(refusal) = wire::encode(&ToPage::Refused(errors.to_string())) {
                page.send(refusal);
            }
            return;
        }
    };
    let ports = Ports {
        clock: Rc::new(BrowserClock::default()),
        timer: Rc::new(BrowserTimer::default()),
        spawn: Rc::new(BrowserSpawn),
        page: Rc::new(page),
        engines: Rc::new(BrowserEngines),
    };
    let worker = Worker::new(app, ports);
    WORKER.with(|cell| cell.replace(Some(worker.clone())));
    panic::set_hook(Box::new(|info| {
        let message = info
            .payload()
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| info.payload().downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".into());
        WORKER.with(|cell| {
            // Held only while it is set, above; a hook that panicked in turn would hide the first panic.
            if let Ok(Some(worker)) = cell.try_borrow().as_deref() {
                worker.handle_panic(&message);
            }
        });
        web_sys::console::error_1(&info.to_string().into());
    }));
    listen_to_page(move |bytes| worker.handle_message(bytes));
}
