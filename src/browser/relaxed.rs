use std::cell::OnceCell;

use gradus_cpu::nn::relaxed::{self, MODULE};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[wasm_bindgen(module = "/src/browser/worker_boot.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn exports(module: &[u8], memory: JsValue) -> Result<Option<Exports>, JsValue>;
}

#[wasm_bindgen]
extern "C" {
    type Exports;
    // A method, as a function that is called by `Function::call` takes its numbers as objects.
    #[wasm_bindgen(method)]
    fn products(this: &Exports, list: usize, count: usize);
}

thread_local! {
    static EXPORTS: OnceCell<Exports> = const { OnceCell::new() };
}

fn products(list: usize, count: usize) {
    EXPORTS.with(|exports| {
        if let Some(exports) = exports.get() {
            exports.products(list, count);
        }
    });
}

/// Has the processor's products computed by relaxed SIMD where the browser knows it; tells whether it does.
///
/// For this instance of the app's module. Said again, it changes nothing.
///
/// ```no_run
/// # #[cfg(target_arch = "wasm32")]
/// gradus::browser::hasten();
/// ```
pub fn hasten() -> bool {
    if !relaxed::installed()
        // A page may forbid to compile what is not its own file: then all is as without.
        && let Ok(Some(exports)) = exports(MODULE, wasm_bindgen::memory())
        && EXPORTS.with(|cell| cell.set(exports)).is_ok()
    {
        relaxed::install(products);
    }
    relaxed::installed()
}
