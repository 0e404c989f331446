use std::rc::Rc;

/// A buffer's number inside its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BufferId(pub u64);

/// Memory of an engine: zeroed when made, freed when the last clone is dropped.
///
/// Counted in 32-bit words; what they mean (`f32`, `u32`, packed RGBA) is between the kernels that use it.
#[derive(Clone, Debug)]
pub struct Buffer(Rc<Inner>);

struct Inner {
    id: BufferId,
    words: usize,
    free: Box<dyn Fn(BufferId)>,
}

impl Buffer {
    /// For engines: a handle that calls `free` with its id when the last clone is dropped.
    pub fn new(id: BufferId, words: usize, free: impl Fn(BufferId) + 'static) -> Self {
        Self(Rc::new(Inner { id, words, free: Box::new(free) }))
    }

    /// The number inside its engine.
    #[must_use]
    pub fn id(&self) -> BufferId {
        self.0.id
    }

    /// The size in 32-bit words.
    #[must_use]
    pub fn words(&self) -> usize {
        self.0.words
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        (self.free)(self.id);
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}, {} words", self.id, self.words)
    }
}
