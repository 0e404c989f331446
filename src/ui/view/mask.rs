//! A picture that is painted over another one, as a mask. How it is drawn and painted is in `view.js`.

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::*;

use super::Page;
use super::canvas::canvas;
use super::el::{El, el};
use crate::blocks::{ComponentSpec, Event};
use crate::ids::ComponentId;
use crate::value::{Picture, Value};

#[wasm_bindgen(module = "/src/ui/view/view.js")]
extern "C" {
    #[wasm_bindgen(js_name = letPaint)]
    fn let_paint(canvas: &web_sys::Element, done: &js_sys::Function);
    #[wasm_bindgen(js_name = showMask)]
    fn show_mask(canvas: &web_sys::Element, width: u32, height: u32, rgba: &[u8]);
}

/// Both pictures, the brush and its settings.
pub(super) fn frame(
    page: Page,
    id: ComponentId,
    spec: &ComponentSpec,
    mask: Memo<Option<Picture>>,
    over: ComponentId,
) -> El {
    let view = page.component(over);
    let below = Memo::new(move |_| {
        view.with(|view| match &view.value {
            Value::Picture(picture) => Some(picture.clone()),
            _ => None,
        })
    });
    let nothing = move || below.with(Option::is_none);
    // A mask belongs to the picture that it was painted over.
    Effect::new(move |before: Option<Option<Picture>>| {
        let now = below.get();
        if before.flatten().is_some_and(|before| Some(before) != now) && mask.with_untracked(Option::is_some) {
            page.set(id, Value::Null);
        }
        now
    });
    let cursor = el("span", "brush").attr("aria-hidden", "true");
    let how = ": paint where it may change. Arrow keys move, Space paints, Shift and an arrow key draw a line";
    let painted = el("canvas", "canvas painted")
        .attr("role", "application")
        .attr("tabindex", "0")
        .attr("aria-label", &[&spec.label, how].concat())
        .live(move |canvas| {
            mask.with(|mask| match mask {
                Some(mask) => show_mask(canvas, mask.width(), mask.height(), mask.rgba()),
                None => below.with(|below| {
                    below.iter().for_each(|below| show_mask(canvas, below.width(), below.height(), &[]));
                }),
            });
        })
        .once(move |canvas| {
            let on: web_sys::HtmlCanvasElement = canvas.clone().unchecked_into();
            let done = Closure::<dyn Fn(Option<js_sys::Uint8Array>)>::new(move |rgba: Option<js_sys::Uint8Array>| {
                let mask = rgba.and_then(|rgba| Picture::from_rgba(on.width(), on.height(), rgba.to_vec()).ok());
                page.set(id, mask.map_or(Value::Null, Value::Picture));
                page.fire(id, Event::Release);
            });
            let_paint(canvas, done.as_ref().unchecked_ref());
            // Kept until the element's owner ends.
            StoredValue::new_local(done);
        });
    let input = |kind: &str| el("input", "").attr("type", kind);
    // `view.js` reads them.
    let size = input("range").attr("min", "1").attr("max", "40").attr("value", "8");
    let tools = el("div", "tools")
        .live_flag("hidden", nothing)
        .child(el("label", "").text("Brush").child(size))
        .child(el("label", "tick").child(input("checkbox")).child(el("span", "").text("Erase")));
    let layers = el("div", "")
        .live_attr("class", move || Some(if nothing() { "frame frame-empty" } else { "frame layers" }.to_owned()))
        .child(
            canvas(below, &page.app().component(over).map(|spec| spec.label.clone()).unwrap_or_default())
                .live_flag("hidden", nothing),
        )
        .child(painted.live_flag("hidden", nothing))
        .child(cursor)
        .child(
            el("p", "empty").text("Choose the picture first, then paint here").live_flag("hidden", move || !nothing()),
        );
    el("div", "").child(layers).child(tools)
}
