//! The ports over the browser: clock, timers, workers, links and a small store.
//!
//! May name `ports`, `wire`, `value` and `ids`, and `web_sys` and its like. Holds no state of the app.

#[cfg(feature = "pictures")]
mod files;
#[cfg(feature = "storage")]
mod origin;
#[cfg(feature = "pictures")]
mod relaxed;
mod time;
mod workers;

#[cfg(feature = "pictures")]
pub use files::FetchedFiles;
#[cfg(feature = "storage")]
pub use origin::{origin, session_id};
#[cfg(feature = "pictures")]
pub use relaxed::hasten;
pub use time::{BrowserClock, BrowserSpawn, BrowserTimer};
pub use workers::{BrowserWorkers, PageLink, listen_to_page};

use crate::ports::Store;

/// Which role this instance of the module plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It shows the page.
    Page,
    /// It runs handlers.
    Worker,
}

/// The role of this instance: a page has a window.
#[must_use]
pub fn role() -> Role {
    if web_sys::window().is_some() { Role::Page } else { Role::Worker }
}

/// Ends this instance, whose module was built for the other role alone; a page hears of its worker's end.
#[cfg(any(feature = "page", feature = "worker"))]
pub fn refuse(role: Role) {
    let what = format!("this module was not built for the {role:?}; make the folder anew with `cargo xtask dist`");
    wasm_bindgen::throw_str(&what);
}

/// The value of a parameter in the page's address.
#[must_use]
pub fn query(key: &str) -> Option<String> {
    let search = web_sys::window()?.location().search().ok()?;
    web_sys::UrlSearchParams::new_with_str(&search).ok()?.get(key)
}

/// An unforeseeable number, where jobs' random numbers begin.
#[must_use]
pub fn entropy() -> u64 {
    let drawn = || (js_sys::Math::random() * 4_294_967_296.0) as u64;
    drawn() << 32 | drawn()
}

/// `localStorage`, and `sessionStorage` for one tab, under an app's name; where the browser refuses it, nothing is kept.
pub struct BrowserStore {
    prefix: String,
}

impl BrowserStore {
    /// The store of the app with this name.
    #[must_use]
    pub fn new(app: &str) -> Self {
        Self { prefix: format!("gradus/{app}/") }
    }

    fn storage() -> Option<web_sys::Storage> {
        web_sys::window()?.local_storage().ok().flatten()
    }

    fn storage_of_tab() -> Option<web_sys::Storage> {
        web_sys::window()?.session_storage().ok().flatten()
    }
}

impl Store for BrowserStore {
    fn get(&self, key: &str) -> Option<String> {
        Self::storage()?.get_item(&format!("{}{key}", self.prefix)).ok().flatten()
    }

    fn set(&self, key: &str, text: &str) {
        if let Some(storage) = Self::storage()
            && storage.set_item(&format!("{}{key}", self.prefix), text).is_err()
        {
            web_sys::console::info_1(&"Gradus: the browser keeps nothing here (storage full or private mode).".into());
        }
    }

    fn get_in_tab(&self, key: &str) -> Option<String> {
        Self::storage_of_tab()?.get_item(&format!("{}{key}", self.prefix)).ok().flatten()
    }

    fn set_in_tab(&self, key: &str, text: &str) {
        if let Some(storage) = Self::storage_of_tab() {
            // Full or refused: then a reload begins anew.
            let _ = storage.set_item(&format!("{}{key}", self.prefix), text);
        }
    }

    fn persist(&self) {
        // Whether it is granted changes nothing that this page does.
        let _ = web_sys::window().map(|window| window.navigator().storage().persist());
    }
}
