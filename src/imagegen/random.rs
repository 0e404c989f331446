//! One row of random numbers for what a generator draws outside of its kernels.

use gradus_cpu::{hash, unit};

/// PCG's hash over a counter: the same in every build and on every machine.
#[derive(Clone, Debug)]
pub(super) struct Random {
    key: u32,
    count: u32,
}

impl Random {
    /// A row for a seed and a text; equal ones give equal rows.
    pub(super) fn new(seed: u64, text: &str) -> Self {
        let words = text.bytes().fold(0x811c_9dc5u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        Self { key: hash(hash(seed as u32) ^ (seed >> 32) as u32) ^ words, count: 0 }
    }

    /// Any 32 bits.
    pub(super) fn bits(&mut self) -> u32 {
        self.count = self.count.wrapping_add(1);
        hash(self.key ^ hash(self.count))
    }

    /// From 0 to below 1.
    pub(super) fn unit(&mut self) -> f32 {
        unit(self.bits())
    }

    /// From `low` to below `high`.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// One of the items; the first of an empty slice's default is never asked for.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.bits() as usize % items.len().max(1))
    }
}
