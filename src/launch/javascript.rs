//! `window.gradus`: what scripts and tests can ask of the page. Typed in `gradus.d.ts`.

use std::rc::Rc;

use js_sys::{Array, Function, Object, Reflect, Uint8ClampedArray};
use wasm_bindgen::prelude::*;

use crate::ids::JobId;
use crate::runtime::view::{End, Told};
use crate::runtime::{JobSnapshot, LaneSnapshot, Runtime, Snapshot};
use crate::value::{EngineInfo, EngineKind, Picture, Value};

#[wasm_bindgen(module = "/src/launch/gradus.js")]
extern "C" {
    #[wasm_bindgen(js_name = install)]
    fn install_in_page(raw: &JsValue);
}

pub(super) fn install(runtime: &Runtime) {
    let raw = Object::new();
    let of_queue = runtime.clone();
    keep(&raw, "snapshot", Closure::<dyn Fn() -> JsValue>::new(move || snapshot_value(&of_queue.snapshot())));
    let of_engine = runtime.clone();
    let adapter = move || of_engine.engine().map_or(JsValue::NULL, |info| adapter_value(&info));
    keep(&raw, "adapter", Closure::<dyn Fn() -> JsValue>::new(adapter));
    let submits = runtime.clone();
    let submit = move |listener: String, inputs: JsValue, hear: Function| submit(&submits, &listener, &inputs, hear);
    keep(&raw, "submit", Closure::<dyn Fn(String, JsValue, Function) -> Result<(), JsValue>>::new(submit));
    let cancels = runtime.clone();
    let cancel = move |id: String| {
        if let Some(job) = id.strip_prefix('j').and_then(|number| number.parse().ok()) {
            cancels.cancel(JobId(job));
        }
    };
    keep(&raw, "cancel", Closure::<dyn Fn(String)>::new(cancel));
    let observed = runtime.clone();
    let observe = move |hear: Function| {
        observed.observe(Rc::new(move |what, job: JobId| call(&hear, what, &job.to_string().into())));
    };
    keep(&raw, "observe", Closure::<dyn Fn(Function)>::new(observe));
    install_in_page(&raw);
}

/// Gives the page a function, for as long as it lives.
fn keep<F: ?Sized + wasm_bindgen::closure::WasmClosure>(raw: &Object, name: &str, function: Closure<F>) {
    set(raw, name, function.as_ref());
    function.forget();
}

/// What a listener of a script throws is the script's affair.
fn call(hear: &Function, what: &str, given: &JsValue) {
    let _ = hear.call2(&JsValue::UNDEFINED, &what.into(), given);
}

fn submit(runtime: &Runtime, name: &str, inputs: &JsValue, hear: Function) -> Result<(), JsValue> {
    let refuse = |text: String| JsValue::from(js_sys::TypeError::new(&text));
    let inputs = if inputs.is_undefined() {
        None
    } else if let Some(array) = inputs.dyn_ref::<Array>() {
        Some(array.iter().map(|value| from_js(&value)).collect::<Option<Vec<Value>>>().ok_or_else(|| {
            refuse("An input is not a text, a finite number, a yes or no, a picture or null.".to_owned())
        })?)
    } else {
        return Err(refuse("The inputs of a job are an array, in the order of its handler's arguments.".to_owned()));
    };
    let told = move |told: Told| match told {
        Told::Accepted(job) => call(&hear, "accepted", &job.to_string().into()),
        Told::Refused(refused) => call(&hear, "refused", &refused.to_string().into()),
        Told::Partial(outputs) => call(&hear, "partial", &to_js(outputs)),
        Told::Ended(End::Done, outputs) => call(&hear, "done", &to_js(outputs)),
        Told::Ended(End::Failed(error), _) => call(&hear, "failed", &error.message().into()),
        Told::Ended(End::Cancelled, _) => call(&hear, "cancelled", &"The job was cancelled.".into()),
    };
    runtime.submit_by_name(name, inputs, Rc::new(told)).map_err(refuse)
}

/// A script's value, if it is one that a component can hold.
fn from_js(value: &JsValue) -> Option<Value> {
    if value.is_null() || value.is_undefined() {
        return Some(Value::Null);
    }
    if let Some(text) = value.as_string() {
        return Some(Value::Text(text));
    }
    if let Some(number) = value.as_f64() {
        return number.is_finite().then_some(Value::Number(number));
    }
    if let Some(answer) = value.as_bool() {
        return Some(Value::Bool(answer));
    }
    let field = |name: &str| Reflect::get(value, &name.into()).ok();
    let size = |name| field(name).and_then(|size| size.as_f64()).map(|size| size as u32);
    let data: Uint8ClampedArray = field("data")?.dyn_into().ok()?;
    Picture::from_rgba(size("width")?, size("height")?, data.to_vec()).ok().map(Value::Picture)
}

fn picture_value(picture: &Picture) -> JsValue {
    object(&[
        ("width", picture.width().into()),
        ("height", picture.height().into()),
        ("data", Uint8ClampedArray::from(picture.rgba()).into()),
    ])
}

fn to_js(outputs: Vec<Option<Value>>) -> JsValue {
    let value = |value: Option<Value>| match value {
        None => JsValue::UNDEFINED,
        Some(Value::Null) => JsValue::NULL,
        Some(Value::Text(text)) => text.into(),
        Some(Value::Number(number)) => number.into(),
        Some(Value::Bool(answer)) => answer.into(),
        Some(Value::Picture(picture)) => picture_value(&picture),
        Some(Value::Gallery(pictures)) => pictures.iter().map(picture_value).collect::<Array>().into(),
        Some(Value::Choices(all, _)) => all.into_iter().map(JsValue::from).collect::<Array>().into(),
    };
    outputs.into_iter().map(value).collect::<Array>().into()
}

/// Plain objects take every property, so there is nothing to handle.
fn set(object: &JsValue, key: &str, value: &JsValue) {
    let _ = Reflect::set(object, &key.into(), value);
}

fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (key, value) in fields {
        set(&object, key, value);
    }
    object.into()
}

fn number(value: Option<f64>) -> JsValue {
    value.map_or(JsValue::NULL, JsValue::from_f64)
}

fn ids(jobs: &[JobId]) -> JsValue {
    jobs.iter().map(|job| JsValue::from(job.to_string())).collect::<Array>().into()
}

fn snapshot_value(snapshot: &Snapshot) -> JsValue {
    let lane = |lane: &LaneSnapshot| {
        object(&[
            ("id", lane.id.as_str().into()),
            ("count", number(lane.count.map(|count| count as f64))),
            ("running", ids(&lane.running)),
            ("waiting", ids(&lane.waiting)),
        ])
    };
    let job = |job: &JobSnapshot| {
        object(&[
            ("id", job.id.to_string().into()),
            ("listener", job.listener.as_str().into()),
            ("lane", job.lane.as_str().into()),
            ("session", job.session.as_str().into()),
            ("state", job.state.into()),
            ("position", number(job.position.map(|position| position as f64))),
            ("after", job.after.map_or(JsValue::NULL, |after| after.to_string().into())),
            ("attempt", job.attempt.into()),
            ("progress", number(job.progress.map(f64::from))),
            ("error", job.error.as_deref().map_or(JsValue::NULL, JsValue::from)),
        ])
    };
    let lanes: Array = snapshot.lanes.iter().map(lane).collect();
    let jobs: Array = snapshot.jobs.iter().map(job).collect();
    object(&[("lanes", lanes.into()), ("jobs", jobs.into())])
}

fn adapter_value(info: &EngineInfo) -> JsValue {
    object(&[
        ("engine", if info.kind == EngineKind::Gpu { "gpu" } else { "cpu" }.into()),
        ("name", info.name.as_str().into()),
        ("software", info.software.into()),
        ("tier", info.tier.as_str().into()),
    ])
}
