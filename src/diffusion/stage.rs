//! A part of a checkpoint whose weights come and go together, so that a GPU that is short of memory holds one at a time.

use std::cell::RefCell;
use std::rc::Rc;

use super::safetensors::Tensors;
use super::weights::{Meter, Precision, Spec, Weight, load};
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

    /// Bytes of each weight on an engine.
    pub(super) fn held(&self, kind: EngineKind, precision: Precision) -> Vec<u64> {
        let bytes = |spec: &Spec| spec.words(spec.stored(&self.tensors, kind, precision)) as u64 * 4;
        self.specs.iter().map(bytes).collect()
    }

    /// The weights on the engine; loaded where they are not.
    pub(super) async fn weights(
        &self,
        precision: Precision,
        files: &dyn Files,
        engine: &dyn Engine,
        control: &dyn Control,
        meter: &mut Meter<'_>,
    ) -> Result<Rc<[Weight]>, Error> {
        if let Some(loaded) = &*self.loaded.borrow() {
            return Ok(Rc::clone(loaded));
        }
        let loaded: Rc<[Weight]> =
            load(&self.specs, &self.tensors, precision, files, engine, control, meter).await?.into();
        *self.loaded.borrow_mut() = Some(Rc::clone(&loaded));
        Ok(loaded)
    }

    /// Gives the weights' memory back, once no plan uses them any more.
    pub(super) fn free(&self) {
        *self.loaded.borrow_mut() = None;
    }
}
