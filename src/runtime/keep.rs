//! What the page keeps in the small store: what handlers remember, BrowserStates, estimates.

use std::rc::Rc;
use std::time::Duration;

use super::conduct::State;
use super::{MEMORY, MEMORY_KEYS};
use crate::blocks::{Kind, ListenerSpec};
use crate::ids::{ComponentId, ListenerId};
use crate::queue::Runs;
use crate::value::Value;
use crate::wire;

/// Estimates change with every run; they are written down at most so often.
const RUNS_EVERY: Duration = Duration::from_secs(1);

/// Bytes as text for a store of texts.
pub(super) fn to_text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn from_text(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pairs = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect()
}

fn runs_key(spec: &ListenerSpec) -> String {
    format!("runs/{}", spec.key.api_name)
}

impl State {
    /// Takes up what earlier visits kept; what cannot be read is as if it were not there.
    pub(super) fn recall(&mut self) {
        let app = Rc::clone(&self.app);
        let store = Rc::clone(&self.ports.store);
        for (spec, slot) in app.components().iter().zip(&mut self.slots) {
            let Kind::BrowserState { key } = &spec.kind else { continue };
            let kept = store.get(&format!("state/{key}")).and_then(|text| from_text(&text));
            if let Some(value) = kept.and_then(|bytes| wire::decode::<Value>(&bytes).ok())
                // A build may have changed the type; its own first value then holds.
                && std::mem::discriminant(&value) == std::mem::discriminant(&slot.value)
            {
                slot.value = value;
            }
        }
        for (spec, id) in app.listeners().iter().zip((0u32..).map(ListenerId)) {
            let kept = store.get(&runs_key(spec)).and_then(|text| from_text(&text));
            if let Some(runs) = kept.and_then(|bytes| wire::decode::<Runs>(&bytes).ok()) {
                self.queue.restore_runs(id, runs);
            }
        }
    }

    /// Keeps a BrowserState that has changed.
    pub(super) fn keep_state(&self, id: ComponentId) {
        if let (Some(spec), Some(slot)) = (self.app.component(id), self.slots.get(id.0 as usize))
            && let Kind::BrowserState { key } = &spec.kind
            && let Ok(bytes) = wire::encode(&slot.value)
        {
            self.ports.store.set(&format!("state/{key}"), &to_text(&bytes));
        }
    }

    pub(super) fn keep_runs(&mut self, listener: ListenerId) {
        let now = self.now();
        if self.runs_kept.is_some_and(|kept| now.since(kept) < RUNS_EVERY) {
            return;
        }
        self.runs_kept = Some(now);
        if let (Some(spec), Some(runs)) = (self.app.listener(listener), self.queue.runs(listener))
            && let Ok(bytes) = wire::encode(runs)
        {
            self.ports.store.set(&runs_key(spec), &to_text(&bytes));
        }
    }

    pub(super) fn remember(&mut self, key: &str, text: &str) {
        let store = &self.ports.store;
        let keys = store.get(MEMORY_KEYS).unwrap_or_default();
        if !keys.lines().any(|known| known == key) {
            store.set(MEMORY_KEYS, &format!("{keys}{key}\n"));
        }
        store.set(&format!("{MEMORY}{key}"), text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_there_and_back() {
        let bytes = [0, 1, 127, 255];
        assert_eq!(from_text(&to_text(&bytes)).unwrap(), bytes);
        assert_eq!(from_text("0"), None);
        assert_eq!(from_text("zz"), None);
        assert_eq!(from_text("é1"), None);
    }
}
