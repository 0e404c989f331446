//! What all components share: label, help, error and status around the control.

use leptos::prelude::*;

use super::{Page, button, choice, gallery, image, markdown, number, textbox};
use crate::blocks::{ComponentSpec, Kind};
use crate::ids::ComponentId;
use crate::runtime::view::{Phase, Status};

pub(super) fn component(page: Page, id: ComponentId) -> AnyView {
    let app = page.app();
    let Some(spec) = app.component(id).filter(|spec| spec.visible) else { return ().into_any() };
    match &spec.kind {
        Kind::Button { variant } => button::button(page, id, spec, *variant),
        Kind::Markdown => markdown::markdown(page, id),
        Kind::Image => image::image(page, id, spec),
        Kind::Gallery { columns } => gallery::gallery(page, id, spec, *columns),
        Kind::Checkbox => choice::checkbox(page, id, spec),
        Kind::Dropdown { choices } => framed(page, id, spec, choice::dropdown(page, id, spec, choices)),
        Kind::Slider(range) => framed(page, id, spec, choice::slider(page, id, spec, range)),
        Kind::Number(range) => framed(page, id, spec, number::number(page, id, spec, range)),
        Kind::Textbox { .. } => framed(page, id, spec, textbox::textbox(page, id, spec)),
    }
}

/// The id of a component's control in the document.
pub(super) fn control(id: ComponentId) -> String {
    format!("gradus-{id}")
}

/// The ids of what describes a control: its help and its error.
pub(super) fn described_by(id: ComponentId) -> String {
    format!("gradus-{id}-info gradus-{id}-error")
}

/// Whether the component's value was refused.
pub(super) fn refused(page: Page, id: ComponentId) -> Memo<bool> {
    let view = page.component(id);
    Memo::new(move |_| view.with(|view| view.error.is_some()))
}

/// A control with its label above and its help, error and status below.
pub(super) fn framed(page: Page, id: ComponentId, spec: &ComponentSpec, inner: AnyView) -> AnyView {
    view! {
        <div class="field">
            <label for=control(id)>{spec.label.clone()}</label>
            {inner}
            {under(page, id, spec)}
        </div>
    }
    .into_any()
}

/// Help, error and status.
pub(super) fn under(page: Page, id: ComponentId, spec: &ComponentSpec) -> AnyView {
    let info = (!spec.info.is_empty())
        .then(|| view! { <p class="info" id=format!("gradus-{id}-info")>{spec.info.clone()}</p> });
    view! { {info} {error(page, id)} {status(page, id)} }.into_any()
}

pub(super) fn error(page: Page, id: ComponentId) -> AnyView {
    let view = page.component(id);
    let error = Memo::new(move |_| view.with(|view| view.error.clone()));
    view! { <p class="error" role="alert" id=format!("gradus-{id}-error") hidden=move || error.get().is_none()>{error}</p> }
        .into_any()
}

/// The strip that says what the jobs of an output are at; there from the first job on, so that nothing jumps later.
pub(super) fn status(page: Page, id: ComponentId) -> AnyView {
    let view = page.component(id);
    let quiet = !page.app().component(id).is_some_and(|spec| matches!(spec.kind, Kind::Image | Kind::Gallery { .. }));
    // Of a text, the text itself says that it is done.
    let told = move |status: &Status| !(quiet && status.phase == Phase::Done);
    let status = Memo::new(move |_| view.with(|view| view.status.clone().filter(told)));
    (move || status.get().map(strip)).into_any()
}

fn strip(status: Status) -> AnyView {
    let class = match status.phase {
        Phase::Waiting => "status status-waiting",
        Phase::Running => "status status-running",
        Phase::Stopping => "status status-stopping",
        Phase::Done => "status status-done",
        Phase::Failed => "status status-failed",
        Phase::Cancelled => "status status-cancelled",
    };
    let moving = matches!(status.phase, Phase::Running | Phase::Stopping);
    view! {
        <div class=class data-testid="status">
            {moving.then(|| bar(status.progress))}
            <p class="status-text" role=(status.phase == Phase::Failed).then_some("alert")>{status.text}</p>
        </div>
    }
    .into_any()
}

/// A progress bar; without a share it only says that something moves.
pub(super) fn bar(share: Option<f32>) -> AnyView {
    match share {
        Some(share) => {
            view! { <progress class="progress" max="1" value=share.to_string() aria-label="Progress"></progress> }
                .into_any()
        }
        None => view! { <progress class="progress" aria-label="Progress"></progress> }.into_any(),
    }
}
