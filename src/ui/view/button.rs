use leptos::prelude::*;

use super::Page;
use crate::blocks::{ComponentSpec, Event, Variant};
use crate::ids::ComponentId;

pub(super) fn button(page: Page, id: ComponentId, spec: &ComponentSpec, variant: Variant) -> AnyView {
    let class = match variant {
        Variant::Primary => "button button-primary",
        Variant::Secondary => "button",
        Variant::Stop => "button button-stop",
    };
    let disabled = spec.interactive == Some(false);
    view! {
        <button type="button" class=class disabled=disabled on:click=move |_| page.fire(id, Event::Click)>
            {spec.label.clone()}
        </button>
    }
    .into_any()
}
