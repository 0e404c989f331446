//! What is collected for the next put into the log, and what waits until it is written.

use std::collections::VecDeque;
use std::rc::Rc;

use super::held::Ending;
use super::stored::{Batch, Record};
use super::view::Told;
use crate::ids::{Attempt, JobId};
use crate::ports::{Log, Put};

/// The log is begun anew once it has grown by so much, or by twice what the whole takes.
const WHOLE_AFTER: usize = 256 * 1024;

/// What is done once all that came before it is written.
pub(super) enum Todo {
    /// Give attempts to a worker, in one call.
    Start(Vec<(JobId, Attempt)>),
    /// Tell who submitted it.
    Tell(u64, Told),
    /// Tell the other tabs.
    Send(Vec<u8>),
    /// Let this page see that a job ended, and of its own how.
    Show(Box<Ending>),
    /// Tell who observes.
    See(&'static str, JobId),
}

/// A put on its way.
pub(super) struct Flight {
    pub(super) log: Rc<dyn Log>,
    pub(super) put: Put,
    pub(super) number: (u64, u64),
}

/// The write-ahead side of the queue. One put is on its way at a time; what comes meanwhile goes into the next.
pub(super) struct Book {
    /// `None`: nothing is kept, and nothing waits.
    pub(super) log: Option<Rc<dyn Log>>,
    pub(super) batch: Batch,
    pub(super) values: Vec<(u64, Vec<u8>)>,
    pub(super) dropped: Vec<u64>,
    /// The next put is to be the whole.
    pub(super) whole: bool,
    flying: bool,
    /// Puts of an earlier lead do not count.
    lead: u64,
    /// The put that is being collected.
    collected: u64,
    written: u64,
    waiting: VecDeque<(u64, Todo)>,
    grown: usize,
    whole_size: usize,
}

impl Book {
    pub(super) fn new() -> Self {
        Self {
            log: None,
            batch: Batch::default(),
            values: Vec::new(),
            dropped: Vec::new(),
            whole: false,
            flying: false,
            lead: 0,
            collected: 1,
            written: 0,
            waiting: VecDeque::new(),
            grown: 0,
            whole_size: 0,
        }
    }

    /// Begins anew, with this log or none.
    pub(super) fn open(&mut self, log: Option<Rc<dyn Log>>) {
        *self = Self { lead: self.lead + 1, whole: log.is_some(), log, ..Self::new() };
    }

    /// Waits for all that has been collected so far.
    pub(super) fn after(&mut self, todo: Todo) {
        let nothing_new = self.batch.is_empty() && !self.whole;
        let number = if nothing_new { self.collected - 1 } else { self.collected };
        self.waiting.push_back((number, todo));
    }

    /// A long value is wanted no more; `apart` says whether it stands apart at all.
    pub(super) fn drop_value(&mut self, apart: bool, key: u64) {
        if apart && self.log.is_some() {
            self.dropped.push(key);
        }
    }

    /// Takes back a start that has not happened.
    pub(super) fn take_back(&mut self, job: JobId, attempt: Attempt) -> bool {
        self.waiting.iter_mut().any(|(_, todo)| {
            let Todo::Start(jobs) = todo else { return false };
            let before = jobs.len();
            jobs.retain(|&other| other != (job, attempt));
            jobs.len() < before
        })
    }

    /// What may be done now.
    pub(super) fn next_todo(&mut self) -> Option<Todo> {
        let kept = self.log.is_some();
        let written = self.written;
        self.waiting.pop_front_if(|(number, _)| !kept || *number <= written).map(|(_, todo)| todo)
    }

    /// Whether there is something to write, and nothing on its way.
    pub(super) fn is_due(&self) -> bool {
        self.log.is_some() && !self.flying && (self.whole || !self.batch.is_empty() || !self.dropped.is_empty())
    }

    /// Whether the log has grown too long.
    pub(super) fn is_long(&self) -> bool {
        self.grown > WHOLE_AFTER.max(2 * self.whole_size)
    }

    /// The next put, and by what to say that it is written. A `whole` takes the place of what was collected.
    pub(super) fn put(&mut self, whole: Option<Record>) -> Option<Flight> {
        let log = self.log.clone()?;
        let batch = std::mem::take(&mut self.batch);
        let is_whole = whole.is_some();
        let record = whole.unwrap_or(Record::Batch(batch)).to_bytes();
        if is_whole {
            (self.whole, self.grown, self.whole_size) = (false, 0, record.len());
        } else {
            self.grown += record.len();
        }
        let put = Put {
            whole: is_whole,
            record,
            values: std::mem::take(&mut self.values),
            dropped: std::mem::take(&mut self.dropped),
        };
        self.flying = true;
        let number = self.collected;
        self.collected += 1;
        Some(Flight { log, put, number: (self.lead, number) })
    }

    /// A put is written; `false` for one of an earlier lead.
    pub(super) fn written(&mut self, (lead, number): (u64, u64)) -> bool {
        if lead != self.lead {
            return false;
        }
        self.flying = false;
        self.written = number;
        true
    }

    /// How many entries wait.
    pub(super) fn census(&self) -> usize {
        self.waiting.len() + self.batch.facts.len() + self.batch.given.len() + self.batch.gave.len() + self.values.len()
    }
}
