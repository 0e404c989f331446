//! What all components share: label, help, error and status around the control.

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

use super::Page;
use super::el::{Child, El, el, nothing, set, target};
use crate::blocks::{ComponentSpec, Draw, Kind};
use crate::ids::ComponentId;
use crate::runtime::view::{ComponentView, Phase, Status};
use crate::value::Value;

/// A kind's view, and the sheet that is for it alone.
pub(super) struct View {
    pub(super) draw: fn(Page, ComponentId, &ComponentSpec) -> Child,
    pub(super) sheet: &'static str,
}

impl View {
    pub(super) fn of(draw: Draw) -> Option<&'static Self> {
        draw.downcast_ref()
    }
}

pub(super) fn component(page: Page, id: ComponentId) -> Child {
    let app = page.app();
    let shown = app.component(id).filter(|spec| spec.visible).and_then(|spec| Some((spec, View::of(spec.draw())?)));
    shown.map_or_else(nothing, |(spec, view)| (view.draw)(page, id, spec))
}

/// The id of a component's control in the document.
pub(super) fn control_id(id: ComponentId) -> String {
    format!("gradus-{id}")
}

/// A component's native control: named by its label, described by its help and its error.
pub(super) fn control(tag: &'static str, class: &str, page: Page, id: ComponentId, spec: &ComponentSpec) -> El {
    let view = page.component(id);
    let error = format!("gradus-{id}-error");
    let described = if spec.info.is_empty() { error } else { format!("gradus-{id}-info {error}") };
    el(tag, class)
        .attr("id", &control_id(id))
        .attr("aria-describedby", &described)
        .live_attr("aria-invalid", move || Some(view.with(|view| view.error.is_some()).to_string()))
}

/// Forgets what was chosen as the visitor sets out to choose: of the same file again the browser would say nothing.
pub(super) fn choose_anew(event: web_sys::Event) {
    if let Some(input) = target::<web_sys::HtmlInputElement>(&event) {
        input.set_value("");
    }
}

/// A control with its label above and its help, error and status below.
pub(super) fn framed(page: Page, id: ComponentId, spec: &ComponentSpec, inner: El) -> Child {
    let label = el("label", "").attr("for", &control_id(id)).text(&spec.label);
    el("div", "field").child(label).child(inner).children(under(page, id, spec)).into()
}

/// Help, error and status.
pub(super) fn under(page: Page, id: ComponentId, spec: &ComponentSpec) -> [Child; 3] {
    [info(id, spec), error(page, id), status(page, id, spec)]
}

pub(super) fn info(id: ComponentId, spec: &ComponentSpec) -> Child {
    if spec.info.is_empty() {
        return nothing();
    }
    el("p", "info").attr("id", &format!("gradus-{id}-info")).text(&spec.info).into()
}

pub(super) fn error(page: Page, id: ComponentId) -> Child {
    let view = page.component(id);
    el("p", "error")
        .attr("role", "alert")
        .attr("id", &format!("gradus-{id}-error"))
        .live_flag("hidden", move || view.with(|view| view.error.is_none()))
        .live_text(move || view.with(|view| view.error.clone()).unwrap_or_default())
        .live(move |element| {
            if view.with(|view| view.error.is_some()) {
                unfold(element);
            }
        })
        .into()
}

/// What is wrong must not be folded away.
fn unfold(element: &web_sys::Element) {
    if let Ok(Some(folded)) = element.closest("details") {
        set(&folded, "open", Some(""));
    }
}

/// Focuses a control wherever it is; the browser brings it into view.
pub(super) fn reach(control: &web_sys::Element) {
    unfold(control);
    // It can only fail on an element that is gone.
    let _ = control.unchecked_ref::<web_sys::HtmlElement>().focus();
}

/// The strip that says what the jobs of an output are at. An output has it from the start, so that nothing jumps; what
/// the visitor fills in has it only to say that something failed.
pub(super) fn status(page: Page, id: ComponentId, spec: &ComponentSpec) -> Child {
    let view = page.component(id);
    let output = spec.interactive == Some(false);
    let picture = matches!(spec.kind, Kind::Image { .. } | Kind::Gallery { .. });
    let phase = move || view.with(|view| told(view, output, picture).map(|status| status.phase));
    let words = move || view.with(|view| told(view, output, picture).map(|status| status.text.clone()));
    let share = move || view.with(|view| view.status.as_ref().and_then(|status| status.progress));
    let line = el("p", "status-text")
        .live_attr("role", move || (phase() == Some(Phase::Failed)).then(|| "alert".to_owned()))
        .live_text(move || words().unwrap_or_default());
    el("div", "")
        .attr("data-testid", "status")
        .live_attr("class", move || Some(class(phase()).to_owned()))
        .live_flag("hidden", move || !output && phase().is_none())
        .child(bar(share).live_flag("hidden", move || !matches!(phase(), Some(Phase::Running | Phase::Stopping))))
        .child(line)
        .into()
}

/// What an output has to say of its jobs.
fn told(view: &ComponentView, output: bool, picture: bool) -> Option<&Status> {
    let status = view.status.as_ref()?;
    let told = match (status.phase, &view.value) {
        (Phase::Failed, _) => true,
        // A job that gave no picture has nothing to say where there is none.
        (Phase::Done, Value::Null) => false,
        (Phase::Done, Value::Gallery(pictures)) => !pictures.is_empty(),
        // Of a text, the text itself says that it is done.
        (Phase::Done, _) => picture,
        _ => output || picture,
    };
    told.then_some(status)
}

fn class(phase: Option<Phase>) -> &'static str {
    match phase {
        None => "status",
        Some(Phase::Waiting) => "status status-waiting",
        Some(Phase::Running) => "status status-running",
        Some(Phase::Stopping) => "status status-stopping",
        Some(Phase::Done) => "status status-done",
        Some(Phase::Failed) => "status status-failed",
        Some(Phase::Cancelled) => "status status-cancelled",
    }
}

/// A progress bar; without a share it only says that something moves.
pub(super) fn bar(share: impl Fn() -> Option<f32> + 'static) -> El {
    el("progress", "progress")
        .attr("max", "1")
        .attr("aria-label", "Progress")
        .live_attr("value", move || share().map(|share| super::number::number_text(f64::from(share))))
}
