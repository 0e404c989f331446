//! The page's conductor: drives the queue and the workers through ports, and says what the page shows.
//!
//! PURE. May name `blocks`, `queue`, `wire`, `ports`, `value` and `ids`. Commands come in as method calls, state goes
//! out as the plain data of [`view`]; nothing here draws.

pub mod view;

use std::rc::Rc;

use crate::blocks::{App, Event};
use crate::ids::{ComponentId, JobId};
use crate::value::Value;
use view::{Changes, ComponentView, PanelView};

/// The page's conductor. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    app: Rc<App>,
}

impl Runtime {
    /// The app it conducts.
    #[must_use]
    pub fn app(&self) -> &Rc<App> {
        &self.app
    }

    /// The visitor changed a component: takes the value, clears its error and sets off `input` and `change`.
    pub fn set_value(&self, component: ComponentId, value: Value) {
        let _ = (component, value);
    }

    /// The visitor set off an event of a component.
    pub fn fire(&self, component: ComponentId, event: Event) {
        let _ = (component, event);
    }

    /// The visitor cancels a job.
    pub fn cancel(&self, job: JobId) {
        let _ = job;
    }

    /// Calls `listener` when something changed since the last [`Runtime::take_changes`]; once, until they are taken.
    pub fn on_change(&self, listener: Rc<dyn Fn()>) {
        drop(listener);
    }

    /// What changed since the last call.
    #[must_use]
    pub fn take_changes(&self) -> Changes {
        Changes::default()
    }

    /// A component as it is now.
    #[must_use]
    pub fn component(&self, component: ComponentId) -> ComponentView {
        let _ = component;
        ComponentView::default()
    }

    /// The queue as it is now, with at most `rows` waiting jobs a lane.
    #[must_use]
    pub fn panel(&self, rows: usize) -> PanelView {
        let _ = rows;
        PanelView::default()
    }

    /// Whether any job waits or runs: then times change, and the page looks again every 100 ms.
    #[must_use]
    pub fn busy(&self) -> bool {
        false
    }
}
