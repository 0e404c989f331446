//! A clock for tests in which nobody waits.

use std::cell::Cell;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use gradus::kernels::Control;
use gradus::value::Time;

/// A control on a clock that advances by a set amount at each look, and counts the checkpoints.
pub struct Ticking {
    now: Cell<Time>,
    tick: Duration,
    pub checkpoints: Cell<u32>,
}

impl Ticking {
    pub fn by(tick: Duration) -> Self {
        Self { now: Cell::new(Time::ZERO), tick, checkpoints: Cell::new(0) }
    }
}

impl Control for Ticking {
    fn now(&self) -> Time {
        self.now.set(self.now.get() + self.tick);
        self.now.get()
    }

    fn checkpoint(&self) -> LocalBoxFuture<'_, ()> {
        self.checkpoints.set(self.checkpoints.get() + 1);
        std::future::ready(()).boxed_local()
    }
}
