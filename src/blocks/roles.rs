//! What a build for one role alone leaves out: the page's module has no handlers, the workers' no views.
//!
//! `cargo xtask dist` makes those two of an app with pictures, so that a visitor has the page before the engines have
//! come. What is not named here the linker drops. Both modules describe the same app: names, types and order stay.

use std::rc::Rc;

use super::batch::ErasedBatch;
use super::component::{Draw, Drawn};
use super::handler::{ErasedHandler, Handler};
use crate::value::Error;

#[cfg(all(feature = "page", feature = "worker"))]
compile_error!(
    "the features `page` and `worker` of gradus are two builds of one app; without either, one module is both"
);

/// How a `C` is drawn.
pub(super) fn draw<C: Drawn>() -> Draw {
    if cfg!(feature = "worker") { &() } else { C::DRAW }
}

/// The handler with its types erased. A page gives its jobs to workers and calls none.
pub(super) fn handler<In, Out, M>(handler: Rc<impl Handler<In, Out, M>>) -> Rc<ErasedHandler> {
    if cfg!(feature = "page") {
        return Rc::new(|_, _| Err(Error::new("Handlers run in workers, and this is the page.")));
    }
    Rc::new(move |values, context| Rc::clone(&handler).start(values, context))
}

/// The same of a handler that takes several jobs at once.
pub(super) fn batch<In, Out, M>(handler: Rc<impl Handler<In, Out, M>>) -> Rc<ErasedBatch> {
    if cfg!(feature = "page") {
        return Rc::new(|_, _| Box::pin(std::future::ready(Vec::new())));
    }
    Rc::new(move |inputs, context| Rc::clone(&handler).start_batch(inputs, context))
}
