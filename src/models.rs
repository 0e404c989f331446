//! Checkpoints that handlers use by their address.
//!
//! PURE. May name `blocks`, `diffusion`, `kernels`, `ports` and `value`. How a checkpoint is read and run is in `diffusion`; here
//! is what keeps it loaded from one job to the next.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, LocalBoxFuture, select};

use crate::blocks::Context;
use crate::diffusion::loose::sorted;
use crate::diffusion::{Lora, Merge, Pipeline, Precision, Report, Request};
use crate::kernels::nn::{TileChoices, tune};
use crate::kernels::{Engine, EngineKind};
use crate::ports::{Files, Kept, Observer};
use crate::value::{Error, NoteLevel, Picture, Progress, decimal};

/// From so many bytes on the browser is asked not to throw away what was fetched.
const LARGE: u64 = 100_000_000;

/// With so much room every known model can be kept.
const ROOMY: u64 = 16_000_000_000;

/// How the addresses begin of what a visitor chose from the disk (`files.js`); no other files lie loose.
const CHOSEN: &str = "https://chosen.invalid/";

/// How often a download that waits for its server looks whether it is cancelled.
const CANCEL_EVERY: Duration = Duration::from_millis(100);

/// What is fetched at once of a download.
const PIECE: u64 = 4 << 20;

/// A checkpoint in diffusers' layout at an address: loaded when a job first needs it, and kept for the jobs after it.
///
/// ```
/// use gradus::models::Model;
/// use gradus::prelude::*;
///
/// thread_local! {
///     static SCENES: Model = Model::at("models/scenes");
/// }
///
/// async fn paint(prompt: String, ctx: Context) -> Result<Picture, Error> {
///     let loaded = SCENES.with(Model::clone).load(&ctx).await?;
///     let request = gradus::diffusion::Request { prompt, seed: ctx.random(), ..loaded.pipeline.usual_request() };
///     loaded.generate(&request, &ctx, &ctx).await?.pop().ok_or_else(|| Error::new("No picture was made."))
/// }
/// ```
#[derive(Clone)]
pub struct Model(Rc<Inner>);

/// Opens a LoRA file. As a closure it is only in pages that have one.
type Open = Rc<dyn Fn(&Context) -> LocalBoxFuture<'static, Result<Rc<dyn Merge>, Error>>>;
/// Sorts loose files; again as a pointer, so that it is only in pages that take some.
type Sort = fn(Rc<dyn Files>) -> LocalBoxFuture<'static, Result<Rc<dyn Files>, Error>>;

struct Inner {
    address: String,
    loras: Vec<Open>,
    precision: Precision,
    sort: Option<Sort>,
    loaded: RefCell<Option<Loaded>>,
    loading: Cell<bool>,
}

/// A checkpoint on the engine of this worker.
#[derive(Clone)]
pub struct Loaded {
    /// The checkpoint.
    pub pipeline: Rc<Pipeline>,
    engine: Rc<dyn Engine>,
}

impl Loaded {
    /// Makes pictures; the job's own context as `observer` shows progress and previews in its outputs.
    ///
    /// # Errors
    /// When the request is refused, or the engine fails.
    pub async fn generate(
        &self,
        request: &Request,
        ctx: &Context,
        observer: &dyn Observer,
    ) -> Result<Vec<Picture>, Error> {
        self.pipeline.generate(request, &*self.engine, ctx, observer).await
    }
}

impl Model {
    /// The checkpoint in the folder at `address`, relative to the page's own files where it is no whole address.
    #[must_use]
    pub fn at(address: &str) -> Self {
        Self::with(address.to_owned(), Vec::new(), Precision::AsStored, None)
    }

    fn with(address: String, loras: Vec<Open>, precision: Precision, sort: Option<Sort>) -> Self {
        Self(Rc::new(Inner { address, loras, precision, sort, loaded: RefCell::default(), loading: Cell::new(false) }))
    }

    /// The same checkpoint with the LoRA file at `address` merged into it as it is loaded, this strongly: 1 as it was
    /// trained, less for less of it, below 0 for the opposite. kohya's and diffusers' files can be read. Several add up.
    ///
    /// ```
    /// use gradus::models::Model;
    /// thread_local! {
    ///     static INK: Model = Model::at("models/scenes").lora("loras/ink.safetensors", 0.8);
    /// }
    /// ```
    #[must_use]
    pub fn lora(self, address: &str, weight: f32) -> Self {
        let mut loras = self.0.loras.clone();
        let (folder, name) = address.rsplit_once('/').unwrap_or((".", address));
        let (folder, name) = (folder.to_owned(), name.to_owned());
        loras.push(Rc::new(move |ctx| {
            let (files, name) = (ctx.files(&folder), name.clone());
            Box::pin(async move { Ok(Rc::new(Lora::open(files, &name, weight).await?) as Rc<dyn Merge>) })
        }));
        Self::with(self.0.address.clone(), loras, self.0.precision, self.0.sort)
    }

    /// The same checkpoint with its weights kept with this precision: with 8 bit a model of twice the size fits.
    ///
    /// ```
    /// use gradus::diffusion::Precision;
    /// use gradus::models::Model;
    /// thread_local! {
    ///     static LARGE: Model = Model::at("models/large").precision(Precision::EightBit);
    /// }
    /// ```
    #[must_use]
    pub fn precision(self, precision: Precision) -> Self {
        Self::with(self.0.address.clone(), self.0.loras.clone(), precision, self.0.sort)
    }

    /// The same checkpoint, whose files may lie loose at the address, as [`Folder::files`](crate::blocks::Folder::files) takes
    /// them in: what is in them tells where each belongs. A folder in diffusers' layout is read as it is.
    ///
    /// ```
    /// use gradus::models::Model;
    /// use gradus::prelude::*;
    /// async fn bytes(address: String, ctx: Context) -> Result<String, Error> {
    ///     let (report, _) = Model::at(&address).loose().report(&ctx).await?;
    ///     Ok(report.bytes().to_string())
    /// }
    /// ```
    #[must_use]
    pub fn loose(self) -> Self {
        let sort: Sort = |files| Box::pin(sorted(files));
        Self::with(self.0.address.clone(), self.0.loras.clone(), self.0.precision, Some(sort))
    }

    async fn files(&self, ctx: &Context) -> Result<Rc<dyn Files>, Error> {
        let files = ctx.files(&self.0.address);
        match self.0.sort.filter(|_| self.is_chosen()) {
            Some(sort) => sort(files).await,
            None => Ok(files),
        }
    }

    /// Whether its weights are kept with this precision.
    #[must_use]
    pub fn is_of(&self, precision: Precision) -> bool {
        self.0.precision == precision
    }

    /// Whether a visitor chose it from the disk.
    #[must_use]
    pub fn is_chosen(&self) -> bool {
        self.0.address.starts_with(CHOSEN)
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// What the checkpoint takes on this machine's engine, without fetching its weights, and what is kept of it.
    ///
    /// # Errors
    /// When there is no engine, or the checkpoint cannot be read.
    pub async fn report(&self, ctx: &Context) -> Result<(Report, Kept), Error> {
        let engine = ctx.engine().await?;
        let files = self.files(ctx).await?;
        Ok((Report::read(&*files, engine.info()).await?, files.kept().await?))
    }

    /// Fetches all of the checkpoint's files, to be kept on this machine, with progress in bytes. What is kept already is
    /// not fetched again, so a download that was cancelled goes on where it was; each piece whose SHA-256 is known is
    /// checked.
    ///
    /// # Errors
    /// When the machine cannot hold the model, also not with 8 bit, or has not enough room, and when a file cannot be fetched
    /// or kept.
    pub async fn download(&self, ctx: &Context) -> Result<(), Error> {
        let (report, kept) = self.report(ctx).await?;
        report.fit.clone().or(report.fit_with_eight_bit.clone())?;
        let all = report.bytes();
        if let Some(why) = too_much(all, kept) {
            return Err(Error::new([&why, " Delete another model, or free some of the disk."].concat()));
        }
        ctx.persist();
        let files = self.files(ctx).await?;
        let mut done = 0;
        for (path, bytes) in &report.files {
            let mut at = 0;
            while at < *bytes {
                let piece = PIECE.min(bytes - at);
                or_cancelled(ctx, files.keep(path, at..at + piece)).await?;
                (at, done) = (at + piece, done + piece);
                let words = [&decimal(done as f64 / 1e6, 1), " of ", &decimal(all as f64 / 1e6, 1), " MB"].concat();
                ctx.progress(Progress::fraction_of(done as f32 / all.max(1) as f32).describe(words));
                ctx.checkpoint().await;
            }
        }
        Ok(())
    }

    /// Removes the checkpoint from this machine, and from the engine.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn delete(&self, ctx: &Context) -> Result<(), Error> {
        self.unload();
        ctx.files(&self.0.address).forget().await
    }

    /// Gives the memory of its weights back; the next job loads it again.
    pub fn unload(&self) {
        self.0.loaded.replace(None);
    }

    /// The checkpoint on the engine: at once when an earlier job loaded it, else with progress. Of several jobs one
    /// loads and the others wait; when that one is cancelled, another goes on.
    ///
    /// # Errors
    /// When there is no engine, the checkpoint cannot be read, or a LoRA does not belong to it.
    pub async fn load(&self, ctx: &Context) -> Result<Loaded, Error> {
        // A lost device comes back as another engine, which has none of the weights.
        let engine = ctx.engine().await?;
        let of_engine = |loaded: &Loaded| Rc::ptr_eq(&loaded.engine, &engine);
        while self.0.loading.get() {
            // Not at every turn: the loader's own turns, and the browser's for what it fetches, would wait behind these.
            ctx.pause(Duration::from_millis(20)).await;
        }
        if let Some(loaded) = self.0.loaded.borrow().as_ref().filter(|loaded| of_engine(loaded)) {
            return Ok(loaded.clone());
        }
        let _over = Loading::begin(&self.0.loading);
        self.0.loaded.replace(None);
        let files = self.files(ctx).await?;
        let mut loras = Vec::new();
        for open in &self.0.loras {
            loras.push(open(ctx).await?);
        }
        choose(ctx, &*engine).await?;
        let kept = Rc::clone(&files);
        self.tell_of_room(ctx).await?;
        let pipeline = Rc::new(Pipeline::load_with(files, &loras, self.0.precision, &*engine, ctx, &Quiet(ctx)).await?);
        // A browser may ask the visitor, so not for what is fetched again in a moment; nor where it cannot be told.
        if kept.kept().await.is_ok_and(|kept| kept.bytes > LARGE) {
            ctx.persist();
        }
        let loaded = Loaded { pipeline, engine };
        self.0.loaded.replace(Some(loaded.clone()));
        Ok(loaded)
    }

    /// Warns before a load whose files cannot be kept: they would be fetched again by the next page.
    async fn tell_of_room(&self, ctx: &Context) -> Result<(), Error> {
        let kept = ctx.files(&self.0.address).kept().await.unwrap_or_default();
        // A report reads the headers of all files; where there is room for any model it is spared.
        if kept.room.is_some_and(|room| room.saturating_sub(kept.used) < ROOMY) {
            let (report, kept) = self.report(ctx).await?;
            if let Some(why) = too_much(report.bytes(), kept) {
                ctx.warning([&why, " It is used now, and fetched again the next time."].concat());
            }
        }
        Ok(())
    }
}

/// Why there is no room to keep files of so many bytes in all, of which this is kept.
fn too_much(bytes: u64, kept: Kept) -> Option<String> {
    let missing = bytes.saturating_sub(kept.bytes);
    let room = kept.room?.saturating_sub(kept.used);
    (room < missing).then(|| {
        let [missing, room] = [missing, room].map(|bytes| (bytes / 1_000_000).to_string());
        ["This model needs ", &missing, " MB more on this machine, and the browser gives this page ", &room, " MB."]
            .concat()
    })
}

/// The kernels' variants that are the fastest on this adapter: timed once, then remembered. One in software gains nothing
/// by tiles (measured).
async fn choose(ctx: &Context, engine: &dyn Engine) -> Result<(), Error> {
    let info = engine.info();
    if info.kind == EngineKind::Cpu || info.software {
        return Ok(());
    }
    let key = ["products on ", &info.name, ", ", &info.tier].concat();
    let choices = match ctx.recall(&key).and_then(|text| TileChoices::parse(&text)) {
        Some(choices) => choices,
        None => {
            ctx.progress(Progress::doing("Timing the GPU"));
            let choices = tune(engine, ctx).await?;
            ctx.remember(&key, choices.text());
            choices
        }
    };
    engine.choose(choices);
    Ok(())
}

/// Tells in words how far loading is: as a share it would have the job at its end before it began to paint.
struct Quiet<'a>(&'a Context);

impl Observer for Quiet<'_> {
    fn progress(&self, progress: Progress) {
        let words = [progress.description.as_str(), ": ", &progress.label()].concat();
        self.0.progress(Progress { share: None, steps: None, ..progress }.describe(words));
    }

    fn wants_preview(&self) -> bool {
        false
    }

    fn preview(&self, _: Picture) {}

    fn note(&self, level: NoteLevel, text: String) {
        Observer::note(self.0, level, text);
    }
}

/// What a file gives, unless the job is cancelled meanwhile: on a slow line a piece takes longer than a worker is given to stop.
async fn or_cancelled<T>(ctx: &Context, wait: impl Future<Output = T>) -> T {
    async fn cancelled(ctx: &Context) -> Infallible {
        loop {
            ctx.pause(CANCEL_EVERY).await;
        }
    }
    match select(pin!(wait), pin!(cancelled(ctx))).await {
        Either::Left((given, _)) => given,
        Either::Right((never, _)) => match never {},
    }
}

/// Loading ends however it ends, by a cancel too.
struct Loading<'a>(&'a Cell<bool>);

impl<'a> Loading<'a> {
    fn begin(flag: &'a Cell<bool>) -> Self {
        flag.set(true);
        Self(flag)
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
