//! Files of a checkpoint are hostile: whatever is changed in them, loading ends in a result or in words, and never
//! takes more memory than the files could fill.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
mod support;

use std::rc::Rc;
use std::time::Duration;

use gradus::diffusion::json::Json;
use gradus::diffusion::safetensors::Tensors;
use gradus::diffusion::tokenizer::Tokenizer;
use gradus::diffusion::{Lora, Pipeline};
use gradus::kernels::cpu::CpuEngine;
use gradus::ports::Files;
use gradus::ports::memory::MemoryFiles;
use proptest::prelude::*;
use support::Ticking;
use support::watcher::Watcher;

/// The text files that a pipeline reads, and the weights, whose headers are what matters.
const PATHS: [&str; 9] = [
    "unet/config.json",
    "vae/config.json",
    "text_encoder/config.json",
    "scheduler/scheduler_config.json",
    "tokenizer/vocab.json",
    "tokenizer/merges.txt",
    "tokenizer/tokenizer_config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
];

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

fn load(path: &str, change: impl Fn(&mut Vec<u8>)) {
    let files = fixtures::files("flow", |name, bytes| {
        (name == path).then(|| {
            let mut bytes = bytes.to_vec();
            change(&mut bytes);
            bytes
        })
    });
    let (engine, control, watcher) =
        (CpuEngine::new("test"), Ticking::by(Duration::from_millis(2)), Watcher::default());
    pollster::block_on(async {
        if let Ok(pipeline) = Pipeline::load(Rc::new(files), &engine, &control, &watcher).await {
            let request = gradus::diffusion::Request {
                width: pipeline.scale(),
                height: pipeline.scale(),
                steps: 1,
                prompt: "a ball".into(),
                ..pipeline.usual_request()
            };
            let made = pipeline.generate(&request, &engine, &control, &watcher).await;
            if let Err(error) = made {
                assert!(!error.message().is_empty());
            }
        }
    });
}

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
        let place = if lora { ("lora", "lora/peft.safetensors") } else { ("blocks", "text_encoder/model.safetensors") };
        let files = fixtures::files(place.0, |name, bytes| {
            (name == place.1).then(|| {
                let mut bytes = bytes.to_vec();
                // The length and the header.
                let most = 8 + bytes[8..].iter().position(|&byte| byte == 0).unwrap_or(2000);
                edits.iter().for_each(|&(at, byte)| bytes[at as usize % most] = byte);
                bytes
            })
        });
        pollster::block_on(async {
            let files: Rc<dyn Files> = Rc::new(files);
            let (folder, stem) = if lora { ("unet", "diffusion_pytorch_model") } else { ("text_encoder", "model") };
            let Ok(mut tensors) = Tensors::open(&*files, folder, stem).await else { return };
            if lora && let Ok(opened) = Lora::open(Rc::clone(&files), place.1, 1.0).await {
                let _ = Rc::new(opened).attach(folder, &mut tensors).await;
            }
            for name in tensors.names() {
                let _ = tensors.read(&*files, name).await;
            }
        });
    }

    #[test]
    fn any_bytes_are_no_json_or_some(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Json::parse(&bytes);
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
