//! A text encoder with its tokenizer and weights: from prompts to states.

use super::clip::Clip;
use super::plan::Plan;
use super::safetensors::Tensors;
use super::tokenizer::Tokenizer;
use super::weights::{Meter, Spec, Weight, load};
use crate::kernels::{Control, Engine, Recording};
use crate::ports::Files;
use crate::value::Error;

/// A text encoder, ready to be loaded.
pub(super) struct Encoder {
    pub(super) clip: Clip,
    tokenizer: Tokenizer,
    tensors: Tensors,
    weights: Vec<Weight>,
    /// Whether it is one of two: then the state before the last layer counts, and the projected text.
    of_two: bool,
}

/// What an encoder made of prompts.
pub(super) struct States {
    /// Texts × tokens × channels.
    pub(super) states: Vec<f32>,
    /// Texts × projected channels; empty where the encoder has no projection.
    pub(super) projected: Vec<f32>,
}

impl Encoder {
    /// Opens the encoder of a folder, and the tokenizer of another.
    pub(super) async fn open(
        clip: Clip,
        [folder, tokenizer]: [&str; 2],
        of_two: bool,
        files: &dyn Files,
    ) -> Result<Self, Error> {
        let tensors = Tensors::open(files, folder, "model").await?;
        let tokenizer = Tokenizer::read(files, tokenizer).await?;
        Ok(Self { clip, tokenizer, tensors, weights: Vec::new(), of_two })
    }

    /// Tokens of a prompt: what tokenizer and encoder both allow.
    pub(super) fn tokens(&self) -> usize {
        self.tokenizer.most().clamp(2, self.clip.tokens.max(2))
    }

    pub(super) fn specs(&self) -> Result<Vec<Spec>, Error> {
        Ok(self.clip.graph(1, 2)?.weights)
    }

    pub(super) async fn load(
        &mut self,
        files: &dyn Files,
        engine: &dyn Engine,
        control: &dyn Control,
        meter: &mut Meter<'_>,
    ) -> Result<(), Error> {
        self.weights = load(&self.specs()?, &self.tensors, files, engine, control, meter).await?;
        Ok(())
    }

    /// The network for so many texts, on the engine.
    pub(super) fn plan(&self, texts: usize, engine: &dyn Engine) -> Result<Plan, Error> {
        Plan::new(&self.clip.graph(texts, self.tokens())?, engine, &self.weights, false)
    }

    /// Reads the prompts.
    pub(super) async fn read(
        &self,
        prompts: &[&str],
        plan: &Plan,
        files: &dyn Files,
        engine: &dyn Engine,
        control: &dyn Control,
    ) -> Result<States, Error> {
        let tokens = self.tokens();
        let ids: Vec<u32> = prompts.iter().flat_map(|prompt| self.tokenizer.encode(prompt, tokens)).collect();
        let rows = self.clip.embed(&ids, tokens, &self.tensors, files).await?;
        let mut recording = Recording::new();
        plan.write(&mut recording, 0, &rows)?;
        engine.run(&recording, control).await?;
        plan.run(engine, control).await?;
        if !self.of_two {
            return Ok(States { states: plan.read(engine, 0).await?, projected: Vec::new() });
        }
        // Outputs: the last state behind the norm, then each layer's input, then the last layer's output.
        let states = plan.read(engine, self.clip.layers()).await?;
        let Some(tensor) = self.tensors.get("text_projection.weight") else {
            return Ok(States { states, projected: Vec::new() });
        };
        let (size, channels) = (self.clip.projection, self.clip.channels);
        if tensor.shape != [size, channels] {
            return Err(Error::new("The text encoder's text_projection is not of its configured size."));
        }
        let matrix = self.tensors.read_part(files, tensor, 0, tensor.count()).await?;
        let last = plan.read(engine, 0).await?;
        let mut projected = Vec::with_capacity(prompts.len() * size);
        for (ids, states) in ids.chunks_exact(tokens).zip(last.chunks_exact(tokens * channels)) {
            let place = self.clip.pooled(ids) * channels;
            let row = &states[place..place + channels];
            let dot = |weights: &[f32]| weights.iter().zip(row).map(|(w, x)| w * x).sum::<f32>();
            projected.extend(matrix.chunks_exact(channels).map(dot));
        }
        Ok(States { states, projected })
    }
}
