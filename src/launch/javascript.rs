//! `window.gradus`: what scripts and tests can ask of the page. Typed in `gradus.d.ts`.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::prelude::*;

use crate::ids::JobId;
use crate::runtime::{JobSnapshot, LaneSnapshot, Runtime, Snapshot};
use crate::value::{EngineInfo, EngineKind};

pub(super) fn install(runtime: &Runtime) {
    let object = Object::new();
    let of_queue = runtime.clone();
    let snapshot = Closure::<dyn Fn() -> JsValue>::new(move || snapshot_value(&of_queue.snapshot()));
    let of_engine = runtime.clone();
    let adapter = Closure::<dyn Fn() -> JsValue>::new(move || {
        of_engine.engine().map_or(JsValue::NULL, |info| adapter_value(&info))
    });
    set(&object, "snapshot", snapshot.as_ref());
    set(&object, "adapter", adapter.as_ref());
    set(&js_sys::global(), "gradus", &object);
    // Both live as long as the page.
    snapshot.forget();
    adapter.forget();
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
