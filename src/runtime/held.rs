//! Ends that are not written down yet. The queue and the chains go on with them at once; the page, its snapshot and
//! who observes see them once they are written, so that nobody has seen a result that a reload would lose.

use std::sync::Arc;

use super::conduct::{JobData, Pressing, Slot, State};
use super::view::{Phase, Status};
use crate::ids::{ComponentId, JobId, LaneId};
use crate::queue::{JobState, JobView};
use crate::value::Value;

/// What a component shows.
#[derive(Clone)]
pub(super) struct Face {
    pub(super) value: Value,
    pub(super) choices: Option<Arc<[String]>>,
    pub(super) version: u64,
}

/// What a component shows while ends that wrote it are not written down.
pub(super) struct Held {
    pub(super) face: Face,
    ends: usize,
}

/// An end that is to be shown.
pub(super) struct Ending {
    pub(super) job: JobId,
    /// Of another page's job only that it ended.
    pub(super) own: Option<Shown>,
}

/// What the outputs of a job show once it has ended.
pub(super) struct Shown {
    pub(super) status: Status,
    pub(super) faces: Vec<(ComponentId, Face)>,
}

impl Slot {
    pub(super) fn face(&self) -> Face {
        Face { value: self.value.clone(), choices: self.choices.clone(), version: self.version }
    }

    /// Shows what it shows now until another end is shown.
    pub(super) fn hold(&mut self) {
        let held = self.held.take().unwrap_or_else(|| Held { face: self.face(), ends: 0 });
        self.held = Some(Held { ends: held.ends + 1, ..held });
    }

    /// An end is written: its face is shown, and what came after it where that is written, too.
    fn let_see(&mut self, face: Face) {
        let ends = self.held.as_ref().map_or(0, |held| held.ends.saturating_sub(1));
        self.held = (ends > 0).then_some(Held { face, ends });
    }
}

impl State {
    /// An end is written.
    pub(super) fn show(&mut self, ending: Ending) {
        let job = ending.job;
        self.unwritten.remove(&job);
        self.panel_changed = true;
        self.pressing = Pressing::Now;
        let Some(Shown { status, faces }) = ending.own else { return };
        self.shown.insert(job);
        let mut read = false;
        for (id, face) in faces {
            let mut status = status.clone();
            // Why it failed stands, and is read out, at the first output that is seen.
            if status.phase == Phase::Failed {
                let seen = self.app.component(id).is_some_and(|spec| spec.visible && spec.kind.is_shown());
                if read {
                    status.text = "failed".into();
                }
                read |= seen;
            }
            if let Some(slot) = self.slots.get_mut(id.0 as usize) {
                slot.active.remove(&job);
                slot.last = Some(status);
                slot.let_see(face);
                self.changed.insert(id);
            }
        }
    }

    /// What is not written down will not be by this page: its components hold what they show.
    pub(super) fn let_go(&mut self) {
        for slot in &mut self.slots {
            if let Some(Held { face, .. }) = slot.held.take() {
                (slot.value, slot.choices, slot.version) = (face.value, face.choices, face.version);
            }
        }
    }

    /// Where a job is, as far as that is written down.
    pub(super) fn seen_state(&self, view: &JobView<'_>) -> JobState {
        match view.began {
            _ if !self.unwritten.contains_key(&view.id) => view.state,
            Some(_) => JobState::Running,
            None => JobState::Waiting,
        }
    }

    /// The jobs of a lane that run, as far as it is written down that one has ended.
    pub(super) fn seen_running(&self, lane: LaneId) -> impl Iterator<Item = JobId> + '_ {
        let ending = self
            .unwritten
            .iter()
            .map(|(job, _)| *job)
            .filter(move |job| self.queue.job(*job).is_some_and(|view| view.lane == lane && view.began.is_some()));
        ending.chain(self.queue.running(lane))
    }

    pub(super) fn data_of(&self, job: JobId) -> Option<&JobData> {
        self.jobs.get(&job).or_else(|| self.unwritten.get(&job))
    }
}
