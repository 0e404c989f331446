//! The heart of convolutions and of attention: rows of numbers times panels of eight columns.

use super::lanes::{Eight, LANES};

/// Rows that are computed together: with eight columns their sums are what the registers of a processor hold.
pub(super) const ROWS: usize = 4;

/// Adds to each row's sums its numbers times the panel's: for each step eight columns.
///
/// One step a turn: LLVM gives wasm the products of several steps sum by sum, so that all of their numbers would be
/// wanted at once, and spills; the browser's own compiler unrolls this loop in order.
#[inline(always)]
pub(super) fn accumulate(sums: &mut [Eight; ROWS], panel: &[f32], rows: [&[f32]; ROWS]) {
    // Copies, so that the sums stay in registers.
    let [mut s0, mut s1, mut s2, mut s3] = *sums;
    let (steps, _) = panel.as_chunks::<LANES>();
    let [r0, r1, r2, r3] = rows;
    for ((((step, &x0), &x1), &x2), &x3) in steps.iter().zip(r0).zip(r1).zip(r2).zip(r3) {
        let step = Eight::load(step);
        s0 = s0 + step * x0;
        s1 = s1 + step * x1;
        s2 = s2 + step * x2;
        s3 = s3 + step * x3;
    }
    *sums = [s0, s1, s2, s3];
}
