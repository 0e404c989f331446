//! Products by relaxed SIMD's multiply-add, where the browser has it: half as many instructions as a product and a sum,
//! and half as much again of speed. What it adds is rounded once instead of twice.
//!
//! A module that has such an instruction is refused as a whole by a browser that lacks it, so it is one of its own:
//! [`MODULE`], which imports the app's memory. Who knows the browser instantiates it and [`install`]s it here.

use std::sync::OnceLock;

/// The module: imports `env.memory` and exports `products(list, count)`. Empty elsewhere than on wasm.
pub const MODULE: &[u8] = {
    #[cfg(target_arch = "wasm32")]
    {
        include_bytes!(concat!(env!("OUT_DIR"), "/relaxed.wasm"))
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        &[]
    }
};

/// The module's function: the address of a list, and how many products it has.
pub type Products = fn(list: usize, count: usize);

static INSTALLED: OnceLock<Products> = OnceLock::new();

/// Gives all later products to the module's function. It may be said again, which changes nothing.
///
/// ```
/// // Without it, the products are those that were compiled in.
/// assert!(!gradus_cpu::nn::relaxed::installed());
/// ```
pub fn install(products: Products) {
    let _ = INSTALLED.set(products);
}

/// Whether the module computes.
#[must_use]
pub fn installed() -> bool {
    INSTALLED.get().is_some()
}

pub(super) fn products() -> Option<Products> {
    INSTALLED.get().copied()
}
