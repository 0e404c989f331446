use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::ids::WorkerId;
use crate::ports::{Link, WorkerListener, WorkerSignal, Workers};
use crate::value::SortedMap;

#[wasm_bindgen(module = "/src/browser/worker_boot.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = start)]
    fn start_worker(glue: &str, module: &JsValue) -> Result<web_sys::Worker, JsValue>;
    fn listen(callback: &js_sys::Function);
}

#[wasm_bindgen]
extern "C" {
    // Evaluated in the glue, so it is the glue's own address; in a snippet it would be the snippet's.
    #[wasm_bindgen(thread_local_v2, js_namespace = ["import", "meta"], js_name = url)]
    static GLUE_URL: String;
}

/// The address that the app's own files are relative to.
#[cfg(feature = "pictures")]
pub(super) fn base() -> String {
    GLUE_URL.with(Clone::clone)
}

/// Dedicated module workers. They run this same module, or the one that the page names as theirs.
#[derive(Default)]
pub struct BrowserWorkers {
    running: RefCell<SortedMap<WorkerId, Running>>,
}

struct Running {
    worker: web_sys::Worker,
    _on_message: Closure<dyn FnMut(web_sys::MessageEvent)>,
    _on_error: Closure<dyn FnMut(web_sys::Event)>,
}

struct WorkerLink(web_sys::Worker);

impl Link for WorkerLink {
    fn send(&self, message: Vec<u8>) {
        let bytes = Uint8Array::from(message.as_slice());
        // Moved, not copied: the buffer belongs to this message alone.
        let moved = Array::of1(&bytes.buffer());
        if let Err(error) = self.0.post_message_with_transfer(&bytes, &moved) {
            web_sys::console::error_2(&"Gradus: a message to the worker could not be sent.".into(), &error);
        }
    }
}

struct DeadLink;

impl Link for DeadLink {
    fn send(&self, _: Vec<u8>) {}
}

impl Workers for BrowserWorkers {
    fn start(&self, id: WorkerId, listener: WorkerListener) -> Rc<dyn Link> {
        let worker = match GLUE_URL.with(|glue| start_worker(glue, &wasm_bindgen::module())) {
            Ok(worker) => worker,
            Err(error) => {
                let reason = format!("the browser refused it ({error:?})");
                wasm_bindgen_futures::spawn_local(async move { listener(id, WorkerSignal::Broken(reason)) });
                return Rc::new(DeadLink);
            }
        };
        let heard = Rc::clone(&listener);
        let on_message = Closure::<dyn FnMut(_)>::new(move |event: web_sys::MessageEvent| {
            let data = event.data();
            if let Some(why) = data.as_string() {
                heard(id, WorkerSignal::Late(why));
            } else if let Ok(bytes) = data.dyn_into::<Uint8Array>() {
                heard(id, WorkerSignal::Message(bytes.to_vec()));
            }
        });
        let on_error = Closure::<dyn FnMut(_)>::new(move |event: web_sys::Event| {
            let text = event.dyn_into::<web_sys::ErrorEvent>().map(|error| error.message());
            let reason = text.unwrap_or_else(|_| "its script could not be loaded".into());
            listener(id, WorkerSignal::Broken(reason));
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        let link = Rc::new(WorkerLink(worker.clone()));
        self.running.borrow_mut().insert(id, Running { worker, _on_message: on_message, _on_error: on_error });
        link
    }

    fn end(&self, id: WorkerId) {
        if let Some(running) = self.running.borrow_mut().remove(&id) {
            running.worker.set_onmessage(None);
            running.worker.set_onerror(None);
            running.worker.terminate();
            // An end may be called from within one of the closures, which must outlive the call.
            wasm_bindgen_futures::spawn_local(async move { drop(running) });
        }
    }

    fn cores(&self) -> usize {
        web_sys::window().map_or(1, |window| window.navigator().hardware_concurrency() as usize).max(1)
    }
}

/// A worker's link to its page.
pub struct PageLink {
    scope: web_sys::DedicatedWorkerGlobalScope,
}

impl PageLink {
    /// The link, where this role is a worker's.
    #[must_use]
    pub fn of_this_worker() -> Option<Self> {
        js_sys::global().dyn_into().ok().map(|scope| Self { scope })
    }
}

impl Link for PageLink {
    fn send(&self, message: Vec<u8>) {
        let bytes = Uint8Array::from(message.as_slice());
        let moved = Array::of1(&bytes.buffer());
        if let Err(error) = self.scope.post_message_with_transfer(&bytes, &moved) {
            web_sys::console::error_2(&"Gradus: a message to the page could not be sent.".into(), &error);
        }
    }
}

/// Takes the page's messages, those that came before the module was up as well.
pub fn listen_to_page(heard: impl Fn(&[u8]) + 'static) {
    let callback = Closure::<dyn FnMut(JsValue)>::new(move |data: JsValue| {
        if let Ok(bytes) = data.dyn_into::<Uint8Array>() {
            heard(&bytes.to_vec());
        }
    });
    listen(callback.as_ref().unchecked_ref());
    // Lives as long as the worker.
    callback.forget();
}
