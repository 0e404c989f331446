//! From an author's function to something the worker can run.
//!
//! The marker parameters (`M`) keep the implementations apart; they are inferred and never written.

use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use futures_core::Stream;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::LocalBoxStream;
use futures_util::{FutureExt as _, StreamExt as _};

use super::batch::BatchCall;
use super::context::Context;
use super::payload::{Payload, Payloads};
use crate::value::{Error, Value};

/// One set of output values, or why there is none.
pub type Outcome = Result<Vec<Value>, Error>;

/// Where a handler runs; its signature decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Runs {
    /// Async functions and streams: in the one worker that owns the GPU, taking turns.
    Shared,
    /// Sync functions and iterators: in a worker of their own, which they block.
    Blocking,
}

/// A handler that was called, not yet run to its end.
pub enum Call {
    /// A sync function: running it is the work.
    Once(Box<dyn FnOnce() -> Outcome>),
    /// An iterator of partial results; the last is the final one.
    Iterator(Box<dyn Iterator<Item = Outcome>>),
    /// An async function.
    Future(LocalBoxFuture<'static, Outcome>),
    /// A stream of partial results; the last is the final one.
    Stream(LocalBoxStream<'static, Outcome>),
}

/// A handler with its types erased.
pub type ErasedHandler = dyn Fn(Vec<Value>, Context) -> Result<Call, Error>;

/// One result: a payload, a tuple of payloads, or `()`; or a `Result` of those.
pub trait Yields<O, M> {
    /// The values, or the error.
    fn outcome(self) -> Outcome;
}

/// Marks a single payload.
pub struct One;
/// Marks a tuple of payloads.
pub struct Many;
/// Marks a `Result`.
pub struct Fallible<M>(PhantomData<M>);

impl<T: Payload> Yields<(T,), One> for T {
    fn outcome(self) -> Outcome {
        Ok(vec![self.into_value()])
    }
}

macro_rules! yields {
    ($($type:ident)*) => {
        impl<$($type: Payload),*> Yields<($($type,)*), Many> for ($($type,)*) {
            fn outcome(self) -> Outcome {
                Ok(self.into_values())
            }
        }
    };
}

yields!();
yields!(A);
yields!(A B);
yields!(A B C);
yields!(A B C D);
yields!(A B C D E);
yields!(A B C D E F);
yields!(A B C D E F G);
yields!(A B C D E F G H);
yields!(A B C D E F G H I);
yields!(A B C D E F G H I J);

impl<T: Yields<O, M>, O, M> Yields<O, Fallible<M>> for Result<T, Error> {
    fn outcome(self) -> Outcome {
        self.and_then(T::outcome)
    }
}

/// What a handler may return: a result now, a future of one, a stream or an iterator of several.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}` into these outputs",
    note = "it returns what the outputs hold (one value, a tuple or ()), a `Result<_, gradus::Error>` of that, or a future, stream or iterator of either"
)]
pub trait Returns<O, M> {
    /// Where it runs.
    const RUNS: Runs;

    /// The call; `start` makes the return value by calling the author's function.
    fn call(start: impl FnOnce() -> Self + 'static) -> Call;
}

/// Marks a result that is there at once.
pub struct Now<M>(PhantomData<M>);
/// Marks a future.
pub struct Later<M>(PhantomData<M>);
/// Marks a stream.
pub struct Streamed<M>(PhantomData<M>);
/// Marks an iterator.
pub struct Iterated<M>(PhantomData<M>);

impl<T: Yields<O, M>, O, M> Returns<O, Now<M>> for T {
    const RUNS: Runs = Runs::Blocking;

    fn call(start: impl FnOnce() -> Self + 'static) -> Call {
        Call::Once(Box::new(move || start().outcome()))
    }
}

impl<T, O, M> Returns<O, Later<M>> for T
where
    T: Future + 'static,
    T::Output: Yields<O, M>,
{
    const RUNS: Runs = Runs::Shared;

    fn call(start: impl FnOnce() -> Self + 'static) -> Call {
        Call::Future(async move { start().await.outcome() }.boxed_local())
    }
}

impl<T, O, M> Returns<O, Streamed<M>> for T
where
    T: Stream + 'static,
    T::Item: Yields<O, M>,
{
    const RUNS: Runs = Runs::Shared;

    fn call(start: impl FnOnce() -> Self + 'static) -> Call {
        // Started on the first poll, so that a panic of the author's function is blamed on this job.
        let started = async move { start() }.into_stream().flatten();
        Call::Stream(started.map(<T::Item as Yields<O, M>>::outcome as fn(T::Item) -> Outcome).boxed_local())
    }
}

impl<T, O, M> Returns<O, Iterated<M>> for T
where
    T: Iterator + 'static,
    T::Item: Yields<O, M>,
{
    const RUNS: Runs = Runs::Blocking;

    fn call(start: impl FnOnce() -> Self + 'static) -> Call {
        let started = std::iter::once_with(start).flatten();
        Call::Iterator(Box::new(started.map(<T::Item as Yields<O, M>>::outcome as fn(T::Item) -> Outcome)))
    }
}

/// A function that handles an event: takes the tuple `In`, with a [`Context`] last or not at all, and gives `Out`.
#[diagnostic::on_unimplemented(
    message = "this handler does not fit its inputs `{In}` and outputs `{Out}`",
    note = "a handler takes one argument for each input, in order, then a Context or nothing; see the errors beside this one for the types"
)]
pub trait Handler<In, Out, M>: 'static {
    /// Where it runs.
    const RUNS: Runs;

    /// Calls it with values.
    ///
    /// # Errors
    /// When a value does not fit the handler's types.
    fn start(self: std::rc::Rc<Self>, inputs: Vec<Value>, context: Context) -> Result<Call, Error>;

    /// The path of the author's function.
    #[must_use]
    fn name() -> &'static str {
        std::any::type_name::<Self>()
    }

    /// The most jobs that it takes at once and how long the first waits for more, where it takes several.
    fn batch(&self) -> Option<(usize, Duration)> {
        None
    }

    /// Calls it with the values of several jobs; asked for only where [`Handler::batch`] gives something.
    fn start_batch(self: std::rc::Rc<Self>, _inputs: Vec<Vec<Value>>, _context: Context) -> BatchCall {
        std::future::ready(Vec::new()).boxed_local()
    }
}

/// Marks a handler without a context.
pub struct Bare<M>(PhantomData<M>);
/// Marks a handler with a context.
pub struct WithContext<M>(PhantomData<M>);

macro_rules! handlers {
    ($($type:ident)*) => {
        #[allow(non_snake_case, unused_variables, reason = "the macro names variables by their types; () takes nothing")]
        impl<Fun, Ret, Out, M, $($type: Payload + 'static),*> Handler<($($type,)*), Out, Bare<M>> for Fun
        where
            Fun: Fn($($type),*) -> Ret + 'static,
            Ret: Returns<Out, M>,
        {
            const RUNS: Runs = Ret::RUNS;

            fn start(self: std::rc::Rc<Self>, inputs: Vec<Value>, _: Context) -> Result<Call, Error> {
                let ($($type,)*) = Payloads::from_values(inputs)?;
                Ok(Ret::call(move || self($($type),*)))
            }
        }

        #[allow(non_snake_case, unused_variables, reason = "the macro names variables by their types; () takes nothing")]
        impl<Fun, Ret, Out, M, $($type: Payload + 'static),*> Handler<($($type,)*), Out, WithContext<M>> for Fun
        where
            Fun: Fn($($type,)* Context) -> Ret + 'static,
            Ret: Returns<Out, M>,
        {
            const RUNS: Runs = Ret::RUNS;

            fn start(self: std::rc::Rc<Self>, inputs: Vec<Value>, context: Context) -> Result<Call, Error> {
                let ($($type,)*) = Payloads::from_values(inputs)?;
                Ok(Ret::call(move || self($($type,)* context)))
            }
        }
    };
}

handlers!();
handlers!(A);
handlers!(A B);
handlers!(A B C);
handlers!(A B C D);
handlers!(A B C D E);
handlers!(A B C D E F);
handlers!(A B C D E F G);
handlers!(A B C D E F G H);
handlers!(A B C D E F G H I);
handlers!(A B C D E F G H I J);
handlers!(A B C D E F G H I J K);
handlers!(A B C D E F G H I J K L);
handlers!(A B C D E F G H I J K L Q);
handlers!(A B C D E F G H I J K L Q N);
handlers!(A B C D E F G H I J K L Q N O);
handlers!(A B C D E F G H I J K L Q N O P);
handlers!(A B C D E F G H I J K L Q N O P S);
handlers!(A B C D E F G H I J K L Q N O P S U);
