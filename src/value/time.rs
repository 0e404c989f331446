use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment on one role's monotonic clock, in microseconds since that role began.
///
/// The core never reads a clock: a `Time` is always an argument.
///
/// ```
/// use std::time::Duration;
/// use gradus::value::Time;
/// let start = Time::from_millis(5);
/// assert_eq!((start + Duration::from_millis(2)).since(start), Duration::from_millis(2));
/// assert_eq!(start.since(start + Duration::from_millis(2)), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(u64);

impl Time {
    /// The moment the role began.
    pub const ZERO: Self = Self(0);

    /// `micros` microseconds after the role began.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// `millis` milliseconds after the role began.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1000)
    }

    /// Microseconds since the role began.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Self;

    fn add(self, after: Duration) -> Self {
        let micros = after.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(after.subsec_micros()));
        Self(self.0.saturating_add(micros))
    }
}
