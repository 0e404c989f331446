//! Drives a handler that was called with several jobs.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use super::drive;
use super::job::WorkerJob;
use crate::blocks::{BatchSpec, Context, Job, fit};
use crate::ids::JobId;
#[cfg(feature = "pictures")]
use crate::kernels::Engine;
use crate::value::{NoteLevel, Progress, Time, Value};
use crate::wire::News;

/// Starts the call.
pub(super) fn start(jobs: Vec<Rc<WorkerJob>>, inputs: Vec<Vec<Value>>, spec: &BatchSpec) {
    let Some(first) = jobs.first().cloned() else { return };
    let batch = Rc::new(BatchJob { first: Rc::clone(&first), left: RefCell::new(jobs.clone()) });
    let call = first.blamed(|| (spec.call)(inputs, Context::new(Rc::clone(&batch) as Rc<dyn Job>)));
    let spawn = Rc::clone(&first.inner.ports.spawn);
    let to_end = async move {
        let mut call = Some(call);
        let outcomes = poll_fn(|context| {
            let Some(future) = call.as_mut() else { return Poll::Ready(None) };
            match first.blamed(|| future.poll_unpin(context)) {
                Poll::Ready(outcomes) => Poll::Ready(Some(outcomes)),
                Poll::Pending if batch.all_stopped() => {
                    // Dropping runs the handler's destructors, which are its own code too.
                    first.blamed(|| drop(call.take()));
                    Poll::Ready(None)
                }
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        let left = batch.left.take();
        let Some(outcomes) = outcomes else {
            drive::at_rest(&first).await;
            return left.iter().for_each(|job| job.end(News::Stopped));
        };
        for (job, outcome) in jobs.iter().zip(outcomes) {
            if left.iter().any(|other| Rc::ptr_eq(other, job)) {
                job.end(News::Ended(drive::all(fit(outcome, job.outputs()))));
            }
        }
    };
    spawn.spawn(to_end.boxed_local());
}

/// Several jobs as one handler sees them.
struct BatchJob {
    first: Rc<WorkerJob>,
    /// Those that were not let go.
    left: RefCell<Vec<Rc<WorkerJob>>>,
}

impl BatchJob {
    fn all_stopped(&self) -> bool {
        self.left.borrow().iter().all(|job| job.stopped.get())
    }

    async fn stop_after(&self, wait: LocalBoxFuture<'static, ()>) {
        wait.await;
        if self.left.borrow().iter().all(|job| job.cancelled.get()) {
            self.left.borrow().iter().for_each(|job| job.stopped.set(true));
            return std::future::pending::<()>().await;
        }
        // One that is cancelled before the others leaves; the slot stays theirs.
        self.left.borrow_mut().retain(|job| {
            if job.cancelled.get() {
                job.end(News::Stopped);
            }
            !job.cancelled.get()
        });
    }

    fn tell_all(&self, news: &News) {
        self.left.borrow().iter().for_each(|job| job.tell(news.clone()));
    }
}

impl Job for BatchJob {
    fn id(&self) -> JobId {
        self.first.id()
    }

    fn seed(&self) -> u64 {
        self.first.seed()
    }

    fn now(&self) -> Time {
        self.first.now()
    }

    fn progress(&self, progress: Progress) {
        self.tell_all(&News::Progress(progress));
    }

    fn partial(&self, outputs: Vec<Option<Value>>) {
        self.tell_all(&News::Partial(outputs));
    }

    fn image_outputs(&self) -> Vec<bool> {
        self.first.image_outputs()
    }

    fn wants_preview(&self) -> bool {
        self.first.wants_preview()
    }

    fn note(&self, level: NoteLevel, text: String) {
        self.tell_all(&News::Note(level, text));
    }

    fn checkpoint(&self) -> LocalBoxFuture<'_, ()> {
        self.stop_after(self.first.inner.ports.timer.turn()).boxed_local()
    }

    fn pause(&self, time: Duration) -> LocalBoxFuture<'_, ()> {
        self.stop_after(self.first.inner.ports.timer.sleep(time)).boxed_local()
    }

    #[cfg(feature = "pictures")]
    fn engine(&self) -> LocalBoxFuture<'_, Result<Rc<dyn Engine>, crate::value::Error>> {
        self.first.engine()
    }

    #[cfg(feature = "pictures")]
    fn files(&self, address: &str) -> Rc<dyn crate::ports::Files> {
        self.first.files(address)
    }

    fn recall(&self, key: &str) -> Option<String> {
        self.first.recall(key)
    }

    fn remember(&self, key: &str, text: String) {
        self.first.remember(key, text);
    }

    fn persist(&self) {
        self.first.persist();
    }
}
