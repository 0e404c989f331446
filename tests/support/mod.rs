//! What several test files share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]
#![allow(dead_code, reason = "each test file uses its part")]

pub mod cases;
pub mod conformance;
pub mod nn_cases;
pub mod pictures;
pub mod tensor_file;
pub mod ticking;
pub mod twin;
pub mod watcher;

use futures_util::future::LocalBoxFuture;
use gradus::kernels::Control;
use gradus::value::Time;
#[allow(unused_imports, reason = "each test file uses its part")]
pub use ticking::Ticking;

/// A control on the real clock, with real turns.
pub struct RealTime {
    pub clock: std::rc::Rc<dyn gradus::ports::Clock>,
    pub timer: std::rc::Rc<dyn gradus::ports::Timer>,
}

impl Control for RealTime {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn checkpoint(&self) -> LocalBoxFuture<'_, ()> {
        self.timer.turn()
    }
}
