//! Which worker runs which job.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::blocks::Runs;
use crate::ids::{Attempt, JobId, ListenerId, WorkerId};
use crate::ports::{Link, WorkerListener, Workers};
use crate::value::SortedMap;
use crate::wire::{self, JobToRun, ToWorker};

/// Jobs that the shared worker takes at a time, of whatever lanes; more wait for it.
const SHARED_JOBS: usize = 64;

/// Workers that have one call at a time, whatever the machine's cores.
const OWN_WORKERS: usize = 16;

/// A call on its way to a worker: one job, or several of a batch.
pub(super) struct Task {
    pub(super) listener: ListenerId,
    pub(super) runs: Runs,
    /// The listener has panicked before: its jobs break no worker but their own.
    pub(super) alone: bool,
    pub(super) jobs: Vec<JobToRun>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Shared,
    /// For one call at a time: of a blocking handler, or of one that has panicked.
    Own,
}

struct State {
    kind: Kind,
    /// How the handler of its last call runs.
    runs: Runs,
    link: Rc<dyn Link>,
    ready: bool,
    /// What is said once the worker is up.
    outbox: Vec<ToWorker>,
    jobs: SortedMap<JobId, Attempt>,
}

impl State {
    fn say(&self, message: &ToWorker) {
        // Encoding fails only without memory; the job then never begins and can be cancelled.
        if let Ok(bytes) = wire::encode(message) {
            self.link.send(bytes);
        }
    }

    /// Takes a job back that this worker, which is not up, was to be given.
    fn take_back(&mut self, job: JobId) {
        self.jobs.remove(&job);
        for message in &mut self.outbox {
            if let ToWorker::Run { jobs, .. } = message {
                jobs.retain(|other| other.job != job);
            }
        }
        self.outbox.retain(|message| !matches!(message, ToWorker::Run { jobs, .. } if jobs.is_empty()));
    }
}

/// The workers of a page.
pub(super) struct Pool {
    ports: Rc<dyn Workers>,
    listener: WorkerListener,
    boot: Box<dyn Fn() -> ToWorker>,
    next: u32,
    workers: SortedMap<WorkerId, State>,
    /// Jobs that have a slot and wait for a worker.
    backlog: VecDeque<Task>,
    at_most_own: usize,
}

impl Pool {
    pub(super) fn new(ports: Rc<dyn Workers>, listener: WorkerListener, boot: Box<dyn Fn() -> ToWorker>) -> Self {
        let at_most_own = OWN_WORKERS.min(ports.cores().saturating_sub(1).max(1));
        Self { ports, listener, boot, next: 1, workers: SortedMap::default(), backlog: VecDeque::new(), at_most_own }
    }

    /// Starts the shared worker before its first job, so that the first job need not wait for it.
    pub(super) fn warm_up(&mut self) {
        if !self.workers.values().any(|state| state.kind == Kind::Shared) {
            self.start(Kind::Shared);
        }
    }

    /// Gives a job to a worker, or keeps it until one is free.
    pub(super) fn run(&mut self, task: Task) {
        self.backlog.push_back(task);
        self.hand_out();
    }

    /// Hands out what waits, as far as there are workers; later jobs may pass one that needs a busy kind of worker.
    fn hand_out(&mut self) {
        for _ in 0..self.backlog.len() {
            let Some(task) = self.backlog.pop_front() else { break };
            match self.find(&task) {
                Some(worker) => {
                    if let Some(state) = self.workers.get_mut(&worker) {
                        state.runs = task.runs;
                        state.jobs.extend(task.jobs.iter().map(|job| (job.job, job.attempt)));
                    }
                    self.send(worker, ToWorker::Run { listener: task.listener, jobs: task.jobs });
                }
                None => self.backlog.push_back(task),
            }
        }
    }

    fn find(&mut self, task: &Task) -> Option<WorkerId> {
        let kind = if task.alone || task.runs == Runs::Blocking { Kind::Own } else { Kind::Shared };
        let most = if kind == Kind::Shared { SHARED_JOBS } else { 1 };
        let free = |(_, state): &(&WorkerId, &State)| state.kind == kind && state.jobs.len() < most;
        if let Some((worker, _)) = self.workers.iter().find(free) {
            return Some(*worker);
        }
        let started = self.workers.values().filter(|state| state.kind == kind).count();
        let allowed = if kind == Kind::Shared { 1 } else { self.at_most_own };
        (started < allowed).then(|| self.start(kind))
    }

    fn start(&mut self, kind: Kind) -> WorkerId {
        let worker = WorkerId(self.next);
        self.next += 1;
        let link = self.ports.start(worker, Rc::clone(&self.listener));
        let state =
            State { kind, runs: Runs::Shared, link, ready: false, outbox: Vec::new(), jobs: SortedMap::default() };
        if let Ok(boot) = wire::encode(&(self.boot)()) {
            state.link.send(boot);
        }
        self.workers.insert(worker, state);
        worker
    }

    fn send(&mut self, worker: WorkerId, message: ToWorker) {
        let Some(state) = self.workers.get_mut(&worker) else { return };
        if state.ready {
            state.say(&message);
        } else {
            state.outbox.push(message);
        }
    }

    /// The worker is up.
    pub(super) fn ready(&mut self, worker: WorkerId) {
        if let Some(state) = self.workers.get_mut(&worker) {
            state.ready = true;
            for message in std::mem::take(&mut state.outbox) {
                state.say(&message);
            }
        }
    }

    pub(super) fn is_ready(&self, worker: WorkerId) -> bool {
        self.workers.get(&worker).is_some_and(|state| state.ready)
    }

    /// Whether this worker has this attempt: what it says of others is stale.
    pub(super) fn has(&self, worker: WorkerId, job: JobId, attempt: Attempt) -> bool {
        self.workers.get(&worker).is_some_and(|state| state.jobs.get(&job) == Some(&attempt))
    }

    /// A job is over in its worker, which can take another.
    pub(super) fn release(&mut self, worker: WorkerId, job: JobId) {
        if let Some(state) = self.workers.get_mut(&worker) {
            state.jobs.remove(&job);
            // What it loaded is the shared worker's to keep.
            if (state.kind, state.runs) == (Kind::Own, Runs::Shared) && state.jobs.is_empty() {
                self.end(worker);
            }
        }
        self.hand_out();
    }

    /// Stops a job.
    pub(super) fn stop(&mut self, job: JobId, attempt: Attempt) -> Stop {
        let is_it = |other: &JobToRun| other.job == job;
        if let Some(place) = self.backlog.iter().position(|task| task.jobs.iter().any(is_it))
            && let Some(task) = self.backlog.get_mut(place)
        {
            task.jobs.retain(|other| !is_it(other));
            if task.jobs.is_empty() {
                self.backlog.remove(place);
            }
            return Stop::Over;
        }
        let found = self.workers.iter().find(|(_, state)| state.jobs.get(&job) == Some(&attempt));
        let Some((&worker, state)) = found else { return Stop::Over };
        if !state.ready {
            if let Some(state) = self.workers.get_mut(&worker) {
                state.take_back(job);
            }
            self.hand_out();
            return Stop::Over;
        }
        if state.runs == Runs::Blocking {
            self.end(worker);
            self.hand_out();
            return Stop::Over;
        }
        self.send(worker, ToWorker::Cancel { job, attempt });
        Stop::Asked
    }

    /// Ends the worker of a job that did not stop; gives the other jobs it had.
    pub(super) fn end_of(&mut self, job: JobId, attempt: Attempt) -> Option<Vec<(JobId, Attempt)>> {
        let (&worker, _) = self.workers.iter().find(|(_, state)| state.jobs.get(&job) == Some(&attempt))?;
        Some(self.end(worker).into_iter().filter(|(other, _)| *other != job).collect())
    }

    /// Ends a worker; gives the jobs it had.
    pub(super) fn end(&mut self, worker: WorkerId) -> Vec<(JobId, Attempt)> {
        let Some(state) = self.workers.remove(&worker) else { return Vec::new() };
        self.ports.end(worker);
        state.jobs.into_iter().collect()
    }

    /// The attempts that workers have.
    pub(super) fn at_work(&self) -> Vec<(JobId, Attempt)> {
        self.workers.values().flat_map(|state| state.jobs.iter().map(|(job, attempt)| (*job, *attempt))).collect()
    }

    /// Ends all workers, and forgets what waits for one.
    pub(super) fn end_all(&mut self) {
        self.backlog.clear();
        for worker in self.workers.keys().copied().collect::<Vec<_>>() {
            self.end(worker);
        }
    }

    /// Jobs that it holds, in workers and before them.
    pub(super) fn census(&self) -> usize {
        self.backlog.len() + self.workers.values().map(|state| state.jobs.len() + state.outbox.len()).sum::<usize>()
    }

    /// Gives the jobs of the backlog another chance, after a worker ended.
    pub(super) fn refill(&mut self) {
        self.hand_out();
    }
}

/// What became of a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Nothing of the job is running any more.
    Over,
    /// The worker was asked; it answers at the job's next checkpoint.
    Asked,
}
