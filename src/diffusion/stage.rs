//! A part of a checkpoint whose weights come and go together, so that a GPU that is short of memory holds one at a time.

use std::cell::RefCell;
use std::rc::Rc;

use super::safetensors::{Tensor, Tensors};
use super::weights::{Meter, Part, Spec, Weight, find, load};
use crate::kernels::{Control, Engine};
use crate::ports::Files;
use crate::value::{EngineKind, Error};

/// What weights a part wants, where they are, and once they are loaded, the weights.
pub(super) struct Stage {
    specs: Vec<Spec>,
    pub(super) tensors: Tensors,
    loaded: RefCell<Option<Rc<[Weight]>>>,
}

impl Stage {
    pub(super) fn new(specs: Vec<Spec>, tensors: Tensors) -> Self {
        Self { specs, tensors, loaded: RefCell::new(None) }
    }

    /// Numbers of all weights, packed.
    pub(super) fn count(&self) -> usize {
        self.specs.iter().map(Spec::count).sum()
    }

    pub(super) fn specs(&self) -> &[Spec] {
        &self.specs
    }

    /// Bytes of a weight on an engine: on a GPU what the files keep as halves stays so.
    pub(super) fn held(&self, spec: &Spec, kind: EngineKind) -> u64 {
        let halves = |part: &Part| {
            let tensor = find(&self.tensors, &[&part.name, ".weight"].concat());
            tensor.is_some_and(Tensor::halves)
        };
        let small = match spec {
            Spec::Packed { parts, .. } => kind == EngineKind::Gpu && parts.iter().all(halves),
            Spec::Affine { .. } => false,
        };
        spec.count() as u64 * if small { 2 } else { 4 }
    }

    /// The weights on the engine; loaded where they are not.
    pub(super) async fn weights(
        &self,
        files: &dyn Files,
        engine: &dyn Engine,
        control: &dyn Control,
        meter: &mut Meter<'_>,
    ) -> Result<Rc<[Weight]>, Error> {
        if let Some(loaded) = &*self.loaded.borrow() {
            return Ok(Rc::clone(loaded));
        }
        let loaded: Rc<[Weight]> = load(&self.specs, &self.tensors, files, engine, control, meter).await?.into();
        *self.loaded.borrow_mut() = Some(Rc::clone(&loaded));
        Ok(loaded)
    }

    /// Gives the weights' memory back, once no plan uses them any more.
    pub(super) fn free(&self) {
        *self.loaded.borrow_mut() = None;
    }
}
