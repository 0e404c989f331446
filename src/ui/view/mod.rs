//! The Leptos views, one file for each kind of component. They hold markup and events only.
//!
//! A component's view is what `impl Drawn for` it says (`blocks::Drawn`), beside the function that draws it; a new one has a
//! line in `ui/nowhere.rs`, too, for builds without a page, and a sheet of its own in `ui/model/style.rs` where it needs one.

mod button;
#[cfg(feature = "pictures")]
mod canvas;
mod choice;
mod component;
mod el;
#[cfg(feature = "pictures")]
mod folder;
#[cfg(feature = "pictures")]
mod gallery;
#[cfg(feature = "pictures")]
mod image;
mod layout;
mod markdown;
#[cfg(feature = "pictures")]
mod mask;
mod number;
mod page;
mod panel;
mod refresh;
mod tabs;
mod textbox;
mod toasts;
mod waiting;

use component::View;
use leptos::prelude::*;
use tabs::TabsView;

use crate::blocks::{App, BuildErrors, Event};
use crate::ids::{ComponentId, JobId};
use crate::runtime::Runtime;
use crate::runtime::view::{ComponentView, PanelView, Toast};
use crate::ui::model::style::BASE;
use crate::value::Value;

/// What every view needs: where to send commands, and the signals it draws from. Copied freely.
#[derive(Clone, Copy)]
struct Page {
    runtime: StoredValue<Runtime, LocalStorage>,
    components: StoredValue<Vec<RwSignal<ComponentView>>>,
    panel: RwSignal<PanelView>,
    toasts: RwSignal<Vec<(u64, Toast)>>,
    ids: StoredValue<usize>,
}

impl Page {
    fn new(runtime: &Runtime) -> Self {
        let ids = (0u32..).map(ComponentId).take(runtime.app().components().len());
        let components = ids.map(|id| RwSignal::new(runtime.component(id))).collect();
        Self {
            runtime: StoredValue::new_local(runtime.clone()),
            components: StoredValue::new(components),
            panel: RwSignal::new(runtime.panel(panel::ROWS)),
            toasts: RwSignal::new(Vec::new()),
            ids: StoredValue::new(0),
        }
    }

    fn app(self) -> std::rc::Rc<App> {
        self.runtime.with_value(|runtime| std::rc::Rc::clone(runtime.app()))
    }

    fn component(self, id: ComponentId) -> RwSignal<ComponentView> {
        // Views are made of the app's own ids, so the default is never seen.
        self.components.with_value(|all| all.get(id.0 as usize).copied()).unwrap_or_default()
    }

    /// Rises with each change of a component's value that the page made.
    fn version(self, id: ComponentId) -> Memo<u64> {
        let view = self.component(id);
        Memo::new(move |_| view.with(|view| view.version))
    }

    /// The first of `count` numbers that no other element of the document bears.
    fn next_ids(self, count: usize) -> usize {
        let first = self.ids.get_value();
        self.ids.set_value(first + count);
        first
    }

    fn set(self, id: ComponentId, value: Value) {
        self.runtime.with_value(|runtime| runtime.set_value(id, value));
    }

    fn fire(self, id: ComponentId, event: Event) {
        self.runtime.with_value(|runtime| runtime.fire(id, event));
    }

    /// Fires what the visitor asked for by hand. Where that is refused for what an input holds, the first such input is
    /// brought into view and focused: the button alone would look dead.
    fn ask(self, id: ComponentId, event: Event) {
        self.fire(id, event);
        let app = self.app();
        for listener in app.listeners_of(Some(id), event) {
            for &input in app.listener(listener).iter().flat_map(|spec| &spec.inputs) {
                if self.runtime.with_value(|runtime| runtime.component(input).error.is_some())
                    && let Some(control) = document().get_element_by_id(&component::control_id(input))
                {
                    return component::reach(&control);
                }
            }
        }
    }

    fn with_runtime(self, act: impl FnOnce(&Runtime)) {
        self.runtime.with_value(act);
    }

    fn cancel(self, job: JobId) {
        self.runtime.with_value(|runtime| runtime.cancel(job));
    }
}

/// The sheet of what every page has, and those of what this one shows.
fn sheets(app: &App) -> String {
    let of_components = app.components().iter().filter_map(|spec| View::of(spec.draw())).map(|view| view.sheet);
    let mut all: Vec<&str> = vec![BASE];
    for sheet in of_components.chain(TabsView::of(app.tabs()).map(|view| view.sheet)) {
        if !all.contains(&sheet) {
            all.push(sheet);
        }
    }
    all.concat()
}

/// Shows the app in the document's body.
pub fn mount(runtime: &Runtime) {
    page::adopt_style(&sheets(runtime.app()));
    document().set_title(runtime.app().name());
    let page = Page::new(runtime);
    refresh::follow(page, runtime);
    leptos::mount::mount_to_body(move || page::page(page).mount());
}

/// Shows why the app cannot be built.
pub fn show_build_errors(errors: &BuildErrors) {
    page::adopt_style(BASE);
    let lines = errors.0.clone();
    leptos::mount::mount_to_body(move || {
        let lines = lines.iter().map(|line| el::el("li", "").text(line).into());
        let main = el::el("main", "build-errors")
            .attr("role", "alert")
            .child(el::el("h1", "").text("This app cannot be built"))
            .child(el::el("ul", "").children(lines));
        el::Child::from(main).mount();
    });
}
