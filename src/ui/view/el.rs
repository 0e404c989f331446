//! Elements, built while they are described.
//!
//! A type for each view and for each closure in it, as `view!` makes them, was over half of what a visitor downloads, and
//! Leptos' views without types were still a tenth. Here all elements are of one type, and what differs between them is
//! boxed; Leptos mounts the page, and its signals, effects and owners keep it up to date and end with it.

use std::cell::RefCell;

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// The document, to what cannot fail here: names of elements are literals of ours.
    #[wasm_bindgen(thread_local_v2, js_name = document)]
    static PAGE: Makes;
    type Makes;
    #[wasm_bindgen(method, js_name = createElement)]
    fn element(this: &Makes, name: &str) -> web_sys::Element;
}

/// An element that is being described.
pub(super) struct El(web_sys::Element);

/// What stands in an element: another one, a text, or nothing.
pub(super) struct Child(Option<web_sys::Node>);

/// An element with these classes.
pub(super) fn el(tag: &'static str, class: &str) -> El {
    let element = El(PAGE.with(|page| page.element(tag)));
    if class.is_empty() { element } else { element.attr("class", class) }
}

impl El {
    /// Done at once; what is around the element is not there yet.
    #[cfg(feature = "pictures")]
    pub(super) fn once(self, act: impl FnOnce(&web_sys::Element)) -> Self {
        act(&self.0);
        self
    }

    /// An attribute that stays.
    pub(super) fn attr(self, name: &'static str, value: &str) -> Self {
        set(&self.0, name, Some(value));
        self
    }

    /// An attribute that is there or not, and stays so.
    pub(super) fn flag(self, name: &'static str, on: bool) -> Self {
        if on { self.attr(name, "") } else { self }
    }

    /// A text that stays.
    pub(super) fn text(self, text: &str) -> Self {
        self.0.set_text_content(Some(text));
        self
    }

    /// Done once the element is there, and again whenever a signal changes that it read.
    pub(super) fn live(self, act: impl Fn(&web_sys::Element) + 'static) -> Self {
        self.live_boxed(Box::new(act))
    }

    fn live_boxed(self, act: Box<dyn Fn(&web_sys::Element)>) -> Self {
        let element = self.0.clone();
        Effect::new(move |_| act(&element));
        self
    }

    /// An attribute that follows signals; `None` takes it away.
    pub(super) fn live_attr(self, name: &'static str, value: impl Fn() -> Option<String> + 'static) -> Self {
        self.live(move |element| set(element, name, value().as_deref()))
    }

    /// An attribute that is there while a condition holds.
    pub(super) fn live_flag(self, name: &'static str, on: impl Fn() -> bool + 'static) -> Self {
        self.live(move |element| set(element, name, on().then_some("")))
    }

    /// A text that follows signals.
    pub(super) fn live_text(self, text: impl Fn() -> String + 'static) -> Self {
        self.live(move |element| {
            let text = text();
            // Assistive technology reads a text out again that is written again.
            if element.text_content().as_deref() != Some(&text) {
                element.set_text_content(Some(&text));
            }
        })
    }

    /// What happens on an event.
    pub(super) fn on(self, event: &'static str, act: impl FnMut(web_sys::Event) + 'static) -> Self {
        self.on_boxed(event, Box::new(act))
    }

    fn on_boxed(self, event: &'static str, act: Box<dyn FnMut(web_sys::Event)>) -> Self {
        let listener = Closure::wrap(act);
        // Elements take listeners of every event.
        let _ = self.0.add_event_listener_with_callback(event, listener.as_ref().unchecked_ref());
        // Kept until the element's owner ends.
        StoredValue::new_local(listener);
        self
    }

    /// The last of its children.
    pub(super) fn child(self, child: impl Into<Child>) -> Self {
        if let Child(Some(node)) = child.into() {
            append(&self.0, &node);
        }
        self
    }

    /// More children.
    pub(super) fn children(self, children: impl IntoIterator<Item = Child>) -> Self {
        children.into_iter().fold(self, Self::child)
    }
}

impl From<El> for Child {
    fn from(El(element): El) -> Self {
        Self(Some(element.into()))
    }
}

impl Child {
    /// Puts it at the end of the document's body.
    pub(super) fn mount(self) {
        if let (Some(node), Some(body)) = (self.0, document().body()) {
            append(&body, &node);
        }
    }
}

fn append(to: &web_sys::Node, node: &web_sys::Node) {
    // It can only fail where a node would contain itself.
    let _ = to.append_child(node);
}

pub(super) fn set(element: &web_sys::Element, name: &str, value: Option<&str>) {
    if element.get_attribute(name).as_deref() == value {
        return;
    }
    // The names are literals of ours, so they are valid.
    let _ = match value {
        Some(value) => element.set_attribute(name, value),
        None => element.remove_attribute(name),
    };
}

/// A text among elements.
pub(super) fn text(text: &str) -> Child {
    Child(Some(document().create_text_node(text).into()))
}

/// Nothing at all.
pub(super) fn nothing() -> Child {
    Child(None)
}

/// A child for each key; a child is made when its key comes, and ends when it goes.
pub(super) fn each(keys: Memo<Vec<u64>>, child: impl Fn(u64) -> Child + 'static) -> Child {
    each_boxed(keys, Box::new(child))
}

/// One of [`each`]'s children. What lives in it ends with its owner.
struct One {
    key: u64,
    node: Option<web_sys::Node>,
    owner: Owner,
}

fn each_boxed(keys: Memo<Vec<u64>>, child: Box<dyn Fn(u64) -> Child>) -> Child {
    // They stand before it.
    let end: web_sys::Node = document().create_text_node("").into();
    let (marker, around) = (end.clone(), Owner::current().unwrap_or_default());
    let shown: RefCell<Vec<One>> = RefCell::default();
    // An owner is known to the one around it for good, and thousands of jobs pass: so they serve again.
    let spare: RefCell<Vec<Owner>> = RefCell::default();
    Effect::new(move |_| {
        let keys = keys.get();
        let make = |key| {
            let owner = spare.borrow_mut().pop().unwrap_or_else(|| around.child());
            let Child(node) = owner.with(|| untrack(|| child(key)));
            One { key, node, owner }
        };
        let Some(parent) = marker.parent_node() else { return };
        let mut shown = shown.borrow_mut();
        let (mut before, gone): (Vec<One>, Vec<One>) =
            std::mem::take(&mut *shown).into_iter().partition(|one| keys.contains(&one.key));
        for One { node, owner, .. } in gone {
            if let Some(node) = node {
                // It is a child of this parent.
                let _ = parent.remove_child(&node);
            }
            owner.cleanup();
            spare.borrow_mut().push(owner);
        }
        // The first that has not found its place. A node that stays where it is keeps the focus.
        let mut next = before.iter().find_map(|one| one.node.clone()).unwrap_or_else(|| marker.clone());
        for key in keys {
            let one = match before.iter().position(|one| one.key == key) {
                Some(place) => before.remove(place),
                None => make(key),
            };
            if let Some(node) = &one.node {
                if next.is_same_node(Some(node)) {
                    next = node.next_sibling().unwrap_or_else(|| marker.clone());
                } else {
                    // Both are children of this parent, or new.
                    let _ = parent.insert_before(node, Some(&next));
                }
            }
            shown.push(one);
        }
    });
    Child(Some(end))
}

/// The element that an event is about, as the type that it is.
pub(super) fn target<T: wasm_bindgen::JsCast>(event: &web_sys::Event) -> Option<T> {
    event.current_target().and_then(|target| target.dyn_into().ok())
}
