//! What follows: effects of the queue, results into components, links of chains.

use std::rc::Rc;
use std::time::Duration;

use super::TabFault;
use super::book::Todo;
use super::conduct::{JobData, Later, State};
use super::held::{Ending, Shown};
use super::pool::{Stop, Task};
use super::stored::{Inputs, Payload, inputs_key, outputs_key, payload};
use super::tabs::Part;
use super::take_up::{Done, RESULTS_KEPT};
use super::view::Told;
use crate::blocks::Event;
use crate::ids::{Attempt, ComponentId, JobId, ListenerId, SessionId};
use crate::queue::{Effect, End, Kept, WorkerEvent};
use crate::value::{SortedSet, Value};
use crate::wire::JobToRun;

/// How long a cancelled job may take to its next checkpoint before its worker is ended.
const GRACE: Duration = Duration::from_secs(5);

/// Panics of one listener after which its jobs run alone in a worker.
const PANICS_BEFORE_ALONE: u32 = 2;

/// Failed jobs whose inputs are kept, so that they can be run again: fewer where these are as large as all results may be.
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
                Effect::Start { job, attempt } => self.start_once_written(vec![(job, attempt)]),
                Effect::StartBatch { jobs } => self.start_once_written(jobs),
                Effect::Stop { job, attempt } if self.book.take_back(job, attempt) => {
                    self.queue.handle_worker(self.now(), job, attempt, WorkerEvent::Stopped);
                }
                Effect::Stop { job, attempt } => match self.pool.stop(job, attempt) {
                    Stop::Over => {
                        self.queue.handle_worker(self.now(), job, attempt, WorkerEvent::Stopped);
                    }
                    Stop::Asked => self.later.push((GRACE, Later::EndWorker(job, attempt))),
                },
                Effect::Ended { job, end } => self.ended(job, &end),
                Effect::Chained { after, job, listener } => self.chained(after, job, listener),
            }
            self.panel_changed = true;
        }
    }

    fn start_once_written(&mut self, jobs: Vec<(JobId, Attempt)>) {
        self.facts_to_book();
        self.book.after(Todo::Start(jobs));
    }

    /// A link follows: on what the components hold now, or where their page is gone or another, on what they held when
    /// the chain began and what was written since.
    fn chained(&mut self, after: JobId, job: JobId, listener: ListenerId) {
        let session = self.queue.job(job).map_or(self.options.session, |view| view.session);
        let apart = self.chain.as_ref().filter(|(ended, _)| *ended == after).map(|(_, inputs)| inputs.context.clone());
        let inputs = match &apart {
            None => Inputs { values: self.inputs_of(listener), context: self.context_of(listener) },
            Some(context) => {
                let held = |id: &ComponentId| {
                    let first = || self.app.component(*id).map_or(Value::Null, |spec| spec.value.clone());
                    context.iter().find(|(other, _)| other == id).map_or_else(first, |(_, value)| value.clone())
                };
                let spec = self.app.listener(listener);
                let values = spec.map_or_else(Vec::new, |spec| spec.inputs.iter().map(held).collect());
                Inputs { values, context: context.clone() }
            }
        };
        self.take_in(job, listener, session, 0, inputs, apart.is_none());
        self.note_given(job);
    }

    /// What the links after a listener will read, as it is now: they must be able to run without this page.
    pub(super) fn context_of(&self, listener: ListenerId) -> Vec<(ComponentId, Value)> {
        let mut chain = vec![listener];
        let mut read = SortedSet::default();
        let mut at = 0;
        while let Some(&before) = chain.get(at) {
            at += 1;
            for (spec, id) in self.app.listeners().iter().zip((0u32..).map(ListenerId)) {
                if spec.after.is_some_and(|(link, _)| link == before) && !chain.contains(&id) {
                    chain.push(id);
                    read.extend(spec.inputs.iter().copied());
                }
            }
        }
        let held = |id: ComponentId| Some((id, self.slots.get(id.0 as usize)?.value.clone()));
        read.into_iter().filter_map(held).collect()
    }

    /// What the components that a listener reads hold now.
    pub(super) fn inputs_of(&self, listener: ListenerId) -> Vec<Value> {
        let value_of = |id: &ComponentId| self.slots.get(id.0 as usize).map_or(Value::Null, |slot| slot.value.clone());
        self.app.listener(listener).map_or_else(Vec::new, |spec| spec.inputs.iter().map(value_of).collect())
    }

    /// Keeps what belongs to a job that the queue has accepted.
    pub(super) fn take_in(
        &mut self,
        job: JobId,
        listener: ListenerId,
        session: SessionId,
        token: u64,
        inputs: Inputs,
        live: bool,
    ) {
        let app = Rc::clone(&self.app);
        let Some(spec) = app.listener(listener) else { return };
        let latest = vec![None; spec.outputs.len()];
        let (apart, progress, preview) = (false, None, None);
        self.jobs.insert(job, JobData { listener, session, token, inputs, apart, latest, progress, preview, live });
        self.panel_changed = true;
        if session != self.options.session {
            return;
        }
        if let Some(pending) = self.pending.get_mut(listener.0 as usize) {
            pending.jobs += 1;
        }
        for &output in &spec.outputs {
            if let Some(slot) = self.slots.get_mut(output.0 as usize) {
                slot.active.insert(job);
                self.changed.insert(output);
            }
        }
    }

    /// Gives attempts of one listener to a worker, but for those that are no longer wanted.
    pub(super) fn start(&mut self, jobs: Vec<(JobId, Attempt)>) {
        if self.part != Part::Leads {
            return;
        }
        let mut listener = None;
        let mut to_run = Vec::with_capacity(jobs.len());
        for (job, attempt) in jobs {
            let wanted = self.queue.job(job).is_some_and(|view| view.attempt == attempt && view.ended.is_none());
            let Some(data) = self.jobs.get_mut(&job).filter(|_| wanted) else { continue };
            data.progress = None;
            data.preview = None;
            data.latest.fill(None);
            listener = Some(data.listener);
            let seed = seed_of(self.options.seed, job);
            to_run.push(JobToRun { job, attempt, inputs: data.inputs.values.clone(), seed });
            self.touch(job);
        }
        let Some(listener) = listener else { return };
        let Some(runs) = self.app.listener(listener).map(|spec| spec.runs) else { return };
        let alone = self.panics.get(&listener).is_some_and(|&panics| panics >= PANICS_BEFORE_ALONE);
        self.pool.run(Task { listener, runs, alone, jobs: to_run });
    }

    fn ended(&mut self, job: JobId, end: &End) {
        let Some(mut data) = self.jobs.remove(&job) else { return };
        let app = Rc::clone(&self.app);
        let Some(spec) = app.listener(data.listener) else { return };
        let done = *end == End::Done;
        let own = data.session == self.options.session;
        let (token, listener, live) = (data.token, data.listener, data.live);
        let outputs = if done { std::mem::take(&mut data.latest) } else { Vec::new() };
        self.facts_to_book();
        self.record_end(job, token, end, &outputs);
        self.book.drop_value(data.apart, inputs_key(job));
        if done {
            self.keep_runs(listener);
        }
        if !own {
            self.give(job, &outputs);
        }
        // Another's page or an earlier one knew what its components held; this one knows what was written since.
        self.chain = (!own || !live).then(|| {
            let mut inputs = data.inputs.clone();
            for (&output, value) in spec.outputs.iter().zip(&outputs) {
                if let (Some(value), Some((_, held))) = (value, inputs.context.iter_mut().find(|(id, _)| *id == output))
                {
                    held.clone_from(value);
                }
            }
            (job, inputs)
        });
        if let (End::Failed(_), true) = (end, own) {
            self.failed.push_back((job, listener, data.inputs.values.clone()));
            let of = |(_, _, values): &(JobId, ListenerId, Vec<Value>)| values.iter().map(Value::bytes).sum::<usize>();
            let mut bytes: usize = self.failed.iter().map(of).sum();
            while self.failed.len() > FAILED_KEPT || bytes > RESULTS_KEPT {
                bytes -= self.failed.pop_front().as_ref().map_or(bytes, of);
            }
        }
        self.unwritten.insert(job, data);
        let own = own.then(|| self.take_end(job, listener, end, &outputs, live));
        self.facts_to_book();
        let ending = Ending { job, own };
        if self.has(TabFault::ShowsBeforeWrite) {
            self.show(ending);
        } else {
            self.book.after(Todo::Show(Box::new(ending)));
        }
        if self.watchers.contains_key(&token) {
            self.book.after(Todo::Tell(token, Told::Ended(end.clone(), outputs)));
        }
    }

    /// Keeps an end: in the log where this page leads, and in its own history.
    fn record_end(&mut self, job: JobId, token: u64, end: &End, outputs: &[Option<Value>]) {
        let Some(view) = self.queue.job(job) else { return };
        let mut kept = Kept::new(job, view.listener, view.session, view.priority, view.after);
        kept.attempt = Some(view.attempt);
        let took =
            view.began.zip(view.ended).map_or(0, |(began, ended)| ended.as_micros().saturating_sub(began.as_micros()));
        let mut bytes = outputs.iter().flatten().map(Value::bytes).sum();
        if super::STORAGE && self.book.log.is_some() && !outputs.is_empty() {
            let packed = payload(&outputs, outputs_key(job), Some(&mut self.book.values));
            bytes = match &packed {
                Payload::Here(bytes) => bytes.len(),
                Payload::Apart => self.book.values.last().map_or(0, |(_, bytes)| bytes.len()),
            };
            self.book.batch.gave.push((job, packed));
        }
        self.keep_done(Done { kept, token, end: end.clone(), took, outputs: outputs.to_vec(), bytes });
    }

    /// Goes on with how a job of this page ended; gives what is to be shown of it. Of one that an earlier page
    /// submitted, only the result.
    pub(super) fn take_end(
        &mut self,
        job: JobId,
        listener: ListenerId,
        end: &End,
        outputs: &[Option<Value>],
        live: bool,
    ) -> Shown {
        let app = Rc::clone(&self.app);
        let written = app.listener(listener).map_or(&[][..], |spec| &spec.outputs);
        let mut faces = Vec::with_capacity(written.len());
        for (&output, value) in written.iter().zip(outputs.iter().chain(std::iter::repeat(&None))) {
            if let Some(slot) = self.slots.get_mut(output.0 as usize) {
                slot.hold();
            }
            if let (End::Done, Some(value)) = (end, value) {
                self.write(output, value.clone(), live);
            }
            faces.extend(self.slots.get(output.0 as usize).map(|slot| (output, slot.face())));
        }
        let status = self.end_status(job, end);
        self.settle(listener);
        Shown { status, faces }
    }

    pub(super) fn tell(&mut self, token: u64, told: Told) {
        let Some(watched) = self.watchers.get_mut(&token) else { return };
        // Whoever takes the lead tells it again of each.
        if matches!(told, Told::Accepted(_)) && std::mem::replace(&mut watched.accepted, true) {
            return;
        }
        let watcher = watched.watcher.clone();
        if matches!(told, Told::Ended(..) | Told::Refused(_)) {
            self.watchers.remove(&token);
        }
        self.told.push((watcher, told));
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
        if let Some(token) =
            self.jobs.get(&job).map(|data| data.token).filter(|token| self.watchers.contains_key(token))
        {
            self.tell(token, Told::Partial(outputs.clone()));
        }
        let app = Rc::clone(&self.app);
        let Some(spec) = self.jobs.get(&job).and_then(|data| app.listener(data.listener)) else { return };
        for (&output, value) in spec.outputs.iter().zip(outputs) {
            if let Some(value) = value
                && self.followed(output) == Some(job)
            {
                self.write(output, value, true);
            }
        }
    }

    /// A result of a handler goes into a component; `tells` says whether that is a change. What an earlier page was given
    /// does not take the place of what the visitor typed after it.
    fn write(&mut self, id: ComponentId, value: Value, tells: bool) {
        if tells {
            self.forget_typed(id);
        } else if self.typed.contains(&id) {
            return;
        }
        let app = Rc::clone(&self.app);
        let (Some(spec), Some(slot)) = (app.component(id), self.slots.get_mut(id.0 as usize)) else { return };
        if slot.held.is_none() {
            self.changed.insert(id);
        }
        if !spec.holds(&value) {
            let (kind, given) = (spec.kind.name(), value.kind());
            slot.error = Some(format!("The handler gave {given}, which a {kind} does not hold."));
            return;
        }
        slot.error = None;
        let value = match value {
            Value::Choices(all, chosen) => {
                let stands = |choice: &String| all.contains(choice);
                let before = match &slot.value {
                    Value::Text(before) if stands(before) => Some(before.clone()),
                    _ => all.first().cloned(),
                };
                let chosen = Some(chosen).filter(stands).or(before);
                slot.choices = Some(all.into());
                chosen.map_or(Value::Null, Value::Text)
            }
            value => value,
        };
        if slot.value != value {
            slot.value = value;
            slot.version += 1;
            self.keep_state(id);
            if tells {
                self.fire(Some(id), Event::Change);
            }
        }
    }
}

/// Another row of random numbers for each job, by one round of SplitMix64's mixer.
fn seed_of(page: u64, job: JobId) -> u64 {
    let mixed = page ^ job.0.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}
