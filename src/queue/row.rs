//! The jobs of a lane that wait: by priority, then session by session in turn, then first in first out.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;

use super::record::IdHasher;
use crate::ids::{JobId, SessionId};
use crate::value::SortedMap;

/// One step of a job in its session's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Move {
    /// Before everything that waits in the lane.
    ToFront,
    /// Before the one before it, of its session and priority.
    Up,
    /// Behind the one behind it.
    Down,
}

/// Where a job stands: its priority and its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) priority: i32,
    pub(super) session: SessionId,
}

/// The waiting jobs of one priority. A session is in `turn` once exactly while it has a row.
#[derive(Debug, Default)]
struct Level {
    turn: VecDeque<SessionId>,
    rows: HashMap<SessionId, VecDeque<JobId>, BuildHasherDefault<IdHasher>>,
}

/// The whole row of a lane.
#[derive(Debug, Default)]
pub(super) struct Row {
    levels: SortedMap<Reverse<i32>, Level>,
    len: usize,
}

impl Row {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, stand: Stand, job: JobId) {
        self.level_row(stand, false).push_back(job);
        self.len += 1;
    }

    /// The session's row, made if it has none; a new one is served last of its priority, or next.
    fn level_row(&mut self, stand: Stand, next: bool) -> &mut VecDeque<JobId> {
        let level = self.levels.get_or_insert_with(Reverse(stand.priority), Level::default);
        if !level.rows.contains_key(&stand.session) {
            if next {
                level.turn.push_front(stand.session);
            } else {
                level.turn.push_back(stand.session);
            }
        }
        level.rows.entry(stand.session).or_default()
    }

    /// The job whose turn it is.
    pub(super) fn first(&self) -> Option<JobId> {
        let level = self.levels.values().next()?;
        level.rows.get(level.turn.front()?)?.front().copied()
    }

    /// Takes out the job whose turn it is; its session goes to the end of the turn.
    fn pop(&mut self) -> Option<JobId> {
        let level = self.levels.values_mut().next()?;
        let session = level.turn.pop_front()?;
        let row = level.rows.get_mut(&session)?;
        let job = row.pop_front();
        if row.is_empty() {
            level.rows.remove(&session);
        } else {
            level.turn.push_back(session);
        }
        self.len -= 1;
        self.drop_empty_levels();
        job
    }

    fn drop_empty_levels(&mut self) {
        self.levels.retain(|_, level| !level.turn.is_empty());
    }

    /// Takes out a job that starts; wherever it was, its session goes to the end of the turn.
    pub(super) fn start(&mut self, stand: Stand, job: JobId) {
        if self.first() == Some(job) {
            self.pop();
        } else if self.remove(stand, job)
            && let Some(level) = self.levels.get_mut(&Reverse(stand.priority))
            && level.rows.contains_key(&stand.session)
        {
            level.turn.retain(|&session| session != stand.session);
            level.turn.push_back(stand.session);
        }
    }

    /// Takes a job out from wherever it is.
    pub(super) fn remove(&mut self, stand: Stand, job: JobId) -> bool {
        let Some(level) = self.levels.get_mut(&Reverse(stand.priority)) else { return false };
        let Some(row) = level.rows.get_mut(&stand.session) else { return false };
        let Some(place) = find(row, job) else { return false };
        row.remove(place);
        if row.is_empty() {
            level.rows.remove(&stand.session);
            level.turn.retain(|&session| session != stand.session);
        }
        self.len -= 1;
        self.drop_empty_levels();
        true
    }

    /// The place among the waiting jobs of its session and priority, from 0.
    pub(super) fn place(&self, stand: Stand, job: JobId) -> Option<usize> {
        let level = self.levels.get(&Reverse(stand.priority))?;
        find(level.rows.get(&stand.session)?, job)
    }

    /// Moves a job; gives where it stands then.
    pub(super) fn shift(&mut self, stand: Stand, job: JobId, to: Move) -> Option<Stand> {
        if to != Move::ToFront {
            let row = self.levels.get_mut(&Reverse(stand.priority))?.rows.get_mut(&stand.session)?;
            let place = find(row, job)?;
            let other = if to == Move::Up { place.checked_sub(1)? } else { place + 1 };
            if other >= row.len() {
                return None;
            }
            row.swap(place, other);
            return Some(stand);
        }
        let highest = self.levels.keys().next()?.0;
        let stand_then = Stand { priority: highest.max(stand.priority), session: stand.session };
        if self.first() == Some(job) || !self.remove(stand, job) {
            return None;
        }
        self.level_row(stand_then, true).push_front(job);
        self.len += 1;
        let level = self.levels.get_mut(&Reverse(stand_then.priority))?;
        level.turn.retain(|&session| session != stand.session);
        level.turn.push_front(stand.session);
        Some(stand_then)
    }

    /// All jobs in the order in which they would start.
    pub(super) fn iter(&self) -> impl Iterator<Item = JobId> + '_ {
        self.iter_while(|_| true)
    }

    /// The same, but of each session and priority only those before the first that is not `able`.
    pub(super) fn iter_while<'a>(
        &'a self,
        able: impl Fn(JobId) -> bool + Copy + 'a,
    ) -> impl Iterator<Item = JobId> + 'a {
        self.levels.values().flat_map(move |level| {
            let rows = level.turn.iter().filter_map(|session| level.rows.get(session));
            let mut turn: VecDeque<_> = rows.map(|row| row.iter().copied().take_while(move |job| able(*job))).collect();
            std::iter::from_fn(move || {
                loop {
                    let mut row = turn.pop_front()?;
                    if let Some(job) = row.next() {
                        turn.push_back(row);
                        return Some(job);
                    }
                }
            })
        })
    }
}

/// A job's place: without a move by the visitor a row is in the order of its ids.
fn find(row: &VecDeque<JobId>, job: JobId) -> Option<usize> {
    row.binary_search(&job).ok().or_else(|| row.iter().position(|&other| other == job))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand(priority: i32, session: u64) -> Stand {
        Stand { priority, session: SessionId(session) }
    }

    fn order(row: &Row) -> Vec<u64> {
        row.iter().map(|job| job.0).collect()
    }

    #[test]
    fn sessions_take_turns_inside_a_priority() {
        let mut row = Row::default();
        for job in 1..=4 {
            row.push(stand(0, 1), JobId(job));
        }
        row.push(stand(0, 2), JobId(5));
        row.push(stand(7, 3), JobId(6));
        assert_eq!(order(&row), [6, 1, 5, 2, 3, 4]);
        let popped: Vec<u64> = std::iter::from_fn(|| row.pop()).map(|job| job.0).collect();
        assert_eq!(popped, [6, 1, 5, 2, 3, 4]);
        assert_eq!(row.len(), 0);
    }

    #[test]
    fn a_start_is_a_turn_of_its_session_wherever_it_stood() {
        let mut row = Row::default();
        for (job, session) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)] {
            row.push(stand(0, session), JobId(job));
        }
        row.start(stand(0, 1), JobId(1));
        assert_eq!(order(&row), [3, 5, 2, 4]);
        row.start(stand(0, 3), JobId(5));
        row.start(stand(0, 2), JobId(4));
        assert_eq!(order(&row), [2, 3]);
    }

    #[test]
    fn nobody_goes_before_one_of_the_same_session_and_priority() {
        let mut row = Row::default();
        for (job, session, priority) in [(1, 1, 0), (2, 1, 0), (3, 1, 0), (4, 2, 0), (5, 1, 1)] {
            row.push(stand(priority, session), JobId(job));
        }
        let all: Vec<u64> = row.iter_while(|job| job != JobId(2)).map(|job| job.0).collect();
        assert_eq!(all, [5, 1, 4]);
    }

    #[test]
    fn the_front_is_before_every_session_and_priority() {
        let mut row = Row::default();
        for (job, session, priority) in [(1, 1, 9), (2, 1, 0), (3, 2, 0), (4, 2, 0)] {
            row.push(stand(priority, session), JobId(job));
        }
        assert_eq!(row.shift(stand(0, 2), JobId(4), Move::ToFront), Some(stand(9, 2)));
        assert_eq!(order(&row), [4, 1, 2, 3]);
        assert_eq!(row.shift(stand(9, 2), JobId(4), Move::ToFront), None);
    }

    #[test]
    fn steps_stay_inside_the_session() {
        let mut row = Row::default();
        for job in 1..=3 {
            row.push(stand(0, 1), JobId(job));
        }
        assert_eq!(row.shift(stand(0, 1), JobId(3), Move::Up), Some(stand(0, 1)));
        assert_eq!(order(&row), [1, 3, 2]);
        assert_eq!(row.shift(stand(0, 1), JobId(1), Move::Up), None);
        assert_eq!(row.shift(stand(0, 1), JobId(2), Move::Down), None);
        assert_eq!(row.place(stand(0, 1), JobId(2)), Some(2));
        assert!(row.remove(stand(0, 1), JobId(3)) && !row.remove(stand(0, 1), JobId(3)));
        assert_eq!(order(&row), [1, 2]);
    }
}
