use super::Page;
use super::component::View;
use super::el::{Child, el, nothing};
use crate::blocks::{Button, ComponentSpec, Draw, Drawn, Event, Kind, Variant};
use crate::ids::ComponentId;

impl Drawn for Button {
    const DRAW: Draw = &View { draw: button, sheet: "" };
}

fn button(page: Page, id: ComponentId, spec: &ComponentSpec) -> Child {
    let Kind::Button { variant } = spec.kind else { return nothing() };
    let class = match variant {
        Variant::Primary => "button button-primary",
        Variant::Secondary => "button",
        Variant::Stop => "button button-stop",
    };
    el("button", class)
        .attr("type", "button")
        .flag("disabled", spec.interactive == Some(false))
        .text(&spec.label)
        .on("click", move |_| page.ask(id, Event::Click))
        .into()
}
