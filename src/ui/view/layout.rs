//! Rows, columns, groups, tabs and accordions.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

use super::{Page, component};
use crate::blocks::{Layout, Node};
use crate::ui::model::arrange::{Arranged, arrange};

pub(super) fn node(page: Page, node: &Node) -> AnyView {
    match node {
        Node::Component(id) => component::component(page, *id),
        Node::Branch { layout, label, children } => branch(page, layout, label, children),
    }
}

fn nodes(page: Page, children: &[Node]) -> Vec<AnyView> {
    children.iter().map(|child| node(page, child)).collect()
}

fn branch(page: Page, layout: &Layout, label: &str, children: &[Node]) -> AnyView {
    let label = label.to_owned();
    match layout {
        Layout::Column => view! { <div class="column">{arranged(page, children)}</div> }.into_any(),
        Layout::Row => view! { <div class="row">{nodes(page, children)}</div> }.into_any(),
        Layout::Group => {
            let name = label.clone();
            view! {
                <section class="group" aria-label=name data-region="">
                    <h2>{label}</h2>
                    {arranged(page, children)}
                </section>
            }
            .into_any()
        }
        Layout::Accordion { open } => view! {
            <details class="accordion" open=*open><summary>{label}</summary>
                <div class="column">{nodes(page, children)}</div>
            </details>
        }
        .into_any(),
        Layout::Tabs => tabs(page, children),
        // A tab is drawn by its Tabs; the builder refuses one that stands alone.
        Layout::Tab => nodes(page, children).into_any(),
    }
}

fn arranged(page: Page, children: &[Node]) -> AnyView {
    match arrange(&page.app(), children) {
        Arranged::Together(children) => nodes(page, &children).into_any(),
        Arranged::Apart { controls, pictures } => view! {
            <div class="apart">
                <div class="controls">{nodes(page, &controls)}</div>
                <div class="pictures">{nodes(page, &pictures)}</div>
            </div>
        }
        .into_any(),
    }
}

fn tabs(page: Page, children: &[Node]) -> AnyView {
    let shown = RwSignal::new(0usize);
    let list: NodeRef<leptos::html::Div> = NodeRef::new();
    let count = children.len();
    let mut heads = Vec::new();
    let mut panels = Vec::new();
    for (index, child) in children.iter().enumerate() {
        let Node::Branch { label, children, .. } = child else { continue };
        let (label, name) = (label.clone(), label.clone());
        let selected = move || shown.get() == index;
        let by_key = move |event: ev::KeyboardEvent| {
            let to = match event.key().as_str() {
                "ArrowRight" => (index + 1) % count,
                "ArrowLeft" => (index + count - 1) % count,
                "Home" => 0,
                "End" => count - 1,
                _ => return,
            };
            event.prevent_default();
            shown.set(to);
            let tab = list.get_untracked().and_then(|list| list.children().item(to as u32));
            if let Some(tab) = tab.and_then(|tab| tab.dyn_into::<web_sys::HtmlElement>().ok()) {
                // Focus can only fail on an element that is gone, and then there is nothing to focus.
                let _ = tab.focus();
            }
        };
        heads.push(view! {
            <button role="tab" type="button" class="tab" aria-selected=move || selected().to_string()
                tabindex=move || if selected() { "0" } else { "-1" }
                on:click=move |_| shown.set(index) on:keydown=by_key>{label}</button>
        });
        panels.push(view! {
            <div role="tabpanel" class="tabpanel" aria-label=name.clone() data-region="" hidden=move || !selected()>
                {tab_body(page, &name, children)}
            </div>
        });
    }
    view! { <div class="tabs"><div role="tablist" class="tablist" node_ref=list>{heads}</div>{panels}</div> }.into_any()
}

/// A tab without groups of its own is itself the region that bears its name.
fn tab_body(page: Page, name: &str, children: &[Node]) -> AnyView {
    let grouped = |child: &Node| matches!(child, Node::Branch { layout: Layout::Group, .. });
    if children.iter().any(grouped) {
        return arranged(page, children);
    }
    view! { <section class="whole" aria-label=name.to_owned()>{arranged(page, children)}</section> }.into_any()
}
