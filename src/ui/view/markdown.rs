use leptos::prelude::*;

use super::Page;
use crate::ids::ComponentId;
use crate::ui::model::markdown::{Markup, parse};
use crate::value::Value;

pub(super) fn markdown(page: Page, id: ComponentId) -> AnyView {
    let view = page.component(id);
    let source = Memo::new(move |_| match view.with(|view| view.value.clone()) {
        Value::Text(text) => text,
        _ => String::new(),
    });
    view! { <div class="markdown">{move || nodes(parse(&source.get()))}</div> }.into_any()
}

fn nodes(nodes: Vec<Markup>) -> Vec<AnyView> {
    nodes.into_iter().map(node).collect()
}

fn node(markup: Markup) -> AnyView {
    match markup {
        Markup::Text(text) => text.into_any(),
        Markup::Code(text) => view! { <code>{text}</code> }.into_any(),
        Markup::Break => view! { <br/> }.into_any(),
        Markup::Rule => view! { <hr/> }.into_any(),
        Markup::Link(address, children) => {
            view! { <a href=address rel="noopener noreferrer" target="_blank">{nodes(children)}</a> }.into_any()
        }
        Markup::Element(name, children) => {
            let inner = nodes(children);
            match name {
                "h2" => view! { <h2>{inner}</h2> }.into_any(),
                "h3" => view! { <h3>{inner}</h3> }.into_any(),
                "h4" => view! { <h4>{inner}</h4> }.into_any(),
                "blockquote" => view! { <blockquote>{inner}</blockquote> }.into_any(),
                "pre" => view! { <pre>{inner}</pre> }.into_any(),
                "ol" => view! { <ol>{inner}</ol> }.into_any(),
                "ul" => view! { <ul>{inner}</ul> }.into_any(),
                "li" => view! { <li>{inner}</li> }.into_any(),
                "em" => view! { <em>{inner}</em> }.into_any(),
                "strong" => view! { <strong>{inner}</strong> }.into_any(),
                _ => view! { <p>{inner}</p> }.into_any(),
            }
        }
    }
}
