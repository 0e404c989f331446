//! The rows of jobs that wait. When many pass in a second, rows are built once and given one job after the other: to
//! build them anew for each draw of the panel was most of what it took.

use std::cell::Cell;
use std::rc::Rc;

use leptos::prelude::*;

use super::Page;
use super::el::{Child, El, each, el, target};
use super::panel::{action, of_lane, stay};
use crate::ids::JobId;
use crate::runtime::Move;
use crate::runtime::view::WaitingView;
use crate::ui::model::places::{Place, seat};
use crate::ui::model::words;

/// The waiting jobs of a lane that are drawn.
pub(super) fn rows(page: Page, lane: usize) -> Child {
    let places = StoredValue::new(Vec::new());
    let rows = Memo::new(move |_| {
        let jobs: Vec<u64> = of_lane(page, lane, |lane| lane.waiting.iter().map(|row| row.job.0).collect());
        places
            .try_update_value(|places| {
                *places = seat(places, &jobs);
                places.iter().map(|place| place.row).collect()
            })
            .unwrap_or_default()
    });
    each(rows, move |row| {
        one(
            page,
            Memo::new(move |_| {
                // Read, not only tracked: rows are seated before they are looked at.
                rows.with(Vec::len);
                let job = places.with_value(|places: &Vec<Place>| {
                    places.iter().find(|place| place.row == row).map(|place| place.key)
                })?;
                of_lane(page, lane, |lane| lane.waiting.iter().find(|row| row.job.0 == job).cloned())
            }),
        )
    })
}

fn one(page: Page, view: Memo<Option<WaitingView>>) -> Child {
    let of_row =
        move |look: &dyn Fn(&WaitingView) -> String| view.with(|row| row.as_ref().map(look)).unwrap_or_default();
    let words = el("span", "waiting-words")
        .child(el("span", "").live_text(move || of_row(&|row| row.listener.clone())))
        .child(el("span", "estimate figure").live_text(move || of_row(&words::waiting)));
    let pressed = Pressed { view, at: Rc::default() };
    let (down, key) = (pressed.clone(), pressed.clone());
    let shift = |sign, name, to| {
        let act = move |job| page.with_runtime(|runtime| runtime.move_job(job, to));
        pressed.clone().button(action(sign).attr("title", name), name, act)
    };
    el("li", "waiting-row")
        .on("pointerdown", move |_| down.begins())
        .on("keydown", move |_| key.begins())
        .live(let_go(view))
        .child(el("span", "position figure").live_text(move || of_row(&|row| row.position.to_string())))
        .child(words)
        .child(
            el("span", "row-actions")
                .child(shift("⤒", "Move to the front", Move::ToFront))
                .child(shift("↑", "Move up", Move::Up))
                .child(shift("↓", "Move down", Move::Down)),
        )
        .child(pressed.clone().button(
            el("button", "cancel").attr("type", "button").text("×"),
            "Cancel job",
            move |job| page.cancel(job),
        ))
        .into()
}

/// Who stood on a button of a job that is gone stands on the panel, as if the row were gone, and not on another job's.
fn let_go(view: Memo<Option<WaitingView>>) -> impl Fn(&web_sys::Element) {
    let shown = Cell::new(None);
    move |row| {
        let job = job_of(view.get());
        if shown.replace(job) == job {
            return;
        }
        if document().active_element().is_some_and(|focused| row.contains(Some(&focused))) {
            stay(row);
        }
    }
}

fn job_of(view: Option<WaitingView>) -> Option<JobId> {
    view.map(|row| row.job)
}

/// The job that a row showed when a press began: what ends on another job's row was not meant for that one.
#[derive(Clone)]
struct Pressed {
    view: Memo<Option<WaitingView>>,
    at: Rc<Cell<Option<JobId>>>,
}

impl Pressed {
    fn begins(&self) {
        self.at.set(job_of(self.view.get_untracked()));
    }

    /// The button with the name of what it does to the row's job.
    fn button(self, button: El, name: &'static str, act: impl Fn(JobId) + 'static) -> El {
        let view = self.view;
        button.live_attr("aria-label", move || job_of(view.get()).map(|job| format!("{name} {job}"))).on(
            "click",
            move |event| {
                let (began, now) = (self.at.take(), job_of(self.view.get_untracked()));
                if let Some(job) = now.filter(|_| began.is_none() || began == now) {
                    act(job);
                    target::<web_sys::Element>(&event).iter().for_each(stay);
                }
            },
        )
    }
}
