//! Words for times and counts.

use std::time::Duration;

use crate::runtime::view::{EndedView, LaneView, PanelView, Phase, SlotView, WaitingView};
use crate::value::tenths;

/// "0.4 s", "12 s", "2 min 5 s": as exact as one can use it.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(gradus::ui::model::words::time(Duration::from_millis(12_600)), "13 s");
/// ```
#[must_use]
pub fn time(time: Duration) -> String {
    let millis = time.as_secs() * 1000 + u64::from(time.subsec_millis());
    let seconds = (millis + 500) / 1000;
    if millis < 9_950 {
        format!("{} s", tenths(time))
    } else if seconds < 60 {
        format!("{seconds} s")
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

/// "2 running, 3 waiting": the queue in one line.
#[must_use]
pub fn summary(panel: &PanelView) -> String {
    match (panel.running, panel.waiting) {
        (0, 0) => "Nothing to do".into(),
        (running, 0) => format!("{running} running"),
        (0, waiting) => format!("{waiting} waiting"),
        (running, waiting) => format!("{running} running, {waiting} waiting"),
    }
}

/// What stands below a busy slot: how long it runs, or that it is asked to stop.
#[must_use]
pub fn slot(slot: &SlotView) -> String {
    if slot.phase == Phase::Stopping { "stopping".into() } else { time(slot.elapsed) }
}

/// What stands beside a waiting job: its name, and how long until it is done.
#[must_use]
pub fn waiting(row: &WaitingView) -> String {
    if let Some(wait) = row.again_in {
        return format!("{} · attempt {} in {}", row.job, row.attempt, time(wait));
    }
    match (row.starting, row.estimate) {
        (true, _) => format!("{} · waiting for a worker", row.job),
        (false, Some(left)) => format!("{} · done in {}", row.job, time(left)),
        (false, None) => format!("{} · no estimate yet", row.job),
    }
}

/// What a lane's runs take, for who wonders before pressing: "a run takes 3.2 s ± 0.4 s".
#[must_use]
pub fn run(lane: &LaneView) -> String {
    match lane.run {
        None => "no estimate yet".into(),
        Some((mean, None)) => format!("a run takes {}", time(mean)),
        Some((mean, Some(spread))) => format!("a run takes {} ± {}", time(mean), time(spread)),
    }
}

/// What ended, and how: "Generate: done in 3.9 s", "Generate: cancelled", or what went wrong.
#[must_use]
pub fn ended(row: &EndedView) -> String {
    let how = match (&row.error, row.phase) {
        (Some(error), _) => format!("failed: {error}"),
        (None, Phase::Failed) => "failed".into(),
        (None, Phase::Cancelled) => "cancelled".into(),
        (None, _) => format!("done in {}", time(row.took)),
    };
    [&row.listener, ": ", &how].concat()
}

/// How the newest of this tab's own jobs ended; nothing before the first.
#[must_use]
pub fn newest(panel: &PanelView) -> String {
    panel.ended.iter().find(|row| row.own).map(ended).unwrap_or_default()
}

/// What there is to hear once the page has `said` this: an end that was not `told` yet, and the queue in one line.
///
/// ```
/// use gradus::ui::model::words::heard;
/// assert_eq!(heard("1 running", "", "Go: cancelled", "Nothing to do"), "Go: cancelled. Nothing to do");
/// assert_eq!(heard("1 running", "Go: cancelled", "Go: cancelled", "Nothing to do"), "Nothing to do");
/// assert_eq!(heard("", "", "Go: failed: No room.", "Nothing to do"), "Go: failed: No room. Nothing to do");
/// ```
#[must_use]
pub fn heard(said: &str, told: &str, ended: &str, summary: &str) -> String {
    // An error's message is a sentence already.
    let both = [ended, if ended.ends_with('.') { " " } else { ". " }, summary].concat();
    if told == ended && said != both { summary.into() } else { both }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::JobId;

    #[test]
    fn times() {
        let check = |millis, expected: &str| assert_eq!(time(Duration::from_millis(millis)), expected);
        check(0, "0.0 s");
        check(9_900, "9.9 s");
        check(9_960, "10 s");
        check(59_400, "59 s");
        check(59_600, "1 min 0 s");
        check(125_000, "2 min 5 s");
    }

    #[test]
    fn rows_of_the_panel() {
        let listener = "Generate".to_owned();
        let row = |estimate: Option<u64>, starting| {
            let estimate = estimate.map(Duration::from_millis);
            waiting(&WaitingView {
                job: JobId(7),
                listener: listener.clone(),
                position: 1,
                estimate,
                starting,
                again_in: None,
                attempt: 1,
            })
        };
        assert_eq!(row(Some(3_200), false), "j7 · done in 3.2 s");
        assert_eq!(row(None, false), "j7 · no estimate yet");
        assert_eq!(row(Some(3_200), true), "j7 · waiting for a worker");
        let end = |phase, error: Option<&str>| {
            let (error, took) = (error.map(str::to_owned), Duration::from_millis(3_900));
            ended(&EndedView { job: JobId(7), listener: listener.clone(), phase, took, retry: false, own: true, error })
        };
        assert_eq!(end(Phase::Done, None), "Generate: done in 3.9 s");
        assert_eq!(end(Phase::Cancelled, None), "Generate: cancelled");
        assert_eq!(end(Phase::Failed, Some("no memory")), "Generate: failed: no memory");
    }

    #[test]
    fn what_is_heard() {
        let row = |own, error: &str| EndedView {
            job: JobId(7),
            listener: "Generate".into(),
            phase: Phase::Failed,
            took: Duration::ZERO,
            retry: false,
            own,
            error: Some(error.into()),
        };
        let of = |ended| newest(&PanelView { ended, ..PanelView::default() });
        assert_eq!(of(vec![row(false, "of another tab")]), "");
        let failed = of(vec![row(false, "of another tab"), row(true, "Try another.")]);
        assert_eq!(failed, "Generate: failed: Try another.");
        assert_eq!(heard("Nothing to do", "", "", "1 running"), "1 running");
        let both = heard("1 running", "", &failed, "Nothing to do");
        assert_eq!(heard(&both, &failed, &failed, "Nothing to do"), both, "what was said stays");
        assert_eq!(heard(&both, &failed, &failed, "1 running"), "1 running", "and is said once");
    }

    #[test]
    fn summaries() {
        let check = |running, waiting, expected: &str| {
            assert_eq!(summary(&PanelView { running, waiting, ..PanelView::default() }), expected);
        };
        check(0, 0, "Nothing to do");
        check(2, 0, "2 running");
        check(0, 3, "3 waiting");
        check(2, 3, "2 running, 3 waiting");
    }
}
