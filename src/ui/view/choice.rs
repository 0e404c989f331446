//! Checkbox, Dropdown and Slider.

use leptos::ev;
use leptos::prelude::*;

use super::Page;
use super::component::{control, described_by, refused, under};
use crate::blocks::{ComponentSpec, Event, Range};
use crate::ids::ComponentId;
use crate::value::Value;

pub(super) fn checkbox(page: Page, id: ComponentId, spec: &ComponentSpec) -> AnyView {
    let view = page.component(id);
    let ticked = Memo::new(move |_| view.with(|view| view.value == Value::Bool(true)));
    view! {
        <div class="field">
            <label class="tick">
                <input type="checkbox" id=control(id) prop:checked=ticked disabled=spec.interactive == Some(false)
                    aria-describedby=described_by(id)
                    on:change=move |event| page.set(id, Value::Bool(event_target_checked(&event)))/>
                <span>{spec.label.clone()}</span>
            </label>
            {under(page, id, spec)}
        </div>
    }
    .into_any()
}

pub(super) fn dropdown(page: Page, id: ComponentId, spec: &ComponentSpec, choices: &[String]) -> AnyView {
    let view = page.component(id);
    let options: Vec<AnyView> = choices
        .iter()
        .map(|choice| {
            let (value, mine) = (choice.clone(), Value::Text(choice.clone()));
            let selected = move || view.with(|view| view.value == mine);
            view! { <option value=value prop:selected=selected>{choice.clone()}</option> }.into_any()
        })
        .collect();
    view! {
        <select id=control(id) class="input" disabled=spec.interactive == Some(false) aria-describedby=described_by(id)
            aria-invalid=move || refused(page, id).get().to_string()
            on:change=move |event| page.set(id, Value::Text(event_target_value(&event)))>{options}</select>
    }
    .into_any()
}

pub(super) fn slider(page: Page, id: ComponentId, spec: &ComponentSpec, range: &Range) -> AnyView {
    let view = page.component(id);
    let (low, high) = (range.minimum.unwrap_or(0.0), range.maximum.unwrap_or(100.0));
    let step = range.step.unwrap_or((high - low) / 100.0);
    let number = Memo::new(move |_| match view.with(|view| view.value.clone()) {
        Value::Number(number) => number,
        _ => low,
    });
    let slid = move |event: ev::Event| {
        if let Ok(number) = event_target_value(&event).parse() {
            page.set(id, Value::Number(number));
        }
    };
    view! {
        <div class="slider">
            <input id=control(id) type="range" min=low.to_string() max=high.to_string() step=step.to_string()
                prop:value=move || number.get().to_string() disabled=spec.interactive == Some(false)
                aria-describedby=described_by(id) on:input=slid on:change=move |_| page.fire(id, Event::Release)/>
            <output for=control(id) class="figure">{move || number.get().to_string()}</output>
        </div>
    }
    .into_any()
}
