//! How much of a page's time goes into drawing.

/// The share of the time that drawing may take while changes keep coming; the rest is the queue's and the visitor's.
const SHARE: f64 = 1.0 / 3.0;

/// Milliseconds that a calm page has saved for drawing at once.
const MOST: f64 = 24.0;

/// An account of time, in milliseconds: it fills by a share of what passes, and each drawing is taken from it.
///
/// ```
/// use gradus::ui::model::pace::Pace;
/// let mut pace = Pace::default();
/// assert!(pace.due(0.0));
/// pace.spent(34.0);
/// assert!(!pace.due(20.0));
/// assert!(pace.due(40.0));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    saved: f64,
    now: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { saved: MOST, now: 0.0 }
    }
}

impl Pace {
    /// Whether there is time for a drawing at this moment.
    pub fn due(&mut self, now: f64) -> bool {
        self.saved = (self.saved + (now - self.now).max(0.0) * SHARE).min(MOST);
        self.now = now;
        self.saved > 0.0
    }

    /// A drawing took so long.
    pub fn spent(&mut self, millis: f64) {
        self.saved -= millis.max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws whenever it is due for a second of changes in each millisecond; how often, where a drawing takes so long.
    fn drawings(took: f64) -> u32 {
        let mut pace = Pace::default();
        let (mut now, mut count) = (0.0, 0);
        while now < 1000.0 {
            if pace.due(now) {
                pace.spent(took);
                now += took;
                count += 1;
            }
            now += 1.0;
        }
        count
    }

    #[test]
    fn a_third_of_the_time() {
        assert!((660..=680).contains(&drawings(0.5)), "{}", drawings(0.5));
        assert!((33..=37).contains(&drawings(10.0)), "{}", drawings(10.0));
        assert!((6..=7).contains(&drawings(60.0)), "{}", drawings(60.0));
    }

    #[test]
    fn a_calm_page_has_saved_no_more_than_its_most_and_a_clock_that_goes_back_takes_nothing() {
        let mut pace = Pace::default();
        assert!(pace.due(1e6));
        pace.spent(MOST + 1.0);
        assert!(!pace.due(1e6));
        assert!(!pace.due(0.0));
        assert!(!pace.due(2.0));
        assert!(pace.due(4.0));
    }
}
