use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

use super::Page;
use super::el::{Child, El, el, target};
use super::layout::arranged;
use crate::blocks::{Draw, Drawn, Layout, Node, Tabs};
use crate::ui::model::style;
use crate::ui::model::tabs::after;

/// The view of Tabs, and the sheet that is for them alone.
pub(super) struct TabsView {
    pub(super) draw: fn(Page, &[Node]) -> El,
    pub(super) sheet: &'static str,
}

impl TabsView {
    pub(super) fn of(draw: Draw) -> Option<&'static Self> {
        draw.downcast_ref()
    }
}

impl Drawn for Tabs {
    const DRAW: Draw = &TabsView { draw: tabs, sheet: style::TABS };
}

fn tabs(page: Page, children: &[Node]) -> El {
    let count = children.len();
    let first = page.next_ids(count);
    let kept = page.runtime.with_value(|runtime| runtime.recall(&key(first)));
    let shown =
        RwSignal::new(kept.and_then(|index| index.parse().ok()).filter(|&index| index < count).unwrap_or(0usize));
    let mut list = el("div", "tablist").attr("role", "tablist").attr("aria-label", page.app().name());
    let mut all = el("div", "tabs");
    let mut panels: Vec<Child> = Vec::new();
    for (index, child) in children.iter().enumerate() {
        let Node::Branch { label, children, .. } = child else { continue };
        let (tab_id, panel_id) = (format!("gradus-tab-{}", first + index), format!("gradus-panel-{}", first + index));
        let selected = move || shown.get() == index;
        let tab = el("button", "tab")
            .attr("role", "tab")
            .attr("type", "button")
            .attr("id", &tab_id)
            .attr("aria-controls", &panel_id)
            .text(label)
            .live_attr("aria-selected", move || Some(selected().to_string()))
            .live_attr("tabindex", move || Some(if selected() { "0" } else { "-1" }.to_owned()))
            .on("click", move |_| {
                shown.set(index);
                page.with_runtime(|runtime| runtime.keep(&key(first), &index.to_string()));
            })
            .on("keydown", move |event| by_key(&event, index, count));
        list = list.child(tab);
        let panel = el("div", "tabpanel")
            .attr("role", "tabpanel")
            .attr("id", &panel_id)
            .attr("aria-labelledby", &tab_id)
            .attr("data-region", "")
            .live_flag("hidden", move || !selected());
        panels.push(tab_body(page, panel, label, children).into());
    }
    all = all.child(list);
    all.children(panels)
}

/// Under which the tab that is shown is kept over a reload.
fn key(first: usize) -> String {
    format!("tab-{first}")
}

fn by_key(event: &web_sys::Event, index: usize, count: usize) {
    let Some(key) = event.dyn_ref::<web_sys::KeyboardEvent>() else { return };
    let Some(to) = after(&key.key(), index, count) else { return };
    event.prevent_default();
    let list = target::<web_sys::Element>(event).and_then(|tab| tab.parent_element());
    let tab = list.and_then(|list| list.children().item(to as u32));
    if let Some(tab) = tab.and_then(|tab| tab.dyn_into::<web_sys::HtmlElement>().ok()) {
        tab.click();
        // Focus can only fail on an element that is gone, and then there is nothing to focus.
        let _ = tab.focus();
    }
}

/// A tab without groups of its own is itself the region that bears its name.
fn tab_body(page: Page, panel: El, name: &str, children: &[Node]) -> El {
    let grouped = |child: &Node| matches!(child, Node::Branch { layout: Layout::Group, .. });
    if children.iter().any(grouped) {
        return arranged(page, panel, children);
    }
    panel.child(arranged(page, el("section", "whole").attr("aria-label", name), children))
}
