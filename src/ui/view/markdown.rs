use leptos::prelude::*;

use super::Page;
use super::component::{View, status};
use super::el::{Child, each, el, nothing, text};
use crate::blocks::{ComponentSpec, Draw, Drawn, Markdown};
use crate::ids::ComponentId;
use crate::ui::model::markdown::{Markup, parse};
use crate::ui::model::style;
use crate::value::Value;

impl Drawn for Markdown {
    const DRAW: Draw = &View { draw: markdown, sheet: style::MARKDOWN };
}

fn markdown(page: Page, id: ComponentId, spec: &ComponentSpec) -> Child {
    let view = page.component(id);
    let source = move || match view.with_untracked(|view| view.value.clone()) {
        Value::Text(text) => text,
        _ => String::new(),
    };
    // A visitor cannot change it, so each change has a version of its own.
    let version = page.version(id);
    let current = Memo::new(move |_| vec![version.get()]);
    let rendered = each(current, move |_| el("div", "markdown-body").children(nodes(parse(&source()))).into());
    // A text that stays has no jobs to tell of.
    let told = if spec.interactive == Some(false) { status(page, id, spec) } else { nothing() };
    el("div", "markdown").child(rendered).child(told).into()
}

fn nodes(nodes: Vec<Markup>) -> impl Iterator<Item = Child> {
    nodes.into_iter().map(node)
}

fn node(markup: Markup) -> Child {
    match markup {
        Markup::Text(words) => text(&words),
        Markup::Code(words) => el("code", "").text(&words).into(),
        Markup::Break => el("br", "").into(),
        Markup::Rule => el("hr", "").into(),
        Markup::Link(address, children) => el("a", "")
            .attr("href", &address)
            .attr("rel", "noopener noreferrer")
            .attr("target", "_blank")
            .children(nodes(children))
            .into(),
        Markup::Element(name, children) => el(name, "").children(nodes(children)).into(),
    }
}
