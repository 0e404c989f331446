//! What the visitor does: values, events, and the queue by hand.

use std::rc::Rc;

use super::conduct::{Later, State, Watched};
use super::message::{Command, Submit};
use super::stored::Inputs;
use super::tabs::Part;
use super::view::{Toast, Told, Watcher};
use crate::blocks::{Event, Kind, TriggerMode};
use crate::ids::{ComponentId, JobId, LaneId, ListenerId};
use crate::queue::{Move, Refused};
use crate::value::{NoteLevel, Value};

impl State {
    /// The page is open.
    pub(super) fn open(&mut self) {
        self.take_part();
        self.fire(None, Event::Load);
        let app = Rc::clone(&self.app);
        for (spec, id) in app.components().iter().zip((0u32..).map(ComponentId)) {
            if let Kind::Timer { every } = spec.kind {
                self.later.push((every, Later::Tick(id)));
            }
        }
    }

    pub(super) fn tick(&mut self, timer: ComponentId) {
        if self.slots.get(timer.0 as usize).is_some_and(|slot| slot.value == Value::Bool(true)) {
            self.fire(Some(timer), Event::Tick);
        }
        if let Some(Kind::Timer { every }) = self.app.component(timer).map(|spec| &spec.kind) {
            self.later.push((*every, Later::Tick(timer)));
        }
    }

    pub(super) fn set_by_visitor(&mut self, id: ComponentId, value: Value) {
        let Some(slot) = self.slots.get_mut(id.0 as usize) else { return };
        if slot.error.take().is_some() {
            self.changed.insert(id);
        }
        if slot.value != value {
            if let Some(held) = &mut slot.held {
                held.face.value = value.clone();
            }
            slot.value = value;
            self.note_typed(id);
            self.changed.insert(id);
            self.fire(Some(id), Event::Input);
            self.fire(Some(id), Event::Change);
        }
    }

    pub(super) fn fire(&mut self, source: Option<ComponentId>, event: Event) {
        let listeners: Vec<ListenerId> = self.app.listeners_of(source, event).collect();
        for listener in listeners {
            self.event(listener);
        }
    }

    /// An event of a listener, thinned out as its author says.
    fn event(&mut self, listener: ListenerId) {
        let now = self.now();
        let Some(pace) = self.app.listener(listener).map(|spec| spec.pace) else { return };
        let Some(pending) = self.pending.get_mut(listener.0 as usize) else { return };
        pending.events += 1;
        if let Some(rest) = pace.debounce {
            self.later.push((rest, Later::Rested(listener, pending.events)));
            return;
        }
        if let (Some(apart), Some(last)) = (pace.throttle, pending.last_run) {
            let since = now.since(last);
            if since < apart {
                if !pending.throttled {
                    pending.throttled = true;
                    self.later.push((apart - since, Later::Let(listener)));
                }
                return;
            }
        }
        self.trigger(listener);
    }

    /// Sets a listener off, as its trigger mode says.
    pub(super) fn trigger(&mut self, listener: ListenerId) {
        let now = self.now();
        let Some(mode) = self.app.listener(listener).map(|spec| spec.mode) else { return };
        let Some(pending) = self.pending.get_mut(listener.0 as usize) else { return };
        pending.last_run = Some(now);
        let sent = self.sent.values().any(|submit| submit.listener == listener);
        if (pending.jobs > 0 || sent) && mode != TriggerMode::Multiple {
            // The inputs are taken when that run begins to wait, so it sees what was typed last.
            pending.again |= mode == TriggerMode::AlwaysLast;
            return;
        }
        self.submit(listener);
    }

    /// A job of a listener ended: what waited for that goes on, whatever the end was.
    pub(super) fn settle(&mut self, listener: ListenerId) {
        if let Some(pending) = self.pending.get_mut(listener.0 as usize) {
            pending.jobs = pending.jobs.saturating_sub(1);
            if pending.jobs == 0 && std::mem::take(&mut pending.again) {
                self.submit(listener);
            }
        }
    }

    /// Submits what was refused for want of room and waits for it, if there is room; whether there was any. To be called
    /// once the queue has filled its slots from those that wait, since only then is there room.
    pub(super) fn take_parked(&mut self) -> bool {
        // While it is not known who leads, neither is how many wait.
        if self.part == Part::Opening {
            return false;
        }
        for (pending, listener) in self.pending.iter_mut().zip((0u32..).map(ListenerId)) {
            if pending.parked && self.queue.has_room(listener) {
                pending.parked = false;
                self.submit(listener);
                return true;
            }
        }
        false
    }

    /// Submits with what the components hold, if they accept it.
    pub(super) fn submit(&mut self, listener: ListenerId) {
        let app = Rc::clone(&self.app);
        let Some(spec) = app.listener(listener) else { return };
        let mut accepted = true;
        for &input in &spec.inputs {
            let (Some(component), Some(slot)) = (app.component(input), self.slots.get_mut(input.0 as usize)) else {
                continue;
            };
            let refusal = component.accept_among(&slot.value, slot.choices.as_deref()).err();
            accepted &= refusal.is_none();
            if slot.error != refusal {
                slot.error = refusal;
                self.changed.insert(input);
            }
        }
        if accepted {
            self.cancel_those_of(&spec.cancels);
            let inputs = self.inputs_of(listener);
            self.submit_with(listener, inputs, None);
        }
    }

    /// Submits with these inputs; `watcher` is told what becomes of it.
    pub(super) fn submit_with(&mut self, listener: ListenerId, values: Vec<Value>, watcher: Option<Watcher>) {
        let token = self.next_token;
        self.next_token = token.wrapping_add(1);
        if let Some(watcher) = watcher {
            self.watchers.insert(token, Watched { watcher, accepted: false });
        }
        let inputs = Inputs { values, context: self.context_of(listener) };
        let session = self.options.session;
        self.command(Command::Submit(Submit { session, token, listener, raise: 0, inputs, again: false }));
    }

    /// A submit of this page was refused.
    pub(super) fn refused(&mut self, token: u64, listener: ListenerId, refused: Refused) {
        self.sent.remove(&token);
        if self.watchers.contains_key(&token) {
            return self.tell(token, Told::Refused(refused));
        }
        let retry = matches!(refused, Refused::Full { .. }).then_some(listener);
        let text = refused.to_string();
        self.toast(Toast { level: NoteLevel::Warning, text, retry });
        // A run that was to follow this one would be refused as well.
        if let Some(pending) = self.pending.get_mut(listener.0 as usize) {
            pending.again = false;
        }
    }

    /// Cancels the jobs of these listeners, waiting and running.
    fn cancel_those_of(&mut self, listeners: &[ListenerId]) {
        if listeners.is_empty() {
            return;
        }
        let session = self.options.session;
        let of = |(job, data): (&JobId, &super::conduct::JobData)| {
            (data.session == session && listeners.contains(&data.listener)).then_some(*job)
        };
        let jobs: Vec<JobId> = self.jobs.iter().filter_map(of).collect();
        jobs.into_iter().for_each(|job| self.cancel(job));
    }

    /// Tries a refused event again as soon as there is room.
    pub(super) fn retry_when_free(&mut self, listener: ListenerId) {
        if let Some(pending) = self.pending.get_mut(listener.0 as usize) {
            pending.parked = true;
        }
    }

    // The queue by hand.

    pub(super) fn cancel(&mut self, job: JobId) {
        // One that ended a moment ago, or was cancelled before, stays as it is: the click came too late.
        self.command(Command::Cancel(job));
    }

    pub(super) fn cancel_waiting(&mut self, lane: LaneId) {
        self.command(Command::CancelWaiting(lane));
    }

    pub(super) fn pause(&mut self, lane: LaneId, paused: bool) {
        self.command(Command::Pause(lane, paused));
    }

    pub(super) fn move_job(&mut self, job: JobId, to: Move) {
        self.command(Command::Move(job, to));
    }

    /// Runs a failed job again, as a new one with the same inputs.
    pub(super) fn retry(&mut self, job: JobId) {
        let Some(place) = self.failed.iter().position(|(failed, ..)| *failed == job) else { return };
        if let Some((_, listener, inputs)) = self.failed.remove(place) {
            self.submit_with(listener, inputs, None);
            self.panel_changed = true;
        }
    }
}
