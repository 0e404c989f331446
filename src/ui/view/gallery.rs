use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

use super::Page;
use super::canvas::{canvas, download_button};
use super::component::{View, error, info, status};
use super::el::{Child, each, el, nothing, target};
use crate::blocks::{ComponentSpec, Draw, Drawn, Gallery, Kind};
use crate::ids::ComponentId;
use crate::ui::model::style;
use crate::value::{Picture, Value};

impl Drawn for Gallery {
    const DRAW: Draw = &View { draw: gallery, sheet: style::PICTURE };
}

fn gallery(page: Page, id: ComponentId, spec: &ComponentSpec) -> Child {
    let Kind::Gallery { columns } = spec.kind else { return nothing() };
    let view = page.component(id);
    let at = move |index: u64| {
        view.with(|view| match &view.value {
            Value::Gallery(pictures) => pictures.get(index as usize).cloned(),
            _ => None,
        })
    };
    let places = Memo::new(move |_| {
        view.with(|view| match &view.value {
            Value::Gallery(pictures) => (0..pictures.len() as u64).collect(),
            _ => Vec::new(),
        })
    });
    let large: RwSignal<Option<u64>> = RwSignal::new(None);
    let shown: Memo<Option<Picture>> = Memo::new(move |_| large.get().and_then(at));
    let thumb = move |index: u64| {
        let picture = Memo::new(move |_| at(index));
        let name = format!("Picture {}", index + 1);
        el("button", "thumb")
            .attr("type", "button")
            .attr("aria-label", &format!("Open {name}"))
            .on("click", move |_| large.set(Some(index)))
            .child(canvas(picture, &name))
            .into()
    };
    let close = el("button", "quiet").attr("type", "button").text("Close").on("click", |event| {
        let dialog = target::<web_sys::Element>(&event).and_then(|button| button.closest("dialog").ok().flatten());
        if let Some(dialog) = dialog.and_then(|dialog| dialog.dyn_into::<web_sys::HtmlDialogElement>().ok()) {
            dialog.close();
        }
    });
    let app = page.app();
    let dialog = el("dialog", "large")
        .attr("aria-label", "Picture")
        .live(move |dialog| {
            let dialog: &web_sys::HtmlDialogElement = dialog.unchecked_ref();
            // One that is open already shows the other picture.
            if large.get().is_some() && !dialog.open() {
                let _ = dialog.show_modal();
            }
        })
        // Escape closes it too.
        .on("close", move |_| large.set(None))
        .child(canvas(shown, "Picture"))
        .child(el("div", "large-buttons").child(download_button(shown, app.name())).child(close));
    el("figure", "picture gallery")
        .attr("aria-label", &spec.label)
        .child(el("figcaption", "").text(&spec.label))
        .child(el("p", "empty").text("No pictures yet").live_flag("hidden", move || !places.with(Vec::is_empty)))
        .child(el("div", &format!("gallery-grid columns-{}", columns.min(6))).child(each(places, thumb)))
        .children([info(id, spec), error(page, id), status(page, id, spec)])
        .child(dialog)
        .into()
}
