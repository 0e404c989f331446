use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::Page;
use super::canvas::{canvas, download_button};
use super::component::{View, choose_anew, control, error, info, reach, status};
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
    let empty = if chosen { "Drop or paste a picture here, or choose a file" } else { "The picture will be here" };
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
    let choice = Choice { page, id, max_side, number: StoredValue::new(0) };
    let made_of = el("div", "made-of")
        .live_flag("hidden", is_empty)
        .child(facts(picture))
        .child(download_button(picture, app.name()))
        .children(chosen.then(|| remove_button(choice).into()));
    let figure = el("figure", "picture").attr("aria-label", &spec.label);
    let figure = if chosen { takes_pastes(choice, figure) } else { figure };
    figure
        .child(el("figcaption", "").text(&spec.label))
        .child(if chosen { takes_drops(choice, frame) } else { frame })
        .child(if chosen { chooser(choice, spec).into() } else { nothing() })
        .children([info(id, spec), error(page, id), status(page, id, spec)])
        .child(made_of)
        .into()
}

/// How the picture was made.
fn facts(picture: Memo<Option<Picture>>) -> El {
    // Another number for another picture, whoever made or chose it.
    let current = Memo::new(move |before: Option<&Vec<u64>>| {
        picture.with(|_| vec![before.and_then(|before| before.first()).map_or(0, |number| number + 1)])
    });
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

/// What an Image takes of what the visitor chooses, drops and pastes.
#[derive(Clone, Copy)]
struct Choice {
    page: Page,
    id: ComponentId,
    max_side: u32,
    /// Of the choice that was made last; a picture that is decoded after it is not shown any more.
    number: StoredValue<u32>,
}

impl Choice {
    /// What was chosen before counts no more.
    fn anew(self) -> u32 {
        self.number.update_value(|number| *number = number.wrapping_add(1));
        self.number.get_value()
    }

    /// Takes the first of these files, if there is one.
    fn take(self, files: Option<web_sys::FileList>) -> bool {
        let Some(file) = files.and_then(|files| files.item(0)) else { return false };
        let number = self.anew();
        spawn_local(async move {
            let decoded = decode(&file, self.max_side).await;
            if self.number.get_value() != number {
                return;
            }
            match decoded {
                Some(picture) => {
                    self.set(Value::Picture(picture));
                    // It may be the one that is there, and then nothing changes that would take the error away.
                    self.page.component(self.id).update(|view| view.error = None);
                }
                None => self.refuse("This file is no picture that can be read here. Choose a PNG or JPEG."),
            }
        });
        true
    }

    fn set(self, value: Value) {
        self.page.set(self.id, value);
        self.page.fire(self.id, Event::Release);
    }

    fn refuse(self, why: &str) {
        self.page.component(self.id).update(|view| view.error = Some(why.to_owned()));
    }
}

fn chooser(choice: Choice, spec: &ComponentSpec) -> El {
    control("input", "file", choice.page, choice.id, spec)
        .attr("type", "file")
        .attr("accept", "image/*")
        .attr("aria-label", &format!("{}: choose a file", spec.label))
        .on("click", choose_anew)
        .on("change", move |event| {
            choice.take(target::<web_sys::HtmlInputElement>(&event).and_then(|input| input.files()));
        })
}

/// Takes the picture that was chosen away again.
fn remove_button(choice: Choice) -> El {
    el("button", "quiet").attr("type", "button").text("Remove").on("click", move |event| {
        let figure = target::<web_sys::Element>(&event).and_then(|button| button.closest("figure").ok().flatten());
        let input = figure.and_then(|figure| figure.query_selector(".file").ok().flatten());
        if let Some(input) = input.and_then(|input| input.dyn_into::<web_sys::HtmlInputElement>().ok()) {
            // So that the same file can be chosen again.
            input.set_value("");
            // The button goes with the picture.
            reach(&input);
        }
        choice.anew();
        choice.set(Value::Null);
    })
}

fn takes_drops(choice: Choice, frame: El) -> El {
    // Without this the browser would leave the page and open the file.
    frame.on("dragover", |event| event.prevent_default()).on("drop", move |event| {
        event.prevent_default();
        let dropped = event.dyn_ref::<web_sys::DragEvent>().and_then(web_sys::DragEvent::data_transfer);
        if !choice.take(dropped.and_then(|dropped| dropped.files())) {
            choice.refuse("What was dropped is no file. Save the picture first, then drop or choose its file.");
        }
    })
}

/// The picture that is pointed at or focused takes what is pasted, unless a text is being typed.
const PASTES: &str = ".picture:focus-within, body:not(:has(.input:focus)) .picture:hover";

fn takes_pastes(choice: Choice, figure: El) -> El {
    figure.once(move |figure| {
        let figure = figure.clone();
        // Lives as long as the page.
        let _ = window_event_listener(ev::paste, move |event| {
            let meant = !event.default_prevented() && figure.matches(PASTES).unwrap_or_default();
            let pasted = event.clipboard_data().filter(|_| meant).and_then(|pasted| pasted.files());
            if choice.take(pasted) {
                event.prevent_default();
            }
        });
    })
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
    // Its memory waits for no collector.
    bitmap.close();
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
