//! Choosers of folders and of files. How the files are kept is in `view.js`.

use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::Page;
use super::component::{View, bar, choose_anew, control, framed};
use super::el::{Child, el, target};
use crate::blocks::{ComponentSpec, Draw, Drawn, Folder, LooseFiles};
use crate::ids::ComponentId;
use crate::value::Value;

#[wasm_bindgen(module = "/src/ui/view/view.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = takeIn)]
    async fn take_in(files: &web_sys::FileList, tell: &js_sys::Function) -> Result<JsValue, JsValue>;
}

impl Drawn for Folder {
    const DRAW: Draw = &View { draw: |page, id, spec| chooser(page, id, spec, "webkitdirectory"), sheet: "" };
}

impl Drawn for LooseFiles {
    const DRAW: Draw = &View { draw: |page, id, spec| chooser(page, id, spec, "multiple"), sheet: "" };
}

/// `of` is the attribute that says what the browser lets one choose.
fn chooser(page: Page, id: ComponentId, spec: &ComponentSpec, of: &'static str) -> Child {
    let share: RwSignal<Option<f32>> = RwSignal::new(None);
    let fixed = spec.interactive == Some(false);
    let input = control("input", "file", page, id, spec)
        .attr("type", "file")
        .attr(of, "")
        .live_flag("disabled", move || fixed || share.get().is_some())
        .on("click", choose_anew)
        .on("change", move |event| {
            let files = target::<web_sys::HtmlInputElement>(&event).and_then(|input| input.files());
            if let Some(files) = files.filter(|files| files.length() > 0) {
                spawn_local(take(page, id, files, share));
            }
        });
    let share_bar = bar(move || share.get()).live_flag("hidden", move || share.get().is_none());
    framed(page, id, spec, el("div", "folder").child(input).child(share_bar))
}

async fn take(page: Page, id: ComponentId, files: web_sys::FileList, share: RwSignal<Option<f32>>) {
    share.set(Some(0.0));
    let tell = Closure::<dyn Fn(f64)>::new(move |done: f64| share.set(Some(done as f32)));
    let taken = take_in(&files, tell.as_ref().unchecked_ref()).await;
    share.set(None);
    match taken.map(|address| address.as_string()) {
        Ok(address) => page.set(id, Value::Text(address.unwrap_or_default())),
        // Errors of `view.js` are worded for the visitor.
        Err(error) => {
            let error: js_sys::Error = error.unchecked_into();
            page.component(id).update(|view| view.error = Some(String::from(error.message())));
        }
    }
}
