use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::Page;
use super::canvas::{canvas, download};
use super::component::{control, described_by, error, status};
use crate::blocks::{ComponentSpec, Event};
use crate::ids::ComponentId;
use crate::value::{Picture, Value};

pub(super) fn image(page: Page, id: ComponentId, spec: &ComponentSpec) -> AnyView {
    let view = page.component(id);
    let picture = Memo::new(move |_| match view.with(|view| view.value.clone()) {
        Value::Picture(picture) => Some(picture),
        _ => None,
    });
    let (label, caption, name_of_figure) = (spec.label.clone(), spec.label.clone(), spec.label.clone());
    let empty = if spec.interactive == Some(true) { "Choose a picture" } else { "The picture will be here" };
    let chooser = (spec.interactive == Some(true)).then(|| chooser(page, id));
    let name = format!("{}.png", page.app().name());
    let info = spec.info.clone();
    view! {
        <figure class="picture" aria-label=name_of_figure>
            <figcaption>{caption}</figcaption>
            <div class="frame" class:frame-empty=move || picture.with(Option::is_none)>
                {move || picture.with(Option::is_some).then(|| canvas(picture, label.clone(), "canvas"))}
                {move || picture.with(Option::is_none).then(|| view! { <p class="empty">{empty}</p> })}
            </div>
            {chooser}
            {(!info.is_empty()).then(|| view! { <p class="info" id=format!("gradus-{id}-info")>{info}</p> })}
            {error(page, id)}
            {status(page, id)}
            {move || picture.get().map(|picture| made_of(&picture, name.clone()))}
        </figure>
    }
    .into_any()
}

/// How the picture was made, and a button to keep it.
fn made_of(picture: &Picture, name: String) -> AnyView {
    let facts: Vec<AnyView> = picture
        .facts()
        .iter()
        .map(|(key, value)| view! { <div><dt>{key.clone()}</dt><dd>{value.clone()}</dd></div> }.into_any())
        .collect();
    let size = format!("{}×{}", picture.width(), picture.height());
    let kept = picture.clone();
    view! {
        <div class="made-of">
            <dl class="facts"><div><dt>"Size"</dt><dd>{size}</dd></div>{facts}</dl>
            <button type="button" class="quiet" on:click=move |_| download(&kept, &name)>"Download PNG"</button>
        </div>
    }
    .into_any()
}

fn chooser(page: Page, id: ComponentId) -> AnyView {
    let chosen = move |event: ev::Event| {
        let input = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlInputElement>().ok());
        let Some(file) = input.and_then(|input| input.files()).and_then(|files| files.item(0)) else { return };
        spawn_local(async move {
            match decode(&file).await {
                Some(picture) => {
                    page.set(id, Value::Picture(picture));
                    page.fire(id, Event::Release);
                }
                None => page.component(id).update(|view| {
                    view.error =
                        Some("This file is no picture that the browser can read. Choose a PNG or JPEG.".into());
                }),
            }
        });
    };
    view! {
        <input type="file" accept="image/*" id=control(id) class="file" aria-label="Choose a picture"
            aria-describedby=described_by(id) on:change=chosen/>
    }
    .into_any()
}

/// The browser decodes, so no file reaches a decoder of ours.
async fn decode(file: &web_sys::File) -> Option<Picture> {
    let promise = window().create_image_bitmap_with_blob(file).ok()?;
    let bitmap: web_sys::ImageBitmap = JsFuture::from(promise).await.ok()?.dyn_into().ok()?;
    let (width, height) = (bitmap.width(), bitmap.height());
    if width > Picture::MAX_SIDE || height > Picture::MAX_SIDE {
        return None;
    }
    let canvas: web_sys::HtmlCanvasElement = document().create_element("canvas").ok()?.dyn_into().ok()?;
    canvas.set_width(width);
    canvas.set_height(height);
    let context: web_sys::CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    context.draw_image_with_image_bitmap(&bitmap, 0.0, 0.0).ok()?;
    let pixels = context.get_image_data(0.0, 0.0, f64::from(width), f64::from(height)).ok()?;
    Picture::from_rgba(width, height, pixels.data().0).ok()
}
