use leptos::prelude::window;

use super::Page;
use super::component::View;
use super::el::{Child, el, nothing};
use crate::blocks::{Button, ComponentSpec, Draw, Drawn, Event, Kind, Variant};
use crate::ids::ComponentId;

impl Drawn for Button {
    const DRAW: Draw = &View { draw: button, sheet: "" };
}

fn button(page: Page, id: ComponentId, spec: &ComponentSpec) -> Child {
    let Kind::Button { variant, confirm } = &spec.kind else { return nothing() };
    let class = match variant {
        Variant::Primary => "button button-primary",
        Variant::Secondary => "button",
        Variant::Stop => "button button-stop",
    };
    let question = confirm.clone();
    // A browser that shows no questions has not been told no.
    let agreed = move || question.is_empty() || window().confirm_with_message(&question).unwrap_or(true);
    el("button", class)
        .attr("type", "button")
        .flag("disabled", spec.interactive == Some(false))
        .text(&spec.label)
        .on("click", move |_| {
            if agreed() {
                page.ask(id, Event::Click);
            }
        })
        .into()
}
