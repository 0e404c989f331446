//! What all components share: label, help, error and status around the control.

use leptos::prelude::*;

use super::el::{El, el, nothing, set};
use super::{Page, button, choice, markdown, number, textbox};
#[cfg(feature = "pictures")]
use super::{folder, gallery, image};
use crate::blocks::{ComponentSpec, Kind};
use crate::ids::ComponentId;
use crate::runtime::view::{Phase, Status};

pub(super) fn component(page: Page, id: ComponentId) -> AnyView {
    let app = page.app();
    let Some(spec) = app.component(id).filter(|spec| spec.visible) else { return nothing() };
    match &spec.kind {
        Kind::Button { variant } => button::button(page, id, spec, *variant),
        Kind::Markdown => markdown::markdown(page, id, spec),
        #[cfg(feature = "pictures")]
        Kind::Image { max_side } => image::image(page, id, spec, *max_side),
        #[cfg(feature = "pictures")]
        Kind::Gallery { columns } => gallery::gallery(page, id, spec, *columns),
        #[cfg(feature = "pictures")]
        Kind::Folder => framed(page, id, spec, folder::folder(page, id, spec)),
        // Refused when the app was built.
        #[cfg(not(feature = "pictures"))]
        Kind::Image { .. } | Kind::Gallery { .. } | Kind::Folder => nothing(),
        Kind::Checkbox => choice::checkbox(page, id, spec),
        Kind::Dropdown { choices } => framed(page, id, spec, choice::dropdown(page, id, spec, choices)),
        Kind::Slider(range) => framed(page, id, spec, choice::slider(page, id, spec, range)),
        Kind::Number(range) => framed(page, id, spec, number::number(page, id, spec, range)),
        Kind::Textbox { .. } => framed(page, id, spec, textbox::textbox(page, id, spec)),
        Kind::State | Kind::BrowserState { .. } | Kind::Timer { .. } => nothing(),
    }
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

/// A control with its label above and its help, error and status below.
pub(super) fn framed(page: Page, id: ComponentId, spec: &ComponentSpec, inner: El) -> AnyView {
    let label = el("label", "").attr("for", &control_id(id)).text(&spec.label);
    el("div", "field").child(label).child(inner).children(under(page, id, spec)).into()
}

/// Help, error and status.
pub(super) fn under(page: Page, id: ComponentId, spec: &ComponentSpec) -> [AnyView; 3] {
    [info(id, spec), error(page, id), status(page, id, spec)]
}

pub(super) fn info(id: ComponentId, spec: &ComponentSpec) -> AnyView {
    if spec.info.is_empty() {
        return nothing();
    }
    el("p", "info").attr("id", &format!("gradus-{id}-info")).text(&spec.info).into()
}

pub(super) fn error(page: Page, id: ComponentId) -> AnyView {
    let view = page.component(id);
    el("p", "error")
        .attr("role", "alert")
        .attr("id", &format!("gradus-{id}-error"))
        .live_flag("hidden", move || view.with(|view| view.error.is_none()))
        .live_text(move || view.with(|view| view.error.clone()).unwrap_or_default())
        .live(move |element| {
            // What is wrong must not be folded away.
            if view.with(|view| view.error.is_some())
                && let Ok(Some(folded)) = element.closest("details")
            {
                set(&folded, "open", Some(""));
            }
        })
        .into()
}

/// The strip that says what the jobs of an output are at. An output has it from the start, so that nothing jumps; what
/// the visitor fills in has it only to say that something failed.
pub(super) fn status(page: Page, id: ComponentId, spec: &ComponentSpec) -> AnyView {
    let view = page.component(id);
    let output = spec.interactive == Some(false);
    let picture = matches!(spec.kind, Kind::Image { .. } | Kind::Gallery { .. });
    // Of a text, the text itself says that it is done.
    let told = move |status: &&Status| match status.phase {
        Phase::Failed => true,
        Phase::Done => picture,
        _ => output || picture,
    };
    let phase = move || view.with(|view| view.status.as_ref().filter(told).map(|status| status.phase));
    let words = move || view.with(|view| view.status.as_ref().filter(told).map(|status| status.text.clone()));
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
