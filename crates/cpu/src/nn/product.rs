//! The heart of convolutions and of attention: rows of numbers times panels of eight columns.

use super::lanes::{Eight, LANES};
use super::relaxed;

/// Rows that are computed together: with eight columns their sums are what the registers of a processor hold.
pub(super) const ROWS: usize = 4;

/// For each row the sums of eight columns.
pub(super) type Sums = [[f32; LANES]; ROWS];

/// Four rows times a panel, for the sums of this number.
pub(super) struct Product<'a> {
    pub(super) panel: &'a [f32],
    pub(super) rows: [&'a [f32]; ROWS],
    pub(super) sums: usize,
}

/// Computes lists of products; kept from one to the next for its memory.
#[derive(Default)]
pub(super) struct Products {
    /// As `relaxed/products.rs` reads it: addresses of panel, rows and sums, and the steps.
    list: Vec<[usize; 7]>,
}

impl Products {
    /// Adds each product to its sums: for each step a panel's eight columns times a number of each row.
    // One for all kernels: the app is downloaded.
    #[inline(never)]
    pub(super) fn add(&mut self, products: &[Product<'_>], sums: &mut [Sums]) {
        let Some(run) = relaxed::products() else {
            for product in products {
                if let Some(sums) = sums.get_mut(product.sums) {
                    accumulate(sums, product);
                }
            }
            return;
        };
        // One address for all of them: a new borrow for each would end what the earlier ones may do.
        let (base, count) = (sums.as_mut_ptr().expose_provenance(), sums.len());
        self.list.clear();
        for Product { panel, rows, sums } in products.iter().filter(|product| product.sums < count) {
            let steps = rows.iter().map(|row| row.len()).fold(panel.len() / LANES, usize::min);
            let [a, b, c, d] = rows.map(|row| row.as_ptr().expose_provenance());
            let sums = base + sums * size_of::<Sums>();
            self.list.push([panel.as_ptr().expose_provenance(), a, b, c, d, sums, steps]);
        }
        run(self.list.as_ptr().expose_provenance(), self.list.len());
    }
}

/// Adds to each row's sums its numbers times the panel's: for each step eight columns.
///
/// One step a turn: LLVM gives wasm the products of several steps sum by sum, so that all of their numbers would be
/// wanted at once, and spills; the browser's own compiler unrolls this loop in order.
#[inline(always)]
fn accumulate(sums: &mut Sums, Product { panel, rows: [r0, r1, r2, r3], .. }: &Product<'_>) {
    // Copies, so that the sums stay in registers.
    let [mut s0, mut s1, mut s2, mut s3] = (*sums).map(|sum| Eight::load(&sum));
    let (steps, _) = panel.as_chunks::<LANES>();
    for ((((step, &x0), &x1), &x2), &x3) in steps.iter().zip(*r0).zip(*r1).zip(*r2).zip(*r3) {
        let step = Eight::load(step);
        s0 = s0 + step * x0;
        s1 = s1 + step * x1;
        s2 = s2 + step * x2;
        s3 = s3 + step * x3;
    }
    *sums = [s0, s1, s2, s3].map(Eight::store);
}
