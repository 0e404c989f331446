//! Cuts dispatches into spans and collects them into submits of about equal, predicted length.

use crate::value::SortedMap;
use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;

/// What a submit aims at: long enough that its overhead is small, short enough that a cancel is quick and no browser
/// thinks the GPU hangs, also when the prediction is off by a factor of two.
pub const SUBMIT: Duration = Duration::from_millis(40);

/// Items of a kernel's first submit, before anything is known of its speed.
const FIRST_SPAN: u32 = 4096;

/// The work of such a submit at the most, where an item says that it costs much.
const FIRST_WORK: f64 = 16e6;

/// Below this a measurement is mostly the overhead of submitting and waiting.
const TELLING: Duration = Duration::from_millis(4);

/// What is to be cut into spans.
pub(super) struct Piece {
    pub(super) kernel: &'static str,
    /// Spans are whole workgroups, but for the last.
    pub(super) workgroup: u32,
    /// The work of an item.
    pub(super) cost: f64,
    /// Items that one dispatch can have.
    pub(super) most: u32,
}

/// Seconds a unit of work, learned for each kernel.
#[derive(Default)]
pub(super) struct Speeds {
    seconds: RefCell<SortedMap<&'static str, f64>>,
}

/// What a submit holds so far.
#[derive(Default)]
pub(super) struct Load {
    predicted: f64,
    kernels: Vec<&'static str>,
    unknown: bool,
    work: f64,
}

impl Load {
    pub(super) fn is_empty(&self) -> bool {
        self.kernels.is_empty()
    }
}

impl Speeds {
    /// The next span of `left` that the load still takes; `None` when it is full and is to be submitted first.
    pub(super) fn next_span(&self, load: &mut Load, piece: &Piece, left: Range<u32>) -> Option<Range<u32>> {
        let Piece { kernel, workgroup, most, .. } = *piece;
        let cost = piece.cost.max(1e-9);
        let items = left.end - left.start;
        let whole = |count: u32| (count / workgroup).max(1).saturating_mul(workgroup).min(items).min(most);
        let Some(seconds) = self.seconds.borrow().get(kernel).map(|seconds| seconds * cost) else {
            // Nothing is known: a small span in a submit of its own, to be measured.
            if !load.is_empty() {
                return None;
            }
            let count = whole(FIRST_SPAN.min((FIRST_WORK / cost) as u32));
            load.unknown = true;
            load.kernels.push(kernel);
            load.work = f64::from(count) * cost;
            return Some(left.start..left.start + count);
        };
        if load.unknown {
            return None;
        }
        let room = (SUBMIT.as_secs_f64() - load.predicted).max(0.0);
        let fits = (room / seconds).min(f64::from(u32::MAX)) as u32;
        // A rest that is a little too long is not worth a submit of its own.
        let count = if f64::from(items) <= f64::from(fits) * 1.25 { items } else { fits }.min(most);
        // A small piece at the end of a full submit costs more than it brings.
        let scrap = count < workgroup.min(items) || (count < items && f64::from(count) < f64::from(items) * 0.1);
        if scrap && !load.is_empty() {
            return None;
        }
        let count = if count < items { whole(count) } else { count };
        load.predicted += f64::from(count) * seconds;
        load.kernels.push(kernel);
        Some(left.start..left.start + count)
    }

    /// Learns from how long a submit really took.
    pub(super) fn learn(&self, load: &Load, took: Duration) {
        let mut seconds = self.seconds.borrow_mut();
        let real = took.as_secs_f64();
        if load.unknown {
            if let Some(kernel) = load.kernels.first() {
                seconds.insert(kernel, (real / load.work.max(1e-9)).max(1e-18));
            }
            return;
        }
        if load.predicted <= 0.0 || (took < TELLING && real > load.predicted) {
            return;
        }
        // Gently, since neighbouring spans may cost very differently (sky and glass).
        let off = (real / load.predicted).clamp(0.3, 4.0);
        let mut seen = Vec::new();
        for kernel in &load.kernels {
            if !seen.contains(kernel) {
                seen.push(kernel);
                if let Some(seconds) = seconds.get_mut(kernel) {
                    *seconds = (*seconds * off).max(1e-18);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: Piece = Piece { kernel: "k", workgroup: 64, cost: 1.0, most: u32::MAX };

    #[test]
    fn spans_are_whole_workgroups_of_the_foreseen_work() {
        let speeds = Speeds::default();
        let dear = Piece { cost: 1e6, ..PIECE };
        let mut load = Load::default();
        assert_eq!(speeds.next_span(&mut load, &dear, 0..1000), Some(0..64), "nothing is known, an item costs much");
        speeds.learn(&load, Duration::from_millis(64));
        let mut load = Load::default();
        assert_eq!(speeds.next_span(&mut load, &Piece { cost: 1e5, ..PIECE }, 0..1000), Some(0..384));
        let mut load = Load::default();
        assert_eq!(speeds.next_span(&mut load, &Piece { cost: 1e5, ..PIECE }, 0..70), Some(0..70));
        assert_eq!(speeds.next_span(&mut load, &dear, 0..1000), None, "no room for a workgroup of these");
    }

    #[test]
    fn a_kernel_begins_small_and_grows_to_the_aim() {
        let speeds = Speeds::default();
        let (mut first, total, per_item) = (0, 10_000_000u32, 1e-7);
        let mut longest: f64 = 0.0;
        let mut submits = 0;
        while first < total {
            let mut load = Load::default();
            let Some(span) = speeds.next_span(&mut load, &PIECE, first..total) else { panic!("no span") };
            assert_eq!(span.start, first);
            let took = f64::from(span.end - span.start) * per_item;
            longest = longest.max(took);
            speeds.learn(&load, Duration::from_secs_f64(took));
            first = span.end;
            submits += 1;
        }
        assert!(longest < 0.1, "a submit of {longest} s");
        assert!(submits < 60, "{submits} submits for a second of work");
    }

    #[test]
    fn many_small_dispatches_share_a_submit() {
        let speeds = Speeds::default();
        let mut load = Load::default();
        speeds.next_span(&mut load, &PIECE, 0..4096);
        speeds.learn(&load, Duration::from_micros(41));
        let mut load = Load::default();
        let mut together = 0;
        while speeds.next_span(&mut load, &PIECE, 0..4096) == Some(0..4096) {
            together += 1;
        }
        assert!((500..2000).contains(&together), "{together}");
    }
}
