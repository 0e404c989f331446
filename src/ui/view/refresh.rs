//! When the page is drawn anew: at once a few times a frame, else once with the next frame.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;

use super::{Page, panel};
use crate::ids::ComponentId;
use crate::runtime::Runtime;
use crate::runtime::view::{ComponentView, Phase};

/// A frame; drawings are counted in each.
const FRAME_MILLIS: f64 = 16.0;

/// Drawings at once in a frame: a click, its beginning and its result are drawn without waiting for the next frame;
/// what comes faster is drawn once with it.
const AT_ONCE: u32 = 4;

/// How often times are drawn while they run.
const TICK: Duration = Duration::from_millis(100);

struct Refresh {
    page: Page,
    runtime: Runtime,
    frame_began: Cell<f64>,
    drawn_in_frame: Cell<u32>,
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
        if self.drawn_in_frame.get() < AT_ONCE {
            self.draw();
            return;
        }
        self.scheduled.set(true);
        // Whichever comes first: a hidden page gets no frames, and a page may be hidden while it waits for one.
        let (frame, timer) = (Rc::clone(self), Rc::clone(self));
        request_animation_frame(move || frame.draw_if_scheduled());
        set_timeout(move || timer.draw_if_scheduled(), TICK);
    }

    fn draw_if_scheduled(&self) {
        if self.scheduled.get() {
            self.draw();
        }
    }

    fn draw(&self) {
        self.scheduled.set(false);
        let changes = self.runtime.take_changes();
        for id in changes.components {
            self.page.component(id).set(self.runtime.component(id));
        }
        if changes.panel {
            self.page.panel.set(self.runtime.panel(panel::ROWS));
        }
        if !changes.toasts.is_empty() {
            let first = self.toasts_shown.get();
            self.toasts_shown.set(first + changes.toasts.len() as u64);
            self.page.toasts.update(|shown| {
                shown.extend((first..).zip(changes.toasts));
                let most = 4;
                shown.drain(..shown.len().saturating_sub(most));
            });
        }
        self.drawn_in_frame.set(self.drawn_in_frame.get() + 1);
    }

    fn tick(&self) {
        if !self.runtime.busy() || document().hidden() {
            return;
        }
        self.page.panel.set(self.runtime.panel(panel::ROWS));
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
