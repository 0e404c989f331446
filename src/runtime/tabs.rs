//! The part that this page plays among the tabs of its app: it leads and has the queue, or follows and shows it.

use std::rc::Rc;

use super::book::Todo;
use super::conduct::{Later, State};
use super::message::{Audience, Command, Message, News, Said, Submit};
use super::stored::{Record, Whole};
use super::view::{Toast, Told};
use super::{STORAGE, TabFault};
use crate::ids::{Attempt, JobId, SessionId};
use crate::ports::{Found, LogError, TabSignal};
use crate::queue::{Fact, Refused, WorkerEvent};
use crate::value::{EngineInfo, NoteLevel, Value};
use crate::wire;

/// How long a tab waits for the one that leads before it says that it waits.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

const NO_ANSWER: &str = "Another tab of this page has the queue and does not answer. What you start waits for it.";

/// What a page is among its app's tabs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Not known yet: what the visitor does waits.
    Opening,
    /// It has the queue and the workers.
    Leads,
    /// Another has; this one shows it.
    Follows,
    /// A newer build of the page has taken over.
    Retired,
}

impl State {
    /// Finds its part: at once where there are no tabs and no log.
    pub(super) fn take_part(&mut self) {
        if std::mem::replace(&mut self.stands, true) {
            return;
        }
        if STORAGE && let Some(tabs) = self.ports.tabs.clone() {
            tabs.stand();
            self.say(&Message::Hello(self.options.session));
            self.later.push((PATIENCE, Later::StillOpening));
        } else {
            self.lead();
        }
    }

    pub(super) fn hear_tab(&mut self, signal: TabSignal) {
        match signal {
            TabSignal::Lead => self.lead(),
            TabSignal::Message(bytes) => {
                // What another version or a stranger says is not for this page, but for this: the newer one leads.
                match wire::decode::<(u64, Message)>(&bytes) {
                    Ok((app, message)) if app == self.app.hash() => self.hear_message(message),
                    Ok((_, Message::Hello(_))) => self.retire(),
                    Ok(_) | Err(_) => {}
                }
            }
            TabSignal::Rest => {
                self.keep_typed();
                self.rest();
            }
            TabSignal::Wake => {
                if self.part == Part::Opening && !self.stands {
                    self.take_part();
                }
            }
        }
        self.panel_changed = true;
    }

    fn say(&self, message: &Message) {
        if STORAGE
            && let Some(tabs) = &self.ports.tabs
            && let Ok(bytes) = wire::encode(&(self.app.hash(), message))
        {
            tabs.send(bytes);
        }
    }

    fn say_after(&mut self, message: &Message) {
        if STORAGE && let Ok(bytes) = wire::encode(&(self.app.hash(), message)) {
            self.book.after(Todo::Send(bytes));
        }
    }

    /// This tab leads: it opens the log first.
    fn lead(&mut self) {
        if STORAGE && let Some(log) = &self.ports.log {
            self.opening = Some(log.open());
        } else {
            self.begin_lead(Found::default(), false);
        }
    }

    /// The log is open, or cannot be.
    pub(super) fn opened(&mut self, rests: u64, found: Result<Found, LogError>) {
        if !STORAGE || rests != self.rests && !self.has(TabFault::LeadsAfterRest) {
            return;
        }
        match found {
            Ok(found) => self.begin_lead(found, true),
            Err(error) => {
                self.begin_lead(Found::default(), false);
                self.not_kept(error);
            }
        }
    }

    fn begin_lead(&mut self, found: Found, kept: bool) {
        if self.part == Part::Retired {
            return;
        }
        let log = self.ports.log.clone().filter(|_| kept);
        self.audience = Audience::default();
        // What is taken up sets off what waits for the first put.
        self.book.open(log);
        if STORAGE && (self.ports.tabs.is_some() || kept) {
            let taken_up = super::take_up::read(&self.app, &found);
            // Without a log, what this page saw of the queue is all there is, and it stays; it never ran here.
            self.adopt(taken_up.whole, true);
            self.toasts.extend(taken_up.problem.map(|text| Toast::new(NoteLevel::Warning, text)));
        }
        self.part = Part::Leads;
        self.say(&Message::Leads);
        self.pool.warm_up();
        self.catch_up();
    }

    /// What the visitor did meanwhile, and what nobody took.
    fn catch_up(&mut self) {
        if std::mem::take(&mut self.unanswered) {
            self.past.push(NO_ANSWER.into());
        }
        let unheard: Vec<Submit> = self.sent.values().cloned().collect();
        for submit in unheard {
            self.command(Command::Submit(Submit { again: true, ..submit }));
        }
        for command in std::mem::take(&mut self.early) {
            self.command(command);
        }
    }

    /// The log takes nothing any more.
    fn not_kept(&mut self, error: LogError) {
        let LogError::Failed(why) = error else { return self.rest_and_return() };
        self.book.log = None;
        let text = format!("Nothing outlives this page, since the browser stores nothing: {why}");
        self.toasts.push(Toast::new(NoteLevel::Warning, text));
    }

    fn rest_and_return(&mut self) {
        self.rest();
        self.take_part();
    }

    /// Gives up the lead and all that goes with it: the page may be frozen or gone in a moment.
    fn rest(&mut self) {
        if self.ports.tabs.is_none() {
            return;
        }
        if self.part == Part::Follows {
            self.say(&Message::Bye(self.options.session));
        }
        if !self.has(TabFault::KeepsWorkers) {
            self.pool.end_all();
        }
        self.rests += 1;
        self.stands = false;
        self.let_go();
        let now = self.now();
        self.queue.follow_other(now, Vec::new(), 0);
        self.book.open(None);
        if self.part != Part::Retired {
            self.part = Part::Opening;
        }
        if let Some(tabs) = &self.ports.tabs {
            tabs.resign();
        }
        self.opening = None;
    }

    fn retire(&mut self) {
        if self.part != Part::Retired {
            self.rest();
            // Its jobs go on in the page that leads now, and are nothing to wait for here.
            self.adopt(Whole::default(), false);
            self.part = Part::Retired;
            self.toast(Toast::new(NoteLevel::Warning, Refused::Retired.to_string()));
            for (token, submit) in std::mem::take(&mut self.sent) {
                self.refused(token, submit.listener, Refused::Retired);
            }
        }
    }

    pub(super) fn still_opening(&mut self) {
        // A tab that opens the log itself waits for the browser.
        if self.part == Part::Opening && self.opening.is_none() {
            self.unanswered = true;
            self.toasts.push(Toast::new(NoteLevel::Info, NO_ANSWER.into()));
        }
    }

    /// It wants to hear how the queue is.
    fn waits(&self) -> bool {
        // What was said to it before it rested is of the past.
        self.stands && matches!(self.part, Part::Opening | Part::Follows)
    }

    fn hear_message(&mut self, message: Message) {
        let leads = self.part == Part::Leads;
        match message {
            Message::Hello(session) if leads => {
                self.audience.tabs.insert(session);
                let whole = Box::new(self.whole(Some(session)));
                self.say_after(&Message::Whole(session, whole, self.engine.clone()));
            }
            Message::Bye(session) if leads => {
                self.audience.tabs.remove(&session);
            }
            Message::Command(command) if leads => {
                self.obey(command);
            }
            Message::Leads if !leads && self.part != Part::Retired => self.say(&Message::Hello(self.options.session)),
            Message::Whole(session, whole, engine) if session == self.options.session && self.waits() => {
                self.engine = engine;
                self.part = Part::Follows;
                self.adopt(*whole, false);
                self.catch_up();
            }
            Message::Engine(info) if self.part == Part::Follows => self.engine = Some(info),
            Message::News(news) if self.part == Part::Follows => self.hear_news(news),
            Message::Refused(session, token, refused) if session == self.options.session => {
                if let Some(submit) = self.sent.remove(&token) {
                    self.refused(token, submit.listener, refused);
                }
            }
            Message::Said(job, attempt, said) if self.part == Part::Follows => self.hear_said(job, attempt, said),
            _ => {}
        }
    }

    fn hear_news(&mut self, news: News) {
        let now = self.now();
        for (session, token, job) in news.taken {
            if session == self.options.session
                && let Some(submit) = self.sent.remove(&token)
            {
                self.take_in(job, submit.listener, session, token, submit.inputs, true);
                self.tell(token, Told::Accepted(job));
            }
        }
        for (job, outputs) in news.gave {
            self.keep_latest(job, outputs);
        }
        for fact in &news.facts {
            if let Fact::Accepted { job, listener, session, after: Some(_), .. } = *fact
                && session == self.options.session
            {
                self.take_in(job, listener, session, 0, super::stored::Inputs::default(), true);
            }
            if let Some(todo) = self.seen_of(fact) {
                self.book.after(todo);
            }
            self.queue.replay(now, fact);
        }
    }

    fn hear_said(&mut self, job: JobId, attempt: Attempt, said: Said) {
        let now = self.now();
        match said {
            Said::Began => {
                self.queue.handle_worker(now, job, attempt, WorkerEvent::Began);
            }
            Said::Progress(progress) => self.note_progress(job, attempt, progress),
            Said::Partial(outputs) => self.show_partial(job, outputs),
            Said::Note(level, text) => self.note(job, level, text),
        }
        self.touch(job);
    }

    /// Tells the other tabs what computes: who came before that was known has not heard of it.
    pub(super) fn tell_engine(&mut self, info: EngineInfo) {
        if !self.audience.tabs.is_empty() {
            self.say_after(&Message::Engine(info));
        }
    }

    /// Tells the other tabs what a worker said: all of them how far it is, its own the rest.
    pub(super) fn pass_on(&mut self, job: JobId, attempt: Attempt, said: &dyn Fn() -> Said, to_all: bool) {
        let others = !self.audience.tabs.is_empty() && self.part == Part::Leads;
        let foreign = || self.jobs.get(&job).is_some_and(|data| data.session != self.options.session);
        if others && (to_all || foreign()) {
            self.say_after(&Message::Said(job, attempt, said()));
        }
    }

    /// Has it done by whoever leads.
    pub(super) fn command(&mut self, command: Command) {
        match self.part {
            Part::Leads => self.obey(command),
            Part::Follows => {
                self.note_sent(&command);
                self.say(&Message::Command(command));
            }
            Part::Retired => {
                if let Command::Submit(submit) = command {
                    self.refused(submit.token, submit.listener, Refused::Retired);
                }
            }
            Part::Opening => {
                self.note_sent(&command);
                if !matches!(command, Command::Submit(_)) {
                    self.early.push(command);
                }
            }
        }
    }

    fn note_sent(&mut self, command: &Command) {
        if let Command::Submit(submit) = command {
            self.sent.insert(submit.token, submit.clone());
        }
    }

    fn obey(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Submit(submit) => return self.obey_submit(submit),
            Command::Cancel(job) => {
                self.queue.handle_cancel(now, job);
                self.touch(job);
            }
            Command::CancelWaiting(lane) => self.queue.handle_cancel_waiting(now, lane),
            Command::Pause(lane, paused) => self.queue.handle_pause(lane, paused),
            Command::Move(job, to) => {
                self.queue.handle_move(job, to);
            }
        }
        self.panel_changed = true;
    }

    fn obey_submit(&mut self, submit: Submit) {
        let Submit { session, token, listener, raise, inputs, again } = submit;
        let own = session == self.options.session;
        self.sent.remove(&token);
        if again
            && !self.has(TabFault::TakesTwice)
            && let Some(job) = self.taken_before(session, token)
        {
            self.answer(session, token, job);
            return;
        }
        match self.queue.handle_submit(self.now(), listener, session, raise) {
            Ok(job) => {
                self.take_in(job, listener, session, token, inputs, true);
                self.note_given(job);
                self.answer(session, token, job);
            }
            Err(refused) if own => self.refused(token, listener, refused),
            Err(refused) => self.say_after(&Message::Refused(session, token, refused)),
        }
    }

    fn taken_before(&self, session: SessionId, token: u64) -> Option<JobId> {
        let live =
            self.jobs.iter().find(|(_, data)| (data.session, data.token) == (session, token)).map(|(job, _)| *job);
        let ended = || self.ended.iter().find(|done| (done.kept.session, done.token) == (session, token));
        live.or_else(|| ended().map(|done| done.kept.job))
    }

    /// A submit was taken; its submitter hears of it once it is written.
    fn answer(&mut self, session: SessionId, token: u64, job: JobId) {
        if session != self.options.session {
            self.audience.news.taken.push((session, token, job));
        } else if self.has(TabFault::TellsBeforeWrite) {
            self.tell(token, Told::Accepted(job));
        } else if self.watchers.contains_key(&token) {
            self.facts_to_book();
            self.book.after(Todo::Tell(token, Told::Accepted(job)));
        }
    }

    /// Takes the queue's facts to where they are written and told from.
    pub(super) fn facts_to_book(&mut self) {
        let told = !self.audience.tabs.is_empty();
        let follows = self.queue.follows();
        while let Some(fact) = self.queue.poll_fact() {
            if follows {
                continue;
            }
            let what = self.seen_of(&fact);
            if told {
                self.audience.news.facts.push(fact.clone());
            }
            if self.book.log.is_some() {
                self.book.batch.facts.push(fact);
            }
            if let Some(todo) = what {
                self.book.after(todo);
            }
        }
    }

    /// What observers are to be told of a fact.
    fn seen_of(&self, fact: &Fact) -> Option<Todo> {
        let (what, job) = match *fact {
            Fact::Accepted { job, .. } => ("accepted", job),
            Fact::Started { job, .. } => ("started", job),
            Fact::Ended { job, .. } => ("ended", job),
            _ => return None,
        };
        (!self.observers.is_empty()).then_some(Todo::See(what, job))
    }

    /// What a job of another tab gave goes to it.
    pub(super) fn give(&mut self, job: JobId, outputs: &[Option<Value>]) {
        if !self.audience.tabs.is_empty() {
            self.audience.news.gave.push((job, outputs.to_vec()));
        }
    }

    /// All that came true goes on its way: into the log, then to the workers, the other tabs and who asked.
    pub(super) fn send_off(&mut self) {
        self.facts_to_book();
        let news = std::mem::take(&mut self.audience.news);
        if STORAGE && !(news.facts.is_empty() && news.taken.is_empty()) {
            self.say_after(&Message::News(news));
        }
        if STORAGE && self.book.is_due() {
            let whole = (self.book.whole || self.book.is_long()).then(|| Record::Whole(self.whole(None)));
            self.flight = self.book.put(whole);
        }
        while let Some(todo) = self.book.next_todo() {
            match todo {
                Todo::Start(jobs) => self.start(jobs),
                Todo::Tell(token, told) => self.tell(token, told),
                Todo::Show(ending) => self.show(*ending),
                Todo::See(what, job) => self.seen.push((what, job)),
                Todo::Send(bytes) => {
                    if let Some(tabs) = &self.ports.tabs {
                        tabs.send(bytes);
                    }
                }
            }
        }
    }

    /// A put is written, or is not.
    pub(super) fn put_is_through(&mut self, number: (u64, u64), result: Result<(), LogError>) {
        if STORAGE
            && self.book.written(number)
            && let Err(error) = result
        {
            self.not_kept(error);
        }
    }
}

/// An id that no other page has had, from random numbers.
pub(super) fn first_token(seed: u64) -> u64 {
    seed.rotate_left(17) | 1
}

/// How the page hears of its tabs.
pub(super) fn listener_of(state: &std::rc::Weak<std::cell::RefCell<State>>) -> Rc<dyn Fn(TabSignal)> {
    let weak = state.clone();
    Rc::new(move |signal| {
        if let Some(state) = weak.upgrade() {
            super::conduct::with(&state, |state| state.hear_tab(signal));
        }
    })
}
