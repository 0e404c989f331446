//! Files over HTTP, kept on this machine.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Cache, Headers, RequestInit, Response, WorkerGlobalScope};

use super::workers::base;
use crate::ports::Files;
use crate::value::{Error, SortedMap};

/// What is asked for and kept at a time. wasm's memory never holds more of a file than a caller asks for.
const PIECE: u64 = 4 << 20;

/// Where pieces are kept, in the browser's Cache Storage.
const KEPT: &str = "gradus/files";

/// The files below an address.
///
/// Each file is fetched by Range requests of 4 MiB, and each piece is kept under the file's size and tag, so that a
/// download that was cut off goes on, a changed file is fetched anew, and one that was read whole needs no network. A
/// server without Range requests sends the whole file, which is kept in pieces all the same.
pub struct FetchedFiles {
    base: String,
    /// The version of each file that was asked for.
    versions: RefCell<SortedMap<String, Version>>,
    /// The piece that was read last: a checkpoint's tensors are read one after another.
    last: RefCell<Option<(String, Uint8Array)>>,
}

#[derive(Clone)]
struct Version {
    size: u64,
    tag: Rc<str>,
}

impl FetchedFiles {
    /// Files below `address`, which is relative to the page's own files where it is no whole one.
    #[must_use]
    pub fn below(address: &str) -> Self {
        let folder = [address.trim_end_matches('/'), "/"].concat();
        let base = web_sys::Url::new_with_base(&folder, &base()).map_or(folder, |url| url.href());
        Self { base, versions: RefCell::default(), last: RefCell::default() }
    }

    fn address(&self, path: &str) -> String {
        [self.base.as_str(), path].concat()
    }

    /// Which version of a file there is: the server's, or without a network the one that was kept.
    async fn version(&self, path: &str) -> Result<Option<Version>, Error> {
        if let Some(known) = self.versions.borrow().get(path) {
            return Ok(Some(known.clone()));
        }
        let address = self.address(path);
        let key = [&address, "?gradus-version"].concat();
        let cache = cache().await;
        let version = match fetch(&address, "HEAD", None).await {
            Ok(response) if response.status() == 404 => return Ok(None),
            Ok(response) => {
                check(&response, path)?;
                let header = |name: &str| response.headers().get(name).ok().flatten();
                let tag = header("etag").or_else(|| header("last-modified")).unwrap_or_default();
                // Of a compressed answer the length is the compressed one.
                let said = header("content-length").filter(|_| header("content-encoding").is_none());
                let size: u64 = match said.and_then(|text| text.parse().ok()) {
                    Some(size) => size,
                    None => self.fetch_whole(path, &tag, cache.as_ref()).await?,
                };
                if let Some(cache) = &cache {
                    keep(cache, &key, &JsValue::from_str(&[size.to_string().as_str(), "\n", &tag].concat())).await;
                }
                Version { size, tag: tag.into() }
            }
            Err(offline) => {
                let kept = match &cache {
                    Some(cache) => kept(cache, &key).await,
                    None => None,
                };
                let text = match kept.and_then(|response| response.text().ok()) {
                    Some(text) => JsFuture::from(text).await.ok().and_then(|text| text.as_string()),
                    None => None,
                };
                let parts = text.as_deref().and_then(|text| text.split_once('\n'));
                let (size, tag) = parts.ok_or(offline)?;
                Version { size: size.parse().unwrap_or(0), tag: tag.into() }
            }
        };
        self.versions.borrow_mut().insert(path.to_owned(), version.clone());
        Ok(Some(version))
    }

    /// A piece of a file: kept, or fetched and kept.
    async fn piece(&self, path: &str, version: &Version, number: u64) -> Result<Uint8Array, Error> {
        let key = self.key(path, version, number);
        if let Some((last, bytes)) = &*self.last.borrow()
            && *last == key
        {
            return Ok(bytes.clone());
        }
        let cache = cache().await;
        let found = match &cache {
            Some(cache) => kept(cache, &key).await,
            None => None,
        };
        let bytes = match found {
            Some(response) => body(&response).await.map_err(|()| broken(path))?,
            None => self.fetch_piece(path, version, number, cache.as_ref()).await?,
        };
        *self.last.borrow_mut() = Some((key, bytes.clone()));
        Ok(bytes)
    }

    /// Fetches a file whose length only its end tells.
    async fn fetch_whole(&self, path: &str, tag: &str, cache: Option<&Cache>) -> Result<u64, Error> {
        let response = fetch(&self.address(path), "GET", None).await?;
        check(&response, path)?;
        let bytes = body(&response).await.map_err(|()| broken(path))?;
        let version = Version { size: bytes.length().into(), tag: tag.into() };
        self.keep_pieces(path, &version, &bytes, cache).await;
        if version.size <= PIECE {
            *self.last.borrow_mut() = Some((self.key(path, &version, 0), bytes));
        }
        Ok(version.size)
    }

    async fn keep_pieces(&self, path: &str, version: &Version, bytes: &Uint8Array, cache: Option<&Cache>) {
        let Some(cache) = cache else { return };
        for number in 0..version.size.div_ceil(PIECE) {
            let part = bytes.slice((number * PIECE) as u32, ((number + 1) * PIECE).min(version.size) as u32);
            keep(cache, &self.key(path, version, number), &part).await;
        }
    }

    async fn fetch_piece(
        &self,
        path: &str,
        version: &Version,
        number: u64,
        cache: Option<&Cache>,
    ) -> Result<Uint8Array, Error> {
        let (start, end) = (number * PIECE, ((number + 1) * PIECE).min(version.size));
        let response = fetch(&self.address(path), "GET", Some(start..end)).await?;
        check(&response, path)?;
        let bytes = body(&response).await.map_err(|()| broken(path))?;
        if response.status() == 206 {
            if u64::from(bytes.length()) != end - start {
                return Err(broken(path));
            }
            if let Some(cache) = cache {
                keep(cache, &self.key(path, version, number), &bytes).await;
            }
            return Ok(bytes);
        }
        // The whole file.
        if u64::from(bytes.length()) != version.size {
            return Err(broken(path));
        }
        self.keep_pieces(path, version, &bytes, cache).await;
        Ok(bytes.slice(start as u32, end as u32))
    }

    fn key(&self, path: &str, version: &Version, number: u64) -> String {
        let tag = js_sys::encode_uri_component(&version.tag);
        let numbers = [version.size.to_string(), number.to_string()];
        [&self.address(path), "?gradus-size=", &numbers[0], "&tag=", &String::from(tag), "&piece=", &numbers[1]]
            .concat()
    }
}

impl Files for FetchedFiles {
    fn size<'a>(&'a self, path: &'a str) -> LocalBoxFuture<'a, Result<Option<u64>, Error>> {
        async { Ok(self.version(path).await?.map(|version| version.size)) }.boxed_local()
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> LocalBoxFuture<'a, Result<Vec<u8>, Error>> {
        async move {
            let version = self.version(path).await?.ok_or_else(|| broken(path))?;
            if range.start > range.end || range.end > version.size {
                return Err(broken(path));
            }
            let mut read = vec![0; (range.end - range.start) as usize];
            let mut at = range.start;
            while at < range.end {
                let number = at / PIECE;
                let bytes = self.piece(path, &version, number).await?;
                let from = at - number * PIECE;
                let until = (range.end - number * PIECE).min(u64::from(bytes.length()));
                let (start, length) = ((at - range.start) as usize, until.saturating_sub(from) as usize);
                let target = read.get_mut(start..start + length).filter(|target| !target.is_empty());
                bytes.subarray(from as u32, until as u32).copy_to(target.ok_or_else(|| broken(path))?);
                at += length as u64;
            }
            Ok(read)
        }
        .boxed_local()
    }
}

fn scope() -> Option<WorkerGlobalScope> {
    js_sys::global().dyn_into().ok()
}

/// Where pieces are kept; none on a page that is not secure, or where the browser refuses.
async fn cache() -> Option<Cache> {
    JsFuture::from(scope()?.caches().ok()?.open(KEPT)).await.ok()?.dyn_into().ok()
}

async fn kept(cache: &Cache, key: &str) -> Option<Response> {
    JsFuture::from(cache.match_with_str(key)).await.ok()?.dyn_into().ok()
}

/// Without room the piece is fetched again the next time, and all else goes on.
async fn keep(cache: &Cache, key: &str, body: &JsValue) {
    let response = match body.dyn_ref::<Uint8Array>() {
        Some(bytes) => Response::new_with_opt_js_u8_array(Some(bytes)),
        None => Response::new_with_opt_str(body.as_string().as_deref()),
    };
    if let Ok(response) = response
        && JsFuture::from(cache.put_with_str(key, &response)).await.is_err()
    {
        web_sys::console::info_1(&"Gradus: the browser keeps no files here (storage full or private mode).".into());
    }
}

async fn fetch(address: &str, method: &str, range: Option<Range<u64>>) -> Result<Response, Error> {
    let unreachable = || Error::new([address, " cannot be reached. Check the connection and try again."].concat());
    let scope = scope().ok_or_else(unreachable)?;
    let request = RequestInit::new();
    request.set_method(method);
    if let Some(range) = range
        && let Ok(headers) = Headers::new()
    {
        let asked = ["bytes=", &range.start.to_string(), "-", &(range.end - 1).to_string()].concat();
        headers.set("range", &asked).map_err(|_| unreachable())?;
        request.set_headers(&headers);
    }
    let promise = scope.fetch_with_str_and_init(address, &request);
    JsFuture::from(promise).await.ok().and_then(|response| response.dyn_into().ok()).ok_or_else(unreachable)
}

fn check(response: &Response, path: &str) -> Result<(), Error> {
    if response.ok() {
        return Ok(());
    }
    let status = response.status().to_string();
    Err(Error::new([path, " cannot be read: the server answers ", &status, "."].concat()))
}

async fn body(response: &Response) -> Result<Uint8Array, ()> {
    let buffer = JsFuture::from(response.array_buffer().map_err(|_| ())?).await.map_err(|_| ())?;
    Ok(Uint8Array::new(&buffer))
}

fn broken(path: &str) -> Error {
    Error::new([path, " is not as long as its server said. Reload the page and try again."].concat())
}
