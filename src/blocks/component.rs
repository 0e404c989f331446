use std::any::Any;
use std::fmt;
use std::rc::Rc;

use super::app::Event;
use super::roles;
use super::wires::Wire;
use crate::ids::ComponentId;
use crate::value::{Value, decimal};

/// How the page draws something, as a value that `ui` alone can read; nothing of it is known here.
pub type Draw = &'static (dyn Any + Send + Sync);

/// What the page can draw. The way to a view begins at the type that an author adds, and not in a match over all kinds:
/// so an app's download has the views of what it shows, and of nothing else. `ui` says which views these are.
pub trait Drawn {
    /// The view.
    const DRAW: Draw;
}

/// [`Ui::tabs`](super::Ui::tabs), to [`Drawn`].
#[derive(Clone, Copy, Debug)]
pub struct Tabs;

/// A [`Folder`](super::Folder) whose files the visitor chooses one by one, to [`Drawn`].
#[derive(Clone, Copy, Debug)]
pub struct LooseFiles;

/// A [`Button`](super::Button) that asks before it does anything, to [`Drawn`]: pages without one do not carry how.
#[derive(Clone, Copy, Debug)]
pub struct Asking;

/// What every component has, whatever its kind; what the page draws it from.
#[derive(Clone, Debug)]
pub struct ComponentSpec {
    /// The name that visitors see and assistive technology reads; never empty once the app is built.
    pub label: String,
    /// A sentence of help under the label; may be empty.
    pub info: String,
    /// What the visitor is asked at each press; empty for nothing.
    pub confirm: String,
    /// Whether it is drawn.
    pub visible: bool,
    /// Whether the visitor can change it; `None` until the app is built, then decided by how it is wired.
    pub interactive: Option<bool>,
    /// What it holds when the page opens.
    pub value: Value,
    /// The kind, with what only this kind has.
    pub kind: Kind,
    /// The author's own test of a visitor's value.
    pub check: Option<Check>,
    /// The picture that it is painted over.
    pub(super) over: Option<Wire>,
    draw: Draw,
}

/// An author's test of a visitor's value: `Err` is the message shown at the component.
#[derive(Clone)]
pub struct Check(pub(super) Rc<Test>);

type Test = dyn Fn(&Value) -> Result<(), String>;

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Check")
    }
}

/// The kind of a component, with what only this kind has.
#[derive(Clone, Debug, PartialEq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// One or more lines of text.
    Textbox {
        /// Lines shown at first.
        lines: u32,
        /// Lines it grows to.
        max_lines: u32,
        /// Grey words in an empty box.
        placeholder: String,
        /// Characters that are accepted, counted as Unicode scalar values.
        max_length: Option<usize>,
        /// The message when it is empty at a submit; `None` lets it be empty.
        required: Option<String>,
    },
    /// A picture.
    Image {
        /// The longest side of what the visitor chooses, in pixels; what is larger is reduced.
        max_side: u32,
    },
    /// Several pictures.
    Gallery {
        /// Pictures side by side.
        columns: u32,
    },
    /// Something to press.
    Button {
        /// How it looks.
        variant: Variant,
    },
    /// A number typed in.
    Number(Range),
    /// A number chosen by a slider.
    Slider(Range),
    /// Yes or no.
    Checkbox,
    /// One of some choices.
    Dropdown {
        /// The choices in order; the value is one of them.
        choices: Vec<String>,
    },
    /// Text with Markdown's formatting; rendered to nodes, raw HTML is shown as text.
    Markdown,
    /// A value of a session that is not shown.
    State,
    /// A value that the browser keeps over visits, not shown.
    BrowserState {
        /// Under this name.
        key: String,
    },
    /// Sets its listeners off again and again while it holds true; not shown.
    Timer {
        /// The time between ticks.
        every: std::time::Duration,
    },
    /// A folder of files, or files, chosen from the disk; the value is the address at which they are kept.
    Folder,
}

/// Which numbers are accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least.
    pub minimum: Option<f64>,
    /// The greatest.
    pub maximum: Option<f64>,
    /// The step between neighbours, from the least (or 0) on.
    pub step: Option<f64>,
    /// Whether only whole numbers are accepted.
    pub whole: bool,
}

/// How a button looks.
///
/// ```
/// use gradus::prelude::*;
/// let delete = Button::new("Delete").variant(Variant::Stop);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Variant {
    /// The one to press next.
    Primary,
    /// One of several.
    #[default]
    Secondary,
    /// Something that ends or removes.
    Stop,
}

impl Kind {
    /// The name an author knows it by.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Textbox { .. } => "Textbox",
            Self::Image { .. } => "Image",
            Self::Gallery { .. } => "Gallery",
            Self::Button { .. } => "Button",
            Self::Number(_) => "Number",
            Self::Slider(_) => "Slider",
            Self::Checkbox => "Checkbox",
            Self::Dropdown { .. } => "Dropdown",
            Self::Folder => "Folder",
            Self::Markdown => "Markdown",
            Self::State => "State",
            Self::BrowserState { .. } => "BrowserState",
            Self::Timer { .. } => "Timer",
        }
    }

    /// What can happen to it.
    #[must_use]
    pub fn events(&self) -> &'static [Event] {
        match self {
            Self::Textbox { .. } | Self::Number(_) => &[Event::Submit, Event::Input, Event::Change],
            Self::Image { .. } | Self::Slider(_) => &[Event::Input, Event::Change, Event::Release],
            Self::Button { .. } => &[Event::Click],
            Self::Checkbox | Self::Dropdown { .. } | Self::Folder => &[Event::Input, Event::Change],
            Self::Gallery { .. } | Self::Markdown | Self::State | Self::BrowserState { .. } => &[Event::Change],
            Self::Timer { .. } => &[Event::Tick],
        }
    }

    /// Whether it is part of the page that one sees.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        !matches!(self, Self::State | Self::BrowserState { .. } | Self::Timer { .. })
    }
}

impl ComponentSpec {
    /// Of a component that is drawn as a `C`.
    pub(super) fn new<C: Drawn>(kind: Kind, value: Value) -> Self {
        Self { draw: roles::draw::<C>(), ..Self::hidden(kind, value) }
    }

    /// From now on drawn as a `C`.
    pub(super) fn draw_as<C: Drawn>(&mut self) {
        self.draw = roles::draw::<C>();
    }

    /// Of a component that is not drawn.
    pub(super) fn hidden(kind: Kind, value: Value) -> Self {
        Self {
            label: String::new(),
            info: String::new(),
            confirm: String::new(),
            visible: true,
            interactive: None,
            value,
            kind,
            check: None,
            over: None,
            draw: &(),
        }
    }

    /// How it is drawn.
    #[must_use]
    pub fn draw(&self) -> Draw {
        self.draw
    }

    /// The picture that this one is painted over, where it is.
    #[must_use]
    pub fn over(&self) -> Option<ComponentId> {
        self.over.map(|wire| wire.component)
    }

    /// Whether a value is of this kind.
    #[must_use]
    pub fn holds(&self, value: &Value) -> bool {
        match self.kind {
            Kind::Textbox { .. } | Kind::Markdown | Kind::Folder => matches!(value, Value::Text(_) | Value::Null),
            Kind::Dropdown { .. } => matches!(value, Value::Text(_) | Value::Choices(..) | Value::Null),
            Kind::Number(_) | Kind::Slider(_) => matches!(value, Value::Number(_) | Value::Null),
            Kind::Checkbox => matches!(value, Value::Bool(_) | Value::Null),
            Kind::Image { .. } => matches!(value, Value::Picture(_) | Value::Null),
            Kind::Gallery { .. } => matches!(value, Value::Gallery(_) | Value::Null),
            Kind::Button { .. } => false,
            Kind::State | Kind::BrowserState { .. } => true,
            Kind::Timer { .. } => matches!(value, Value::Bool(_)),
        }
    }

    /// Tests a visitor's value before a listener takes it.
    ///
    /// # Errors
    /// The message to show at the component: what is wrong and what to do.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// let app = Blocks::named("doc", |ui| {
    ///     ui.add(Number::new().label("Width").range(64.0, 2048.0).whole());
    /// }).build().unwrap();
    /// let width = &app.components()[0];
    /// assert!(width.accept(&Value::Number(63.0)).unwrap_err().contains("64"));
    /// assert!(width.accept(&Value::Number(64.0)).is_ok());
    /// ```
    pub fn accept(&self, value: &Value) -> Result<(), String> {
        self.accept_among(value, None)
    }

    /// The same where a handler has given a Dropdown other choices than it was built with.
    ///
    /// # Errors
    /// As [`ComponentSpec::accept`].
    pub fn accept_among(&self, value: &Value, choices: Option<&[String]>) -> Result<(), String> {
        match (&self.kind, value) {
            (Kind::Textbox { max_length, required, .. }, Value::Text(text)) => {
                let chars = text.chars().count();
                if let (Some(message), true) = (required, text.trim().is_empty()) {
                    return Err(message.clone());
                }
                if let Some(most) = max_length.filter(|&most| chars > most) {
                    return Err(format!("{chars} characters are too many. Shorten the text to {most}."));
                }
            }
            (Kind::Number(range) | Kind::Slider(range), Value::Number(number)) => range.accept(*number)?,
            (Kind::Number(range) | Kind::Slider(range), Value::Null) => {
                return Err(format!("Type a number{}.", range.words()));
            }
            (Kind::Dropdown { choices: built }, Value::Text(choice)) if choices.unwrap_or(built).contains(choice) => {}
            (Kind::Dropdown { .. }, _) => return Err("Choose one of the list.".into()),
            _ => {}
        }
        match &self.check {
            Some(check) => (check.0)(value),
            None => Ok(()),
        }
    }
}

impl std::hash::Hash for Range {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let bits = [self.minimum, self.maximum, self.step].map(|end| end.map(f64::to_bits));
        (bits, self.whole).hash(state);
    }
}

impl Range {
    pub(super) const ANY: Self = Self { minimum: None, maximum: None, step: None, whole: false };

    fn accept(&self, number: f64) -> Result<(), String> {
        let low = self.minimum.is_some_and(|least| number < least);
        let high = self.maximum.is_some_and(|most| number > most);
        let broken = self.whole && number.fract() != 0.0;
        if !number.is_finite() || low || high || broken {
            // Only what can be shown as it was typed is told back.
            let plain = number.abs() < 1e9 && (number * 1e6).round() / 1e6 == number;
            let shown = if plain { decimal(number, 6) } else { "This".into() };
            return Err(format!("{shown} is not accepted. Type a {}number{}.", self.adjective(), self.words()));
        }
        Ok(())
    }

    fn adjective(&self) -> &'static str {
        if self.whole { "whole " } else { "" }
    }

    fn words(&self) -> String {
        match (self.minimum, self.maximum) {
            (Some(least), Some(most)) => format!(" from {} to {}", decimal(least, 6), decimal(most, 6)),
            (Some(least), None) => format!(" of at least {}", decimal(least, 6)),
            (None, Some(most)) => format!(" of at most {}", decimal(most, 6)),
            (None, None) => String::new(),
        }
    }
}
