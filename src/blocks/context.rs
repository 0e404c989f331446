use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use super::handler::Outcome;
use super::payload::Payloads;
use crate::ids::JobId;
use crate::kernels::Control;
#[cfg(feature = "pictures")]
use crate::kernels::Engine;
#[cfg(feature = "pictures")]
use crate::ports::Files;
use crate::ports::Observer;
use crate::value::{Error, NoteLevel, Picture, Progress, Time, Value};

/// What a worker gives a running job; a [`Context`] is made of one.
pub trait Job {
    /// The job's id.
    fn id(&self) -> JobId;

    /// The seed that the queue gave to this job; the same at each attempt.
    fn seed(&self) -> u64;

    /// Now, on the worker's clock.
    fn now(&self) -> Time;

    /// Reports progress.
    fn progress(&self, progress: Progress);

    /// Shows values in the outputs; `None` leaves an output as it is.
    fn partial(&self, outputs: Vec<Option<Value>>);

    /// How many outputs there are, and which of them are Images.
    fn image_outputs(&self) -> Vec<bool>;

    /// Whether a preview would be shown now.
    fn wants_preview(&self) -> bool;

    /// Shows a message.
    fn note(&self, level: NoteLevel, text: String);

    /// The cancel point.
    fn checkpoint(&self) -> LocalBoxFuture<'_, ()>;

    /// The cancel point after so long.
    fn pause(&self, time: Duration) -> LocalBoxFuture<'_, ()>;

    /// The engine that the page chose.
    #[cfg(feature = "pictures")]
    fn engine(&self) -> LocalBoxFuture<'_, Result<Rc<dyn Engine>, Error>>;

    /// The files below an address.
    #[cfg(feature = "pictures")]
    fn files(&self, address: &str) -> Rc<dyn Files>;

    /// A text that was remembered on this machine.
    fn recall(&self, key: &str) -> Option<String>;

    /// Remembers a text on this machine, for this app.
    fn remember(&self, key: &str, text: String);

    /// Asks the browser to keep what this app stores.
    fn persist(&self);
}

/// What a running handler can ask for and say. It comes last among a handler's arguments, or not at all.
///
/// ```
/// use gradus::prelude::*;
///
/// async fn count(to: f64, ctx: Context) -> Result<String, Error> {
///     for n in 0..to as u64 {
///         ctx.progress(Progress::step(n, to as u64).unit("numbers"));
///         ctx.partial((format!("{n} …"),))?;
///         ctx.checkpoint().await;
///     }
///     Ok("done".into())
/// }
/// ```
#[derive(Clone)]
pub struct Context {
    job: Rc<dyn Job>,
    random: Rc<RefCell<u64>>,
}

impl Context {
    /// For workers: the context of a job.
    #[must_use]
    pub fn new(job: Rc<dyn Job>) -> Self {
        let random = Rc::new(RefCell::new(job.seed()));
        Self { job, random }
    }

    /// The job's id.
    #[must_use]
    pub fn job_id(&self) -> JobId {
        self.job.id()
    }

    /// Says how far the work is: `ctx.progress(Progress::step(3, 20))`, or a fraction.
    pub fn progress(&self, progress: Progress) {
        self.job.progress(progress);
    }

    /// Shows partial results: a tuple with one value for each output.
    ///
    /// # Errors
    /// When there are not as many values as outputs. A wrong type is told by the page at the output.
    pub fn partial<V: Payloads>(&self, outputs: V) -> Result<(), Error> {
        let values = outputs.into_values();
        let expected = self.job.image_outputs().len();
        if values.len() != expected {
            return Err(Error::new(format!(
                "ctx.partial(..) was given {} values where the listener has {expected} outputs.",
                values.len()
            )));
        }
        self.job.partial(values.into_iter().map(Some).collect());
        Ok(())
    }

    /// Tells the visitor something that is good to know.
    pub fn info(&self, text: impl Into<String>) {
        self.job.note(NoteLevel::Info, text.into());
    }

    /// Tells the visitor that the result may not be what was meant.
    pub fn warning(&self, text: impl Into<String>) {
        self.job.note(NoteLevel::Warning, text.into());
    }

    /// Tells the visitor that something went well.
    pub fn success(&self, text: impl Into<String>) {
        self.job.note(NoteLevel::Success, text.into());
    }

    /// Tells the visitor that something failed, while the handler goes on.
    pub fn error(&self, text: impl Into<String>) {
        self.job.note(NoteLevel::Error, text.into());
    }

    /// The items one by one, with progress counted in `unit`.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// async fn shout(text: String, ctx: Context) -> String {
    ///     let words: Vec<&str> = text.split(' ').collect();
    ///     let mut loud = Vec::new();
    ///     for word in ctx.track(words, "words") {
    ///         loud.push(word.to_uppercase());
    ///         ctx.checkpoint().await;
    ///     }
    ///     loud.join(" ")
    /// }
    /// ```
    pub fn track<I>(&self, items: I, unit: &str) -> impl Iterator<Item = I::Item> + use<I>
    where
        I: IntoIterator,
        I::IntoIter: ExactSizeIterator,
    {
        let (items, job, unit) = (items.into_iter(), Rc::clone(&self.job), unit.to_owned());
        let total = items.len() as u64;
        (0..).zip(items).map(move |(done, item)| {
            job.progress(Progress::step(done, total).unit(unit.clone()));
            item
        })
    }

    /// The one cancel point: lets the worker take its turn, and never resolves once the job was cancelled (the
    /// handler is dropped there). Long computations take it at least every 16 ms; the engines do so by themselves.
    pub async fn checkpoint(&self) {
        self.job.checkpoint().await;
    }

    /// Waits, for others to do something; a [`checkpoint`](Self::checkpoint) that costs nothing meanwhile.
    pub async fn pause(&self, time: Duration) {
        self.job.pause(time).await;
    }

    /// The engine that computes for this page: the visitor's GPU, or the processor where there is no WebGPU.
    ///
    /// # Errors
    /// When neither can be had.
    #[cfg(feature = "pictures")]
    pub async fn engine(&self) -> Result<Rc<dyn Engine>, Error> {
        self.job.engine().await
    }

    /// The files below an address, such as a model's: `models/scenes` beside the page, or `https://…`. What was read once
    /// is kept on this machine, in pieces, so that a download goes on where it was cut off.
    #[cfg(feature = "pictures")]
    #[must_use]
    pub fn files(&self, address: &str) -> Rc<dyn Files> {
        self.job.files(address)
    }

    /// The next of this job's random numbers: the same row at each attempt of a job, another for each job.
    ///
    /// The generator is SplitMix64 (Steele, Lea & Flood, 2014).
    #[must_use]
    pub fn random(&self) -> u64 {
        let mut state = self.random.borrow_mut();
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A text that this app remembered on this machine under `key`.
    #[must_use]
    pub fn recall(&self, key: &str) -> Option<String> {
        self.job.recall(key)
    }

    /// Remembers a text on this machine, for this app; where nothing can be kept, for this visit.
    pub fn remember(&self, key: &str, text: impl Into<String>) {
        self.job.remember(key, text.into());
    }

    /// Asks the browser not to remove what this app keeps when the machine runs short of room; some ask the visitor.
    pub fn persist(&self) {
        self.job.persist();
    }
}

impl Control for Context {
    fn now(&self) -> Time {
        self.job.now()
    }

    fn checkpoint(&self) -> LocalBoxFuture<'_, ()> {
        self.job.checkpoint()
    }
}

impl Observer for Context {
    fn progress(&self, progress: Progress) {
        self.job.progress(progress);
    }

    fn wants_preview(&self) -> bool {
        self.job.wants_preview()
    }

    fn preview(&self, picture: Picture) {
        let images = self.job.image_outputs();
        let shown = images.into_iter().map(|image| image.then(|| Value::Picture(picture.clone())));
        self.job.partial(shown.collect());
    }

    fn note(&self, level: NoteLevel, text: String) {
        self.job.note(level, text);
    }
}

/// For workers: what a call gave, brought to one set of values an output.
///
/// # Errors
/// When a handler gave another number of values than there are outputs.
pub fn fit(outcome: Outcome, outputs: usize) -> Outcome {
    let values = outcome?;
    if values.len() == outputs {
        Ok(values)
    } else {
        Err(Error::new(format!("The handler gave {} values for {outputs} outputs.", values.len())))
    }
}
