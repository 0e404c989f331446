//! What tabs say to each other.

use serde::{Deserialize, Serialize};

use super::stored::{Inputs, Whole};
use crate::ids::{Attempt, JobId, LaneId, ListenerId, SessionId};
use crate::queue::{Fact, Move, Refused};
use crate::value::{EngineInfo, NoteLevel, Progress, SortedSet, Value};

/// Something that is to be done with the queue, by whoever leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Command {
    Submit(Submit),
    Cancel(JobId),
    CancelWaiting(LaneId),
    Pause(LaneId, bool),
    Move(JobId, Move),
}

/// A run that a page asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Submit {
    pub(super) session: SessionId,
    /// By which its page knows it.
    pub(super) token: u64,
    pub(super) listener: ListenerId,
    pub(super) raise: i32,
    pub(super) inputs: Inputs,
    /// It may have been taken already, by one that led before.
    pub(super) again: bool,
}

/// What tabs say to each other. Each message carries the hash of its sender's app before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Message {
    /// To the one that leads: a tab has come.
    Hello(SessionId),
    /// To the one that leads: a tab has gone.
    Bye(SessionId),
    /// To the one that leads.
    Command(Command),
    /// Of the one that leads: it does from now on.
    Leads,
    /// To a tab that has come: the queue as it is.
    Whole(SessionId, Box<Whole>, Option<EngineInfo>),
    /// Of the one that leads: what computes, once it is known.
    Engine(EngineInfo),
    /// Of the one that leads: what came true, and is written.
    News(News),
    /// To one tab: its submit was refused.
    Refused(SessionId, u64, Refused),
    /// Of the one that leads: what a worker says.
    Said(JobId, Attempt, Said),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct News {
    pub(super) facts: Vec<Fact>,
    /// Whose submits became which jobs.
    pub(super) taken: Vec<(SessionId, u64, JobId)>,
    pub(super) gave: Vec<(JobId, Vec<Option<Value>>)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Said {
    Began,
    Progress(Progress),
    Partial(Vec<Option<Value>>),
    Note(NoteLevel, String),
}

/// What the other tabs are to be told once it is written.
#[derive(Default)]
pub(super) struct Audience {
    pub(super) tabs: SortedSet<SessionId>,
    pub(super) news: News,
}
