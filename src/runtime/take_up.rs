//! From what a log or another tab holds to this page's state, and back.

use std::rc::Rc;

use super::conduct::{JobData, State, queue_config};
use super::held::Ending;
use super::message::Submit;
use super::stored::{APART_FROM, inputs_key, names, outputs_key, payload};
use super::stored::{Batch, Given, Inputs, Over, Payload, Record, Stranger, Translation, Whole};
use super::view::{Toast, Told};
use crate::blocks::App;
use crate::ids::{Attempt, JobId, ListenerId, SessionId};
use crate::ports::Found;
use crate::queue::{End, Fact, Kept, Ledger, Queue};
use crate::value::{NoteLevel, SortedMap, Value};
use crate::wire;

/// Results of ended jobs that are kept, in bytes, beside the number of them.
pub(super) const RESULTS_KEPT: usize = 32 << 20;

/// A job that ended, as this page keeps it for the log.
pub(super) struct Done {
    pub(super) kept: Kept,
    pub(super) token: u64,
    pub(super) end: End,
    pub(super) took: u64,
    pub(super) outputs: Vec<Option<Value>>,
    /// Of the outputs, in the log.
    pub(super) bytes: usize,
}

impl JobData {
    /// Its inputs for a record; the log is to keep them no longer than the job.
    fn pack(&mut self, job: JobId, apart: Option<&mut Vec<(u64, Vec<u8>)>>) -> Payload {
        let packed = payload(&self.inputs, inputs_key(job), apart);
        self.apart |= packed == Payload::Apart;
        packed
    }
}

/// What a log came to.
pub(super) struct TakenUp {
    pub(super) whole: Whole,
    /// In one line for the visitor, what could not be read.
    pub(super) problem: Option<String>,
}

/// Reads a log, in the ids of this build. What cannot be read is as if the page had died before it was written.
pub(super) fn read(app: &App, found: &Found) -> TakenUp {
    let mut records = found.records.iter().map(|bytes| Record::from_bytes(bytes));
    let mut whole = Whole::default();
    let mut problem = None;
    match records.next() {
        None => {}
        Some(Some(Record::Whole(first))) => whole = first,
        Some(_) => problem = Some("The stored queue could not be read, so it begins anew.".to_owned()),
    }
    let mut story = Story::new(app, whole, &found.values);
    if problem.is_none() {
        for record in records {
            match record {
                Some(Record::Batch(batch)) => story.add(batch),
                Some(Record::Whole(_)) | None => {
                    problem = Some(
                        "The end of the stored queue could not be read; what is before it was taken up.".to_owned(),
                    );
                    break;
                }
            }
        }
    }
    TakenUp { whole: story.whole(), problem }
}

/// A log as it is read, record by record.
struct Story<'a> {
    to_own: Translation,
    same_build: bool,
    ledger: Ledger,
    given: SortedMap<JobId, Given>,
    ended: Vec<Over>,
    strangers: Vec<Stranger>,
    old_names: Vec<(String, u64)>,
    values: &'a [(u64, Vec<u8>)],
    next_job: u64,
}

impl<'a> Story<'a> {
    fn new(app: &App, whole: Whole, values: &'a [(u64, Vec<u8>)]) -> Self {
        let to_own = Translation::new(app, &whole);
        let mut story = Self {
            same_build: whole.app == app.hash(),
            ledger: Ledger::new(&queue_config(app)),
            given: SortedMap::default(),
            ended: Vec::new(),
            strangers: Vec::new(),
            values,
            next_job: whole.next_job.max(1),
            old_names: whole.listeners,
            to_own,
        };
        let back = whole.strangers.into_iter().map(|stranger| {
            let own = app
                .listeners()
                .iter()
                .position(|spec| (&spec.key.api_name, spec.key.types) == (&stranger.listener.0, stranger.listener.1));
            (own.and_then(|place| u32::try_from(place).ok()).map(ListenerId), stranger)
        });
        for (own, stranger) in back {
            match own {
                Some(listener) => story.add_job(Kept { listener, ..stranger.kept }, stranger.given),
                None => story.strangers.push(stranger),
            }
        }
        for (kept, given) in whole.jobs {
            match story.to_own.listener(kept.listener) {
                Some(listener) => story.add_job(Kept { listener, ..kept }, given),
                None => story.add_stranger(kept, given),
            }
        }
        for lane in whole.paused.iter().filter_map(|lane| story.to_own.lane(*lane)) {
            story.ledger.add(&Fact::Paused { lane, paused: true });
        }
        for over in whole.ended {
            if let Some(listener) = story.to_own.listener(over.kept.listener) {
                let outputs = over.outputs.here(outputs_key(over.kept.job), values);
                story.ended.push(Over { kept: Kept { listener, ..over.kept }, outputs, ..over });
            }
        }
        story
    }

    fn add_job(&mut self, kept: Kept, given: Given) {
        let inputs = given.inputs.here(inputs_key(kept.job), self.values);
        self.given.insert(kept.job, Given { inputs, ..given });
        self.ledger.add_kept(kept);
    }

    fn add_stranger(&mut self, kept: Kept, given: Given) {
        let name = self.old_names.get(kept.listener.0 as usize).cloned().unwrap_or_default();
        let inputs = given.inputs.here(inputs_key(kept.job), self.values);
        self.strangers.push(Stranger { listener: name, kept, given: Given { inputs, ..given } });
    }

    fn add(&mut self, batch: Batch) {
        for given in batch.given {
            let inputs = given.inputs.here(inputs_key(given.job), self.values);
            self.given.insert(given.job, Given { inputs, ..given });
        }
        let mut gave: SortedMap<JobId, Payload> =
            batch.gave.into_iter().map(|(job, outputs)| (job, outputs.here(outputs_key(job), self.values))).collect();
        for fact in batch.facts {
            self.add_fact(fact, &mut gave);
        }
    }

    fn add_fact(&mut self, fact: Fact, gave: &mut SortedMap<JobId, Payload>) {
        let fact = match fact {
            Fact::Accepted { job, listener, session, priority, after } => {
                self.next_job = self.next_job.max(job.0.saturating_add(1));
                match self.to_own.listener(listener) {
                    Some(listener) => Fact::Accepted { job, listener, session, priority, after },
                    None => {
                        let kept = Kept::new(job, listener, session, priority, after);
                        if let Some(given) = self.given.remove(&job) {
                            self.add_stranger(kept, given);
                        }
                        return;
                    }
                }
            }
            Fact::Paused { lane, paused } => match self.to_own.lane(lane) {
                Some(lane) => Fact::Paused { lane, paused },
                None => return,
            },
            other => other,
        };
        if let Fact::Ended { job, end, took } = &fact {
            self.strangers.retain(|stranger| stranger.kept.job != *job);
            if let Some(kept) = self.ledger.job(*job).cloned() {
                let token = self.given.remove(job).map_or(0, |given| given.token);
                let outputs = gave.remove(job).unwrap_or(Payload::Here(Vec::new()));
                self.ended.push(Over { kept, token, end: end.clone(), took: *took, outputs });
            }
        }
        self.ledger.add(&fact);
    }

    fn whole(mut self) -> Whole {
        let next_job = self.next_job.max(self.ledger.next_job());
        let jobs = self.ledger.jobs().into_iter().map(|kept| {
            let nothing = Given { job: kept.job, token: 0, inputs: Payload::Here(Vec::new()) };
            let mut given = self.given.remove(&kept.job).unwrap_or(nothing);
            if !self.same_build
                && let Payload::Here(bytes) = &given.inputs
                && let Ok(inputs) = wire::decode::<Inputs>(bytes)
            {
                // Another build counts its components otherwise.
                given.inputs = payload(&Inputs { context: Vec::new(), ..inputs }, 0, None);
            }
            (kept, given)
        });
        let jobs = jobs.collect();
        let paused = self.ledger.paused().collect();
        let (ended, strangers) = (self.ended, self.strangers);
        Whole { next_job, jobs, paused, ended, strangers, ..Whole::default() }
    }
}

impl State {
    /// Makes the queue be as a log or the leader says; `leads` says which. Results that this page has not shown are
    /// shown, and events that nobody took are sent again.
    pub(super) fn adopt(&mut self, whole: Whole, leads: bool) {
        let now = self.now();
        let app = Rc::clone(&self.app);
        let mut queue = Queue::new(queue_config(&app));
        queue.keep_runs_of(&self.queue);
        let mut before = std::mem::take(&mut self.jobs);
        for (job, data) in std::mem::take(&mut self.unwritten) {
            before.insert(job, data);
        }
        for pending in &mut self.pending {
            pending.jobs = 0;
        }
        for slot in &mut self.slots {
            slot.active = Default::default();
        }
        self.ended.clear();
        self.strangers = whole.strangers;
        let mut news = Vec::new();
        for over in whole.ended {
            queue.restore_ended(now, &over.kept, &over.end, over.took);
            let Payload::Here(bytes) = &over.outputs else { continue };
            let outputs: Vec<Option<Value>> = wire::decode(bytes).unwrap_or_default();
            let (job, bytes) = (over.kept.job, bytes.len());
            self.sent.remove(&over.token);
            if over.kept.session == self.options.session && !self.shown.contains(&job) {
                let live = before.get(&job).is_some_and(|data| data.live);
                news.push((job, over.token, over.kept.listener, over.end.clone(), outputs.clone(), live));
            }
            let done = Done { kept: over.kept, token: over.token, end: over.end, took: over.took, outputs, bytes };
            self.keep_done(done);
        }
        let mut kept = Vec::with_capacity(whole.jobs.len());
        let next_job = whole.next_job.max(self.queue.next_job());
        self.queue = queue;
        let forgets = self.has(super::TabFault::ForgetsInterrupted);
        for (job, given) in whole.jobs {
            if forgets && job.started {
                continue;
            }
            self.sent.remove(&given.token);
            let own = job.session == self.options.session;
            if leads || own {
                let Payload::Here(bytes) = &given.inputs else { continue };
                let inputs: Inputs = wire::decode(bytes).unwrap_or_default();
                let live = before.get(&job.job).is_some_and(|data| data.live);
                self.take_in(job.job, job.listener, job.session, given.token, inputs, live);
            }
            if own {
                self.tell(given.token, Told::Accepted(job.job));
            }
            kept.push(job);
        }
        if leads {
            self.queue.restore(now, kept, next_job);
        } else {
            self.queue.follow_other(now, kept, next_job);
            for job in whole.begun {
                let attempt = self.queue.job(job).map_or(Attempt(1), |view| view.attempt);
                self.queue.handle_worker(now, job, attempt, crate::queue::WorkerEvent::Began);
            }
        }
        for lane in whole.paused {
            self.queue.handle_pause(lane, true);
        }
        for (job, token, listener, end, outputs, live) in news {
            // It is written where this was read.
            let own = Some(self.take_end(job, listener, &end, &outputs, live));
            self.show(Ending { job, own });
            self.tell(token, Told::Accepted(job));
            self.tell(token, Told::Ended(end, outputs));
        }
        // Taken by one that could not write them down, and so by nobody.
        for (job, data) in before {
            let known = self.queue.job(job).is_some() || self.shown.contains(&job);
            if !known && data.live && data.token != 0 && data.session == self.options.session {
                let JobData { session, token, listener, inputs, .. } = data;
                self.sent.insert(token, Submit { session, token, listener, raise: 0, inputs, again: true });
            }
        }
        let all = (0u32..).map(crate::ids::ComponentId).take(self.slots.len());
        self.changed.extend(all);
        self.panel_changed = true;
        if let Some(count) = Some(self.strangers.len()).filter(|&count| count > 0 && leads) {
            let name = self.strangers.first().map(|stranger| stranger.listener.0.clone()).unwrap_or_default();
            let text =
                format!("{count} stored jobs are of another version of this page ({name}); they are kept for it.");
            self.toasts.push(Toast::new(NoteLevel::Info, text));
        }
    }

    /// Keeps a job that ended, within the stated sizes.
    pub(super) fn keep_done(&mut self, done: Done) {
        self.ended.push_back(done);
        let mut bytes: usize = self.ended.iter().map(|done| done.bytes).sum();
        while self.ended.len() > super::conduct::HISTORY {
            if let Some(gone) = self.ended.pop_front() {
                bytes -= gone.bytes;
                self.forget(gone.kept.job, gone.bytes);
            }
        }
        if bytes > RESULTS_KEPT {
            let mut gone = Vec::new();
            for done in &mut self.ended {
                if bytes <= RESULTS_KEPT {
                    break;
                }
                bytes -= done.bytes;
                done.outputs = Vec::new();
                gone.push((done.kept.job, std::mem::take(&mut done.bytes)));
            }
            gone.into_iter().for_each(|(job, bytes)| self.forget(job, bytes));
        }
    }

    fn forget(&mut self, job: JobId, bytes: usize) {
        self.shown.remove(&job);
        self.book.drop_value(bytes > APART_FROM, outputs_key(job));
    }

    /// The whole queue as this page has it: for the log, where long values stand apart, or for one session, with its
    /// own values and nobody else's.
    pub(super) fn whole(&mut self, session: Option<SessionId>) -> Whole {
        let (listeners, lanes) = names(&self.app);
        let mut apart = session.is_none().then(Vec::new);
        let nothing = || Payload::Here(Vec::new());
        let wanted = |of: SessionId| session.is_none_or(|session| session == of);
        let mut jobs = Vec::new();
        for kept in self.queue.kept() {
            let mut given = Given { job: kept.job, token: 0, inputs: nothing() };
            if let Some(data) = self.jobs.get_mut(&kept.job) {
                given.token = data.token;
                if wanted(data.session) {
                    given.inputs = data.pack(kept.job, apart.as_mut());
                }
            }
            jobs.push((kept, given));
        }
        let mut ended = Vec::new();
        for done in &self.ended {
            let outputs = if wanted(done.kept.session) {
                payload(&done.outputs, outputs_key(done.kept.job), apart.as_mut())
            } else {
                nothing()
            };
            let (kept, end) = (done.kept.clone(), done.end.clone());
            ended.push(Over { kept, token: done.token, end, took: done.took, outputs });
        }
        let ids = || (0u32..).map(crate::ids::LaneId).take(self.app.lanes().len());
        let whole = Whole {
            app: self.app.hash(),
            listeners,
            lanes,
            next_job: self.queue.next_job(),
            jobs,
            begun: ids().flat_map(|lane| self.queue.running(lane)).collect(),
            paused: ids().filter(|lane| self.queue.is_paused(*lane)).collect(),
            ended,
            strangers: self.strangers.clone(),
        };
        if let Some(apart) = apart {
            self.book.values = apart;
        }
        whole
    }

    /// What a job was given, for the log.
    pub(super) fn note_given(&mut self, job: JobId) {
        if !super::STORAGE || self.book.log.is_none() {
            return;
        }
        if let Some(data) = self.jobs.get_mut(&job) {
            let inputs = data.pack(job, Some(&mut self.book.values));
            self.book.batch.given.push(Given { job, token: data.token, inputs });
        }
    }
}
