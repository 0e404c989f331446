//! Rows, columns, groups and accordions; tabs are in `tabs.rs`.

use super::el::{Child, El, el};
use super::tabs::TabsView;
use super::{Page, component};
use crate::blocks::{Layout, Node};
use crate::ui::model::arrange::{Arranged, arrange};

pub(super) fn node(page: Page, node: &Node) -> Child {
    match node {
        Node::Component(id) => component::component(page, *id),
        Node::Branch { layout, label, children } => branch(page, layout, label, children).into(),
    }
}

fn nodes(page: Page, children: &[Node]) -> impl Iterator<Item = Child> {
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
        Layout::Tabs => {
            TabsView::of(page.app().tabs()).map_or_else(|| el("div", ""), |view| (view.draw)(page, children))
        }
        // A tab is drawn by its Tabs; the builder refuses one that stands alone.
        Layout::Tab => el("div", "column").children(nodes(page, children)),
    }
}

pub(super) fn arranged(page: Page, inside: El, children: &[Node]) -> El {
    match arrange(&page.app(), children) {
        Arranged::Together(children) => inside.children(nodes(page, &children)),
        Arranged::Apart { controls, pictures } => inside.child(
            el("div", "apart")
                .child(el("div", "controls").children(nodes(page, &controls)))
                .child(el("div", "pictures").children(nodes(page, &pictures))),
        ),
    }
}
