//! Components that hold something and show nothing.

use std::marker::PhantomData;
use std::time::Duration;

use super::component::{ComponentSpec, Kind};
use super::components::Component;
use super::payload::Payload;
use crate::value::Value;

/// A value of a visitor's session that handlers read and write and nobody sees; gone with the tab.
///
/// ```
/// use gradus::prelude::*;
/// async fn count(before: f64) -> (f64, String) {
///     (before + 1.0, format!("{} so far", before + 1.0))
/// }
/// let app = Blocks::named("doc", |ui| {
///     let so_far = ui.add(State::new(0.0));
///     let words = ui.add(Textbox::new().label("Count"));
///     ui.add(Button::new("More")).click(count, so_far, (so_far, words));
/// }).build().unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct State<T>(ComponentSpec, PhantomData<fn() -> T>);

impl<T: Payload> State<T> {
    /// A state that begins with this value.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(ComponentSpec::hidden(Kind::State, value.into_value()), PhantomData)
    }
}

impl<T> Component for State<T> {
    fn into_spec(self) -> ComponentSpec {
        self.0
    }
}

/// A value that the browser keeps for this app over visits.
///
/// ```
/// use gradus::prelude::*;
/// let app = Blocks::named("doc", |ui| {
///     let name = ui.add(BrowserState::new("name", String::from("nobody")));
///     let shown = ui.add(Textbox::new().label("Name"));
///     ui.load(|name: String| name, name, shown);
/// }).build().unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct BrowserState<T>(ComponentSpec, PhantomData<fn() -> T>);

impl<T: Payload> BrowserState<T> {
    /// A state kept under `key`; this value until something was kept.
    #[must_use]
    pub fn new(key: impl Into<String>, value: T) -> Self {
        Self(ComponentSpec::hidden(Kind::BrowserState { key: key.into() }, value.into_value()), PhantomData)
    }
}

impl<T> Component for BrowserState<T> {
    fn into_spec(self) -> ComponentSpec {
        self.0
    }
}

/// Sets its `tick` listeners off again and again while the page is open. It holds whether it runs, so a handler that
/// has it as an output can stop it and start it.
///
/// ```
/// use gradus::prelude::*;
/// let app = Blocks::named("doc", |ui| {
///     let timer = ui.add(Timer::every(std::time::Duration::from_secs(1)));
///     let beats = ui.add(State::new(0.0));
///     timer.tick(|beats: f64| beats + 1.0, beats, beats);
///     ui.add(Button::new("Stop")).click(|| false, (), timer);
/// }).build().unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Timer(ComponentSpec);

impl Timer {
    /// A timer that ticks so often; at most once in 10 ms.
    #[must_use]
    pub fn every(every: Duration) -> Self {
        let every = every.max(Duration::from_millis(10));
        Self(ComponentSpec::hidden(Kind::Timer { every }, Value::Bool(true)))
    }

    /// Whether it runs from the start; it does unless set.
    #[must_use]
    pub fn active(mut self, active: bool) -> Self {
        self.0.value = Value::Bool(active);
        self
    }
}

impl Component for Timer {
    fn into_spec(self) -> ComponentSpec {
        self.0
    }
}
