//! Messages between page and worker, as bytes.
//!
//! PURE. May name `value` and `ids`. The format is postcard's: both ends come from the same build, so it carries no
//! schema; what does not decode is refused.

use serde::{Deserialize, Serialize};

use crate::ids::{Attempt, JobId, ListenerId};
use crate::value::{EngineInfo, Error, NoteLevel, Progress, Value};

/// Which engine the page asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EngineChoice {
    /// The GPU where it is a real one, else the processor.
    #[default]
    Auto,
    /// The GPU, a software one too.
    Gpu,
    /// The processor.
    Cpu,
    /// The GPU, a software one too, that computes nothing in halves.
    Floats,
}

/// A job on its way to a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobToRun {
    /// Which job.
    pub job: JobId,
    /// Which attempt.
    pub attempt: Attempt,
    /// The values of its inputs.
    pub inputs: Vec<Value>,
    /// The seed of its random numbers.
    pub seed: u64,
}

/// From the page to a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    /// The first message.
    Boot {
        /// The page's [`crate::blocks::App::hash`].
        app: u64,
        /// Which engine.
        engine: EngineChoice,
        /// The texts that this app remembered on this machine.
        memory: Vec<(String, String)>,
    },
    /// Run a job, or several at once where the handler takes several.
    Run {
        /// Whose handler.
        listener: ListenerId,
        /// The jobs.
        jobs: Vec<JobToRun>,
    },
    /// Stop a job at its next checkpoint.
    Cancel {
        /// Which job.
        job: JobId,
        /// Which attempt.
        attempt: Attempt,
    },
}

/// From a worker to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToPage {
    /// The worker is up and built the same app.
    Ready,
    /// The worker built another app; the reason.
    Refused(String),
    /// What computes; sent when known and when it changes.
    Engine(EngineInfo),
    /// Something about a job.
    Job {
        /// Which job.
        job: JobId,
        /// Which attempt.
        attempt: Attempt,
        /// What.
        news: News,
    },
    /// A handler panicked: this worker is broken.
    Panicked {
        /// The job that was being polled; `None` when it was none.
        blamed: Option<(JobId, Attempt)>,
        /// The panic's message.
        message: String,
    },
    /// Remember a text on this machine.
    Remember {
        /// Under this key.
        key: String,
        /// This text.
        text: String,
    },
    /// Ask the browser to keep what this origin stores.
    Persist,
}

/// What a worker says about a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum News {
    /// Its handler was called.
    Began,
    /// How far it is.
    Progress(Progress),
    /// Values for its outputs; `None` leaves one as it is.
    Partial(Vec<Option<Value>>),
    /// A message for the visitor.
    Note(NoteLevel, String),
    /// It ended by itself. Outputs that are `None` keep the last partial result.
    Ended(Result<Vec<Option<Value>>, Error>),
    /// It was cancelled and nothing of it is computing any more.
    Stopped,
}

/// A message that is not one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(String);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a message between page and worker could not be read ({}). Reload the page.", self.0)
    }
}

impl std::error::Error for Malformed {}

/// A message as bytes.
///
/// # Errors
/// [`Malformed`] when the serialiser refuses, which only an out-of-memory can cause.
///
/// ```
/// use gradus::wire::{ToPage, decode, encode};
/// let bytes = encode(&ToPage::Ready)?;
/// assert_eq!(decode::<ToPage>(&bytes)?, ToPage::Ready);
/// assert!(decode::<ToPage>(&[255, 255]).is_err());
/// # Ok::<(), gradus::wire::Malformed>(())
/// ```
pub fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, Malformed> {
    postcard::to_allocvec(message).map_err(|error| Malformed(error.to_string()))
}

/// The message in the bytes.
///
/// # Errors
/// [`Malformed`] when they hold none.
pub fn decode<M: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<M, Malformed> {
    postcard::from_bytes(bytes).map_err(|error| Malformed(error.to_string()))
}
