//! What the tabs of an app share, over `origin.js`.

use std::rc::Rc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::ids::SessionId;
use crate::ports::{Found, Log, LogError, Put, TabSignal, Tabs};

#[wasm_bindgen(module = "/src/browser/origin.js")]
extern "C" {
    #[wasm_bindgen(js_name = hasOrigin)]
    fn has_origin() -> bool;
    #[wasm_bindgen(js_name = openLog, catch)]
    async fn open_log(name: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = putLog, catch)]
    async fn put_log(
        whole: bool,
        record: Uint8Array,
        keys: Array,
        values: Array,
        dropped: Array,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = joinTabs)]
    fn join_tabs(name: &str, hear: &js_sys::Function);
    fn stand(name: &str);
    fn resign();
    #[wasm_bindgen(js_name = sayToTabs)]
    fn say_to_tabs(message: &Uint8Array);
    async fn session(name: &str) -> JsValue;
}

/// What the tabs of the app with this name share. Where the browser has no such thing (on plain http from another machine,
/// or very old) there are no tabs, and the log says why it cannot be opened.
#[must_use]
pub fn origin(app: &str) -> (Rc<dyn Log>, Option<Rc<dyn Tabs>>) {
    let name: Rc<str> = format!("gradus/{app}").into();
    let log = Rc::new(BrowserLog { name: Rc::clone(&name) });
    (log, has_origin().then(|| Rc::new(BrowserTabs { name }) as Rc<dyn Tabs>))
}

/// This tab's session: the same after a reload.
pub async fn session_id(app: &str) -> SessionId {
    if !has_origin() {
        return SessionId(1);
    }
    let id = session(&format!("gradus/{app}/session")).await.as_string().unwrap_or_default();
    SessionId(u64::from_str_radix(&id, 16).unwrap_or(1))
}

/// Why, in the browser's words.
fn reason(error: &JsValue) -> String {
    let message = js_sys::Reflect::get(error, &"message".into()).ok().and_then(|message| message.as_string());
    message.unwrap_or_else(|| "it gives no reason".to_owned())
}

struct BrowserLog {
    name: Rc<str>,
}

impl Log for BrowserLog {
    fn open(&self) -> LocalBoxFuture<'static, Result<Found, LogError>> {
        let name = Rc::clone(&self.name);
        async move {
            let parts = open_log(&name).await.map_err(|error| LogError::Failed(reason(&error)))?;
            let parts = Array::from(&parts);
            let bytes = |value: JsValue| Uint8Array::new(&value).to_vec();
            let records = Array::from(&parts.get(0)).iter().map(bytes).collect();
            let keys = Array::from(&parts.get(1));
            let values = Array::from(&parts.get(2));
            let values = keys.iter().zip(values.iter());
            let values = values.map(|(key, value)| (key.as_f64().unwrap_or(0.0) as u64, bytes(value))).collect();
            Ok(Found { records, values })
        }
        .boxed_local()
    }

    fn put(&self, put: Put) -> LocalBoxFuture<'static, Result<(), LogError>> {
        async move {
            let key = |key: &u64| JsValue::from_f64(*key as f64);
            let keys = put.values.iter().map(|(of, _)| key(of)).collect();
            let values = put.values.iter().map(|(_, bytes)| Uint8Array::from(bytes.as_slice())).collect();
            let dropped = put.dropped.iter().map(key).collect();
            let written = put_log(put.whole, put.record.as_slice().into(), keys, values, dropped).await;
            match written {
                Ok(written) if written.is_truthy() => Ok(()),
                Ok(_) => Err(LogError::Fenced),
                Err(error) => Err(LogError::Failed(reason(&error))),
            }
        }
        .boxed_local()
    }
}

struct BrowserTabs {
    name: Rc<str>,
}

impl Tabs for BrowserTabs {
    fn listen(&self, listener: Rc<dyn Fn(TabSignal)>) {
        let hear = Closure::<dyn FnMut(JsValue)>::new(move |said: JsValue| {
            let signal = match said.as_string().as_deref() {
                Some("lead") => TabSignal::Lead,
                Some("rest") => TabSignal::Rest,
                Some(_) => TabSignal::Wake,
                None => match said.dyn_into::<Uint8Array>() {
                    Ok(bytes) => TabSignal::Message(bytes.to_vec()),
                    Err(_) => return,
                },
            };
            listener(signal);
        });
        join_tabs(&self.name, hear.as_ref().unchecked_ref());
        // Lives as long as the page: it has one.
        hear.forget();
    }

    fn stand(&self) {
        stand(&self.name);
    }

    fn resign(&self) {
        resign();
    }

    fn send(&self, message: Vec<u8>) {
        say_to_tabs(&message.as_slice().into());
    }
}
