//! What is written into the log, and what a tab tells another that has just come: the same data.
//!
//! A record is a version, then postcard. Ids of listeners, lanes and components are those of the build that wrote the
//! last [`Whole`], which names them; every page that opens a log begins it anew with one of its own.

use serde::{Deserialize, Serialize};

use crate::blocks::App;
use crate::ids::{ComponentId, JobId, LaneId, ListenerId};
use crate::queue::{End, Fact, Kept};
use crate::value::Value;
use crate::wire;

/// Of the format; a record of another is not read. Version 1 is the first.
const VERSION: u8 = 1;

/// Values longer than this stand apart, so that the log need not be written again with them.
pub(super) const APART_FROM: usize = 8192;

/// Encoded values, in the record or apart from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Payload {
    Here(#[serde(with = "serde_bytes")] Vec<u8>),
    Apart,
}

/// What a job was given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Inputs {
    pub(super) values: Vec<Value>,
    /// What the components held that the links after it read.
    pub(super) context: Vec<(ComponentId, Value)>,
}

/// Who gave it, and what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Given {
    pub(super) job: JobId,
    /// By which its submitter knows it.
    pub(super) token: u64,
    pub(super) inputs: Payload,
}

/// What a job came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Over {
    pub(super) kept: Kept,
    pub(super) token: u64,
    pub(super) end: End,
    /// In microseconds.
    pub(super) took: u64,
    pub(super) outputs: Payload,
}

/// A job of a listener that this build does not have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stranger {
    pub(super) listener: (String, u64),
    pub(super) kept: Kept,
    pub(super) given: Given,
}

/// The whole queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Whole {
    /// The app's hash: that of another build counts its components otherwise.
    pub(super) app: u64,
    /// By index: api name and types.
    pub(super) listeners: Vec<(String, u64)>,
    /// By index.
    pub(super) lanes: Vec<String>,
    pub(super) next_job: u64,
    /// As [`crate::queue::Queue::restore`] takes them.
    pub(super) jobs: Vec<(Kept, Given)>,
    /// Those that a worker has begun.
    pub(super) begun: Vec<JobId>,
    pub(super) paused: Vec<LaneId>,
    /// Oldest first.
    pub(super) ended: Vec<Over>,
    pub(super) strangers: Vec<Stranger>,
}

/// What came true since the record before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Batch {
    pub(super) facts: Vec<Fact>,
    pub(super) given: Vec<Given>,
    pub(super) gave: Vec<(JobId, Payload)>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.given.is_empty() && self.gave.is_empty()
    }
}

/// One record of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Record {
    Whole(Whole),
    Batch(Batch),
}

impl Record {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Encoding fails only without memory; an empty record is one that cannot be read.
        let mut bytes = vec![VERSION];
        bytes.extend(wire::encode(self).unwrap_or_default());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&version, rest) = bytes.split_first()?;
        if version == VERSION { wire::decode(rest).ok() } else { None }
    }
}

/// Encodes what belongs to a job; what is long is put into `apart` under its key.
pub(super) fn payload<T: Serialize>(value: &T, key: u64, apart: Option<&mut Vec<(u64, Vec<u8>)>>) -> Payload {
    let bytes = wire::encode(value).unwrap_or_default();
    match apart {
        Some(apart) if bytes.len() > APART_FROM => {
            apart.push((key, bytes));
            Payload::Apart
        }
        _ => Payload::Here(bytes),
    }
}

/// Under which a job's inputs stand apart.
pub(super) fn inputs_key(job: JobId) -> u64 {
    job.0.wrapping_mul(2)
}

/// Under which a job's results stand apart.
pub(super) fn outputs_key(job: JobId) -> u64 {
    job.0.wrapping_mul(2) | 1
}

impl Payload {
    /// The bytes, from wherever they are.
    pub(super) fn bytes<'a>(&'a self, key: u64, apart: &'a [(u64, Vec<u8>)]) -> &'a [u8] {
        match self {
            Self::Here(bytes) => bytes,
            Self::Apart => apart.iter().find(|(other, _)| *other == key).map_or(&[], |(_, bytes)| bytes),
        }
    }

    /// With its bytes in itself.
    pub(super) fn here(self, key: u64, apart: &[(u64, Vec<u8>)]) -> Self {
        match self {
            Self::Here(_) => self,
            Self::Apart => Self::Here(self.bytes(key, apart).to_vec()),
        }
    }
}

/// Listeners and lanes as this build names them.
pub(super) fn names(app: &App) -> (Vec<(String, u64)>, Vec<String>) {
    let listeners = app.listeners().iter().map(|spec| (spec.key.api_name.clone(), spec.key.types)).collect();
    (listeners, app.lanes().iter().map(|lane| lane.name.clone()).collect())
}

/// From the ids of the build that wrote to those of this one.
pub(super) struct Translation {
    listeners: Vec<Option<ListenerId>>,
    lanes: Vec<Option<LaneId>>,
}

impl Translation {
    pub(super) fn new(app: &App, whole: &Whole) -> Self {
        let (listeners, lanes) = names(app);
        let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let find = |name: &(String, u64)| listeners.iter().position(|own| own == name).map(number).map(ListenerId);
        let lane = |name: &String| lanes.iter().position(|own| own == name).map(number).map(LaneId);
        Self { listeners: whole.listeners.iter().map(find).collect(), lanes: whole.lanes.iter().map(lane).collect() }
    }

    pub(super) fn listener(&self, old: ListenerId) -> Option<ListenerId> {
        self.listeners.get(old.0 as usize).copied().flatten()
    }

    pub(super) fn lane(&self, old: LaneId) -> Option<LaneId> {
        self.lanes.get(old.0 as usize).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_there_and_back() {
        let batch = Batch { gave: vec![(JobId(3), Payload::Here(vec![1, 2]))], ..Batch::default() };
        let record = Record::Batch(batch);
        let bytes = record.to_bytes();
        assert_eq!(Record::from_bytes(&bytes), Some(record));
        assert_eq!(Record::from_bytes(&[]), None);
        assert_eq!(Record::from_bytes(&[VERSION + 1, 0]), None);
        for end in 0..bytes.len() {
            assert_eq!(Record::from_bytes(&bytes[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn long_values_stand_apart() {
        let mut apart = Vec::new();
        let long = payload(&vec![Value::Text("x".repeat(APART_FROM))], 7, Some(&mut apart));
        assert!(long == Payload::Apart && apart[0].0 == 7);
        assert_eq!(long.clone().here(7, &apart), Payload::Here(apart[0].1.clone()));
        assert!(long.bytes(8, &apart).is_empty());
        assert_ne!(payload(&Value::Null, 7, Some(&mut apart)), Payload::Apart);
    }
}
