//! The page around the app.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::{JsCast as _, JsValue};

use super::el::{Child, el};
use super::{Page, layout, panel, toasts};

pub(super) fn page(page: Page) -> Child {
    let app = page.app();
    // Lives as long as the page.
    let _ = window_event_listener(ev::keydown, |event| {
        if event.key() == "Escape" {
            close_queue();
        } else {
            press_generate(event);
        }
    });
    el("div", "page")
        .child(el("header", "bar").child(el("h1", "").text(app.name())))
        .child(el("main", "").attr("tabindex", "-1").child(layout::node(page, app.root())))
        .child(panel::panel(page))
        .child(toasts::toasts(page))
        .into()
}

/// Closes the queue where it lies over the page, as on a phone, and leaves the focus at what opens it. A dialog over both
/// goes alone.
fn close_queue() {
    let toggle = document().query_selector("body:not(:has(dialog[open])) .panel-open .panel-toggle").ok().flatten();
    if let Some(toggle) = toggle.and_then(|toggle| toggle.dyn_into::<web_sys::HtmlElement>().ok()) {
        toggle.click();
        // It can only fail on an element that is gone.
        let _ = toggle.focus();
    }
}

/// Ctrl+Enter or Cmd+Enter presses the button of the region one is in, else of the tab that is shown.
fn press_generate(event: ev::KeyboardEvent) {
    // A key that is held asks once.
    if event.key() != "Enter" || !(event.ctrl_key() || event.meta_key()) || event.repeat() {
        return;
    }
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let around = |selector: &str| target.as_ref().and_then(|element| element.closest(selector).ok().flatten());
    // On a button it is that one's press, as Enter alone is.
    if let Some(button) = around("main button.button").and_then(|button| button.dyn_into::<web_sys::HtmlElement>().ok())
    {
        event.prevent_default();
        button.click();
        return;
    }
    let shown = |selector: &str| document().query_selector(selector).ok().flatten();
    let region = around("[data-region]").or_else(|| shown("[role=tabpanel]:not([hidden])")).or_else(|| shown("main"));
    if let Some(region) = region
        && press_first_button(&region)
    {
        event.prevent_default();
    }
}

/// Presses the primary button of a region, or its first.
pub(super) fn press_first_button(region: &web_sys::Element) -> bool {
    let find = |selector: &str| region.query_selector(selector).ok().flatten();
    let button = find("button.button-primary:not([disabled])").or_else(|| find("button.button:not([disabled])"));
    match button.and_then(|button| button.dyn_into::<web_sys::HtmlElement>().ok()) {
        Some(button) => {
            button.click();
            true
        }
        None => false,
    }
}

/// Makes the style sheet apply: as a constructed sheet, which a strict content policy allows, else as an element.
pub(super) fn adopt_style(sheet: &str) {
    if adopt_constructed(sheet).is_none()
        && let (Ok(style), Some(head)) = (document().create_element("style"), document().head())
    {
        style.set_text_content(Some(sheet));
        // The head takes every element.
        let _ = head.append_child(&style);
    }
}

fn adopt_constructed(text: &str) -> Option<()> {
    let sheet = web_sys::CssStyleSheet::new().ok()?;
    let replace = js_sys::Reflect::get(&sheet, &"replaceSync".into()).ok()?.dyn_into::<js_sys::Function>().ok()?;
    replace.call1(&sheet, &JsValue::from_str(text)).ok()?;
    let key = JsValue::from_str("adoptedStyleSheets");
    js_sys::Reflect::set(&document(), &key, &js_sys::Array::of1(&sheet)).ok().filter(|&set| set).map(|_| ())
}
