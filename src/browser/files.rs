//! Files over HTTP, kept on this machine. How they are fetched and kept is in `files.js`: as wasm it would be several
//! times the bytes.

use std::ops::Range;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use super::workers::base;
use crate::ports::{Files, Kept};
use crate::value::Error;

#[wasm_bindgen(module = "/src/browser/files.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = size)]
    async fn size_of(address: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = read)]
    async fn read_piece(folder: &str, path: &str, start: f64, end: f64) -> Result<JsValue, JsValue>;
    fn reach(start: f64) -> f64;
    #[wasm_bindgen(catch)]
    async fn holds(folder: &str, path: &str, at: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    async fn stored(folder: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    async fn forget(folder: &str) -> Result<JsValue, JsValue>;
}

/// The files below an address.
pub struct FetchedFiles {
    base: String,
}

impl FetchedFiles {
    /// Files below `address`, which is relative to the page's own files where it is no whole one.
    #[must_use]
    pub fn below(address: &str) -> Self {
        let folder = [address.trim_end_matches('/'), "/"].concat();
        Self { base: web_sys::Url::new_with_base(&folder, &base()).map_or(folder, |url| url.href()) }
    }
}

impl Files for FetchedFiles {
    fn size<'a>(&'a self, path: &'a str) -> LocalBoxFuture<'a, Result<Option<u64>, Error>> {
        async {
            let size = size_of(&[self.base.as_str(), path].concat()).await.map_err(worded)?;
            Ok(size.as_f64().filter(|&size| size >= 0.0).map(|size| size as u64))
        }
        .boxed_local()
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> LocalBoxFuture<'a, Result<Vec<u8>, Error>> {
        async move {
            let mut read = Vec::with_capacity(range.end.saturating_sub(range.start) as usize);
            let mut at = range.start as f64;
            while at < range.end as f64 {
                let until = (at + reach(at)).min(range.end as f64);
                let piece: Uint8Array = read_piece(&self.base, path, at, until).await.map_err(worded)?.unchecked_into();
                read.extend_from_slice(&piece.to_vec());
                at = until;
            }
            Ok(read)
        }
        .boxed_local()
    }

    fn keep<'a>(&'a self, path: &'a str, range: Range<u64>) -> LocalBoxFuture<'a, Result<(), Error>> {
        async move {
            let mut at = range.start as f64;
            while at < range.end as f64 {
                let until = (at + reach(at)).min(range.end as f64);
                read_piece(&self.base, path, at, until).await.map_err(worded)?;
                if !holds(&self.base, path, at).await.map_err(worded)?.is_truthy() {
                    return Err(Error::new(
                        "The browser keeps no more of this model: its room for this page is full, or the window is a \
                         private one. Delete another model, free some of the disk, or open the page in a normal window. \
                         Until then the model can be used, but is fetched each time.",
                    ));
                }
                at = until;
            }
            Ok(())
        }
        .boxed_local()
    }

    fn kept(&self) -> LocalBoxFuture<'_, Result<Kept, Error>> {
        async {
            let told = js_sys::Array::from(&stored(&self.base).await.map_err(worded)?);
            let number = |place| told.get(place).as_f64().map(|bytes| bytes as u64);
            let [bytes, used] = [0, 1].map(|place| number(place).unwrap_or(0));
            Ok(Kept { bytes, used, room: number(2) })
        }
        .boxed_local()
    }

    fn forget(&self) -> LocalBoxFuture<'_, Result<(), Error>> {
        async { forget(&self.base).await.map(drop).map_err(worded) }.boxed_local()
    }
}

/// Errors of `files.js` are worded for the visitor.
fn worded(error: JsValue) -> Error {
    let error: js_sys::Error = error.unchecked_into();
    Error::new(String::from(error.message()))
}
