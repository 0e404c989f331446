//! What follows: effects of the queue, results into components, links of chains.

use std::rc::Rc;
use std::time::Duration;

use super::conduct::{JobData, Later, State};
use super::pool::{Stop, Task};
use crate::blocks::Event;
use crate::ids::{Attempt, ComponentId, JobId, ListenerId};
use crate::queue::{Effect, End, WorkerEvent};
use crate::value::Value;
use crate::wire::ToWorker;

/// How long a cancelled job may take to its next checkpoint before its worker is ended.
const GRACE: Duration = Duration::from_secs(5);

/// Panics of one listener after which its jobs run alone in a worker.
const PANICS_BEFORE_ALONE: u32 = 2;

/// Failed jobs whose inputs are kept, so that they can be run again.
const FAILED_KEPT: usize = 20;

impl State {
    pub(super) fn follow_effects(&mut self) {
        self.follow_queue();
        while self.take_parked() {
            self.follow_queue();
        }
    }

    fn follow_queue(&mut self) {
        while let Some(effect) = self.queue.poll_effect() {
            match effect {
                Effect::Start { job, attempt } => self.start(job, attempt),
                Effect::StartBatch { jobs } => jobs.into_iter().for_each(|(job, attempt)| self.start(job, attempt)),
                Effect::Stop { job, attempt } => match self.pool.stop(job, attempt) {
                    Stop::Over => {
                        self.queue.handle_worker(self.now(), job, attempt, WorkerEvent::Stopped);
                    }
                    Stop::Asked => self.later.push((GRACE, Later::EndWorker(job, attempt))),
                },
                Effect::Ended { job, end } => self.ended(job, &end),
                Effect::Chained { job, listener, .. } => {
                    let inputs = self.inputs_of(listener);
                    self.take_in(job, listener, inputs);
                }
            }
            self.panel_changed = true;
        }
        // Nothing keeps them yet.
        while self.queue.poll_fact().is_some() {}
    }

    /// What the components that a listener reads hold now.
    pub(super) fn inputs_of(&self, listener: ListenerId) -> Vec<Value> {
        let value_of = |id: &ComponentId| self.slots.get(id.0 as usize).map_or(Value::Null, |slot| slot.value.clone());
        self.app.listener(listener).map_or_else(Vec::new, |spec| spec.inputs.iter().map(value_of).collect())
    }

    /// Keeps what belongs to a job that the queue has accepted.
    pub(super) fn take_in(&mut self, job: JobId, listener: ListenerId, inputs: Vec<Value>) {
        let app = Rc::clone(&self.app);
        let Some(spec) = app.listener(listener) else { return };
        let latest = vec![None; spec.outputs.len()];
        self.jobs.insert(job, JobData { listener, inputs, latest, progress: None, preview: None });
        if let Some(pending) = self.pending.get_mut(listener.0 as usize) {
            pending.jobs += 1;
        }
        for &output in &spec.outputs {
            if let Some(slot) = self.slots.get_mut(output.0 as usize) {
                slot.active.insert(job);
                self.changed.insert(output);
            }
        }
        self.panel_changed = true;
    }

    fn start(&mut self, job: JobId, attempt: Attempt) {
        let app = Rc::clone(&self.app);
        let Some(data) = self.jobs.get_mut(&job) else { return };
        let Some(spec) = app.listener(data.listener) else { return };
        data.progress = None;
        data.preview = None;
        data.latest.fill(None);
        let message = ToWorker::Run {
            job,
            attempt,
            listener: data.listener,
            inputs: data.inputs.clone(),
            seed: seed_of(self.options.seed, job),
        };
        let alone = self.panics.get(&data.listener).is_some_and(|&panics| panics >= PANICS_BEFORE_ALONE);
        self.pool.run(Task { job, attempt, runs: spec.runs, alone, message });
        self.touch(job);
    }

    fn ended(&mut self, job: JobId, end: &End) {
        let Some(data) = self.jobs.remove(&job) else { return };
        let app = Rc::clone(&self.app);
        let Some(spec) = app.listener(data.listener) else { return };
        let status = self.end_status(job, end);
        for (&output, value) in spec.outputs.iter().zip(data.latest) {
            if let Some(slot) = self.slots.get_mut(output.0 as usize) {
                slot.active.remove(&job);
                slot.last = Some(status.clone());
            }
            self.changed.insert(output);
            if let (End::Done, Some(value)) = (end, value) {
                self.write(output, value);
            }
        }
        if let End::Failed(_) = end {
            self.failed.push_back((job, data.listener, data.inputs));
            self.failed.drain(..self.failed.len().saturating_sub(FAILED_KEPT));
        }
        if *end == End::Done {
            self.keep_runs(data.listener);
        }
        self.settle(data.listener);
    }

    pub(super) fn keep_latest(&mut self, job: JobId, outputs: Vec<Option<Value>>) {
        let Some(data) = self.jobs.get_mut(&job) else { return };
        for (latest, value) in data.latest.iter_mut().zip(outputs) {
            if let Some(Value::Picture(picture)) = &value {
                data.preview = Some(picture.clone());
            }
            if value.is_some() {
                *latest = value;
            }
        }
    }

    pub(super) fn show_partial(&mut self, job: JobId, outputs: Vec<Option<Value>>) {
        self.keep_latest(job, outputs.clone());
        let app = Rc::clone(&self.app);
        let Some(spec) = self.jobs.get(&job).and_then(|data| app.listener(data.listener)) else { return };
        for (&output, value) in spec.outputs.iter().zip(outputs) {
            if let Some(value) = value
                && self.followed(output) == Some(job)
            {
                self.write(output, value);
            }
        }
    }

    /// A result of a handler goes into a component.
    fn write(&mut self, id: ComponentId, value: Value) {
        let app = Rc::clone(&self.app);
        let (Some(spec), Some(slot)) = (app.component(id), self.slots.get_mut(id.0 as usize)) else { return };
        self.changed.insert(id);
        if !spec.holds(&value) {
            let (kind, given) = (spec.kind.name(), value.kind());
            slot.error = Some(format!("The handler gave {given}, which a {kind} does not hold."));
            return;
        }
        slot.error = None;
        if slot.value != value {
            slot.value = value;
            slot.version += 1;
            self.keep_state(id);
            self.fire(Some(id), Event::Change);
        }
    }
}

/// Another row of random numbers for each job, by one round of SplitMix64's mixer.
fn seed_of(page: u64, job: JobId) -> u64 {
    let mixed = page ^ job.0.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}
