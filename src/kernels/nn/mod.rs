//! Neural-network kernels: products and convolutions, norms, attention, and the sums of a sampler.
//!
//! Tensors are channels-last matrices of rows × channels as described in [`gradus_cpu::nn`]. Each wrapper here turns
//! shapes into a [`Call`]: a dispatch to which only the buffers are missing, in the order that its doc says.

mod attention;
mod conv;
mod norm;
mod pointwise;
mod tune;

pub use attention::{ATTENTION, WIDEST_HEAD, attention, too_long_alone};
pub use conv::{CONV, FLOATS, Stored, Variant, conv, variants};
pub use gradus_cpu::nn::half;
pub use norm::{GROUP_NORM, LAYER_NORM, group_norm, layer_norm};
pub use pointwise::{BLEND, COMBINE, FINITE, PIXELS, SQUASH, blend, combine, finite, pixels, squash};
pub use tune::{TileChoices, tune};

use super::{Buffer, Dispatch, Kernel};

/// A dispatch without its buffers.
#[derive(Clone, Debug)]
pub struct Call {
    /// What runs.
    pub kernel: &'static Kernel,
    /// How many items.
    pub items: u32,
    /// The work of an item, in floating-point operations.
    pub cost: f32,
    /// The parameters' bytes.
    pub params: Vec<u8>,
}

impl Call {
    fn new<P: bytemuck::NoUninit>(kernel: &'static Kernel, items: usize, cost: f32, params: &P) -> Self {
        let params = bytemuck::bytes_of(params).to_vec();
        Self { kernel, items: u32::try_from(items).unwrap_or(u32::MAX), cost, params }
    }

    /// Floating-point operations of the whole dispatch.
    #[must_use]
    pub fn operations(&self) -> f64 {
        f64::from(self.items) * f64::from(self.cost)
    }

    /// The dispatch on these buffers.
    #[must_use]
    pub fn on(&self, buffers: Vec<Buffer>) -> Dispatch {
        let Self { kernel, items, cost, ref params } = *self;
        Dispatch { kernel, items, cost, params: params.clone(), buffers }
    }
}

/// So many numbers of the parameters' front, as sizes.
fn sizes<const N: usize>(params: &[u8]) -> Option<[usize; N]> {
    let words: &[u8] = params.get(..N * 4)?;
    let mut sizes = [0; N];
    for (size, word) in sizes.iter_mut().zip(words.chunks_exact(4)) {
        *size = bytemuck::pod_read_unaligned::<u32>(word) as usize;
    }
    Some(sizes)
}

fn word(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
