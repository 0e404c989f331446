//! The words of a job's state, as Gradio users know them.

use std::time::Duration;

use crate::value::{Progress, tenths};

/// "queue: 2/5 | 12.3s": the place among those that wait in the lane, and how long until the result, where known.
pub(super) fn waiting(position: usize, waiting: usize, starting: bool, estimate: Option<Duration>) -> String {
    if starting {
        return "waiting for a worker".into();
    }
    match estimate {
        Some(left) => format!("queue: {position}/{waiting} | {}", seconds(left)),
        None => format!("queue: {position}/{waiting}"),
    }
}

/// "3/20 steps | 1.2/4.0s", or "processing | 0.6/1.0s": how far, how long, and of how long where that is known.
pub(super) fn running(progress: Option<&Progress>, elapsed: Duration, left: Option<Duration>) -> String {
    let doing = match progress {
        Some(progress) if progress.description.is_empty() => progress.label(),
        Some(progress) if progress.label().is_empty() => progress.description.clone(),
        Some(progress) => format!("{} – {}", progress.description, progress.label()),
        None => "processing".into(),
    };
    match left {
        Some(left) => format!("{doing} | {}/{}", tenths(elapsed), seconds(elapsed + left)),
        None => format!("{doing} | {}", seconds(elapsed)),
    }
}

fn seconds(time: Duration) -> String {
    tenths(time) + "s"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let ms = Duration::from_millis;
        let check = |text: String, expected: &str| assert_eq!(text, expected);
        check(waiting(2, 5, false, Some(ms(12_340))), "queue: 2/5 | 12.3s");
        check(waiting(2, 5, false, None), "queue: 2/5");
        check(waiting(1, 5, true, None), "waiting for a worker");
        check(running(None, ms(600), Some(ms(400))), "processing | 0.6/1.0s");
        check(running(None, ms(600), None), "processing | 0.6s");
        check(running(Some(&Progress::step(3, 20)), ms(1200), None), "3/20 steps | 1.2s");
        check(running(Some(&Progress::step(3, 20).describe("Tracing")), ms(0), None), "Tracing – 3/20 steps | 0.0s");
    }
}
