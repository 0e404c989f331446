//! The composition root of both roles: the only place where ports, engines, worker, runtime and views meet.

#[cfg(target_arch = "wasm32")]
mod allocator;
#[cfg(all(target_arch = "wasm32", feature = "pictures", not(feature = "page")))]
mod engines;
#[cfg(all(target_arch = "wasm32", not(any(feature = "pictures", feature = "page"))))]
#[path = "no_engines.rs"]
mod engines;
#[cfg(all(target_arch = "wasm32", not(feature = "worker")))]
mod javascript;
#[cfg(all(target_arch = "wasm32", not(feature = "worker")))]
mod page;
#[cfg(all(target_arch = "wasm32", not(feature = "page")))]
mod worker;

use crate::blocks::Blocks;

/// Opens the app: in the page it shows it, in a worker it runs its handlers. The whole of an author's `main`.
///
/// The function is called once in each role and must do the same each time.
///
/// ```no_run
/// use gradus::prelude::*;
///
/// fn app() -> Blocks {
///     Blocks::named("hello", |ui| {
///         ui.add(Markdown::new("Hello"));
///     })
/// }
///
/// fn main() {
///     gradus::launch(app);
/// }
/// ```
pub fn launch(app: fn() -> Blocks) {
    #[cfg(target_arch = "wasm32")]
    match crate::browser::role() {
        #[cfg(not(feature = "worker"))]
        crate::browser::Role::Page => page::open(app()),
        #[cfg(not(feature = "page"))]
        crate::browser::Role::Worker => worker::open(app()),
        #[cfg(any(feature = "page", feature = "worker"))]
        role => crate::browser::refuse(role),
    }
    #[cfg(not(target_arch = "wasm32"))]
    match app().build() {
        Ok(app) => println!(
            "{app:?} is a page for a browser: run `trunk serve` in this folder and open the address that it prints."
        ),
        Err(errors) => eprintln!("{errors}"),
    }
}
