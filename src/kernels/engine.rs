use std::fmt;

use futures_util::future::LocalBoxFuture;

use super::nn::TileChoices;
use super::{Buffer, Kernel, Recording};
use crate::value::{EngineInfo, Error, ErrorKind, Time};

/// What a long computation needs from its caller: a clock, and the moments at which it may be cancelled.
pub trait Control {
    /// Now, on the role's monotonic clock.
    fn now(&self) -> Time;

    /// A turn of the event loop: the only point at which a cancel gets through. After a cancel it never resolves,
    /// and the caller's future is dropped.
    fn checkpoint(&self) -> LocalBoxFuture<'_, ()>;
}

/// Why an engine could not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineError {
    /// The device is gone; a new engine may work.
    Lost(String),
    /// More memory than there is, or than the limits allow.
    Memory {
        /// What was asked for, in bytes.
        asked: u64,
        /// The most that one buffer can have, in bytes; 0 where it is not known.
        most: u64,
    },
    /// The kernel has no twin and the engine is the CPU's.
    NeedsGpu(&'static str),
    /// The shader or a dispatch was refused: the kernel's name and the reason.
    Refused {
        /// The kernel's name.
        kernel: String,
        /// The reason.
        why: String,
    },
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(why) => {
                write!(f, "The GPU stopped answering ({why}). Try again; close other tabs that use the GPU.")
            }
            Self::Memory { asked, most: 0 } => {
                write!(f, "This needs {} MiB more memory than is free. Choose a smaller size.", asked >> 20)
            }
            Self::Memory { asked, most } => write!(
                f,
                "This needs a buffer of {} MiB; the GPU allows {} MiB. Choose a smaller size.",
                asked >> 20,
                most >> 20
            ),
            Self::NeedsGpu(kernel) => {
                write!(
                    f,
                    "this handler needs WebGPU (its kernel `{kernel}` has no CPU twin). Use a browser with WebGPU."
                )
            }
            Self::Refused { kernel, why } => write!(f, "The kernel `{kernel}` was refused: {why}"),
        }
    }
}

impl std::error::Error for EngineError {}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        let kind = match error {
            EngineError::Lost(_) => ErrorKind::DeviceLost,
            // What no limit forbids may be there another time.
            EngineError::Memory { most: 0, .. } => ErrorKind::OutOfMemory,
            _ => ErrorKind::Message,
        };
        Self::of(kind, error.to_string())
    }
}

/// Runs recordings.
///
/// Dropping a future of `run` or `read` stops it between two submits; what was submitted goes on until
/// [`Engine::idle`] resolves.
pub trait Engine {
    /// What this engine is.
    fn info(&self) -> &EngineInfo;

    /// Which variants of kernels are recorded for this engine: the defaults, or what [`Engine::choose`] was given.
    fn choices(&self) -> TileChoices {
        TileChoices::default()
    }

    /// Keeps what was found to be the fastest here; an engine without variants does nothing.
    fn choose(&self, _: TileChoices) {}

    /// Whether a kernel runs at once: what compiles a kernel's shader says no until it has.
    fn is_ready(&self, _: &'static Kernel) -> bool {
        true
    }

    /// Compiles a kernel's shader where that is not done. [`Engine::run`] does it, too, but without a turn of the event loop
    /// between two kernels, and nobody is told.
    ///
    /// # Errors
    /// [`EngineError::Refused`], [`EngineError::Lost`].
    fn prepare<'a>(&'a self, _: &'static Kernel) -> LocalBoxFuture<'a, Result<(), EngineError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// A zeroed buffer of `words` 32-bit words; at least one is made.
    ///
    /// # Errors
    /// [`EngineError::Memory`] beyond the limits, [`EngineError::Lost`].
    fn buffer(&self, label: &str, words: usize) -> Result<Buffer, EngineError>;

    /// Runs a recording in submits of well under 100 ms, with a checkpoint between them; resolves when all of it
    /// has been computed.
    ///
    /// # Errors
    /// See [`EngineError`].
    fn run<'a>(
        &'a self,
        recording: &'a Recording,
        control: &'a dyn Control,
    ) -> LocalBoxFuture<'a, Result<(), EngineError>>;

    /// The buffer's words.
    ///
    /// # Errors
    /// [`EngineError::Lost`], [`EngineError::Memory`].
    fn read<'a>(&'a self, buffer: &'a Buffer) -> LocalBoxFuture<'a, Result<Vec<u32>, EngineError>>;

    /// Resolves when nothing that was submitted is still computing, also after the device was lost.
    fn idle(&self) -> LocalBoxFuture<'_, ()>;
}
