//! From the state to what the page draws.

use std::time::Duration;

use super::conduct::{JobData, State};
use super::status;
use super::view::{ComponentView, EndedView, LaneView, PanelView, Phase, SlotView, Status, WaitingView};
use crate::blocks::{ComponentSpec, ListenerSpec};
use crate::ids::{ComponentId, JobId, LaneId, ListenerId};
use crate::queue::{End, JobState, JobView};
use crate::value::{EngineInfo, tenths};

/// Ended jobs that the panel lists.
const ENDED_SHOWN: usize = 5;

impl State {
    pub(super) fn engine(&self) -> Option<EngineInfo> {
        self.engine.clone()
    }

    pub(super) fn busy(&self) -> bool {
        !self.jobs.is_empty()
    }

    pub(super) fn component_view(&self, id: ComponentId) -> ComponentView {
        let Some(slot) = self.slots.get(id.0 as usize) else { return ComponentView::default() };
        let of_active = || {
            let job = self.followed(id).or_else(|| slot.active.first().copied())?;
            self.active_status(job)
        };
        let status = of_active().or_else(|| slot.last.clone());
        ComponentView { value: slot.value.clone(), version: slot.version, error: slot.error.clone(), status }
    }

    /// The job whose partial results an output shows: the first that is running. Were all shown, an output with
    /// several slots would flicker between their pictures.
    pub(super) fn followed(&self, id: ComponentId) -> Option<JobId> {
        let slot = self.slots.get(id.0 as usize)?;
        let running =
            |job: &&JobId| self.queue.job(**job).is_some_and(|view| view.state == JobState::Running && !view.stopping);
        // Jobs begin in the order of their ids in a lane, so the first running one is near the front.
        slot.active.iter().take(64).find(running).copied()
    }

    fn active_status(&self, job: JobId) -> Option<Status> {
        let view = self.queue.job(job)?;
        let data = self.jobs.get(&job)?;
        match view.state {
            JobState::Waiting => {
                let (place, waiting, estimate) = self.place(&view);
                let text = status::waiting(place, waiting, view.starting, estimate);
                Some(Status { job, phase: Phase::Waiting, text, progress: None })
            }
            JobState::Running => {
                let phase = if view.stopping { Phase::Stopping } else { Phase::Running };
                let progress = data.progress.as_ref().and_then(crate::value::Progress::fraction);
                Some(Status { job, phase, text: self.running_text(&view, data), progress })
            }
            JobState::Done | JobState::Failed | JobState::Cancelled => None,
        }
    }

    fn place(&self, view: &JobView<'_>) -> (usize, usize, Option<Duration>) {
        let place = self.queue.position(view.id).unwrap_or(1);
        let waiting = self.queue.waiting(view.lane);
        let estimates = self.queue.estimates(view.lane, self.now(), place);
        let estimate = estimates.into_iter().find(|(job, _)| *job == view.id).and_then(|(_, estimate)| estimate);
        (place, waiting, estimate)
    }

    fn running_text(&self, view: &JobView<'_>, data: &JobData) -> String {
        if view.stopping {
            return "stopping".into();
        }
        let elapsed = view.began.map_or(Duration::ZERO, |began| self.now().since(began));
        status::running(data.progress.as_ref(), elapsed, self.queue.remaining(view.id, self.now()))
    }

    pub(super) fn end_status(&self, job: JobId, end: &End) -> Status {
        let took = self.queue.job(job).map_or(Duration::ZERO, |view| took(&view));
        let (phase, text) = match end {
            End::Done => (Phase::Done, format!("done in {}s", tenths(took))),
            End::Failed(error) => (Phase::Failed, error.message().to_owned()),
            End::Cancelled => (Phase::Cancelled, "cancelled".to_owned()),
        };
        Status { job, phase, text, progress: None }
    }

    pub(super) fn panel_view(&self, rows: usize) -> PanelView {
        let lanes: Vec<LaneView> =
            (0u32..).zip(self.app.lanes()).map(|(index, _)| self.lane_view(LaneId(index), rows)).collect();
        let waiting = lanes.iter().map(|lane| lane.waiting.len() + lane.more).sum();
        let running = lanes.iter().map(|lane| lane.busy.len()).sum();
        let history: Vec<JobView<'_>> = self.queue.history().collect();
        let ended = history.iter().rev().take(ENDED_SHOWN).map(|view| self.ended_view(view)).collect();
        PanelView { lanes, waiting, running, ended, engine: self.engine.clone() }
    }

    fn lane_view(&self, lane: LaneId, rows: usize) -> LaneView {
        let now = self.now();
        let name = self.app.lanes().get(lane.0 as usize).map_or_else(String::new, |lane| lane.name.clone());
        let mut listeners: Vec<String> = Vec::new();
        for spec in self.app.listeners().iter().filter(|spec| spec.lane == lane) {
            let called = self.called(spec);
            if !listeners.contains(&called) {
                listeners.push(called);
            }
        }
        let busy = self.queue.running(lane).filter_map(|job| {
            let (view, data) = (self.queue.job(job)?, self.jobs.get(&job)?);
            Some(SlotView {
                job,
                listener: self.called_by_id(view.listener),
                phase: if view.stopping { Phase::Stopping } else { Phase::Running },
                text: self.running_text(&view, data),
                progress: data.progress.as_ref().and_then(crate::value::Progress::fraction),
                elapsed: view.began.map_or(Duration::ZERO, |began| now.since(began)),
                preview: data.preview.clone(),
                attempt: view.attempt.0,
            })
        });
        let waiting =
            self.queue.estimates(lane, now, rows).into_iter().zip(1..).filter_map(|((job, estimate), position)| {
                let view = self.queue.job(job)?;
                let listener = self.called_by_id(view.listener);
                Some(WaitingView { job, listener, position, estimate, starting: view.starting })
            });
        let waiting: Vec<WaitingView> = waiting.collect();
        LaneView {
            name,
            listeners,
            count: self.lane_count(lane).map(std::num::NonZeroUsize::get),
            quiet: self.app.listeners().iter().filter(|spec| spec.lane == lane).all(|spec| spec.source.is_none()),
            busy: busy.collect(),
            more: self.queue.waiting(lane).saturating_sub(waiting.len()),
            waiting,
        }
    }

    fn ended_view(&self, view: &JobView<'_>) -> EndedView {
        EndedView {
            job: view.id,
            listener: self.called_by_id(view.listener),
            phase: match view.state {
                JobState::Failed => Phase::Failed,
                JobState::Cancelled => Phase::Cancelled,
                _ => Phase::Done,
            },
            took: took(view),
            error: view.error.map(|error| error.message().to_owned()),
        }
    }

    pub(super) fn called_by_id(&self, listener: ListenerId) -> String {
        self.app.listener(listener).map_or_else(String::new, |spec| self.called(spec))
    }

    /// What a listener is called on the page: by what the visitor pressed.
    fn called(&self, spec: &ListenerSpec) -> String {
        match spec.source.and_then(|source| self.app.component(source)) {
            Some(ComponentSpec { label, .. }) => label.clone(),
            None => "Page opened".into(),
        }
    }
}

fn took(view: &JobView<'_>) -> Duration {
    view.began.zip(view.ended).map_or(Duration::ZERO, |(began, ended)| ended.since(began))
}
