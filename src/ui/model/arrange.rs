//! Where the parts of a region stand: controls in one column, pictures beside them.

use crate::blocks::{App, Kind, Layout, Node};

/// The children of a region, parted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arranged {
    /// All below each other.
    Together(Vec<Node>),
    /// Controls in a column, results beside it.
    Apart {
        /// What the visitor uses.
        controls: Vec<Node>,
        /// What the visitor looks at.
        pictures: Vec<Node>,
    },
}

/// Parts a Group's or Tab's children where it has both controls and result pictures of its own.
#[must_use]
pub fn arrange(app: &App, children: &[Node]) -> Arranged {
    let holds_region = |node: &Node| matches!(node, Node::Branch { layout: Layout::Group | Layout::Tabs, .. });
    if children.iter().any(holds_region) {
        return Arranged::Together(children.to_vec());
    }
    let (pictures, controls): (Vec<Node>, Vec<Node>) = children.iter().cloned().partition(|node| shows(app, node));
    if pictures.is_empty() || controls.is_empty() {
        return Arranged::Together(children.to_vec());
    }
    Arranged::Apart { controls, pictures }
}

/// Whether a node is made of result pictures only.
fn shows(app: &App, node: &Node) -> bool {
    match node {
        Node::Component(id) => app.component(*id).is_some_and(|spec| {
            matches!(spec.kind, Kind::Image { .. } | Kind::Gallery { .. }) && spec.interactive != Some(true)
        }),
        Node::Branch { children, .. } => !children.is_empty() && children.iter().all(|child| shows(app, child)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    fn count(build: fn(&Ui)) -> Option<(usize, usize)> {
        let app = Blocks::named("test", build).build().unwrap();
        let Node::Branch { children, .. } = app.root() else { panic!("no root") };
        match arrange(&app, children) {
            Arranged::Together(_) => None,
            Arranged::Apart { controls, pictures } => Some((controls.len(), pictures.len())),
        }
    }

    #[test]
    fn pictures_stand_beside_controls() {
        let apart = count(|ui| {
            let text = ui.add(Textbox::new());
            let image = ui.add(Image::new());
            ui.add(Button::new("Go")).click(|_: String| None::<Picture>, text, image);
        });
        assert_eq!(apart, Some((2, 1)));
    }

    #[test]
    fn a_picture_that_is_read_is_a_control() {
        let apart = count(|ui| {
            let image = ui.add(Image::new());
            let text = ui.add(Textbox::new());
            ui.add(Button::new("Go")).click(|_: Option<Picture>| String::new(), image, text);
        });
        assert_eq!(apart, None);
    }
}
