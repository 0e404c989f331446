//! What the page draws: plain data, made anew when something changed.

use std::sync::Arc;
use std::time::Duration;

use crate::ids::{ComponentId, JobId, ListenerId};
pub use crate::queue::{End, Refused};
use crate::value::{EngineInfo, NoteLevel, Picture, Value};

/// A component as it is now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ComponentView {
    /// What it holds.
    pub value: Value,
    /// What a handler gave a Dropdown to choose from; none: what it was built with.
    pub choices: Option<Arc<[String]>>,
    /// Rises with every change of the value that the page made by itself (a result, a partial result), so that a
    /// view need not compare pictures, and does not write back what the visitor is typing.
    pub version: u64,
    /// Why the visitor's value was refused; shown at the component until the value changes.
    pub error: Option<String>,
    /// What the jobs that write it are at; `None` before the first.
    pub status: Option<Status>,
}

/// The state of a job as an output shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Which job.
    pub job: JobId,
    /// Where it is.
    pub phase: Phase,
    /// The words: "queue: 2/5 | 12.3s", "processing | 0.6/1.0s", "3/20 steps", an error's message.
    pub text: String,
    /// The share done of a running job, 0 to 1, where it is known.
    pub progress: Option<f32>,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// In its lane's row.
    Waiting,
    /// Handed to a worker that has begun.
    Running,
    /// Asked to stop; its slot is not free yet.
    Stopping,
    /// Ended with a result.
    Done,
    /// Ended with an error.
    Failed,
    /// Ended by a cancel.
    Cancelled,
}

/// The queue as the panel draws it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PanelView {
    /// The lanes in the order of the app.
    pub lanes: Vec<LaneView>,
    /// Jobs waiting in all lanes.
    pub waiting: usize,
    /// Jobs running in all lanes.
    pub running: usize,
    /// The last few jobs that ended, newest first.
    pub ended: Vec<EndedView>,
    /// What computes; `None` until the worker has said.
    pub engine: Option<EngineInfo>,
}

/// One lane: its slots side by side and the jobs that wait behind them.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneView {
    /// The `concurrency_id`, or the listener's name.
    pub name: String,
    /// What the listeners are called on the page ("Generate Image"), without doubles.
    pub listeners: Vec<String>,
    /// How many slots; `None` is no limit.
    pub count: Option<usize>,
    /// Only the page itself sets its listeners off, or they run beside the lanes: of no interest while nothing of it runs.
    pub quiet: bool,
    /// The jobs in slots, in the order in which they began.
    pub busy: Vec<SlotView>,
    /// The first waiting jobs in order.
    pub waiting: Vec<WaitingView>,
    /// How many more wait.
    pub more: usize,
    /// It starts nothing.
    pub paused: bool,
    /// What a run of its listeners takes and how much that varies, where that is known.
    pub run: Option<(Duration, Option<Duration>)>,
}

/// A job in a slot.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotView {
    /// Which job.
    pub job: JobId,
    /// What its listener is called on the page.
    pub listener: String,
    /// Running or Stopping.
    pub phase: Phase,
    /// "3/20 steps", "processing".
    pub text: String,
    /// The share done, 0 to 1, where it is known.
    pub progress: Option<f32>,
    /// Since it began.
    pub elapsed: Duration,
    /// Its latest partial picture, if there is one.
    pub preview: Option<Picture>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// A job that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitingView {
    /// Which job.
    pub job: JobId,
    /// What its listener is called on the page.
    pub listener: String,
    /// 1 is next.
    pub position: usize,
    /// How long until it is done, where that can be estimated.
    pub estimate: Option<Duration>,
    /// It has a slot and waits for a worker.
    pub starting: bool,
    /// It failed by nobody's fault and begins again in so long.
    pub again_in: Option<Duration>,
    /// Which attempt comes next, from 1.
    pub attempt: u32,
}

/// A job that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedView {
    /// Which job.
    pub job: JobId,
    /// What its listener is called on the page.
    pub listener: String,
    /// Done, Failed or Cancelled.
    pub phase: Phase,
    /// How long it ran; zero when it never began.
    pub took: Duration,
    /// It failed, and can be run again.
    pub retry: bool,
    /// This tab submitted it.
    pub own: bool,
    /// The error's message of a failed one.
    pub error: Option<String>,
}

/// A message for the visitor, shown as a toast.
#[derive(Clone, Debug, PartialEq)]
pub struct Toast {
    /// How loudly.
    pub level: NoteLevel,
    /// The words.
    pub text: String,
    /// The listener whose event was refused for want of room, and can be tried again.
    pub retry: Option<ListenerId>,
}

impl Toast {
    /// A message with nothing to press.
    #[must_use]
    pub fn new(level: NoteLevel, text: String) -> Self {
        Self { level, text, retry: None }
    }
}

/// What became of a submit.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// It is a job, and written down.
    Accepted(JobId),
    /// It was refused.
    Refused(Refused),
    /// The job has given these so far; `None` leaves an output as it was.
    Partial(Vec<Option<Value>>),
    /// The job ended, and gave this.
    Ended(End, Vec<Option<Value>>),
}

/// Who is told what becomes of a submit.
pub type Watcher = std::rc::Rc<dyn Fn(Told)>;

/// What changed since the last look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Components with a new value, error or status.
    pub components: Vec<ComponentId>,
    /// The panel changed.
    pub panel: bool,
    /// New messages.
    pub toasts: Vec<Toast>,
    /// Texts of messages that are no longer true.
    pub past: Vec<String>,
}
