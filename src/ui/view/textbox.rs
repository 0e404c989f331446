use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

use super::Page;
use super::component::{View, control, framed};
use super::el::{El, el, target};
use super::page::press_first_button;
use crate::blocks::{ComponentSpec, Draw, Drawn, Event, Kind, Textbox};
use crate::ids::ComponentId;
use crate::value::Value;

impl Drawn for Textbox {
    const DRAW: Draw = &View { draw: |page, id, spec| framed(page, id, spec, textbox(page, id, spec)), sheet: "" };
}

/// A text area, which grows from its lines to the most that it may have.
fn textbox(page: Page, id: ComponentId, spec: &ComponentSpec) -> El {
    let Kind::Textbox { lines, max_lines, placeholder, .. } = &spec.kind else { return el("span", "") };
    let (lines, max_lines) = (*lines, (*max_lines).max(*lines));
    let read_only = spec.interactive == Some(false);
    let view = page.component(id);
    let version = page.version(id);
    control("textarea", "input", page, id, spec)
        .attr("rows", &lines.to_string())
        // Each paragraph runs as its own script does.
        .attr("dir", "auto")
        .attr("placeholder", placeholder)
        .flag("readonly", read_only)
        .live(move |area| {
            // Read, not only tracked: a memo that nobody reads follows nothing.
            let _ = version.get();
            let area: &web_sys::HtmlTextAreaElement = area.unchecked_ref();
            area.set_value(&view.with_untracked(|view| text_of(&view.value)));
            // With the frame, which lays the page out anyway: at once, it was a third of the task that opens a page.
            let area = area.clone();
            request_animation_frame(move || grow(&area, lines, max_lines));
        })
        .on("input", move |event| {
            if let Some(area) = target::<web_sys::HtmlTextAreaElement>(&event) {
                grow(&area, lines, max_lines);
                page.set(id, Value::Text(area.value()));
            }
        })
        .on("keydown", move |event| {
            let Some(key) = event.dyn_ref::<web_sys::KeyboardEvent>() else { return };
            // Where there is room for one line alone, none is broken.
            let breaks = key.shift_key() && max_lines > 1 || key.ctrl_key() || key.meta_key() || key.is_composing();
            if key.key() == "Enter" && !breaks && !read_only {
                event.prevent_default();
                // A key that is held asks once.
                if !key.repeat() {
                    submit(page, id, &event);
                }
            }
        })
}

/// Sets off the box's own listeners; where it has none, Enter presses the region's button.
fn submit(page: Page, id: ComponentId, event: &web_sys::Event) {
    if page.app().listeners_of(Some(id), Event::Submit).next().is_some() {
        page.ask(id, Event::Submit);
        return;
    }
    let region = target::<web_sys::Element>(event).and_then(|area| area.closest("[data-region]").ok().flatten());
    if let Some(region) = region {
        press_first_button(&region);
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        _ => String::new(),
    }
}

/// Characters that fit in one line of the narrowest page.
const SHORT: usize = 24;

fn grow(area: &web_sys::HtmlTextAreaElement, lines: u32, max_lines: u32) {
    let text = area.value();
    // Long texts are not measured: laying out 100,000 characters for a height would stop the page.
    if text.len() > 20_000 {
        area.set_rows(max_lines);
        return;
    }
    // Nor are texts that are one line at any width: measuring makes the browser lay out the page, and a busy queue writes
    // hundreds of them a second.
    if text.len() <= SHORT && !text.contains('\n') {
        area.set_rows(lines);
        return;
    }
    area.set_rows(lines);
    let (height, needed) = (area.client_height(), area.scroll_height());
    area.set_rows(lines + 1);
    let line = area.client_height() - height;
    // In a tab that is hidden nothing has a height; then the breaks are all there is to count.
    let wrapped = if line > 0 { lines + ((needed - height).max(0) as u32).div_ceil(line as u32) } else { 0 };
    let broken = text.matches('\n').count() as u32 + 1;
    area.set_rows(wrapped.max(broken).clamp(lines, max_lines));
}
