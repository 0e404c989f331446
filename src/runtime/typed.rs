//! What the visitor typed and chose, kept by the tab over a reload: results come back then, and so does what was asked.
//! Pictures and files are not kept, they are too large for a tab's store.

use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::STORAGE;
use super::conduct::{Later, State};
use super::keep::{from_text, to_text};
use crate::blocks::{ComponentSpec, Kind};
use crate::ids::ComponentId;
use crate::value::Value;
use crate::wire;

/// Under which it is kept.
const TYPED: &str = "typed";

/// A longer text is not kept, as it is written anew with each change.
const MOST_BYTES: usize = 20_000;

/// How long after a change it is kept, with what changes until then.
const KEPT_AFTER: Duration = Duration::from_millis(300);

/// Of one build of an app: another counts its components otherwise.
#[derive(Serialize, Deserialize)]
struct Typed {
    app: u64,
    values: Vec<(ComponentId, Value)>,
}

fn can_be_kept(spec: &ComponentSpec, value: &Value) -> bool {
    let small = match value {
        Value::Text(text) => text.len() <= MOST_BYTES,
        Value::Number(number) => number.is_finite(),
        Value::Bool(_) => true,
        // What was emptied.
        Value::Null => matches!(spec.kind, Kind::Number(_)),
        _ => false,
    };
    // A choice is kept only where it is one from the beginning: what handlers give to choose from comes later.
    small
        && spec.holds(value)
        && (!matches!(spec.kind, Kind::Dropdown { .. }) || spec.accept(value).is_ok())
        && !matches!(spec.kind, Kind::Folder)
}

impl State {
    /// Takes up what this tab kept before it was loaded anew.
    pub(super) fn recall_typed(&mut self) {
        if !STORAGE {
            return;
        }
        let kept = self.ports.store.get_in_tab(TYPED).and_then(|text| from_text(&text));
        let Some(typed) = kept.and_then(|bytes| wire::decode::<Typed>(&bytes).ok()) else { return };
        if typed.app != self.app.hash() {
            return;
        }
        let app = Rc::clone(&self.app);
        for (id, value) in typed.values {
            if let (Some(spec), Some(slot)) = (app.component(id), self.slots.get_mut(id.0 as usize))
                && can_be_kept(spec, &value)
            {
                slot.value = value;
                self.typed.insert(id);
            }
        }
    }

    /// The visitor gave a component a value.
    pub(super) fn note_typed(&mut self, id: ComponentId) {
        if STORAGE {
            self.typed.insert(id);
            self.keep_typed_soon();
        }
    }

    /// A handler gave it one since.
    pub(super) fn forget_typed(&mut self, id: ComponentId) {
        if self.typed.remove(&id) {
            self.keep_typed_soon();
        }
    }

    fn keep_typed_soon(&mut self) {
        if !self.typed_changed {
            self.typed_changed = true;
            self.later.push((KEPT_AFTER, Later::KeepTyped));
        }
    }

    /// Keeps what has changed.
    pub(super) fn keep_typed(&mut self) {
        if !STORAGE || !std::mem::take(&mut self.typed_changed) {
            return;
        }
        let held = |id: ComponentId| {
            let (spec, slot) = (self.app.component(id)?, self.slots.get(id.0 as usize)?);
            can_be_kept(spec, &slot.value).then(|| (id, slot.value.clone()))
        };
        let typed = Typed { app: self.app.hash(), values: self.typed.iter().copied().filter_map(held).collect() };
        if let Ok(bytes) = wire::encode(&typed) {
            self.ports.store.set_in_tab(TYPED, &to_text(&bytes));
        }
    }
}
