//! The queue panel: each lane as its slots, and the row behind them.

use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

use super::Page;
use super::component::bar;
use super::el::{Child, El, each, el, nothing, target};
use super::waiting;
use crate::ids::{JobId, LaneId};
use crate::runtime::view::{LaneView, PanelView, Phase, SlotView};
use crate::ui::model::words;

/// Waiting jobs that are drawn of each lane; more are counted.
pub(super) const ROWS: usize = 20;

/// Free slots that are drawn of each lane.
const FREE_SHOWN: usize = 16;

/// How long the queue must have been as it is before it is read out.
const SETTLED: Duration = Duration::from_secs(1);

pub(super) fn panel(page: Page) -> Child {
    let open = RwSignal::new(false);
    let summary = Memo::new(move |_| page.panel.with(words::summary));
    let lanes = page.panel.with_untracked(|panel| panel.lanes.len());
    let toggle = el("button", "quiet panel-toggle")
        .attr("type", "button")
        .attr("aria-label", "Show the queue")
        .attr("aria-controls", "gradus-queue")
        .live_attr("aria-expanded", move || Some(open.get().to_string()))
        .on("click", move |_| open.update(|open| *open = !*open));
    let head = el("div", "panel-head")
        .child(el("h2", "").text("Queue"))
        .child(el("p", "panel-summary figure").attr("data-testid", "queue-summary").live_text(move || summary.get()))
        .child(read_out(page, summary))
        .child(toggle);
    let body = el("div", "panel-body")
        .attr("id", "gradus-queue")
        .children((0..lanes).map(|index| lane(page, index)))
        .child(ended(page))
        .child(engine(page));
    el("aside", "")
        .attr("role", "region")
        .attr("aria-label", "Queue")
        // It scrolls, so the keyboard must reach it also while there is nothing in it to press.
        .attr("tabindex", "0")
        .live_attr("class", move || Some(if open.get() { "panel panel-open" } else { "panel" }.to_owned()))
        .child(head)
        .child(body)
        .into()
}

/// What there is to hear: once it has settled, since each job would change it twice.
fn read_out(page: Page, summary: Memo<String>) -> El {
    let ended = Memo::new(move |_| page.panel.with(words::newest));
    let (said, told) = (RwSignal::new(summary.get_untracked()), RwSignal::new(ended.get_untracked()));
    el("p", "unseen").attr("role", "status").live_text(move || said.get()).live(move |_| {
        let (last, now) = (ended.get(), summary.get());
        set_timeout(
            move || {
                if ended.get_untracked() == last && summary.get_untracked() == now {
                    said.set(words::heard(&said.get_untracked(), &told.get_untracked(), &last, &now));
                    told.set(last);
                }
            },
            SETTLED,
        );
    })
}

pub(super) fn of_lane<T: Default>(page: Page, index: usize, look: impl Fn(&LaneView) -> T) -> T {
    page.panel.with(|panel| panel.lanes.get(index).map(look)).unwrap_or_default()
}

fn lane(page: Page, index: usize) -> Child {
    let (name, callers, count) = page.panel.with_untracked(|panel| {
        let lane = panel.lanes.get(index);
        lane.map_or_else(Default::default, |lane| (lane.name.clone(), lane.listeners.join(", "), lane.count))
    });
    let busy = Memo::new(move |_| of_lane(page, index, |lane| lane.busy.iter().map(|slot| slot.job.0).collect()));
    let free = Memo::new(move |_| {
        let free = of_lane(page, index, |lane| lane.count.map_or(1, |count| count.saturating_sub(lane.busy.len())));
        (0..free.min(FREE_SHOWN) as u64).collect()
    });
    let more = move || of_lane(page, index, |lane| lane.more);
    let slots = match count {
        Some(1) => "1 slot".to_owned(),
        Some(count) => format!("{count} slots"),
        None => "no limit".to_owned(),
    };
    let free_slot = move |_| {
        let mark = el("span", "").text(if count.is_none() { "∞" } else { "" });
        el("li", "slot slot-free").attr("aria-label", "Free slot").child(mark).into()
    };
    el("section", "lane")
        .attr("aria-label", &format!("Lane {name}"))
        .attr("data-lane", &name)
        .live_flag("hidden", move || {
            of_lane(page, index, |lane| lane.quiet && lane.busy.is_empty() && lane.waiting.is_empty())
        })
        .child(el("h3", "").child(el("span", "lane-name").text(&name)).child(el("span", "lane-count").text(&slots)))
        .child(el("p", "lane-callers").attr("title", &callers).text(&callers))
        .child(lane_bar(page, index, name))
        .child(
            el("ul", "slots")
                .attr("aria-label", "Running")
                .child(each(busy, move |job| slot(page, index, JobId(job))))
                .child(each(free, free_slot)),
        )
        .child(el("ol", "waiting").attr("aria-label", "Waiting").child(waiting::rows(page, index)))
        .child(
            el("p", "more figure")
                .live_flag("hidden", move || more() == 0)
                .live_text(move || format!("and {} more", more())),
        )
        .into()
}

/// What a run takes, and the lane by hand.
fn lane_bar(page: Page, index: usize, name: String) -> El {
    let id = LaneId(u32::try_from(index).unwrap_or(u32::MAX));
    let paused = move || of_lane(page, index, |lane| lane.paused);
    let waits = move || of_lane(page, index, |lane| lane.waiting.len() + lane.more > 0);
    let does = move || if paused() { "Resume" } else { "Pause" };
    let pause = action("Pause")
        .on("click", move |_| page.with_runtime(|runtime| runtime.pause(id, !untracked(paused))))
        // Each lane has one.
        .live_attr("aria-label", move || Some([does(), " lane ", &name].concat()))
        .live_text(move || does().to_owned());
    let clear = action("Cancel all waiting")
        .on("click", move |event| {
            page.with_runtime(|runtime| runtime.cancel_waiting(id));
            target::<web_sys::Element>(&event).iter().for_each(stay);
        })
        .live_flag("hidden", move || !waits());
    el("div", "lane-bar")
        .child(el("span", "estimate figure").live_text(move || of_lane(page, index, words::run)))
        .child(pause)
        .child(clear)
}

fn untracked<T>(look: impl Fn() -> T) -> T {
    leptos::prelude::untrack(look)
}

/// A small button of the panel.
pub(super) fn action(name: &'static str) -> El {
    el("button", "quiet action").attr("type", "button").text(name)
}

fn cancel(page: Page, job: JobId) -> El {
    el("button", "cancel").attr("type", "button").attr("aria-label", &format!("Cancel job {job}")).text("×").on(
        "click",
        move |event| {
            page.cancel(job);
            target::<web_sys::Element>(&event).iter().for_each(stay);
        },
    )
}

/// What was pressed goes away or moves; who is in the panel by keyboard stays in it.
pub(super) fn stay(pressed: &web_sys::Element) {
    let panel = pressed.closest(".panel").ok().flatten();
    if let Some(panel) = panel.and_then(|panel| panel.dyn_into::<web_sys::HtmlElement>().ok()) {
        // It can only fail on an element that is gone.
        let _ = panel.focus();
    }
}

fn slot(page: Page, lane: usize, job: JobId) -> Child {
    // One look at the panel for all that is drawn of the slot, since each look costs all others when the panel changes.
    // `None` for the moment in which the job has ended and its slot is still drawn.
    let view: Memo<Option<SlotView>> =
        Memo::new(move |_| of_lane(page, lane, |lane| lane.busy.iter().find(|slot| slot.job == job).cloned()));
    let of_slot = move |look: &dyn Fn(&SlotView) -> Option<String>| view.with(|slot| slot.as_ref().and_then(look));
    let stopping = move || of_slot(&|slot| (slot.phase == Phase::Stopping).then(String::new)).is_some();
    let share = move || view.with(|slot| slot.as_ref().and_then(|slot| slot.progress));
    let picture = preview(view, job).child(cancel(page, job).live_flag("disabled", stopping));
    let words = move || of_slot(&|slot| Some(words::slot(slot)));
    el("li", "")
        .live_attr("class", move || {
            Some(if stopping() { "slot slot-busy slot-stopping" } else { "slot slot-busy" }.to_owned())
        })
        .live_attr("title", move || of_slot(&|slot| Some(format!("{}: {}", slot.listener, slot.text))))
        .child(picture)
        .child(bar(share))
        .child(el("p", "slot-words figure").live_text(move || words().unwrap_or_default()))
        .into()
}

/// Where a slot shows what its job has made so far.
#[cfg(feature = "pictures")]
fn preview(slot: Memo<Option<SlotView>>, job: JobId) -> El {
    let preview = Memo::new(move |_| slot.with(|slot| slot.as_ref().and_then(|slot| slot.preview.clone())));
    let canvas = super::canvas::canvas(preview, &format!("Preview of {job}"));
    el("div", "slot-picture").child(canvas.live_flag("hidden", move || preview.with(Option::is_none)))
}

#[cfg(not(feature = "pictures"))]
fn preview(_: Memo<Option<SlotView>>, _: JobId) -> El {
    el("div", "slot-picture")
}

fn ended(page: Page) -> Child {
    let jobs = Memo::new(move |_| page.panel.with(|panel| panel.ended.iter().map(|row| row.job.0).collect()));
    let row = move |job: u64| {
        let find = |panel: &PanelView| panel.ended.iter().find(|row| row.job.0 == job).cloned();
        let Some(row) = page.panel.with_untracked(find) else { return nothing() };
        let again = move || page.panel.with(|panel| panel.ended.iter().any(|row| row.job.0 == job && row.retry));
        let retry = action("Retry")
            .attr("aria-label", &format!("Run again {}", row.job))
            .live_flag("hidden", move || !again())
            .on("click", move |event| {
                page.with_runtime(|runtime| runtime.retry(JobId(job)));
                target::<web_sys::Element>(&event).iter().for_each(stay);
            });
        el("li", if row.phase == Phase::Failed { "ended-row ended-failed" } else { "ended-row" })
            .child(el("span", "figure").text(&row.job.to_string()))
            .child(el("span", "ended-words").text(&words::ended(&row)))
            .child(retry)
            .into()
    };
    el("section", "ended")
        .attr("aria-label", "Ended")
        .live_flag("hidden", move || jobs.with(Vec::is_empty))
        .child(el("h3", "").text("Ended"))
        .child(el("ul", "").child(each(jobs, row)))
        .into()
}

fn engine(page: Page) -> Child {
    let words = move || {
        page.panel.with(|panel| match &panel.engine {
            None => "Looking for what computes here …".to_owned(),
            Some(engine) if !engine.note.is_empty() => engine.note.clone(),
            // An app without pictures.
            Some(engine) if engine.name.is_empty() => String::new(),
            Some(engine) => format!("Computes on {}", engine.name),
        })
    };
    el("p", "engine").attr("data-testid", "engine").live_text(words).into()
}
