//! From a latent on the engine to pictures.

use super::autoencoder::Autoencoder;
use super::graph::Node;
use super::plan::{Plan, channels_last};
use super::sampling::{Sampling, Shape};
use super::schedule::Step;
use crate::kernels::nn;
use crate::kernels::{Buffer, Control, Engine, Recording};
use crate::value::{Error, Picture};

/// The stages, by their words.
pub(super) const STAGES: [&str; 4] = ["the text encoder", "the UNet", "the decoder", "the encoder"];

/// What is decoded.
pub(super) enum Latent<'a> {
    /// What this step sees coming.
    Coming(&'a Sampling, &'a Step),
    /// The sample, read back, channels first.
    Read(Vec<f32>),
}

/// Where pixels and doubts of a run go.
pub(super) struct Frame {
    pixels: Buffer,
    /// For each of the stages whether a number there is none.
    flags: Buffer,
}

impl Frame {
    pub(super) fn new(shape: Shape, scale: usize, engine: &dyn Engine) -> Result<Self, Error> {
        let pixels = engine.buffer("pixels", shape.pictures * shape.size[0] * shape.size[1] * scale * scale)?;
        Ok(Self { pixels, flags: engine.buffer("flags", STAGES.len())? })
    }

    /// The pictures of a latent.
    pub(super) async fn decode(
        &self,
        latent: Latent<'_>,
        decoder: &Plan,
        autoencoder: &Autoencoder,
        engine: &dyn Engine,
        control: &dyn Control,
    ) -> Result<Vec<Picture>, Error> {
        let missing = || Error::new("The decoder has no input or output.");
        let (node, to) = decoder.input(0).ok_or_else(missing)?;
        let mut recording = Recording::new();
        match latent {
            Latent::Coming(sampling, step) => sampling.show(&mut recording, step, autoencoder.scaling, to),
            Latent::Read(mut values) => {
                autoencoder.bring(&mut values, node.height * node.width, &autoencoder.levels, true);
                recording.write(to, &channels_last(node, &values));
            }
        }
        engine.run(&recording, control).await?;
        decoder.run(engine, control).await?;
        let (node, decoded) = decoder.output(0).ok_or_else(missing)?;
        let [scale, shift] = autoencoder.range();
        let mut recording = Recording::new();
        recording
            .push(nn::pixels(node.rows(), node.lanes(), scale, shift).on(vec![decoded.clone(), self.pixels.clone()]));
        engine.run(&recording, control).await?;
        self.look(node, decoded, 2, engine, control).await?;
        let words = engine.read(&self.pixels).await?;
        let picture = |words: &[u32]| {
            let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            Picture::from_rgba(node.width as u32, node.height as u32, bytes)
                .map_err(|error| Error::new(error.to_string()))
        };
        words.chunks_exact(node.width * node.height).map(picture).collect()
    }

    /// What a step sees coming, as it is on the engine: a small read-back, for a preview.
    pub(super) async fn rough(
        &self,
        sampling: &Sampling,
        step: &Step,
        engine: &dyn Engine,
        control: &dyn Control,
    ) -> Result<(Node, Vec<f32>), Error> {
        let (node, _) = sampling.sample();
        let seen = engine.buffer("preview", node.rows() * node.lanes())?;
        let mut recording = Recording::new();
        sampling.show(&mut recording, step, 1.0, &seen);
        engine.run(&recording, control).await?;
        let words = engine.read(&seen).await?;
        Ok((*node, bytemuck::cast_slice(&words).to_vec()))
    }

    /// Appends: no stage is doubted.
    pub(super) fn begin(&self, recording: &mut Recording) {
        recording.clear(&self.flags);
    }

    /// Raises a stage's flag when a number of a tensor is none.
    pub(super) async fn look(
        &self,
        node: &Node,
        buffer: &Buffer,
        stage: u32,
        engine: &dyn Engine,
        control: &dyn Control,
    ) -> Result<(), Error> {
        let mut recording = Recording::new();
        recording.push(nn::finite(node.rows() * node.lanes(), stage).on(vec![buffer.clone(), self.flags.clone()]));
        Ok(engine.run(&recording, control).await?)
    }

    /// Refuses the pictures when a stage's flag is up.
    pub(super) async fn trust(&self, engine: &dyn Engine) -> Result<(), Error> {
        let flags = engine.read(&self.flags).await?;
        match STAGES.iter().zip(flags).find(|&(_, flag)| flag != 0) {
            Some((stage, _)) => Err(no_number(stage)),
            None => Ok(()),
        }
    }
}

pub(super) fn no_number(stage: &str) -> Error {
    Error::new(format!(
        "{stage} of this checkpoint gave numbers that are none (NaN), so there is no picture. Try another size, or load \
         the checkpoint again."
    ))
}

/// Whether an error is one that [`no_number`] gives.
pub(super) fn is_no_number(error: &Error) -> bool {
    STAGES.iter().any(|stage| *error == no_number(stage))
}
