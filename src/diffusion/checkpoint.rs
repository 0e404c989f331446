//! A checkpoint that is opened: its configurations and the headers of its files are read and checked, no weight is.

use std::rc::Rc;

use super::autoencoder::Autoencoder;
use super::config::Config;
use super::lora::Merge;
use super::parts::Parts;
use super::plan::Cost;
use super::safetensors::Tensors;
use super::stage::Stage;
use super::text::Encoder;
use super::unet::Unet;
use super::weights::Precision;
use crate::ports::Files;
use crate::value::{EngineInfo, EngineKind, Error};

/// What weights may take of wasm's memory when the processor computes.
const MOST_CPU_BYTES: u64 = 512 << 20;

pub(super) struct Checkpoint {
    pub(super) encoders: Vec<Encoder>,
    /// Whether an empty negative prompt means zeros.
    pub(super) zeros: bool,
    /// Whether the strength shortens the training's schedule instead of the steps that are taken of it.
    pub(super) consistency: bool,
    pub(super) unet: Unet,
    pub(super) of_unet: Stage,
    pub(super) autoencoder: Autoencoder,
    pub(super) of_decoder: Stage,
    pub(super) sampler: Config,
}

/// What a checkpoint takes on an engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Needs {
    /// Numbers of all weights.
    pub numbers: u64,
    /// Bytes of all weights as this engine keeps them.
    pub weight_bytes: u64,
    /// Bytes of the part with the most weights: what has to be there at once where memory is short.
    pub stage_bytes: u64,
    /// Bytes of the largest buffer.
    pub largest_bytes: u64,
    /// Bytes of what is computed between, for one picture of the checkpoint's own size with guidance.
    pub tensor_bytes: u64,
    /// Floating-point operations of a step of the network, for the same.
    pub operations: f64,
}

impl Checkpoint {
    pub(super) async fn open(files: &dyn Files, loras: &[Rc<dyn Merge>]) -> Result<Self, Error> {
        let parts = Parts::read(files).await?;
        let tokens = parts.tokens();
        let Parts { clips, zeros, consistency, unet, autoencoder, sampler } = parts;
        let of_two = clips.len() > 1;
        let mut encoders = Vec::new();
        for (clip, folders) in clips.into_iter().zip([["text_encoder", "tokenizer"], ["text_encoder_2", "tokenizer_2"]])
        {
            encoders.push(Encoder::open(clip, folders, of_two, files, loras).await?);
        }
        let mut tensors = Tensors::open(files, "unet", "diffusion_pytorch_model").await?;
        for lora in loras {
            Rc::clone(lora).merge("unet", &mut tensors).await?;
            lora.all_used()?;
        }
        let specs = unet.graph(1, [unet.sample_size.min(64); 2], tokens)?.weights;
        let of_unet = Stage::new(specs, tensors);
        let tensors = Tensors::open(files, "vae", "diffusion_pytorch_model").await?;
        let of_decoder = Stage::new(autoencoder.decoder(1, [8, 8])?.weights, tensors);
        Ok(Self { encoders, zeros, consistency, unet, of_unet, autoencoder, of_decoder, sampler })
    }

    pub(super) fn stages(&self) -> impl Iterator<Item = &Stage> {
        self.encoders.iter().map(|encoder| &encoder.stage).chain([&self.of_unet, &self.of_decoder])
    }

    /// The side in latents that the network was trained for.
    pub(super) fn side(&self) -> usize {
        self.unet.sample_size
    }

    /// # Errors
    /// When the network cannot be of the size that it was trained for.
    pub(super) fn needs(&self, kind: EngineKind, precision: Precision) -> Result<Needs, Error> {
        let tokens = self.encoders.first().map_or(0, Encoder::tokens);
        let mut graphs =
            vec![self.unet.graph(2, [self.side(); 2], tokens)?, self.autoencoder.decoder(1, [self.side(); 2])?];
        for encoder in &self.encoders {
            graphs.push(encoder.clip.graph(2, encoder.tokens())?);
        }
        let costs: Vec<Cost> = graphs.iter().map(Cost::of).collect();
        let stages: Vec<Vec<u64>> = self.stages().map(|stage| stage.held(kind, precision)).collect();
        let sums = stages.iter().map(|stage| stage.iter().sum::<u64>());
        let tensors = costs.iter().map(|cost| cost.largest_bytes);
        Ok(Needs {
            numbers: self.stages().map(|stage| stage.count() as u64).sum(),
            weight_bytes: sums.clone().sum(),
            stage_bytes: sums.max().unwrap_or(0),
            largest_bytes: stages.iter().flatten().copied().chain(tensors).max().unwrap_or(0),
            tensor_bytes: costs.iter().map(|cost| cost.tensor_bytes).max().unwrap_or(0),
            operations: costs.first().map_or(0.0, |cost| cost.operations),
        })
    }
}

impl Needs {
    /// Refuses what this engine cannot hold.
    ///
    /// # Errors
    /// Says what is too large, and what to do.
    pub fn fit(&self, engine: &EngineInfo) -> Result<(), Error> {
        if engine.kind == EngineKind::Cpu && self.weight_bytes > MOST_CPU_BYTES {
            return Err(Error::new(format!(
                "This model has {} MiB of weights; without a GPU at most {} MiB can be used. Choose a smaller model, or \
                 a browser with WebGPU.",
                self.weight_bytes >> 20,
                MOST_CPU_BYTES >> 20
            )));
        }
        if self.largest_bytes > engine.largest_buffer {
            return Err(Error::new(format!(
                "This model needs a buffer of {} MiB; this graphics adapter allows {} MiB. Choose a smaller model.",
                self.largest_bytes >> 20,
                engine.largest_buffer >> 20
            )));
        }
        Ok(())
    }
}
