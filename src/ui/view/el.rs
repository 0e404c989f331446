//! Elements without type parameters.
//!
//! Each `view!` is a type of its own, and so is each closure in one: together they were over half of what a visitor
//! downloads. Here all elements are of one type, and what differs between them is boxed. Leptos still builds, mounts
//! and disposes of them.

use std::sync::Arc;

use leptos::html::{Custom, HtmlElement, custom};
use leptos::prelude::*;
use leptos::tachys::html::node_ref::{NodeRefAttr, NodeRefContainer, node_ref};
use leptos::tachys::view::iterators::StaticVec;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;

type Tag = Custom<&'static str>;
type Built = HtmlElement<Tag, (NodeRefAttr<Tag, Setup>,), (StaticVec<AnyView>,)>;
type Step = Box<dyn FnOnce(&web_sys::Element)>;

/// What is done to an element once it is there; Leptos calls it in the element's owner, so what it starts ends with it.
#[derive(Clone)]
struct Setup(StoredValue<Vec<Step>, LocalStorage>);

impl NodeRefContainer<Tag> for Setup {
    fn load(self, element: &web_sys::Element) {
        let steps = self.0.try_update_value(std::mem::take);
        steps.into_iter().flatten().for_each(|step| step(element));
    }
}

/// An element that is being described.
pub(super) struct El {
    tag: &'static str,
    steps: Vec<Step>,
    children: Vec<AnyView>,
}

/// An element with these classes.
pub(super) fn el(tag: &'static str, class: &str) -> El {
    let element = El { tag, steps: Vec::new(), children: Vec::new() };
    if class.is_empty() { element } else { element.attr("class", class) }
}

impl El {
    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Done once, when the element is there; what is around it may not be yet.
    pub(super) fn once(self, act: impl FnOnce(&web_sys::Element) + 'static) -> Self {
        self.step(Box::new(act))
    }

    /// An attribute that stays.
    pub(super) fn attr(self, name: &'static str, value: &str) -> Self {
        let value = value.to_owned();
        self.step(Box::new(move |element| set(element, name, Some(&value))))
    }

    /// An attribute that is there or not, and stays so.
    pub(super) fn flag(self, name: &'static str, on: bool) -> Self {
        if on { self.attr(name, "") } else { self }
    }

    /// A text that stays.
    pub(super) fn text(self, text: &str) -> Self {
        let text = text.to_owned();
        self.step(Box::new(move |element| element.set_text_content(Some(&text))))
    }

    /// Done once the element is there, and again whenever a signal changes that it read.
    pub(super) fn live(self, act: impl Fn(&web_sys::Element) + 'static) -> Self {
        self.live_boxed(Box::new(act))
    }

    fn live_boxed(self, act: Box<dyn Fn(&web_sys::Element)>) -> Self {
        self.step(Box::new(move |element| {
            let element = element.clone();
            Effect::new(move |_| act(&element));
        }))
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
        let act: Box<dyn FnMut(web_sys::Event)> = Box::new(act);
        self.step(Box::new(move |element| {
            let listener = Closure::wrap(act);
            // Elements take listeners of every event.
            let _ = element.add_event_listener_with_callback(event, listener.as_ref().unchecked_ref());
            // Kept until the element's owner ends.
            StoredValue::new_local(listener);
        }))
    }

    /// The last of its children.
    pub(super) fn child(mut self, child: impl Into<AnyView>) -> Self {
        self.children.push(child.into());
        self
    }

    /// More children.
    pub(super) fn children(mut self, children: impl IntoIterator<Item = AnyView>) -> Self {
        self.children.extend(children);
        self
    }
}

impl From<El> for AnyView {
    fn from(element: El) -> Self {
        let setup = Setup(StoredValue::new_local(element.steps));
        let built: Built = custom(element.tag).add_any_attr(node_ref(setup)).child(StaticVec::from(element.children));
        built.into_any()
    }
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
pub(super) fn text(text: String) -> AnyView {
    text.into_any()
}

/// Nothing at all.
pub(super) fn nothing() -> AnyView {
    ().into_any()
}

/// A child for each key; a child is made when its key comes, and ends when it goes.
pub(super) fn each(keys: Memo<Vec<u64>>, child: impl Fn(u64) -> AnyView + Send + Sync + 'static) -> AnyView {
    each_shared(keys, Arc::new(child))
}

fn each_shared(keys: Memo<Vec<u64>>, child: Arc<dyn Fn(u64) -> AnyView + Send + Sync>) -> AnyView {
    let props = ForProps::builder().each(move || keys.get()).key(|key: &u64| *key).children(move |key| child(key));
    For(props.build()).into_any()
}

/// The element that an event is about, as the type that it is.
pub(super) fn target<T: wasm_bindgen::JsCast>(event: &web_sys::Event) -> Option<T> {
    event.current_target().and_then(|target| target.dyn_into().ok())
}
