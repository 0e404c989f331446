//! Rows, columns, groups, tabs and accordions.

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

use super::el::{El, el};
use super::{Page, component};
use crate::blocks::{Layout, Node};
use crate::ui::model::arrange::{Arranged, arrange};
use crate::ui::model::tabs::after;

pub(super) fn node(page: Page, node: &Node) -> AnyView {
    match node {
        Node::Component(id) => component::component(page, *id),
        Node::Branch { layout, label, children } => branch(page, layout, label, children).into(),
    }
}

fn nodes(page: Page, children: &[Node]) -> impl Iterator<Item = AnyView> {
    children.iter().map(move |child| node(page, child))
}

fn branch(page: Page, layout: &Layout, label: &str, children: &[Node]) -> El {
    match layout {
        Layout::Column => arranged(page, el("div", "column"), children),
        Layout::Row => el("div", "row").children(nodes(page, children)),
        Layout::Group => {
            let group = el("section", "group").attr("aria-label", label).attr("data-region", "");
            arranged(page, group.child(el("h2", "").text(label)), children)
        }
        Layout::Accordion { open } => el("details", "accordion")
            .flag("open", *open)
            .child(el("summary", "").text(label))
            .child(el("div", "column").children(nodes(page, children))),
        Layout::Tabs => tabs(page, children),
        // A tab is drawn by its Tabs; the builder refuses one that stands alone.
        Layout::Tab => el("div", "column").children(nodes(page, children)),
    }
}

fn arranged(page: Page, inside: El, children: &[Node]) -> El {
    match arrange(&page.app(), children) {
        Arranged::Together(children) => inside.children(nodes(page, &children)),
        Arranged::Apart { controls, pictures } => inside.child(
            el("div", "apart")
                .child(el("div", "controls").children(nodes(page, &controls)))
                .child(el("div", "pictures").children(nodes(page, &pictures))),
        ),
    }
}

fn tabs(page: Page, children: &[Node]) -> El {
    let shown = RwSignal::new(0usize);
    let count = children.len();
    let first = page.next_ids(count);
    let mut list = el("div", "tablist").attr("role", "tablist");
    let mut all = el("div", "tabs");
    let mut panels: Vec<AnyView> = Vec::new();
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
            .on("click", move |_| shown.set(index))
            .on("keydown", move |event| by_key(&event, index, count, shown));
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

fn by_key(event: &web_sys::Event, index: usize, count: usize, shown: RwSignal<usize>) {
    let Some(key) = event.dyn_ref::<web_sys::KeyboardEvent>() else { return };
    let Some(to) = after(&key.key(), index, count) else { return };
    event.prevent_default();
    shown.set(to);
    let list = super::el::target::<web_sys::Element>(event).and_then(|tab| tab.parent_element());
    let tab = list.and_then(|list| list.children().item(to as u32));
    if let Some(tab) = tab.and_then(|tab| tab.dyn_into::<web_sys::HtmlElement>().ok()) {
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
