//! The queue panel: each lane as its slots, and the row behind them.

use leptos::prelude::*;

use super::Page;
use super::canvas::canvas;
use super::component::bar;
use crate::ids::JobId;
use crate::runtime::view::{EndedView, LaneView, PanelView, Phase, SlotView, WaitingView};
use crate::ui::model::words;
use crate::value::Picture;

/// Waiting jobs that are drawn of each lane; more are counted.
pub(super) const ROWS: usize = 20;

/// Free slots that are drawn of each lane.
const FREE_SHOWN: usize = 16;

pub(super) fn panel(page: Page) -> AnyView {
    let open = RwSignal::new(false);
    let summary = Memo::new(move |_| page.panel.with(words::summary));
    let lanes = page.panel.with_untracked(|panel| panel.lanes.len());
    let lanes: Vec<AnyView> = (0..lanes).map(|index| lane(page, index)).collect();
    view! {
        <aside class="panel" class:panel-open=open aria-label="Queue" role="region">
            <div class="panel-head">
                <h2>"Queue"</h2>
                <p class="panel-summary figure" role="status" data-testid="queue-summary">{summary}</p>
                <button type="button" class="quiet panel-toggle" aria-expanded=move || open.get().to_string()
                    aria-label="Show the queue" on:click=move |_| open.update(|open| *open = !*open)>
                    {move || if open.get() { "Close" } else { "Open" }}
                </button>
            </div>
            <div class="panel-body">{lanes} {ended(page)} {engine(page)}</div>
        </aside>
    }
    .into_any()
}

fn of_lane<T: PartialEq + Send + Sync + 'static>(
    page: Page,
    index: usize,
    look: impl Fn(&LaneView) -> T + Send + Sync + 'static,
) -> Memo<Option<T>> {
    Memo::new(move |_| page.panel.with(|panel| panel.lanes.get(index).map(&look)))
}

fn lane(page: Page, index: usize) -> AnyView {
    let (name, callers, count) = page.panel.with_untracked(|panel| {
        let lane = panel.lanes.get(index);
        lane.map_or_else(Default::default, |lane| (lane.name.clone(), lane.listeners.join(", "), lane.count))
    });
    let busy = of_lane(page, index, |lane| lane.busy.iter().map(|slot| slot.job).collect::<Vec<JobId>>());
    let waiting = of_lane(page, index, |lane| lane.waiting.iter().map(|row| row.job).collect::<Vec<JobId>>());
    let free = of_lane(page, index, move |lane| {
        lane.count.map_or(1, |count| count.saturating_sub(lane.busy.len())).min(FREE_SHOWN)
    });
    let more = of_lane(page, index, |lane| lane.more);
    let hidden = of_lane(page, index, |lane| lane.quiet && lane.busy.is_empty() && lane.waiting.is_empty());
    let (aria, data) = (format!("Lane {name}"), name.clone());
    let slots = match count {
        Some(1) => "1 slot".to_owned(),
        Some(count) => format!("{count} slots"),
        None => "no limit".to_owned(),
    };
    view! {
        <section class="lane" aria-label=aria data-lane=data hidden=move || hidden.get() == Some(true)>
            <h3><span class="lane-name">{name}</span><span class="lane-count">{slots}</span></h3>
            <p class="lane-callers">{callers}</p>
            <ul class="slots" aria-label="Running">
                <For each=move || busy.get().unwrap_or_default() key=|job| *job children=move |job| slot(page, index, job)/>
                <For each=move || 0..free.get().unwrap_or(0) key=|place| *place children=move |_| view! {
                    <li class="slot slot-free" aria-label="Free slot"><span>{if count.is_none() { "∞" } else { "" }}</span></li>
                }/>
            </ul>
            <ol class="waiting" aria-label="Waiting">
                <For each=move || waiting.get().unwrap_or_default() key=|job| *job children=move |job| row(page, index, job)/>
            </ol>
            {move || more.get().filter(|&more| more > 0).map(|more| view! { <p class="more figure">{format!("and {more} more")}</p> })}
        </section>
    }
    .into_any()
}

fn slot(page: Page, lane: usize, job: JobId) -> AnyView {
    let look = move |find: &PanelView| -> Option<SlotView> {
        find.lanes.get(lane)?.busy.iter().find(|slot| slot.job == job).cloned()
    };
    let view = Memo::new(move |_| page.panel.with(look));
    let preview: Memo<Option<Picture>> = Memo::new(move |_| view.with(|slot| slot.as_ref()?.preview.clone()));
    let stopping =
        Memo::new(move |_| view.with(|slot| slot.as_ref().is_some_and(|slot| slot.phase == Phase::Stopping)));
    let progress = Memo::new(move |_| view.with(|slot| slot.as_ref().and_then(|slot| slot.progress)));
    let elapsed = Memo::new(move |_| view.with(|slot| slot.as_ref().map(|slot| words::time(slot.elapsed))));
    let title = move || view.with(|slot| slot.as_ref().map(|slot| format!("{}: {}", slot.listener, slot.text)));
    view! {
        <li class="slot slot-busy" class:slot-stopping=stopping title=title>
            <div class="slot-picture">
                {move || preview.with(Option::is_some).then(|| canvas(preview, format!("Preview of {job}"), "canvas"))}
                <button type="button" class="cancel" aria-label=format!("Cancel job {job}") disabled=stopping
                    on:click=move |_| page.cancel(job)>"×"</button>
            </div>
            {move || bar(progress.get())}
            <p class="slot-words figure"><span>{move || if stopping.get() { Some("stopping".to_owned()) } else { elapsed.get() }}</span></p>
        </li>
    }
    .into_any()
}

fn row(page: Page, lane: usize, job: JobId) -> AnyView {
    let look = move |find: &PanelView| -> Option<WaitingView> {
        find.lanes.get(lane)?.waiting.iter().find(|row| row.job == job).cloned()
    };
    let view = Memo::new(move |_| page.panel.with(look));
    let position = move || view.with(|row| row.as_ref().map(|row| row.position.to_string()));
    let listener = view.with_untracked(|row| row.as_ref().map(|row| row.listener.clone()));
    let estimate = move || {
        view.with(|row| {
            let row = row.as_ref()?;
            Some(match (row.starting, row.estimate) {
                (true, _) => "waiting for a worker".to_owned(),
                (false, Some(left)) => format!("done in {}", words::time(left)),
                (false, None) => "no estimate yet".to_owned(),
            })
        })
    };
    view! {
        <li class="waiting-row">
            <span class="position figure">{position}</span>
            <span class="waiting-words"><span>{listener}</span><span class="estimate figure">{job.to_string()}" · "{estimate}</span></span>
            <button type="button" class="cancel" aria-label=format!("Cancel job {job}") on:click=move |_| page.cancel(job)>"×"</button>
        </li>
    }
    .into_any()
}

fn ended(page: Page) -> AnyView {
    let ended = Memo::new(move |_| page.panel.with(|panel| panel.ended.clone()));
    let rows = move || ended.get().into_iter().map(ended_row).collect::<Vec<AnyView>>();
    view! {
        <section class="ended" aria-label="Ended" hidden=move || ended.with(Vec::is_empty)>
            <h3>"Ended"</h3>
            <ul>{rows}</ul>
        </section>
    }
    .into_any()
}

fn ended_row(ended: EndedView) -> AnyView {
    let class = if ended.phase == Phase::Failed { "ended-row ended-failed" } else { "ended-row" };
    let words = match (&ended.error, ended.phase) {
        (Some(error), _) => error.clone(),
        (None, Phase::Done) => words::time(ended.took),
        (None, phase) => words::phase(phase).to_owned(),
    };
    view! { <li class=class><span class="figure">{ended.job.to_string()}</span><span class="ended-words">{words}</span></li> }.into_any()
}

fn engine(page: Page) -> AnyView {
    let words = Memo::new(move |_| {
        page.panel.with(|panel| match &panel.engine {
            None => "Looking for what computes here …".to_owned(),
            Some(engine) if !engine.note.is_empty() => engine.note.clone(),
            Some(engine) => format!("Computes on {}", engine.name),
        })
    });
    view! { <p class="engine" data-testid="engine">{words}</p> }.into_any()
}
