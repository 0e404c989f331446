//! Handlers that take several jobs at once.

use std::future::Future;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use super::context::Context;
use super::handler::{Bare, Call, Fallible, Handler, Outcome, Runs, WithContext, Yields};
use super::payload::{Payload, Payloads};
use crate::value::{Error, Value};

/// A called batch: one outcome a job, in order.
pub type BatchCall = LocalBoxFuture<'static, Vec<Outcome>>;

/// A handler of several jobs at once, with its types erased; one set of inputs a job.
pub type ErasedBatch = dyn Fn(Vec<Vec<Value>>, Context) -> BatchCall;

/// How a listener's jobs are put together, and how the handler is called with several.
#[derive(Clone)]
pub struct BatchSpec {
    /// The most jobs in one call.
    pub most: NonZeroUsize,
    /// How long the first of them waits for more.
    pub wait: Duration,
    /// The handler.
    pub call: Rc<ErasedBatch>,
}

/// A handler that takes several jobs at once; made by [`batch`].
pub struct Batched<F> {
    most: usize,
    wait: Duration,
    function: F,
}

/// A handler that takes up to `max_size` jobs in one call, where one call for many costs less than many calls.
///
/// A call begins when `max_size` jobs wait, or when the first of them has waited for `max_wait`; it takes one slot. No
/// job goes into a call before another listener's that the same session has in the lane with the same priority. The
/// function is async and takes a `Vec` with one item a job: the input itself where there is one, else a tuple of the
/// inputs. It gives a `Vec` with one result a job, in order; each may be a `Result`, so that one job can fail alone. A
/// `Context` may come last: its progress, messages and partial results go to every job of the call, and its checkpoint
/// stops the call once all of them are cancelled (one that is cancelled before the others is let go there).
///
/// ```
/// use gradus::prelude::*;
/// use std::time::Duration;
///
/// async fn squares(numbers: Vec<f64>) -> Vec<Result<f64, Error>> {
///     let square = |number: f64| {
///         if number < 0.0 { Err(Error::new("A side is not negative.")) } else { Ok(number * number) }
///     };
///     numbers.into_iter().map(square).collect()
/// }
///
/// let app = Blocks::named("doc", |ui| {
///     let side = ui.add(Number::new().label("Side"));
///     let area = ui.add(Number::new().label("Area"));
///     ui.add(Button::new("Square")).click(batch(8, Duration::from_millis(50), squares), side, area);
/// }).build().unwrap();
/// assert_eq!(app.listeners()[0].key.api_name, "squares");
/// ```
pub fn batch<F>(max_size: usize, max_wait: Duration, function: F) -> Batched<F> {
    Batched { most: max_size, wait: max_wait, function }
}

/// What a batch gives: one result a job, or why no job has one.
#[diagnostic::on_unimplemented(
    message = "a batch cannot give `{Self}` to these outputs",
    note = "it gives a Vec with one result a job: what the outputs hold (one value, a tuple or ()), or a `Result<_, gradus::Error>` of that"
)]
pub trait Each<O, M> {
    /// The outcomes, or the error that is every job's.
    fn each(self) -> Result<Vec<Outcome>, Error>;
}

impl<T: Yields<O, M>, O, M> Each<O, M> for Vec<T> {
    fn each(self) -> Result<Vec<Outcome>, Error> {
        Ok(self.into_iter().map(T::outcome).collect())
    }
}

impl<T: Each<O, M>, O, M> Each<O, Fallible<M>> for Result<T, Error> {
    fn each(self) -> Result<Vec<Outcome>, Error> {
        self.and_then(T::each)
    }
}

/// One outcome for each of `jobs`: `refused` has an error for those that the handler did not see.
fn spread(made: Result<Vec<Outcome>, Error>, refused: Vec<Option<Error>>) -> Vec<Outcome> {
    let seen = refused.iter().filter(|error| error.is_none()).count();
    let made = made.and_then(|made| {
        if made.len() == seen {
            return Ok(made);
        }
        Err(Error::new(format!("The batch handler gave {} results for {seen} jobs.", made.len())))
    });
    let (mut made, all) = match made {
        Ok(made) => (made.into_iter(), None),
        Err(error) => (Vec::new().into_iter(), Some(error)),
    };
    let outcome = |refused: Option<Error>| match refused.or_else(|| all.clone()) {
        Some(error) => Err(error),
        None => made.next().unwrap_or_else(|| Ok(Vec::new())),
    };
    refused.into_iter().map(outcome).collect()
}

/// The inputs of all jobs as the handler's items, and an error for each whose values do not fit.
fn as_items<T>(inputs: Vec<Vec<Value>>, item: fn(Vec<Value>) -> Result<T, Error>) -> (Vec<T>, Vec<Option<Error>>) {
    let mut fitting = Vec::with_capacity(inputs.len());
    let mut keep = |values| match item(values) {
        Ok(item) => {
            fitting.push(item);
            None
        }
        Err(error) => Some(error),
    };
    let refused = inputs.into_iter().map(&mut keep).collect();
    (fitting, refused)
}

fn one(calls: BatchCall) -> Call {
    Call::Future(calls.map(|mut outcomes| outcomes.pop().unwrap_or_else(|| Ok(Vec::new()))).boxed_local())
}

macro_rules! batched {
    ($($type:ident)+) => {
        batched!($($type)+; Bare; Fn(Vec<($($type),+)>) -> Ret; |function, items, context| (function)(items));
        batched!($($type)+; WithContext; Fn(Vec<($($type),+)>, Context) -> Ret; |function, items, context| (function)(items, context));
    };
    ($($type:ident)+; $marker:ident; $fun:path; |$function:ident, $items:ident, $context:ident| $call:expr) => {
        #[allow(non_snake_case, unused_variables, unused_parens, reason = "the macro names variables by their types")]
        impl<Fun, Ret, Out, M, $($type: Payload + 'static),+> Handler<($($type,)+), Out, $marker<M>> for Batched<Fun>
        where
            Fun: $fun + 'static,
            Ret: Future + 'static,
            Ret::Output: Each<Out, M>,
        {
            const RUNS: Runs = Runs::Shared;

            fn name() -> &'static str {
                std::any::type_name::<Fun>()
            }

            fn start(self: Rc<Self>, inputs: Vec<Value>, context: Context) -> Result<Call, Error> {
                Ok(one(self.start_batch(vec![inputs], context)))
            }

            fn batch(&self) -> Option<(usize, Duration)> {
                Some((self.most, self.wait))
            }

            fn start_batch(self: Rc<Self>, inputs: Vec<Vec<Value>>, $context: Context) -> BatchCall {
                let item = |values| Payloads::from_values(values).map(|($($type,)+)| ($($type),+));
                let ($items, refused) = as_items(inputs, item);
                async move {
                    let $function = &self.function;
                    spread($call.await.each(), refused)
                }
                .boxed_local()
            }
        }
    };
}

batched!(A);
batched!(A B);
batched!(A B C);
batched!(A B C D);
batched!(A B C D E);
batched!(A B C D E F);
batched!(A B C D E F G);
batched!(A B C D E F G H);
batched!(A B C D E F G H I);
batched!(A B C D E F G H I J);
