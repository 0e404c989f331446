use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::Page;
use super::canvas::{canvas, download_button};
use super::component::{View, control, error, info, status};
use super::el::{Child, El, each, el, nothing, target};
use super::mask;
use crate::blocks::{ComponentSpec, Draw, Drawn, Event, Image, Kind};
use crate::ids::ComponentId;
use crate::ui::model::style;
use crate::value::{Picture, Value};

impl Drawn for Image {
    const DRAW: Draw = &View { draw: image, sheet: style::PICTURE };
}

fn image(page: Page, id: ComponentId, spec: &ComponentSpec) -> Child {
    let Kind::Image { max_side } = spec.kind else { return nothing() };
    let view = page.component(id);
    let picture = Memo::new(move |_| {
        view.with(|view| match &view.value {
            Value::Picture(picture) => Some(picture.clone()),
            _ => None,
        })
    });
    let chosen = spec.interactive == Some(true);
    let empty = if chosen { "Drop a picture here, or choose a file" } else { "The picture will be here" };
    let is_empty = move || picture.with(Option::is_none);
    let over = spec.over().filter(|_| chosen);
    let frame = match over {
        Some(over) => mask::frame(page, id, spec, picture, over),
        None => el("div", "")
            .live_attr("class", move || Some(if is_empty() { "frame frame-empty" } else { "frame" }.to_owned()))
            .child(canvas(picture, &spec.label).live_flag("hidden", is_empty))
            .child(el("p", "empty").text(empty).live_flag("hidden", move || !is_empty())),
    };
    let app = page.app();
    let made_of = el("div", "made-of")
        .live_flag("hidden", is_empty)
        .child(facts(page, id, picture))
        .child(download_button(picture, app.name()))
        .children(chosen.then(|| remove_button(page, id).into()));
    el("figure", "picture")
        .attr("aria-label", &spec.label)
        .child(el("figcaption", "").text(&spec.label))
        .child(if chosen { takes_drops(page, id, frame, max_side) } else { frame })
        .child(if chosen { chooser(page, id, spec, max_side).into() } else { nothing() })
        .children([info(id, spec), error(page, id), status(page, id, spec)])
        .child(made_of)
        .into()
}

/// How the picture was made.
fn facts(page: Page, id: ComponentId, picture: Memo<Option<Picture>>) -> El {
    let version = page.version(id);
    let current = Memo::new(move |_| vec![version.get()]);
    let rows = move |_| {
        let mut rows: Vec<Child> = Vec::new();
        if let Some(picture) = picture.get() {
            rows.push(fact("Size", &format!("{}×{}", picture.width(), picture.height())));
            rows.extend(picture.facts().iter().map(|(key, value)| fact(key, value)));
        }
        el("dl", "facts").children(rows).into()
    };
    el("div", "facts-now").child(each(current, rows))
}

fn fact(key: &str, value: &str) -> Child {
    el("div", "").child(el("dt", "").text(key)).child(el("dd", "").text(value)).into()
}

fn chooser(page: Page, id: ComponentId, spec: &ComponentSpec, max_side: u32) -> El {
    control("input", "file", page, id, spec)
        .attr("type", "file")
        .attr("accept", "image/*")
        .attr("aria-label", &format!("{}: choose a file", spec.label))
        .on("change", move |event| {
            let files = target::<web_sys::HtmlInputElement>(&event).and_then(|input| input.files());
            take(page, id, files, max_side);
        })
}

/// Takes the picture that was chosen away again.
fn remove_button(page: Page, id: ComponentId) -> El {
    el("button", "quiet").attr("type", "button").text("Remove").on("click", move |event| {
        let figure = target::<web_sys::Element>(&event).and_then(|button| button.closest("figure").ok().flatten());
        let input = figure.and_then(|figure| figure.query_selector("input").ok().flatten());
        if let Some(input) = input.and_then(|input| input.dyn_into::<web_sys::HtmlInputElement>().ok()) {
            // So that the same file can be chosen again.
            input.set_value("");
        }
        page.set(id, Value::Null);
        page.fire(id, Event::Release);
    })
}

fn takes_drops(page: Page, id: ComponentId, frame: El, max_side: u32) -> El {
    // Without this the browser would leave the page and open the file.
    frame.on("dragover", |event| event.prevent_default()).on("drop", move |event| {
        event.prevent_default();
        let dropped = event.dyn_ref::<web_sys::DragEvent>().and_then(web_sys::DragEvent::data_transfer);
        take(page, id, dropped.and_then(|dropped| dropped.files()), max_side);
    })
}

fn take(page: Page, id: ComponentId, files: Option<web_sys::FileList>, max_side: u32) {
    let Some(file) = files.and_then(|files| files.item(0)) else { return };
    spawn_local(async move {
        match decode(&file, max_side).await {
            Some(picture) => {
                page.set(id, Value::Picture(picture));
                page.fire(id, Event::Release);
            }
            None => page.component(id).update(|view| {
                view.error = Some("This file is no picture that can be read here. Choose a PNG or JPEG.".to_owned());
            }),
        }
    });
}

/// The browser decodes, so no file reaches a decoder of ours, and reduces what is too large.
async fn decode(file: &web_sys::File, max_side: u32) -> Option<Picture> {
    let promise = window().create_image_bitmap_with_blob(file).ok()?;
    let bitmap: web_sys::ImageBitmap = JsFuture::from(promise).await.ok()?.dyn_into().ok()?;
    let (width, height) = within(bitmap.width(), bitmap.height(), max_side);
    let canvas: web_sys::HtmlCanvasElement = document().create_element("canvas").ok()?.dyn_into().ok()?;
    canvas.set_width(width);
    canvas.set_height(height);
    let context: web_sys::CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    // A word that not every browser knows, and the others pass over.
    let _ = js_sys::Reflect::set(&context, &"imageSmoothingQuality".into(), &"high".into());
    let (wide, high) = (f64::from(width), f64::from(height));
    context.draw_image_with_image_bitmap_and_dw_and_dh(&bitmap, 0.0, 0.0, wide, high).ok()?;
    let pixels = context.get_image_data(0.0, 0.0, wide, high).ok()?;
    Picture::from_rgba(width, height, pixels.data().0).ok()
}

/// The sides of a picture brought to a longest side, if they go beyond it.
fn within(width: u32, height: u32, max_side: u32) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= max_side {
        return (width, height);
    }
    let side = |side: u32| (f64::from(side) * f64::from(max_side) / f64::from(longest)).round().max(1.0) as u32;
    (side(width), side(height))
}
