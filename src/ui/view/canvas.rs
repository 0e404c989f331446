//! A picture drawn on a canvas, and saved as a file.

use leptos::prelude::*;
use wasm_bindgen::{Clamped, JsCast as _};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::el::{El, el, set};
use crate::value::{Picture, add_texts};

/// A canvas that shows the picture, whenever there is one.
pub(super) fn canvas(picture: Memo<Option<Picture>>, label: &str) -> El {
    let label = label.to_owned();
    el("canvas", "canvas").attr("role", "img").live(move |canvas| {
        picture.with(|picture| {
            set(canvas, "aria-label", Some(&name(&label, picture.as_ref())));
            if let (Some(canvas), Some(picture)) = (canvas.dyn_ref(), picture) {
                draw(canvas, picture);
            }
        });
    })
}

/// Characters of a prompt that are read out.
const READ_OUT: usize = 200;

/// What is seen, to who hears the page: its label, and what it was asked to be.
fn name(label: &str, picture: Option<&Picture>) -> String {
    let prompt = picture.and_then(|picture| picture.facts().iter().find(|(key, _)| key == "Prompt"));
    prompt.map_or_else(
        || label.to_owned(),
        |(_, prompt)| {
            let prompt: String = prompt.chars().take(READ_OUT).collect();
            [label, ": ", &prompt].concat()
        },
    )
}

fn draw(canvas: &web_sys::HtmlCanvasElement, picture: &Picture) {
    let (width, height) = (picture.width(), picture.height());
    if (canvas.width(), canvas.height()) != (width, height) {
        canvas.set_width(width);
        canvas.set_height(height);
    }
    let context = canvas.get_context("2d").ok().flatten().and_then(|context| context.dyn_into().ok());
    let pixels = web_sys::ImageData::new_with_u8_clamped_array_and_sh(Clamped(picture.rgba()), width, height);
    let drawn = context
        .zip(pixels.ok())
        .map(|(context, pixels): (web_sys::CanvasRenderingContext2d, _)| context.put_image_data(&pixels, 0.0, 0.0));
    if !matches!(drawn, Some(Ok(()))) {
        web_sys::console::error_1(&"Gradus: the browser gave no memory to draw a picture.".into());
    }
}

/// Saves the picture as a PNG file under this name. The browser encodes, which saves an encoder in the download.
fn download(picture: &Picture, name: &str) {
    let (picture, name) = (picture.clone(), name.to_owned());
    spawn_local(async move {
        if save(&picture, &name).await.is_none() {
            web_sys::console::error_1(&"Gradus: the picture could not be saved.".into());
        }
    });
}

async fn save(picture: &Picture, name: &str) -> Option<()> {
    let canvas: web_sys::HtmlCanvasElement = document().create_element("canvas").ok()?.dyn_into().ok()?;
    draw(&canvas, picture);
    let encoded = js_sys::Promise::new(&mut |resolve, _| {
        // Called with null where the encoder fails; a refusal to call it at all leaves the promise open.
        let _ = canvas.to_blob(&resolve);
    });
    let blob: web_sys::Blob = JsFuture::from(encoded).await.ok()?.dyn_into().ok()?;
    let bytes = js_sys::Uint8Array::new(&JsFuture::from(blob.array_buffer()).await.ok()?).to_vec();
    let file = add_texts(&bytes, picture.facts());
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(file.as_slice()));
    let options = web_sys::BlobPropertyBag::new();
    options.set_type("image/png");
    let blob = web_sys::Blob::new_with_u8_array_sequence_and_options(&parts, &options).ok()?;
    let url = web_sys::Url::create_object_url_with_blob(&blob).ok()?;
    let link: web_sys::HtmlAnchorElement = document().create_element("a").ok()?.dyn_into().ok()?;
    link.set_href(&url);
    link.set_download(name);
    link.click();
    // The browser has taken the address by then.
    set_timeout(move || drop(web_sys::Url::revoke_object_url(&url)), std::time::Duration::from_secs(1));
    Some(())
}

/// A button that saves what is shown at the time.
pub(super) fn download_button(picture: Memo<Option<Picture>>, app: &str) -> El {
    let name = format!("{app}.png");
    el("button", "quiet").attr("type", "button").text("Download PNG").on("click", move |_| {
        picture.with_untracked(|picture| picture.iter().for_each(|picture| download(picture, &name)));
    })
}
