//! Files of a checkpoint from whoever wrote them, given to the loader: it ends in a picture, or in words.
#![allow(dead_code, reason = "each target uses its part")]

use std::rc::Rc;
use std::time::Duration;

use gradus::diffusion::safetensors::Tensors;
use gradus::diffusion::{Lora, Pipeline, Request};
use gradus::kernels::cpu::CpuEngine;
use gradus::ports::Files;

use super::fixtures;
use super::ticking::Ticking;
use super::watcher::Watcher;

/// The text files that a pipeline reads, and the weights, whose headers are what matters.
pub const PATHS: [&str; 9] = [
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

/// A LoRA of the fixture "lora".
pub const LORA: &str = "lora/peft.safetensors";

/// Loads the fixture "flow" with other bytes for a file, and makes the smallest picture if it can be loaded.
pub fn load(path: &str, change: impl Fn(&mut Vec<u8>)) {
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
            let request = Request {
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

/// Any bytes in the place of a checkpoint's file: the first one chooses which.
pub fn checkpoint_file(data: &[u8]) {
    if let Some((&which, rest)) = data.split_first() {
        load(PATHS[usize::from(which) % PATHS.len()], |bytes| *bytes = rest.to_vec());
    }
}

/// Opens the fixture's LoRA with other bytes, and reads a text encoder's or UNet's tensors with it.
pub fn open_lora(change: impl Fn(&mut Vec<u8>)) {
    read_tensors("lora", LORA, "unet", "diffusion_pytorch_model", change);
}

/// Reads the fixture's 8-bit blocks with other bytes.
pub fn open_blocks(change: impl Fn(&mut Vec<u8>)) {
    read_tensors("blocks", "text_encoder/model.safetensors", "text_encoder", "model", change);
}

fn read_tensors(fixture: &str, path: &str, folder: &str, stem: &str, change: impl Fn(&mut Vec<u8>)) {
    let files = fixtures::files(fixture, |name, bytes| {
        (name == path).then(|| {
            let mut bytes = bytes.to_vec();
            change(&mut bytes);
            bytes
        })
    });
    pollster::block_on(async {
        let files: Rc<dyn Files> = Rc::new(files);
        let Ok(mut tensors) = Tensors::open(&*files, folder, stem).await else { return };
        if path == LORA
            && let Ok(opened) = Lora::open(Rc::clone(&files), path, 1.0).await
        {
            let _ = Rc::new(opened).attach(folder, &mut tensors).await;
        }
        for name in tensors.names() {
            let _ = tensors.read(&*files, name).await;
        }
    });
}

/// Any bytes as a LoRA, or as blocks: the first one chooses.
pub fn weights_file(data: &[u8]) {
    if let Some((&which, rest)) = data.split_first() {
        if which % 2 == 0 {
            open_lora(|bytes| *bytes = rest.to_vec());
        } else {
            open_blocks(|bytes| *bytes = rest.to_vec());
        }
    }
}
