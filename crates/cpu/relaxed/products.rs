//! The products of `nn::product` with relaxed SIMD's multiply-add: a module of its own, as one that has such an
//! instruction is refused as a whole by a browser that lacks it. `build.rs` compiles it. It computes in the memory of
//! the app, so it must have neither data nor a stack of its own there: `tests/browser_diffusion.rs` looks at that.
#![no_std]

use core::arch::wasm32::{f32x4_relaxed_madd, unreachable, v128, v128_load, v128_load32_splat, v128_store};

/// One product of a list, as `nn::product` writes it: addresses in the app's memory.
#[repr(C)]
pub struct Product {
    /// Eight floats a step.
    panel: *const v128,
    /// Four rows of one float a step.
    rows: [*const u32; 4],
    /// Four times eight sums, which are added to.
    sums: *mut v128,
    steps: usize,
}

/// Computes a list of products.
///
/// # Safety
/// What the list names must be in memory, and the sums of a product nowhere else in it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn products(list: *const Product, count: usize) {
    for at in 0..count {
        unsafe { product(&*list.add(at)) }
    }
}

/// Adds what the step after `$n` others gives to each sum.
macro_rules! step {
    ($n:literal, $panel:ident, $($row:ident $left:ident $right:ident),+) => {
        let (left, right) = (v128_load($panel.add(2 * $n)), v128_load($panel.add(2 * $n + 1)));
        $(
            let x = v128_load32_splat($row.add($n));
            $left = f32x4_relaxed_madd(left, x, $left);
            $right = f32x4_relaxed_madd(right, x, $right);
        )+
    };
}

#[inline(always)]
unsafe fn product(product: &Product) {
    let Product { mut panel, rows: [mut r0, mut r1, mut r2, mut r3], sums, steps } = *product;
    unsafe {
        let sum = |at: usize| v128_load(sums.add(at));
        let [mut a0, mut b0, mut a1, mut b1] = [sum(0), sum(1), sum(2), sum(3)];
        let [mut a2, mut b2, mut a3, mut b3] = [sum(4), sum(5), sum(6), sum(7)];
        // Two steps a turn take a seventh less time than one; four more, as their numbers do not fit into the registers.
        for _ in 0..steps / 2 {
            step!(0, panel, r0 a0 b0, r1 a1 b1, r2 a2 b2, r3 a3 b3);
            step!(1, panel, r0 a0 b0, r1 a1 b1, r2 a2 b2, r3 a3 b3);
            panel = panel.add(4);
            (r0, r1, r2, r3) = (r0.add(2), r1.add(2), r2.add(2), r3.add(2));
        }
        if steps % 2 == 1 {
            step!(0, panel, r0 a0 b0, r1 a1 b1, r2 a2 b2, r3 a3 b3);
        }
        v128_store(sums, a0);
        v128_store(sums.add(1), b0);
        v128_store(sums.add(2), a1);
        v128_store(sums.add(3), b1);
        v128_store(sums.add(4), a2);
        v128_store(sums.add(5), b2);
        v128_store(sums.add(6), a3);
        v128_store(sums.add(7), b3);
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    unreachable()
}
