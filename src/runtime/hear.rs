//! What the workers say, and what is done when one breaks.

use super::conduct::State;
use super::message::Said;
use super::view::Toast;
use crate::ids::{Attempt, JobId, WorkerId};
use crate::ports::WorkerSignal;
use crate::queue::WorkerEvent;
use crate::value::{Error, ErrorKind, NoteLevel, Progress};
use crate::wire::{self, News, ToPage};

/// Times that an innocent job begins anew before the worker's breaking is blamed on it after all.
const MOST_ATTEMPTS: u32 = 5;

impl State {
    pub(super) fn hear(&mut self, worker: WorkerId, signal: WorkerSignal) {
        let message = match signal {
            WorkerSignal::Broken(reason) => return self.worker_broke(worker, &reason),
            WorkerSignal::Late(why) => {
                self.late.push(why.clone());
                return self.toast(Toast::new(NoteLevel::Warning, why));
            }
            WorkerSignal::Message(bytes) => wire::decode(&bytes),
        };
        match message {
            Ok(ToPage::Ready) => {
                self.past.append(&mut self.late);
                self.pool.ready(worker);
            }
            Ok(ToPage::Refused(reason)) => self.worker_broke(worker, &reason),
            Ok(ToPage::Engine(info)) => {
                self.engine = Some(info.clone());
                self.panel_changed = true;
                self.tell_engine(info);
            }
            Ok(ToPage::Job { job, attempt, news }) => {
                if self.pool.has(worker, job, attempt) {
                    self.hear_of_job(worker, job, attempt, news);
                }
            }
            Ok(ToPage::Panicked { blamed, message }) => self.worker_panicked(worker, blamed, &message),
            Ok(ToPage::Remember { key, text }) => self.remember(&key, &text),
            Ok(ToPage::Persist) => self.ports.store.persist(),
            Err(malformed) => self.worker_broke(worker, &malformed.to_string()),
        }
    }

    fn hear_of_job(&mut self, worker: WorkerId, job: JobId, attempt: Attempt, news: News) {
        let now = self.now();
        match news {
            News::Began => {
                self.pass_on(job, attempt, &|| Said::Began, true);
                self.queue.handle_worker(now, job, attempt, WorkerEvent::Began);
            }
            News::Progress(progress) => {
                self.pass_on(job, attempt, &|| Said::Progress(progress.clone()), true);
                self.note_progress(job, attempt, progress);
            }
            News::Partial(outputs) => {
                self.pass_on(job, attempt, &|| Said::Partial(outputs.clone()), false);
                self.show_partial(job, outputs);
            }
            News::Note(level, text) => {
                self.pass_on(job, attempt, &|| Said::Note(level, text.clone()), false);
                self.note(job, level, text);
            }
            News::Ended(outcome) => {
                self.pool.release(worker, job);
                let event = match outcome {
                    Ok(outputs) => {
                        self.keep_latest(job, outputs);
                        WorkerEvent::Done
                    }
                    Err(error) => WorkerEvent::Failed(error),
                };
                self.queue.handle_worker(now, job, attempt, event);
            }
            News::Stopped => {
                self.pool.release(worker, job);
                self.queue.handle_worker(now, job, attempt, WorkerEvent::Stopped);
            }
        }
        self.touch(job);
    }

    /// A handler's message, for the page that asked for its job.
    pub(super) fn note(&mut self, job: JobId, level: NoteLevel, text: String) {
        if self.jobs.get(&job).is_some_and(|data| data.session == self.options.session) {
            self.toast(Toast::new(level, text));
        }
    }

    /// What is said several times before the page looks is shown once: a batch says the same for each of its jobs.
    pub(super) fn toast(&mut self, toast: Toast) {
        if !self.toasts.contains(&toast) {
            self.toasts.push(toast);
        }
    }

    pub(super) fn note_progress(&mut self, job: JobId, attempt: Attempt, progress: Progress) {
        if let Some(share) = progress.fraction() {
            self.queue.handle_worker(self.now(), job, attempt, WorkerEvent::Progress(share));
        }
        if let Some(data) = self.jobs.get_mut(&job) {
            data.progress = Some(progress);
        }
    }

    fn worker_panicked(&mut self, worker: WorkerId, blamed: Option<(JobId, Attempt)>, message: &str) {
        let blamed = blamed.filter(|&(job, attempt)| self.pool.has(worker, job, attempt));
        let Some((job, attempt)) = blamed else { return self.worker_broke(worker, message) };
        if let Some(data) = self.jobs.get(&job) {
            *self.panics.get_or_insert_with(data.listener, || 0) += 1;
        }
        let others = self.pool.end(worker);
        let error = Error::of(ErrorKind::Panic, format!("The handler panicked: {message}"));
        self.queue.handle_worker(self.now(), job, attempt, WorkerEvent::Failed(error));
        self.lost(others.into_iter().filter(|(other, _)| *other != job).collect());
        self.pool.refill();
    }

    /// A worker that broke with nobody to blame: its jobs begin anew, unless it never came up or they have tried often.
    fn worker_broke(&mut self, worker: WorkerId, reason: &str) {
        let came_up = self.pool.is_ready(worker);
        let jobs = self.pool.end(worker);
        if came_up {
            let (again, tired): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|(_, attempt)| attempt.0 < MOST_ATTEMPTS);
            self.fail(tired, &format!("The worker broke {MOST_ATTEMPTS} times under this job: {reason}"));
            self.lost(again);
        } else {
            let text = format!("The worker could not start: {reason}");
            self.toasts.push(Toast::new(NoteLevel::Warning, text.clone()));
            self.fail(jobs, &text);
        }
        self.pool.refill();
        self.panel_changed = true;
    }

    fn lost(&mut self, jobs: Vec<(JobId, Attempt)>) {
        let now = self.now();
        for (job, attempt) in jobs {
            self.queue.handle_worker(now, job, attempt, WorkerEvent::Lost);
            self.touch(job);
        }
    }

    fn fail(&mut self, jobs: Vec<(JobId, Attempt)>, why: &str) {
        let now = self.now();
        for (job, attempt) in jobs {
            self.queue.handle_worker(now, job, attempt, WorkerEvent::Failed(Error::new(why)));
        }
    }

    pub(super) fn end_worker_of(&mut self, job: JobId, attempt: Attempt) {
        if let Some(others) = self.pool.end_of(job, attempt) {
            self.queue.handle_worker(self.now(), job, attempt, WorkerEvent::Stopped);
            self.lost(others);
            self.pool.refill();
        }
    }
}
