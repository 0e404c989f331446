use leptos::prelude::*;
use wasm_bindgen::{JsCast as _, JsValue};

use super::Page;
use super::component::{View, control, framed};
use super::el::{El, target};
use crate::blocks::{ComponentSpec, Draw, Drawn, Event, Kind, Number};
use crate::ids::ComponentId;
use crate::value::Value;

impl Drawn for Number {
    const DRAW: Draw = &View { draw: |page, id, spec| framed(page, id, spec, number(page, id, spec)), sheet: "" };
}

/// A text input rather than a number input: the latter hides what it does not understand, so that nothing could be
/// said about it.
fn number(page: Page, id: ComponentId, spec: &ComponentSpec) -> El {
    let whole = matches!(&spec.kind, Kind::Number(range) if range.whole);
    let view = page.component(id);
    let version = page.version(id);
    let read_only = spec.interactive == Some(false);
    control("input", "input number", page, id, spec)
        .attr("type", "text")
        .attr("inputmode", if whole { "numeric" } else { "decimal" })
        .attr("autocomplete", "off")
        .flag("readonly", read_only)
        .live(move |input| {
            // Read, not only tracked: a memo that nobody reads follows nothing.
            let _ = version.get();
            let text = view.with_untracked(|view| text_of(&view.value));
            input.unchecked_ref::<web_sys::HtmlInputElement>().set_value(&text);
        })
        .on("input", move |event| {
            if let Some(input) = target::<web_sys::HtmlInputElement>(&event) {
                page.set(id, parse(&input.value()));
            }
        })
        .on("keydown", move |event| {
            if event.dyn_ref::<web_sys::KeyboardEvent>().is_some_and(|event| event.key() == "Enter" && !read_only) {
                page.ask(id, Event::Submit);
            }
        })
}

/// A number as the browser writes it, which has the code for it already.
pub(super) fn number_text(number: f64) -> String {
    js_sys::Number::from(number).to_string_with_radix(10).map_or_else(|_| String::new(), String::from)
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Number(number) => number_text(*number),
        _ => String::new(),
    }
}

/// What is no number is NaN and is refused with a message; nothing typed becomes another number silently.
fn parse(text: &str) -> Value {
    match text.trim() {
        "" => Value::Null,
        // What a browser reads in other notations ("0x80", "Infinity") is no number to who looks at it.
        text if text.bytes().any(|byte| byte.is_ascii_alphabetic() && byte | 32 != b'e') => Value::Number(f64::NAN),
        text => Value::Number(JsValue::from_str(text).unchecked_into_f64()),
    }
}
