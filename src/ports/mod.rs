//! The world as traits: everything outside is reached through one of these, and each has an in-memory twin.
//!
//! PURE. May name `value` and `ids` only. The twins are in [`memory`]; the browser's are in `browser`.

pub mod memory;
mod origin;

use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use crate::ids::WorkerId;
use crate::value::{Error, NoteLevel, Picture, Progress, Time};

/// Reads the role's monotonic clock.
pub trait Clock {
    /// Now.
    fn now(&self) -> Time;
}

/// Wakes later.
pub trait Timer {
    /// Resolves after `delay`.
    fn sleep(&self, delay: Duration) -> LocalBoxFuture<'static, ()>;

    /// Resolves after one turn of the event loop: messages that had arrived have been handled by then.
    fn turn(&self) -> LocalBoxFuture<'static, ()>;
}

/// Runs a future to its end beside others of the same role.
pub trait Spawn {
    /// Starts polling `task`; soon, never within this call.
    fn spawn(&self, task: LocalBoxFuture<'static, ()>);
}

/// One end of an ordered channel of byte messages between page and worker.
pub trait Link {
    /// Sends one message; it arrives whole, after those sent before it, or never when the other end is gone.
    fn send(&self, message: Vec<u8>);
}

/// What a worker's end of the world tells the page.
#[derive(Debug)]
pub enum WorkerSignal {
    /// A message of the worker role.
    Message(Vec<u8>),
    /// The worker could not be started or broke outside of a handler; the reason.
    Broken(String),
    /// The worker takes its time to start, and why, in words for the visitor.
    Late(String),
}

/// How the page hears from a worker.
pub type WorkerListener = Rc<dyn Fn(WorkerId, WorkerSignal)>;

/// Starts and ends workers.
pub trait Workers {
    /// Starts a worker; its signals go to `listener`, never within this call. Dropping the link does not end it.
    fn start(&self, worker: WorkerId, listener: WorkerListener) -> Rc<dyn Link>;

    /// Ends a worker at once, whatever it does; no signal follows.
    fn end(&self, worker: WorkerId);

    /// How many processor cores the machine says it has; at least 1.
    fn cores(&self) -> usize;
}

/// Small texts kept between visits under the app's name.
pub trait Store {
    /// The text under `key`, if any was kept.
    fn get(&self, key: &str) -> Option<String>;

    /// Keeps `text` under `key`; where nothing can be kept (private mode), nothing happens and the app works on.
    fn set(&self, key: &str, text: &str);

    /// The text that this tab kept under `key`: over its reloads, not over its end.
    fn get_in_tab(&self, _key: &str) -> Option<String> {
        None
    }

    /// Keeps `text` for this tab; where nothing can be kept, nothing happens.
    fn set_in_tab(&self, _key: &str, _text: &str) {}

    /// Asks that nothing of this origin is removed when the machine runs short of room; it may be refused.
    fn persist(&self) {}
}

/// One put into the log: all of it is written, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Put {
    /// Everything written before goes, and only this record and these values stay.
    pub whole: bool,
    /// The record.
    pub record: Vec<u8>,
    /// Large values that stand apart, under their keys.
    pub values: Vec<(u64, Vec<u8>)>,
    /// Large values that go, after those of this put are there.
    pub dropped: Vec<u64>,
}

/// What a log holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The records in the order in which they were written.
    pub records: Vec<Vec<u8>>,
    /// The large values.
    pub values: Vec<(u64, Vec<u8>)>,
}

/// Why a log took nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogError {
    /// Another has opened it since: this one may write no more.
    Fenced,
    /// It is full, blocked or broken; what the browser says.
    Failed(String),
}

/// Records that outlive the page. Only who opened it last may write.
pub trait Log {
    /// Opens it, shuts out whoever had it open, and reads it.
    fn open(&self) -> LocalBoxFuture<'static, Result<Found, LogError>>;

    /// Writes; resolves once it is written.
    fn put(&self, put: Put) -> LocalBoxFuture<'static, Result<(), LogError>>;
}

/// What the tabs of one app hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TabSignal {
    /// This tab leads from now on.
    Lead,
    /// Another tab said this.
    Message(Vec<u8>),
    /// The page is about to be frozen or left: the last moment to act.
    Rest,
    /// The page is back.
    Wake,
}

/// The tabs of one app in one browser. At most one leads.
pub trait Tabs {
    /// How this tab hears; never within a call of its own.
    fn listen(&self, listener: Rc<dyn Fn(TabSignal)>);

    /// Wants to lead: [`TabSignal::Lead`] follows once no other tab does.
    fn stand(&self);

    /// Leads no more, and does not want to.
    fn resign(&self);

    /// Says something to all other tabs.
    fn send(&self, message: Vec<u8>);
}

/// Files by path, as a model's checkpoint is made of; read in pieces, as they may be larger than memory.
pub trait Files {
    /// The file's size in bytes; none where there is no such file.
    fn size<'a>(&'a self, path: &'a str) -> LocalBoxFuture<'a, Result<Option<u64>, Error>>;

    /// These bytes of a file, all of them.
    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> LocalBoxFuture<'a, Result<Vec<u8>, Error>>;

    /// Sees to it that these bytes are kept on this machine, where files are.
    fn keep<'a>(&'a self, path: &'a str, range: Range<u64>) -> LocalBoxFuture<'a, Result<(), Error>> {
        Box::pin(async { self.read(path, range).await.map(drop) })
    }

    /// What is kept of these files on this machine, beside where they come from: nothing unless said.
    fn kept(&self) -> LocalBoxFuture<'_, Result<Kept, Error>> {
        Box::pin(std::future::ready(Ok(Kept::default())))
    }

    /// Removes what is kept of them.
    fn forget(&self) -> LocalBoxFuture<'_, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// What is kept of some files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Bytes of these files.
    pub bytes: u64,
    /// Bytes of all that this page's origin keeps.
    pub used: u64,
    /// Bytes that it may keep in all; none where that is not told.
    pub room: Option<u64>,
}

/// Who watches a long computation: a running job's context, or a test.
pub trait Observer {
    /// How far it is.
    fn progress(&self, progress: Progress);

    /// Whether a preview would be shown now; making one costs a read-back.
    fn wants_preview(&self) -> bool;

    /// The picture as it is so far, full size.
    fn preview(&self, picture: Picture);

    /// A message for the visitor.
    fn note(&self, level: NoteLevel, text: String);
}
