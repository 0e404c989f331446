use leptos::ev;
use leptos::prelude::*;

use super::Page;
use super::component::{control, described_by, refused};
use crate::blocks::{ComponentSpec, Event, Range};
use crate::ids::ComponentId;
use crate::value::Value;

/// A text input rather than a number input: the latter hides what it does not understand, so that nothing could be
/// said about it.
pub(super) fn number(page: Page, id: ComponentId, spec: &ComponentSpec, range: &Range) -> AnyView {
    let input: NodeRef<leptos::html::Input> = NodeRef::new();
    let view = page.component(id);
    let version = Memo::new(move |_| view.with(|view| view.version));
    Effect::new(move |_| {
        version.get();
        if let Some(input) = input.get() {
            input.set_value(&view.with_untracked(|view| text_of(&view.value)));
        }
    });
    let typed = move |event: ev::Event| page.set(id, parse(&event_target_value(&event)));
    let enter = move |event: ev::KeyboardEvent| {
        if event.key() == "Enter" {
            page.fire(id, Event::Submit);
        }
    };
    let mode = if range.whole { "numeric" } else { "decimal" };
    view! {
        <input node_ref=input id=control(id) class="input number" type="text" inputmode=mode autocomplete="off"
            readonly=spec.interactive == Some(false) aria-describedby=described_by(id)
            aria-invalid=move || refused(page, id).get().to_string() on:input=typed on:keydown=enter/>
    }
    .into_any()
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// What is no number is NaN and is refused with a message; nothing typed becomes another number silently.
fn parse(text: &str) -> Value {
    match text.trim() {
        "" => Value::Null,
        text => Value::Number(text.parse().unwrap_or(f64::NAN)),
    }
}
