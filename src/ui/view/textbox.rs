use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

use super::Page;
use super::component::{control, described_by, refused};
use super::page::press_first_button;
use crate::blocks::{ComponentSpec, Event, Kind};
use crate::ids::ComponentId;
use crate::value::Value;

/// One line is an input; several, or room to grow, are a text area. Both are drawn as a text area, which grows.
pub(super) fn textbox(page: Page, id: ComponentId, spec: &ComponentSpec) -> AnyView {
    let Kind::Textbox { lines, max_lines, placeholder, .. } = &spec.kind else { return ().into_any() };
    let (lines, max_lines) = (*lines, (*max_lines).max(*lines));
    let read_only = spec.interactive == Some(false);
    let area: NodeRef<leptos::html::Textarea> = NodeRef::new();
    let view = page.component(id);
    let version = Memo::new(move |_| view.with(|view| view.version));
    Effect::new(move |_| {
        version.get();
        if let Some(area) = area.get() {
            area.set_value(&view.with_untracked(|view| text_of(&view.value)));
            grow(&area, lines, max_lines);
        }
    });
    let typed = move |event: ev::Event| {
        if let Some(area) = area.get_untracked() {
            grow(&area, lines, max_lines);
        }
        page.set(id, Value::Text(event_target_value(&event)));
    };
    let enter = move |event: ev::KeyboardEvent| {
        let breaks = event.shift_key() || event.ctrl_key() || event.meta_key() || event.is_composing();
        if event.key() == "Enter" && !breaks && !read_only {
            event.prevent_default();
            submit(page, id, &event);
        }
    };
    view! {
        <textarea node_ref=area id=control(id) class="input" rows=lines.to_string() placeholder=placeholder.clone()
            readonly=read_only aria-describedby=described_by(id)
            aria-invalid=move || refused(page, id).get().to_string() on:input=typed on:keydown=enter></textarea>
    }
    .into_any()
}

/// Sets off the box's own listeners; where it has none, Enter presses the region's button.
fn submit(page: Page, id: ComponentId, event: &ev::KeyboardEvent) {
    if page.app().listeners_of(Some(id), Event::Submit).next().is_some() {
        page.fire(id, Event::Submit);
        return;
    }
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    if let Some(region) = target.and_then(|element| element.closest("[data-region]").ok().flatten()) {
        press_first_button(&region);
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        _ => String::new(),
    }
}

fn grow(area: &web_sys::HtmlTextAreaElement, lines: u32, max_lines: u32) {
    // Long texts are not measured: laying out 100,000 characters for a height would stop the page.
    let text = area.value();
    let wanted = if text.len() > 20_000 { max_lines } else { text.matches('\n').count() as u32 + 1 };
    area.set_rows(wanted.clamp(lines, max_lines));
}
