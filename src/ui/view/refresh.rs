//! When the page is drawn anew: in the next turn of the event loop a few times a
//! frame, else once with the next frame, as long as drawing does not
//! take the time that the work needs.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;

use wasm_bindgen_futures::spawn_local;

use super::{Page, panel};
use crate::ids::ComponentId;
use crate::runtime::Runtime;
use crate::runtime::view::{ComponentView, Phase};
use crate::ui::model::pace::Pace;

/// A frame; drawings are counted in each.
const FRAME_MILLIS: f64 = 16.0;

/// Drawings at once in a frame: a click, its beginning and its result are drawn without waiting for the next frame;
/// what comes faster is drawn once with it.
const AT_ONCE: u32 = 4;

/// How often the panel is drawn and times while they run, and the longest that a change waits.
const TICK: Duration = Duration::from_millis(100);

struct Refresh {
    page: Page,
    runtime: Runtime,
    frame_began: Cell<f64>,
    drawn_in_frame: Cell<u32>,
    pace: Cell<Pace>,
    /// The next frame will be measured.
    frame_measured: Cell<bool>,
    drawings: Cell<u64>,
    panel_drawn: Cell<f64>,
    /// The panel is to be drawn with the next tick.
    panel_waits: Cell<bool>,
    scheduled: Cell<bool>,
    toasts_shown: Cell<u64>,
}

/// Draws what changes, as long as the page lives.
pub(super) fn follow(page: Page, runtime: &Runtime) {
    let refresh = Rc::new(Refresh {
        page,
        runtime: runtime.clone(),
        frame_began: Cell::new(0.0),
        drawn_in_frame: Cell::new(0),
        pace: Cell::default(),
        frame_measured: Cell::new(false),
        drawings: Cell::new(0),
        panel_drawn: Cell::new(f64::MIN),
        panel_waits: Cell::new(false),
        scheduled: Cell::new(false),
        toasts_shown: Cell::new(0),
    });
    let listening = Rc::clone(&refresh);
    runtime.on_change(Rc::new(move || listening.changed()));
    let ticking = Rc::clone(&refresh);
    // Without a timer times stand still, and all else goes on.
    let _ = set_interval_with_handle(move || ticking.tick(), TICK);
}

fn now() -> f64 {
    window().performance().map_or(0.0, |performance| performance.now())
}

impl Refresh {
    fn changed(self: &Rc<Self>) {
        if self.scheduled.get() {
            return;
        }
        if now() - self.frame_began.get() > FRAME_MILLIS {
            self.frame_began.set(now());
            self.drawn_in_frame.set(0);
        }
        self.scheduled.set(true);
        if self.drawn_in_frame.get() < AT_ONCE && self.due() {
            // In a turn of its own: who submits goes on first, and what else the task changes is drawn with it.
            let at_once = Rc::clone(self);
            spawn_local(async move {
                at_once.runtime.turn().await;
                if at_once.scheduled.get() {
                    at_once.draw();
                }
            });
            return;
        }
        self.with_a_frame();
        // A hidden page gets no frames, and a page may be hidden while it waits for one.
        let (timer, before) = (Rc::clone(self), self.drawings.get());
        set_timeout(
            move || {
                if timer.scheduled.get() && timer.drawings.get() == before {
                    timer.draw();
                }
            },
            TICK,
        );
    }

    fn with_a_frame(self: &Rc<Self>) {
        let frame = Rc::clone(self);
        request_animation_frame(move || {
            if !frame.scheduled.get() {
                return;
            }
            if frame.due() {
                let began = now();
                frame.draw_changes();
                frame.measure_frame(began);
            } else {
                frame.with_a_frame();
            }
        });
    }

    fn due(&self) -> bool {
        let mut pace = self.pace.get();
        let due = pace.due(now());
        self.pace.set(pace);
        due
    }

    /// Draws between frames. The effects that a drawing wakes are tasks before the one that measures here; what the browser
    /// has to do for it comes with the next frame.
    fn measured(self: &Rc<Self>, draw: impl FnOnce()) {
        let began = now();
        draw();
        let refresh = Rc::clone(self);
        spawn_local(async move { refresh.spent_since(began) });
        if !self.frame_measured.replace(true) {
            let refresh = Rc::clone(self);
            request_animation_frame(move || {
                refresh.frame_measured.set(false);
                refresh.measure_frame(now());
            });
        }
    }

    /// In a frame: the browser's layout and painting are through with the next turn.
    fn measure_frame(self: &Rc<Self>, began: f64) {
        let refresh = Rc::clone(self);
        spawn_local(async move {
            refresh.runtime.turn().await;
            refresh.spent_since(began);
        });
    }

    fn spent_since(&self, began: f64) {
        let mut pace = self.pace.get();
        pace.spent(now() - began);
        self.pace.set(pace);
    }

    fn draw(self: &Rc<Self>) {
        self.measured(|| self.draw_changes());
    }

    fn draw_changes(&self) {
        self.scheduled.set(false);
        self.drawings.set(self.drawings.get() + 1);
        let changes = self.runtime.take_changes();
        for id in changes.components {
            self.page.component(id).set(self.runtime.component(id));
        }
        if changes.panel {
            // Each job that passes changes every row, so a panel for each would be most of the drawing.
            let rests = now() - self.panel_drawn.get() >= TICK.as_secs_f64() * 1000.0;
            if rests || document().hidden() {
                self.draw_panel();
            } else {
                self.panel_waits.set(true);
            }
        }
        if !changes.toasts.is_empty() || !changes.past.is_empty() {
            let first = self.toasts_shown.get();
            self.toasts_shown.set(first + changes.toasts.len() as u64);
            self.page.toasts.update(|shown| {
                for (number, toast) in (first..).zip(changes.toasts) {
                    // A batch of eight pictures says the same of each, and a timer at each tick.
                    if !shown.iter().any(|(_, other)| *other == toast) {
                        shown.push((number, toast));
                    }
                }
                shown.retain(|(_, toast)| !changes.past.contains(&toast.text));
                let most = 4;
                shown.drain(..shown.len().saturating_sub(most));
            });
        }
        self.drawn_in_frame.set(self.drawn_in_frame.get() + 1);
    }

    fn tick(self: &Rc<Self>) {
        if !self.runtime.busy() && !self.panel_waits.get() || document().hidden() {
            return;
        }
        self.measured(|| self.draw_times());
    }

    fn draw_panel(&self) {
        self.panel_drawn.set(now());
        self.panel_waits.set(false);
        self.page.panel.set(self.runtime.panel(panel::ROWS));
    }

    fn draw_times(&self) {
        self.draw_panel();
        let ids = (0u32..).map(ComponentId).take(self.runtime.app().components().len());
        for id in ids.filter(|&id| self.page.component(id).with_untracked(is_moving)) {
            self.page.component(id).set(self.runtime.component(id));
        }
    }
}

fn is_moving(view: &ComponentView) -> bool {
    let phase = view.status.as_ref().map(|status| status.phase);
    matches!(phase, Some(Phase::Waiting | Phase::Running | Phase::Stopping))
}
