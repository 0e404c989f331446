//! The queue as `window.gradus.snapshot()` gives it.

use super::conduct::State;
use crate::ids::{JobId, LaneId};
use crate::queue::{JobState, JobView};
use crate::value::{SortedMap, order};

/// All lanes and all jobs that have not ended, with the last 200 that have.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The lanes in the order of the app.
    pub lanes: Vec<LaneSnapshot>,
    /// The jobs in the order of their ids.
    pub jobs: Vec<JobSnapshot>,
}

/// A lane.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneSnapshot {
    /// The `concurrency_id`, or the listener's name.
    pub id: String,
    /// How many may run at once; `None` is no limit.
    pub count: Option<usize>,
    /// The jobs that run, in the order in which they began.
    pub running: Vec<JobId>,
    /// The jobs that wait, next first.
    pub waiting: Vec<JobId>,
}

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSnapshot {
    /// Its id.
    pub id: JobId,
    /// Its listener's api name.
    pub listener: String,
    /// Its lane's id.
    pub lane: String,
    /// Who submitted it.
    pub session: String,
    /// "waiting", "running", "done", "failed" or "cancelled".
    pub state: &'static str,
    /// Its place among those that wait, 1 is next; `None` when it does not wait.
    pub position: Option<usize>,
    /// The job whose end set it off.
    pub after: Option<JobId>,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The share done, 0 to 1, where it is known.
    pub progress: Option<f32>,
    /// The message of a failed one.
    pub error: Option<String>,
}

impl State {
    pub(super) fn snapshot(&self) -> Snapshot {
        let lanes = (0u32..).map(LaneId).zip(self.app.lanes()).map(|(id, lane)| LaneSnapshot {
            id: lane.name.clone(),
            count: lane.count.map(std::num::NonZeroUsize::get),
            running: self.seen_running(id).collect(),
            waiting: self.queue.waiting_jobs(id).collect(),
        });
        let lanes: Vec<LaneSnapshot> = lanes.collect();
        let ran = |view: &JobView<'_>| view.began.is_some() && self.unwritten.contains_key(&view.id);
        let ended = self.queue.history().filter(|view| !ran(view));
        let mut jobs: Vec<JobSnapshot> = ended.map(|view| self.job_snapshot(&view, None)).collect();
        for lane in &lanes {
            let running = lane.running.iter().map(|&job| (job, None));
            // Counted here by session and priority: asking for each place would be quadratic.
            let mut places = SortedMap::default();
            let waiting = lane.waiting.iter().map(|&job| {
                let view = self.queue.job(job).filter(|view| !view.starting && view.due.is_none());
                let place = view.map(|view| {
                    let place = places.get_or_insert_with((view.session, view.priority), || 0usize);
                    *place += 1;
                    *place
                });
                (job, place)
            });
            let views = running.chain(waiting).filter_map(|(job, place)| Some((self.queue.job(job)?, place)));
            jobs.extend(views.map(|(view, place)| self.job_snapshot(&view, place)));
        }
        let ids: Vec<u64> = jobs.iter().map(|job| job.id.0).collect();
        let mut jobs: Vec<_> = jobs.into_iter().map(Some).collect();
        let jobs = order(&ids).into_iter().filter_map(|place| jobs.get_mut(place)?.take()).collect();
        Snapshot { lanes, jobs }
    }

    fn job_snapshot(&self, view: &JobView<'_>, position: Option<usize>) -> JobSnapshot {
        let listener = self.app.listener(view.listener);
        let lane = self.app.lanes().get(view.lane.0 as usize);
        JobSnapshot {
            id: view.id,
            listener: listener.map_or_else(String::new, |spec| spec.key.api_name.clone()),
            lane: lane.map_or_else(String::new, |lane| lane.name.clone()),
            session: view.session.to_string(),
            state: match self.seen_state(view) {
                JobState::Waiting => "waiting",
                JobState::Running => "running",
                JobState::Done => "done",
                JobState::Failed => "failed",
                JobState::Cancelled => "cancelled",
            },
            position,
            after: view.after,
            attempt: view.attempt.0,
            progress: view.progress,
            error: view.error.map(|error| error.message().to_owned()),
        }
    }
}
