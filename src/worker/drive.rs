//! Drives a called handler to its end.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};

use super::job::WorkerJob;
use crate::blocks::{Call, Job as _, Outcome, fit};
use crate::value::{Error, Value};
use crate::wire::News;

/// Starts a call. A sync function runs within this; everything else is spawned.
pub(super) fn start(job: Rc<WorkerJob>, call: Result<Call, Error>) {
    let handler = match call {
        Err(error) => return job.end(News::Ended(Err(error))),
        Ok(Call::Once(function)) => {
            let outcome = job.blamed(function);
            return job.end(News::Ended(all(fit(outcome, job.outputs()))));
        }
        Ok(Call::Future(future)) => future.map(Some).boxed_local(),
        Ok(Call::Stream(mut stream)) => {
            let job = Rc::clone(&job);
            async move {
                while let Some(item) = stream.next().await {
                    show(&job, item)?;
                    job.checkpoint().await;
                }
                Ok(None)
            }
            .map(flatten)
            .boxed_local()
        }
        Ok(Call::Iterator(mut iterator)) => {
            let job = Rc::clone(&job);
            async move {
                // A turn between items: the only moments at which a cancel gets through to an iterator.
                for item in iterator.by_ref() {
                    show(&job, item)?;
                    job.checkpoint().await;
                }
                Ok(None)
            }
            .map(flatten)
            .boxed_local()
        }
    };
    let spawn = Rc::clone(&job.inner.ports.spawn);
    spawn.spawn(to_end(job, handler).boxed_local());
}

/// What a handler came to: `Some` values of its own, or `None` when partial results were all it gave.
type Final = Option<Outcome>;

fn flatten(result: Result<Final, Error>) -> Final {
    result.unwrap_or_else(|error| Some(Err(error)))
}

fn show(job: &WorkerJob, item: Outcome) -> Result<(), Error> {
    let values = fit(item, job.outputs())?;
    job.tell(News::Partial(values.into_iter().map(Some).collect()));
    Ok(())
}

pub(super) fn all(outcome: Outcome) -> Result<Vec<Option<Value>>, Error> {
    outcome.map(|values| values.into_iter().map(Some).collect())
}

/// The slot is free only when nothing of the job computes any more.
pub(super) async fn at_rest(job: &WorkerJob) {
    if let Some(engine) = job.inner.made_engine() {
        engine.idle().await;
    }
}

async fn to_end(job: Rc<WorkerJob>, handler: LocalBoxFuture<'static, Final>) {
    let mut handler = Some(handler);
    let ended = poll_fn(|context| {
        let Some(future) = handler.as_mut() else { return Poll::Ready(None) };
        let polled = job.blamed(|| Pin::new(future).poll(context));
        match polled {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if job.stopped.get() => {
                // Dropping runs the handler's destructors, which are its own code too.
                job.blamed(|| drop(handler.take()));
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
    match ended {
        Some(Some(outcome)) => job.end(News::Ended(all(fit(outcome, job.outputs())))),
        Some(None) => job.end(News::Ended(Ok(vec![None; job.outputs()]))),
        None => {
            at_rest(&job).await;
            job.end(News::Stopped);
        }
    }
}
