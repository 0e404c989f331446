//! Checkbox, Dropdown and Slider.

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

use super::Page;
use super::component::{View, control, control_id, framed, under};
use super::el::{Child, El, el, set, target};
use super::number::number_text;
use crate::blocks::{Checkbox, ComponentSpec, Draw, Drawn, Dropdown, Event, Kind, Slider};
use crate::ids::ComponentId;
use crate::ui::model::style;
use crate::value::Value;

impl Drawn for Checkbox {
    const DRAW: Draw = &View { draw: checkbox, sheet: style::CHOICE };
}

impl Drawn for Dropdown {
    const DRAW: Draw = &View { draw: |page, id, spec| framed(page, id, spec, dropdown(page, id, spec)), sheet: "" };
}

impl Drawn for Slider {
    const DRAW: Draw =
        &View { draw: |page, id, spec| framed(page, id, spec, slider(page, id, spec)), sheet: style::CHOICE };
}

fn checkbox(page: Page, id: ComponentId, spec: &ComponentSpec) -> Child {
    let view = page.component(id);
    let input = control("input", "", page, id, spec)
        .attr("type", "checkbox")
        .flag("disabled", spec.interactive == Some(false))
        .live(move |input| {
            let ticked = view.with(|view| view.value == Value::Bool(true));
            input.unchecked_ref::<web_sys::HtmlInputElement>().set_checked(ticked);
        })
        .on("change", move |event| {
            if let Some(input) = target::<web_sys::HtmlInputElement>(&event) {
                page.set(id, Value::Bool(input.checked()));
            }
        });
    let label = el("label", "tick").child(input).child(el("span", "").text(&spec.label));
    el("div", "field").child(label).children(under(page, id, spec)).into()
}

fn dropdown(page: Page, id: ComponentId, spec: &ComponentSpec) -> El {
    let view = page.component(id);
    let built = match &spec.kind {
        Kind::Dropdown { choices } => choices.clone(),
        _ => Vec::new(),
    };
    let choices = Memo::new(move |_| view.with(|view| view.choices.as_ref().map_or(built.clone(), |all| all.to_vec())));
    control("select", "input", page, id, spec)
        .flag("disabled", spec.interactive == Some(false))
        .live(move |select| choices.with(|choices| offer(select, choices)))
        .live(move |select| {
            // Other options unset what is chosen.
            choices.with(|_| ());
            let chosen = view.with(|view| match &view.value {
                Value::Text(choice) => choice.clone(),
                _ => String::new(),
            });
            select.unchecked_ref::<web_sys::HtmlSelectElement>().set_value(&chosen);
        })
        .on("change", move |event| {
            if let Some(select) = target::<web_sys::HtmlSelectElement>(&event) {
                page.set(id, Value::Text(select.value()));
            }
        })
}

/// Makes these the options of a select.
fn offer(select: &web_sys::Element, choices: &[String]) {
    select.set_text_content(None);
    for choice in choices {
        if let Ok(option) = document().create_element("option") {
            set(&option, "value", Some(choice));
            option.set_text_content(Some(choice));
            // A select takes options.
            let _ = select.append_child(&option);
        }
    }
}

fn slider(page: Page, id: ComponentId, spec: &ComponentSpec) -> El {
    let Kind::Slider(range) = &spec.kind else { return el("span", "") };
    let view = page.component(id);
    let (low, high) = (range.minimum.unwrap_or(0.0), range.maximum.unwrap_or(100.0));
    let step = range.step.unwrap_or((high - low) / 100.0);
    let number = move || match view.with(|view| view.value.clone()) {
        Value::Number(number) => number_text(number),
        _ => number_text(low),
    };
    let input = control("input", "", page, id, spec)
        .attr("type", "range")
        .attr("min", &number_text(low))
        .attr("max", &number_text(high))
        .attr("step", &number_text(step))
        .flag("disabled", spec.interactive == Some(false))
        .live(move |input| input.unchecked_ref::<web_sys::HtmlInputElement>().set_value(&number()))
        .on("input", move |event| {
            let typed = target::<web_sys::HtmlInputElement>(&event).map(|input| input.value_as_number());
            if let Some(number) = typed.filter(|number| number.is_finite()) {
                page.set(id, Value::Number(number));
            }
        })
        .on("change", move |_| page.fire(id, Event::Release));
    // The slider itself tells its number.
    let shown = el("output", "figure").attr("aria-live", "off").attr("for", &control_id(id)).live_text(number);
    el("div", "slider").child(input).child(shown)
}
