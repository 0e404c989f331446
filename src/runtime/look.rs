//! From the state to what the page draws.

use std::time::Duration;

use super::conduct::State;
use super::held::Face;
use super::status;
use super::view::{ComponentView, EndedView, LaneView, PanelView, Phase, SlotView, Status, WaitingView};
use crate::blocks::{ListenerSpec, ShowProgress};
use crate::ids::{ComponentId, JobId, LaneId, ListenerId};
use crate::queue::{End, JobState, JobView};
use crate::value::{EngineInfo, Progress, tenths};

/// Ended jobs that the panel lists.
const ENDED_SHOWN: usize = 5;

/// Waiting jobs of a lane whose wait is worked out; behind them a job only has its place.
const ESTIMATED: usize = 200;

impl State {
    pub(super) fn engine(&self) -> Option<EngineInfo> {
        self.engine.clone()
    }

    pub(super) fn busy(&self) -> bool {
        !self.sent.is_empty() || !self.unwritten.is_empty() || self.queue.jobs().next().is_some()
    }

    pub(super) fn component_view(&self, id: ComponentId) -> ComponentView {
        let Some(slot) = self.slots.get(id.0 as usize) else { return ComponentView::default() };
        let of_active = || {
            let job = self.followed(id).or_else(|| slot.active.first().copied())?;
            self.active_status(job)
        };
        let status = of_active().or_else(|| slot.last.clone()).and_then(|status| self.as_shown(status));
        let Face { value, choices, version } = slot.held.as_ref().map_or_else(|| slot.face(), |held| held.face.clone());
        ComponentView { value, choices, version, error: slot.error.clone(), status }
    }

    /// As much of a status as the job's listener wants to be shown. Failures always are.
    fn as_shown(&self, mut status: Status) -> Option<Status> {
        let listener = self.queue.job(status.job).map(|view| view.listener);
        match listener.and_then(|id| self.app.listener(id)).map(|spec| spec.show) {
            Some(ShowProgress::Hidden) if status.phase != Phase::Failed => return None,
            Some(ShowProgress::Minimal) => status.progress = None,
            _ => {}
        }
        Some(status)
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
        let data = self.data_of(job)?;
        match self.seen_state(&view) {
            JobState::Waiting => {
                let text = match view.due.map(|due| due.since(self.now())) {
                    Some(wait) => format!("attempt {} in {}s", view.attempt.0, tenths(wait)),
                    None => {
                        let (place, waiting, estimate) = self.place(&view);
                        status::waiting(place, waiting, view.starting, estimate)
                    }
                };
                Some(Status { job, phase: Phase::Waiting, text, progress: None })
            }
            JobState::Running => {
                let phase = running_phase(&view);
                let progress = data.progress.as_ref().and_then(crate::value::Progress::fraction);
                Some(Status { job, phase, text: self.running_text(&view, data.progress.as_ref()), progress })
            }
            JobState::Done | JobState::Failed | JobState::Cancelled => None,
        }
    }

    fn place(&self, view: &JobView<'_>) -> (usize, usize, Option<Duration>) {
        let place = self.queue.position(view.id).unwrap_or(1);
        let waiting = self.queue.waiting(view.lane);
        let estimates = self.queue.estimates(view.lane, self.now(), waiting.min(ESTIMATED));
        let estimate = estimates.into_iter().find(|(job, _)| *job == view.id).and_then(|(_, estimate)| estimate);
        (place, waiting, estimate)
    }

    fn running_text(&self, view: &JobView<'_>, progress: Option<&Progress>) -> String {
        if running_phase(view) == Phase::Stopping {
            return "stopping".into();
        }
        let elapsed = view.began.map_or(Duration::ZERO, |began| self.now().since(began));
        status::running(progress, elapsed, self.queue.remaining(view.id, self.now()))
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
        let written = |view: &JobView<'_>| !self.unwritten.contains_key(&view.id);
        let history: Vec<JobView<'_>> = self.queue.history().filter(written).collect();
        let told = history.iter().rev().filter(|view| self.is_told(view));
        let ended = told.take(ENDED_SHOWN).map(|view| self.ended_view(view)).collect();
        PanelView { lanes, waiting, running, ended, engine: self.engine.clone() }
    }

    fn lane_view(&self, lane: LaneId, rows: usize) -> LaneView {
        let now = self.now();
        let name = self.app.lanes().get(lane.0 as usize).map_or_else(String::new, |lane| lane.name.clone());
        let mut listeners: Vec<String> = Vec::new();
        let of_lane =
            || self.app.listeners().iter().zip((0u32..).map(ListenerId)).filter(|(spec, _)| spec.lane == lane);
        // Those that a visitor sets off first: of a long line only the beginning is seen.
        for follows in [false, true] {
            for (spec, _) in of_lane().filter(|(spec, _)| spec.after.is_some() == follows) {
                let called = self.called(spec);
                if !listeners.contains(&called) {
                    listeners.push(called);
                }
            }
        }
        let busy = self.seen_running(lane).filter_map(|job| {
            // Of another tab's job, where this one does not lead, less is known.
            let (view, data) = (self.queue.job(job)?, self.data_of(job));
            Some(SlotView {
                job,
                listener: self.called_by_id(view.listener),
                phase: running_phase(&view),
                text: self.running_text(&view, data.and_then(|data| data.progress.as_ref())),
                progress: view.progress,
                elapsed: view.began.map_or(Duration::ZERO, |began| now.since(began)),
                preview: data.and_then(|data| data.preview.clone()),
                attempt: view.attempt.0,
            })
        });
        let waiting =
            self.queue.estimates(lane, now, rows).into_iter().zip(1..).filter_map(|((job, estimate), position)| {
                let view = self.queue.job(job)?;
                let listener = self.called_by_id(view.listener);
                let again_in = view.due.map(|due| due.since(now));
                let (starting, attempt) = (view.starting, view.attempt.0);
                Some(WaitingView { job, listener, position, estimate, starting, again_in, attempt })
            });
        let waiting: Vec<WaitingView> = waiting.collect();
        LaneView {
            name,
            listeners,
            count: self.app.lanes().get(lane.0 as usize).and_then(|lane| lane.count).map(std::num::NonZeroUsize::get),
            quiet: self.app.lanes().get(lane.0 as usize).is_some_and(|lane| lane.beside)
                || of_lane().all(|(spec, _)| !self.is_pressed(spec)),
            paused: self.queue.is_paused(lane),
            // By the first of its listeners whose runs are known.
            run: of_lane().find_map(|(_, id)| {
                let runs = self.queue.runs(id)?;
                Some((runs.mean()?, runs.spread()))
            }),
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
            retry: self.failed.iter().any(|(job, ..)| *job == view.id),
            own: view.session == self.options.session,
            error: view.error.map(|error| error.message().to_owned()),
        }
    }

    pub(super) fn called_by_id(&self, listener: ListenerId) -> String {
        self.app.listener(listener).map_or_else(String::new, |spec| self.called(spec))
    }

    /// What a listener is called on the page: by what the visitor pressed, or by that of what it follows.
    fn called(&self, spec: &ListenerSpec) -> String {
        let mut first = spec;
        while let Some(before) = first.after.and_then(|(before, _)| self.app.listener(before)) {
            first = before;
        }
        let source = first.triggers.first().and_then(|(source, _)| *source);
        let label = source.and_then(|source| self.app.component(source)).map_or("Page opened", |spec| &spec.label);
        [if spec.after.is_some() { "after " } else { "" }, label].concat()
    }

    /// Whether who looks at the panel is told of its end: what went well is no news where the page asked for it by itself,
    /// or where it ran beside the lanes.
    fn is_told(&self, view: &JobView<'_>) -> bool {
        let asked = |spec: &ListenerSpec| spec.after.is_some() || self.is_pressed(spec);
        let beside = self.app.lanes().get(view.lane.0 as usize).is_some_and(|lane| lane.beside);
        view.state != JobState::Done || !beside && self.app.listener(view.listener).is_some_and(asked)
    }

    /// Whether the visitor sets it off, and not the page by itself.
    fn is_pressed(&self, spec: &ListenerSpec) -> bool {
        let shown = |source: Option<ComponentId>| {
            source.and_then(|id| self.app.component(id)).is_some_and(|spec| spec.kind.is_shown())
        };
        spec.triggers.iter().any(|(source, _)| shown(*source))
    }

    pub(super) fn census(&self) -> Vec<usize> {
        let active = self.slots.iter().map(|slot| slot.active.len()).sum();
        let mut all = self.queue.census().to_vec();
        all.extend([
            self.jobs.len() + self.unwritten.len(),
            self.failed.len(),
            self.later.len(),
            self.toasts.len() + self.late.len() + self.past.len(),
            active,
        ]);
        all.extend([self.book.census(), self.sent.len(), self.watchers.len(), self.ended.len(), self.shown.len()]);
        all.extend([self.pending.iter().map(|pending| pending.jobs).sum(), self.pool.census()]);
        all
    }
}

/// Of a job that runs, or did until its end is written.
fn running_phase(view: &JobView<'_>) -> Phase {
    if view.stopping || view.state == JobState::Cancelled { Phase::Stopping } else { Phase::Running }
}

fn took(view: &JobView<'_>) -> Duration {
    view.began.zip(view.ended).map_or(Duration::ZERO, |(began, ended)| ended.since(began))
}
