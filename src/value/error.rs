use serde::{Deserialize, Serialize};

/// What kind of failure this is, where the queue or the page must treat it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorKind {
    /// Shown to the visitor as it is.
    Message,
    /// The GPU was lost under the job.
    DeviceLost,
    /// The handler panicked.
    Panic,
    /// The job was cancelled.
    Cancelled,
    /// It took longer than its time limit.
    Timeout,
    /// There was not enough memory for it just then.
    OutOfMemory,
    /// Its worker broke, by nobody's fault that is known.
    WorkerDied,
    /// The page went away while it ran.
    Interrupted,
}

impl ErrorKind {
    /// Whether another attempt may well succeed.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::DeviceLost | Self::OutOfMemory | Self::WorkerDied)
    }
}

/// Why a handler gave no result: a message for the visitor, saying what happened and what to do.
///
/// ```
/// use gradus::Error;
/// let error = Error::new("The picture is too large. Choose at most 2048 pixels a side.");
/// assert!(error.to_string().contains("2048"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    /// An error with a message for the visitor.
    pub fn new(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Message, message)
    }

    /// An error of a kind that the queue or the page treats apart.
    pub fn of(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Which kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message alone.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
