use leptos::prelude::*;

use super::Page;
use super::el::el;
use crate::blocks::{ComponentSpec, Event, Variant};
use crate::ids::ComponentId;

pub(super) fn button(page: Page, id: ComponentId, spec: &ComponentSpec, variant: Variant) -> AnyView {
    let class = match variant {
        Variant::Primary => "button button-primary",
        Variant::Secondary => "button",
        Variant::Stop => "button button-stop",
    };
    el("button", class)
        .attr("type", "button")
        .flag("disabled", spec.interactive == Some(false))
        .text(&spec.label)
        .on("click", move |_| page.fire(id, Event::Click))
        .into()
}
