use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::rc::Rc;

use super::app::{App, BuildErrors, Event, Layout, Node};
use super::button::Button;
use super::component::{ComponentSpec, Draw, Kind, Tabs};
use super::components::{Checkbox, Component, Dropdown, Folder, Image, Number, Slider, Textbox};
use super::freeze::{self, Batching, Limit, Listening, Options};
use super::handler::Handler;
use super::hidden::Timer;
use super::roles;
use super::wires::{TriggerWire, Wire, Wires};
use crate::ids::ComponentId;

/// An app as it was described: a name, a page and its listeners.
///
/// ```
/// use gradus::prelude::*;
///
/// async fn shout(text: String) -> String {
///     text.to_uppercase()
/// }
///
/// let app = Blocks::named("shout", |ui| {
///     let text = ui.add(Textbox::new().label("Text"));
///     let loud = ui.add(Textbox::new().label("Loud"));
///     let go = ui.add(Button::new("Shout"));
///     go.click(shout, text, loud).concurrency_count(5);
/// })
/// .build()
/// .unwrap();
/// assert_eq!(app.lanes()[0].count.unwrap().get(), 5);
/// ```
pub struct Blocks(Draft);

pub(super) struct Draft {
    pub(super) name: String,
    pub(super) app: usize,
    pub(super) components: Vec<ComponentSpec>,
    pub(super) children: Vec<Node>,
    pub(super) listeners: Vec<Listening>,
    pub(super) default_limit: Limit,
    pub(super) most_waiting: Option<usize>,
    pub(super) tabs: Draw,
}

impl Blocks {
    /// Describes an app. The closure must do the same each time: it runs once in the page and once in each worker.
    /// The name keys what the app keeps in the browser, and is the page's title.
    pub fn named(name: impl Into<String>, describe: impl FnOnce(&Ui)) -> Self {
        thread_local!(static APPS: Cell<usize> = const { Cell::new(0) });
        let app = APPS.with(|apps| apps.replace(apps.get() + 1));
        let ui = Ui {
            app,
            components: RefCell::default(),
            open: RefCell::new(vec![Vec::new()]),
            listeners: RefCell::default(),
            default_limit: Cell::new(Limit::Default),
            most_waiting: Cell::new(None),
            tabs: Cell::new(&()),
        };
        describe(&ui);
        Self(Draft {
            name: name.into(),
            app,
            components: ui.components.into_inner(),
            children: ui.open.into_inner().into_iter().flatten().collect(),
            listeners: ui.listeners.into_inner(),
            default_limit: ui.default_limit.get(),
            most_waiting: ui.most_waiting.get(),
            tabs: ui.tabs.get(),
        })
    }

    /// Checks everything and freezes the app.
    ///
    /// # Errors
    /// All that is wrong, each with the listener's name and what to do.
    pub fn build(self) -> Result<App, BuildErrors> {
        freeze::freeze(self.0)
    }
}

/// Where an app is described: adds components, opens layouts. Shared freely; nothing needs `mut`.
///
/// ```
/// use gradus::prelude::*;
/// let app = Blocks::named("doc", |ui| {
///     ui.tabs(|ui| {
///         ui.tab("Draw", |ui| {
///             let prompt = ui.add(Textbox::new().label("Prompt"));
///             let (go, stop) = ui.row(|ui| (ui.add(Button::new("Draw")), ui.add(Button::new("Stop"))));
///             let drawing = go.click(|prompt: String| prompt, prompt, prompt);
///             stop.click(|| (), (), ()).cancels([drawing]);
///         });
///         ui.tab("Settings", |ui| {
///             ui.accordion("For experts", |ui| ui.column(|ui| ui.add(Slider::between(1.0, 50.0).label("Steps"))));
///         });
///     });
/// });
/// assert!(app.build().is_ok());
/// ```
pub struct Ui {
    app: usize,
    components: RefCell<Vec<ComponentSpec>>,
    open: RefCell<Vec<Vec<Node>>>,
    listeners: RefCell<Vec<Listening>>,
    default_limit: Cell<Limit>,
    pub(super) most_waiting: Cell<Option<usize>>,
    tabs: Cell<Draw>,
}

impl Ui {
    /// Adds a component below (in a row: beside) those before it.
    pub fn add<C: Component>(&self, component: C) -> Handle<'_, C> {
        let mut components = self.components.borrow_mut();
        let id = ComponentId(u32::try_from(components.len()).unwrap_or(u32::MAX));
        components.push(component.into_spec());
        self.place(Node::Component(id));
        Handle { ui: self, id, holds: PhantomData }
    }

    /// Components beside each other.
    pub fn row<'u, R>(&'u self, inside: impl FnOnce(&'u Self) -> R) -> R {
        self.branch(Layout::Row, "", inside)
    }

    /// Components below each other.
    pub fn column<'u, R>(&'u self, inside: impl FnOnce(&'u Self) -> R) -> R {
        self.branch(Layout::Column, "", inside)
    }

    /// A frame with a name around what belongs together; a region for assistive technology.
    pub fn group<'u, R>(&'u self, label: &str, inside: impl FnOnce(&'u Self) -> R) -> R {
        self.branch(Layout::Group, label, inside)
    }

    /// Tabs: `inside` adds them with [`Ui::tab`].
    pub fn tabs<'u, R>(&'u self, inside: impl FnOnce(&'u Self) -> R) -> R {
        self.tabs.set(roles::draw::<Tabs>());
        self.branch(Layout::Tabs, "", inside)
    }

    /// One tab; belongs inside [`Ui::tabs`].
    pub fn tab<'u, R>(&'u self, label: &str, inside: impl FnOnce(&'u Self) -> R) -> R {
        self.branch(Layout::Tab, label, inside)
    }

    /// Components that can be folded away; folded at first.
    pub fn accordion<'u, R>(&'u self, label: &str, inside: impl FnOnce(&'u Self) -> R) -> R {
        self.branch(Layout::Accordion { open: false }, label, inside)
    }

    /// Components that can be folded away; open at first.
    pub fn accordion_open<'u, R>(&'u self, label: &str, inside: impl FnOnce(&'u Self) -> R) -> R {
        self.branch(Layout::Accordion { open: true }, label, inside)
    }

    /// The count of every lane whose listeners give none; 1 unless set, `None` is no limit.
    pub fn default_concurrency_count(&self, count: impl Into<Option<usize>>) {
        self.default_limit.set(count.into().map_or(Limit::None, Limit::Count));
    }

    fn branch<'u, R>(&'u self, layout: Layout, label: &str, inside: impl FnOnce(&'u Self) -> R) -> R {
        self.open.borrow_mut().push(Vec::new());
        let result = inside(self);
        let children = self.open.borrow_mut().pop().unwrap_or_default();
        self.place(Node::Branch { layout, label: label.to_owned(), children });
        result
    }

    fn place(&self, node: Node) {
        if let Some(children) = self.open.borrow_mut().last_mut() {
            children.push(node);
        }
    }

    pub(super) fn listen(&self, triggers: Vec<(Option<Wire>, Event)>, mut listening: Listening) -> Listener<'_> {
        listening.triggers = triggers;
        let mut listeners = self.listeners.borrow_mut();
        listeners.push(listening);
        Listener { ui: self, index: listeners.len() - 1 }
    }
}

/// A component that was added. Copy it freely.
pub struct Handle<'u, C> {
    ui: &'u Ui,
    id: ComponentId,
    holds: PhantomData<fn() -> C>,
}

impl<C> Clone for Handle<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Handle<'_, C> {}

macro_rules! event {
    ($doc:literal, $method:ident, $event:ident: $($component:ident)+) => {$(
        impl<'u> Handle<'u, $component> {
            #[doc = $doc]
            pub fn $method<H, I, O, In, Out, M>(self, handler: H, inputs: I, outputs: O) -> Listener<'u>
            where
                I: Wires<In>,
                O: Wires<Out>,
                H: Handler<In, Out, M>,
            {
                self.ui.listen(vec![(Some(self.wire()), Event::$event)], Listening::wire(handler, inputs, outputs))
            }
        }
    )+};
}

event!("Runs `handler` at each press; presses while it runs wait in its queue.", click, Click: Button);
event!("Runs `handler` at Enter.", submit, Submit: Textbox);
event!("Runs `handler` when the visitor changes the value.", input, Input:
    Textbox Number Slider Checkbox Dropdown Folder Image);
event!("Runs `handler` when the value changes, whoever changes it.", change, Change:
    Textbox Number Slider Checkbox Dropdown Folder Image);
event!("Runs `handler` when the visitor lets go.", release, Release: Slider);
event!("Runs `handler` each time the timer's time is over.", tick, Tick: Timer);

impl<C> Handle<'_, C> {
    /// An event of this component as one of the triggers of [`Ui::on`].
    #[must_use]
    pub fn on(self, event: Event) -> TriggerWire {
        TriggerWire { wire: self.wire(), event }
    }
}

impl<C> Handle<'_, C> {
    pub(super) fn wire(&self) -> Wire {
        Wire { app: self.ui.app, component: self.id }
    }
}

/// A listener that was added; its methods say how its jobs queue.
///
/// ```
/// use gradus::prelude::*;
/// use std::time::Duration;
///
/// let app = Blocks::named("doc", |ui| {
///     let text = ui.add(Textbox::new().label("Text"));
///     let go = ui.add(Button::new("Go"));
///     let run = go.click(|text: String| text, text, text);
///     run.concurrency_count(2).concurrency_id("gpu").max_size(20).time_limit(Duration::from_secs(60)).retries(1);
///     run.success(|text: String| text.to_uppercase(), text, text);
/// }).build().unwrap();
/// assert_eq!(app.lanes()[0].max_size, Some(20));
/// ```
#[derive(Clone, Copy)]
pub struct Listener<'u> {
    ui: &'u Ui,
    index: usize,
}

impl<'u> Listener<'u> {
    pub(super) fn ui(self) -> &'u Ui {
        self.ui
    }

    /// Which app's, and which one.
    pub(super) fn wire(self) -> (usize, usize) {
        (self.ui.app, self.index)
    }

    pub(super) fn edit(self, change: impl FnOnce(&mut Listening)) -> Self {
        if let Some(listening) = self.ui.listeners.borrow_mut().get_mut(self.index) {
            change(listening);
        }
        self
    }
}

impl Listening {
    pub(super) fn wire<H, I, O, In, Out, M>(handler: H, inputs: I, outputs: O) -> Self
    where
        I: Wires<In>,
        O: Wires<Out>,
        H: Handler<In, Out, M>,
    {
        let handler = Rc::new(handler);
        let call = || roles::batch(Rc::clone(&handler));
        let batch = handler.batch().map(|(most, wait)| Batching { most, wait, call: call() });
        Self {
            name: freeze::function_name(H::name()),
            types: freeze::fnv(&[std::any::type_name::<In>(), std::any::type_name::<Out>()].join(">")),
            triggers: Vec::new(),
            after: None,
            mode: None,
            cancels: Vec::new(),
            options: Options::default(),
            inputs: inputs.wires(),
            outputs: outputs.wires(),
            limit: Limit::Default,
            lane: None,
            runs: H::RUNS,
            handler: roles::handler(handler),
            batch,
        }
    }
}

impl Draft {
    pub(super) fn describe(&self, wire: Option<Wire>) -> String {
        let spec = wire.and_then(|wire| self.components.get(wire.component.0 as usize));
        match spec {
            None => "the page".into(),
            Some(spec) if spec.label.is_empty() => format!("a {}", spec.kind.name()),
            Some(ComponentSpec { kind: Kind::Button { .. }, label, .. }) => format!("the Button \"{label}\""),
            Some(spec) => format!("the {} \"{}\"", spec.kind.name(), spec.label),
        }
    }
}
