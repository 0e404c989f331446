use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use super::Inner;
use crate::blocks::{Job, Kind};
use crate::ids::{Attempt, JobId, ListenerId};
#[cfg(feature = "pictures")]
use crate::kernels::Engine;
use crate::value::{ErrorKind, NoteLevel, Progress, Time, Value};
use crate::wire::{News, ToPage};

/// A preview is a read-back and a message of megabytes; ten a second look live. Where decoding one takes longer than this,
/// the next waits as long as that took, so that most of the time stays for the work.
const PREVIEW_EVERY: Duration = Duration::from_millis(100);

/// When a preview was asked for, and when something was shown since.
#[derive(Clone, Copy)]
struct Preview {
    asked: Time,
    shown: Time,
}

/// A job as its worker sees it.
pub(super) struct WorkerJob {
    pub(super) inner: Rc<Inner>,
    pub(super) id: JobId,
    pub(super) attempt: Attempt,
    listener: ListenerId,
    seed: u64,
    /// The page asked for a cancel.
    pub(super) cancelled: Cell<bool>,
    /// A checkpoint has seen the cancel: the handler is to be dropped.
    pub(super) stopped: Cell<bool>,
    last_preview: Cell<Option<Preview>>,
}

impl WorkerJob {
    pub(super) fn new(inner: Rc<Inner>, id: JobId, attempt: Attempt, listener: ListenerId, seed: u64) -> Self {
        Self {
            inner,
            id,
            attempt,
            listener,
            seed,
            cancelled: Cell::new(false),
            stopped: Cell::new(false),
            last_preview: Cell::new(None),
        }
    }

    pub(super) fn tell(&self, news: News) {
        self.inner.tell(&ToPage::Job { job: self.id, attempt: self.attempt, news });
    }

    /// Says how the job ended, and lets it go.
    pub(super) fn end(&self, news: News) {
        self.inner.jobs.borrow_mut().remove(&self.id);
        if let News::Ended(Err(error)) = &news
            && error.kind() == ErrorKind::DeviceLost
        {
            self.inner.drop_engine();
        }
        self.tell(news);
    }

    pub(super) fn outputs(&self) -> usize {
        self.inner.app.listener(self.listener).map_or(0, |spec| spec.outputs.len())
    }

    async fn stop_after(&self, wait: LocalBoxFuture<'static, ()>) {
        wait.await;
        if self.cancelled.get() {
            self.stopped.set(true);
            std::future::pending::<()>().await;
        }
    }

    /// Notes who is to blame while the handler's own code runs.
    pub(super) fn blamed<R>(&self, run: impl FnOnce() -> R) -> R {
        self.inner.polled.set(Some((self.id, self.attempt)));
        let result = run();
        self.inner.polled.set(None);
        result
    }
}

impl Job for WorkerJob {
    fn id(&self) -> JobId {
        self.id
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn now(&self) -> Time {
        self.inner.ports.clock.now()
    }

    fn progress(&self, progress: Progress) {
        self.tell(News::Progress(progress));
    }

    fn partial(&self, outputs: Vec<Option<Value>>) {
        // Only the first after the asking is the preview.
        if let Some(Preview { asked, shown }) = self.last_preview.get()
            && asked == shown
        {
            self.last_preview.set(Some(Preview { asked, shown: self.now() }));
        }
        self.tell(News::Partial(outputs));
    }

    fn image_outputs(&self) -> Vec<bool> {
        let app = &self.inner.app;
        let outputs = app.listener(self.listener).map_or(&[][..], |spec| &spec.outputs);
        outputs
            .iter()
            .map(|&id| app.component(id).is_some_and(|spec| matches!(spec.kind, Kind::Image { .. })))
            .collect()
    }

    fn wants_preview(&self) -> bool {
        let now = self.now();
        let due = self
            .last_preview
            .get()
            .is_none_or(|Preview { asked, shown }| now.since(shown) >= PREVIEW_EVERY.max(shown.since(asked)));
        if due {
            self.last_preview.set(Some(Preview { asked: now, shown: now }));
        }
        due
    }

    fn note(&self, level: NoteLevel, text: String) {
        self.tell(News::Note(level, text));
    }

    fn checkpoint(&self) -> LocalBoxFuture<'_, ()> {
        self.stop_after(self.inner.ports.timer.turn()).boxed_local()
    }

    fn pause(&self, time: Duration) -> LocalBoxFuture<'_, ()> {
        self.stop_after(self.inner.ports.timer.sleep(time)).boxed_local()
    }

    #[cfg(feature = "pictures")]
    fn engine(&self) -> LocalBoxFuture<'_, Result<Rc<dyn Engine>, crate::value::Error>> {
        async {
            let before = self.inner.made_engine().map(|engine| engine.info().clone());
            let opened = self.inner.engine().await;
            match &opened {
                Ok(engine) if before.as_ref() != Some(engine.info()) => {
                    self.inner.tell(&ToPage::Engine(engine.info().clone()));
                }
                Ok(_) => {}
                Err(_) => self.inner.drop_engine(),
            }
            opened
        }
        .boxed_local()
    }

    #[cfg(feature = "pictures")]
    fn files(&self, address: &str) -> Rc<dyn crate::ports::Files> {
        self.inner.ports.engines.files(address)
    }

    fn recall(&self, key: &str) -> Option<String> {
        self.inner.memory.borrow().get(key).cloned()
    }

    fn remember(&self, key: &str, text: String) {
        self.inner.memory.borrow_mut().insert(key.to_owned(), text.clone());
        self.inner.tell(&ToPage::Remember { key: key.to_owned(), text });
    }

    fn persist(&self) {
        self.inner.tell(&ToPage::Persist);
    }
}
