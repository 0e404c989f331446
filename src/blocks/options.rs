//! What an author says about a listener: how its jobs queue, what they set off, how they show.

use std::time::Duration;

use super::app::{ShowProgress, TriggerMode};
use super::builder::{Listener, Ui};
use super::freeze::{Limit, Listening};
use super::handler::Handler;
use super::wires::Wires;
use crate::blocks::Event;
use crate::value::ChainLink as Link;

/// How long changes must rest, or how far apart runs must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Runs once nothing has happened for so long.
    pub debounce: Option<Duration>,
    /// Runs at most once in so long.
    pub throttle: Option<Duration>,
}

impl<'u> Listener<'u> {
    /// How many jobs of this listener run at once; 1 unless set, `None` is no limit. Among listeners that share a
    /// [`concurrency_id`](Self::concurrency_id) the lowest number that is given counts for all.
    pub fn concurrency_count(self, count: impl Into<Option<usize>>) -> Self {
        let limit = count.into().map_or(Limit::None, Limit::Count);
        self.edit(|listening| listening.limit = limit)
    }

    /// The same as [`concurrency_count`](Self::concurrency_count), by the name that Gradio gives it today.
    pub fn concurrency_limit(self, count: impl Into<Option<usize>>) -> Self {
        self.concurrency_count(count)
    }

    /// Shares one queue and its slots with all listeners of the same id.
    pub fn concurrency_id(self, id: impl Into<String>) -> Self {
        let id = id.into();
        self.edit(|listening| listening.lane = Some(id))
    }

    /// The name by which the listener is known over builds; the function's own unless set.
    pub fn api_name(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.edit(|listening| listening.name = name)
    }

    /// What an event does while an earlier run has not ended. Unless set: `AlwaysLast` for change and input, `Once` for
    /// a timer's tick, `Multiple` for all others.
    pub fn trigger_mode(self, mode: TriggerMode) -> Self {
        self.edit(|listening| listening.mode = Some(mode))
    }

    /// How many jobs may wait in this listener's lane; an event beyond is refused with a message, and the visitor can
    /// ask for it to be tried again when there is room. Among listeners of one `concurrency_id` the lowest counts.
    pub fn max_size(self, most: usize) -> Self {
        self.edit(|listening| listening.options.max_size = Some(most))
    }

    /// `false`: runs at once, beside the lanes, however many run.
    pub fn queue(self, queued: bool) -> Self {
        self.edit(|listening| listening.options.beside = !queued)
    }

    /// How long an attempt may take; one that takes longer is stopped and fails by the name of a timeout.
    pub fn time_limit(self, limit: Duration) -> Self {
        self.edit(|listening| listening.options.time_limit = Some(limit))
    }

    /// How often a job begins anew after a failure that another attempt may mend (the GPU was lost, its worker died,
    /// memory was short), after a wait that doubles each time; once unless set.
    pub fn retries(self, times: u32) -> Self {
        self.edit(|listening| listening.options.retries = times)
    }

    /// Jobs of a higher number start first in their lane; 0 unless set.
    pub fn priority(self, priority: i32) -> Self {
        self.edit(|listening| listening.options.priority = priority)
    }

    /// Runs once the events have rested for so long.
    pub fn debounce(self, rest: Duration) -> Self {
        self.edit(|listening| listening.options.pace.debounce = Some(rest))
    }

    /// Runs at most once in so long; the last event of a burst is not lost.
    pub fn throttle(self, apart: Duration) -> Self {
        self.edit(|listening| listening.options.pace.throttle = Some(apart))
    }

    /// How much of its running the outputs show.
    pub fn show_progress(self, show: ShowProgress) -> Self {
        self.edit(|listening| listening.options.show = show)
    }

    /// This listener's event cancels the jobs of those, waiting and running.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// # async fn paint(prompt: String) -> String { prompt }
    /// let app = Blocks::named("doc", |ui| {
    ///     let prompt = ui.add(Textbox::new());
    ///     let answer = ui.add(Textbox::new().label("Answer"));
    ///     let go = ui.add(Button::new("Go"));
    ///     let stop = ui.add(Button::new("Stop").variant(Variant::Stop));
    ///     let painting = go.click(paint, prompt, answer);
    ///     stop.click(|| (), (), ()).cancels([painting]);
    /// }).build().unwrap();
    /// assert_eq!(app.listeners()[1].cancels, [gradus::ids::ListenerId(0)]);
    /// ```
    pub fn cancels(self, others: impl IntoIterator<Item = Listener<'u>>) -> Self {
        let others: Vec<(usize, usize)> = others.into_iter().map(Listener::wire).collect();
        self.edit(|listening| listening.cancels.extend(others))
    }

    /// Runs `handler` after each job of this listener, however it ended: done, failed or cancelled.
    pub fn then<H, I, O, In, Out, M>(self, handler: H, inputs: I, outputs: O) -> Listener<'u>
    where
        I: Wires<In>,
        O: Wires<Out>,
        H: Handler<In, Out, M>,
    {
        self.link(Link::Then, Listening::wire(handler, inputs, outputs))
    }

    /// Runs `handler` after each job of this listener that is done.
    pub fn success<H, I, O, In, Out, M>(self, handler: H, inputs: I, outputs: O) -> Listener<'u>
    where
        I: Wires<In>,
        O: Wires<Out>,
        H: Handler<In, Out, M>,
    {
        self.link(Link::Success, Listening::wire(handler, inputs, outputs))
    }

    /// Runs `handler` after each job of this listener that failed.
    pub fn failure<H, I, O, In, Out, M>(self, handler: H, inputs: I, outputs: O) -> Listener<'u>
    where
        I: Wires<In>,
        O: Wires<Out>,
        H: Handler<In, Out, M>,
    {
        self.link(Link::Failure, Listening::wire(handler, inputs, outputs))
    }

    fn link(self, link: Link, mut listening: Listening) -> Listener<'u> {
        listening.after = Some((self.wire(), link));
        self.ui().listen(Vec::new(), listening)
    }
}

impl Ui {
    /// How many jobs may wait in the whole app; an event beyond is refused with a message.
    pub fn max_size(&self, most: usize) {
        self.most_waiting.set(Some(most));
    }

    /// One listener for several triggers.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// # async fn greet(name: String) -> String { name }
    /// let app = Blocks::named("doc", |ui| {
    ///     let name = ui.add(Textbox::new().label("Name"));
    ///     let greeting = ui.add(Textbox::new().label("Greeting"));
    ///     let go = ui.add(Button::new("Greet"));
    ///     ui.on([go.on(Event::Click), name.on(Event::Submit)], greet, name, greeting);
    /// }).build().unwrap();
    /// assert_eq!(app.listeners()[0].triggers.len(), 2);
    /// ```
    pub fn on<H, I, O, In, Out, M>(
        &self,
        triggers: impl IntoIterator<Item = super::wires::TriggerWire>,
        handler: H,
        inputs: I,
        outputs: O,
    ) -> Listener<'_>
    where
        I: Wires<In>,
        O: Wires<Out>,
        H: Handler<In, Out, M>,
    {
        let triggers = triggers.into_iter().map(|wire| (Some(wire.wire), wire.event)).collect();
        self.listen(triggers, Listening::wire(handler, inputs, outputs))
    }

    /// Runs `handler` when the page opens.
    pub fn load<H, I, O, In, Out, M>(&self, handler: H, inputs: I, outputs: O) -> Listener<'_>
    where
        I: Wires<In>,
        O: Wires<Out>,
        H: Handler<In, Out, M>,
    {
        self.listen(vec![(None, Event::Load)], Listening::wire(handler, inputs, outputs))
    }
}
