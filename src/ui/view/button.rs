use leptos::prelude::window;

use super::Page;
use super::component::View;
use super::el::{Child, El, el};
use crate::blocks::{Asking, Button, ComponentSpec, Draw, Drawn, Event, Kind, Variant};
use crate::ids::ComponentId;

impl Drawn for Button {
    const DRAW: Draw = &View { draw: button, sheet: "" };
}

impl Drawn for Asking {
    const DRAW: Draw = &View { draw: asking, sheet: "" };
}

fn button(page: Page, id: ComponentId, spec: &ComponentSpec) -> Child {
    look(spec).on("click", move |_| page.ask(id, Event::Click)).into()
}

fn asking(page: Page, id: ComponentId, spec: &ComponentSpec) -> Child {
    let question = spec.confirm.clone();
    let press = move |_| {
        // A browser that shows no questions has not been told no.
        if window().confirm_with_message(&question).unwrap_or(true) {
            page.ask(id, Event::Click);
        }
    };
    look(spec).on("click", press).into()
}

fn look(spec: &ComponentSpec) -> El {
    let class = match spec.kind {
        Kind::Button { variant: Variant::Primary } => "button button-primary",
        Kind::Button { variant: Variant::Stop } => "button button-stop",
        _ => "button",
    };
    el("button", class).attr("type", "button").flag("disabled", spec.interactive == Some(false)).text(&spec.label)
}
