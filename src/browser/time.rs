use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use js_sys::Reflect;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::ports::{Clock, Spawn, Timer};
use crate::value::Time;

/// `performance.now()`, of the page or of the worker.
pub struct BrowserClock {
    performance: Option<web_sys::Performance>,
}

impl Default for BrowserClock {
    fn default() -> Self {
        let performance = Reflect::get(&js_sys::global(), &"performance".into()).ok();
        Self { performance: performance.and_then(|value| value.dyn_into().ok()) }
    }
}

impl Clock for BrowserClock {
    fn now(&self) -> Time {
        let millis = self.performance.as_ref().map_or_else(js_sys::Date::now, web_sys::Performance::now);
        Time::from_micros((millis * 1000.0) as u64)
    }
}

/// The most that is asked of the browser at a time: it counts milliseconds in 31 bits, and fires at once beyond.
const MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// Timers of the browser, and turns of its event loop.
#[derive(Default)]
pub struct BrowserTimer {
    turns: Rc<Turns>,
}

/// Turns over one MessageChannel: unlike `setTimeout` it is not held back to 4 ms, and other messages that have
/// arrived are handled first.
#[derive(Default)]
struct Turns {
    waiting: RefCell<Vec<js_sys::Function>>,
    port: RefCell<Option<web_sys::MessagePort>>,
}

impl Turns {
    fn take(self: &Rc<Self>) -> Option<js_sys::Promise> {
        let mut port = self.port.borrow_mut();
        if port.is_none() {
            let channel = web_sys::MessageChannel::new().ok()?;
            let turns = Rc::clone(self);
            let on_message = Closure::<dyn FnMut()>::new(move || {
                for resolve in turns.waiting.take() {
                    // Resolving a promise cannot throw.
                    let _ = resolve.call0(&JsValue::UNDEFINED);
                }
            });
            channel.port1().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
            // Lives as long as the role: there is one a role.
            on_message.forget();
            *port = Some(channel.port2());
        }
        let port = port.as_ref()?;
        let promise = js_sys::Promise::new(&mut |resolve, _| self.waiting.borrow_mut().push(resolve));
        port.post_message(&JsValue::NULL).ok()?;
        Some(promise)
    }
}

impl Timer for BrowserTimer {
    fn sleep(&self, delay: Duration) -> LocalBoxFuture<'static, ()> {
        async move {
            let mut left = delay;
            while left > MOST {
                gloo_timers::future::sleep(MOST).await;
                left -= MOST;
            }
            gloo_timers::future::sleep(left).await;
        }
        .boxed_local()
    }

    fn turn(&self) -> LocalBoxFuture<'static, ()> {
        match self.turns.take() {
            Some(promise) => JsFuture::from(promise).map(|_| ()).boxed_local(),
            None => gloo_timers::future::sleep(Duration::ZERO).boxed_local(),
        }
    }
}

/// Runs futures on the microtask queue of the role.
#[derive(Default)]
pub struct BrowserSpawn;

impl Spawn for BrowserSpawn {
    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        wasm_bindgen_futures::spawn_local(task);
    }
}
