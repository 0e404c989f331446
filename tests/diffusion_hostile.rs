//! Files of a checkpoint are hostile: whatever is changed in them, loading ends in a result or in words. How much memory it
//! takes is counted in `diffusion_hostile_peak`, where nothing else runs beside it.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
#[path = "support/hostile.rs"]
mod hostile;
#[path = "support/ticking.rs"]
mod ticking;
#[path = "support/watcher.rs"]
mod watcher;

use gradus::diffusion::json::Json;
use gradus::diffusion::safetensors::Tensors;
use gradus::diffusion::tokenizer::Tokenizer;
use gradus::ports::memory::MemoryFiles;
use hostile::{PATHS, checkpoint_file, load, open_blocks, open_lora, weights_file};
use proptest::prelude::*;

/// Numbers that are likely to hurt, as JSON.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1e308",
    "1e-308",
    "NaN",
    "-Infinity",
    "4294967296",
    "1048576",
    "18446744073709551615",
    "0.5",
    "[]",
    "null",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_that_are_changed(place in 0..PATHS.len(), edits in prop::collection::vec((any::<u32>(), any::<u8>()), 1..4)) {
        load(PATHS[place], |bytes| {
            // Headers and texts, not the numbers behind them.
            let most = bytes.len().min(20_000);
            edits.iter().for_each(|&(at, byte)| bytes[at as usize % most] = byte);
        });
    }

    #[test]
    fn fields_that_are_changed(place in 0..4usize, which in any::<u32>(), number in 0..NUMBERS.len()) {
        load(PATHS[place], |bytes| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            let fields: Vec<usize> = text.match_indices("\": ").map(|(at, _)| at + 3).collect();
            let at = fields[which as usize % fields.len()];
            let end = at + text[at..].find(['\n', ',']).unwrap_or(0);
            *bytes = [&text[..at], NUMBERS[number], &text[end..]].concat().into_bytes();
        });
    }

    #[test]
    fn files_that_are_cut(place in 0..PATHS.len(), at in any::<u32>()) {
        load(PATHS[place], |bytes| bytes.truncate(at as usize % bytes.len()));
    }

    #[test]
    fn blocks_and_loras_that_are_changed(lora in any::<bool>(), edits in prop::collection::vec((any::<u32>(), any::<u8>()), 1..4)) {
        let change = |bytes: &mut Vec<u8>| {
            // The length and the header.
            let most = 8 + bytes[8..].iter().position(|&byte| byte == 0).unwrap_or(2000);
            edits.iter().for_each(|&(at, byte)| bytes[at as usize % most] = byte);
        };
        if lora { open_lora(change) } else { open_blocks(change) }
    }

    #[test]
    fn any_bytes_are_taken_for_a_file(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Json::parse(&bytes);
        checkpoint_file(&bytes);
        weights_file(&bytes);
    }

    #[test]
    fn any_header(text in "\\{(\"[ab]\":\\{\"dtype\":\"(F32|F16|I64|I8|U8)\",\"shape\":\\[[0-9]{0,20}(,[0-9]{1,4}){0,9}\\],\"data_offsets\":\\[[0-9]{1,20},[0-9]{1,20}\\]\\},?){0,3}\\}", length in any::<u64>(), honest in any::<bool>()) {
        let length = if honest { text.len() as u64 } else { length };
        let mut files = MemoryFiles::default();
        files.insert("x.safetensors", [&length.to_le_bytes()[..], text.as_bytes(), &[0; 64]].concat());
        let _ = pollster::block_on(Tensors::open(&files, "", "x"));
    }

    #[test]
    fn any_prompt_becomes_as_many_tokens_as_are_asked_for(prompt in ".{0,200}", length in 2..100usize) {
        let files = fixtures::files("flow", |_, _| None);
        let tokenizer = pollster::block_on(Tokenizer::read(&files, "tokenizer")).unwrap();
        let ids = tokenizer.encode(&prompt, length);
        prop_assert_eq!(ids.len(), length);
        prop_assert!(ids.contains(&tokenizer.end()));
    }
}
