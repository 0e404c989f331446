//! A text encoder with its tokenizer and weights: from prompts to states.

use std::rc::Rc;

use super::clip::Clip;
use super::emphasis;
use super::lora::Merge;
use super::pipeline::Run;
use super::plan::Plan;
use super::safetensors::Tensors;
use super::stage::Stage;
use super::tokenizer::Tokenizer;
use super::weights::Weight;
use crate::kernels::{Control, Engine, Recording};
use crate::ports::Files;
use crate::value::Error;

/// The most chunks of a prompt.
const MOST_CHUNKS: usize = 8;

/// A text encoder, ready to be loaded.
pub(super) struct Encoder {
    pub(super) clip: Clip,
    tokenizer: Tokenizer,
    pub(super) stage: Stage,
    /// Whether it is one of two: then the state before the last layer counts, and the projected text.
    of_two: bool,
}

/// Prompts as an encoder takes them: each a number of chunks, which the encoder reads one by one.
pub(super) struct Marked {
    ids: Vec<u32>,
    /// For each token how strongly it counts.
    weights: Vec<f32>,
    pub(super) chunks: usize,
}

/// What an encoder made of prompts.
pub(super) struct States {
    /// Texts × tokens × channels.
    pub(super) states: Vec<f32>,
    /// Texts × projected channels; empty where the encoder has no projection.
    pub(super) projected: Vec<f32>,
}

impl Encoder {
    /// The words of a prompt that the tokenizer has only in pieces; see [`Tokenizer::strangers`].
    pub(super) fn strangers(&self, prompt: &str) -> Vec<String> {
        self.tokenizer.strangers(prompt)
    }

    /// Opens the encoder of a folder, and the tokenizer of another.
    pub(super) async fn open(
        clip: Clip,
        [folder, tokenizer]: [&str; 2],
        of_two: bool,
        files: &dyn Files,
        loras: &[Rc<dyn Merge>],
    ) -> Result<Self, Error> {
        let mut tensors = Tensors::open(files, folder, "model").await?;
        for lora in loras {
            Rc::clone(lora).merge(folder, &mut tensors).await?;
        }
        let tokenizer = Tokenizer::read(files, tokenizer).await?;
        let stage = Stage::new(clip.graph(1, 2)?.weights, tensors);
        Ok(Self { clip, tokenizer, stage, of_two })
    }

    /// Tokens of a prompt: what tokenizer and encoder both allow.
    pub(super) fn tokens(&self) -> usize {
        self.tokenizer.most().clamp(2, self.clip.tokens.max(2))
    }

    /// The network for so many texts, on the engine.
    pub(super) async fn plan(
        &self,
        texts: usize,
        weights: &[Weight],
        Run { engine, control, .. }: Run<'_>,
    ) -> Result<Plan, Error> {
        Plan::new(&self.clip.graph(texts, self.tokens())?, engine, control, weights, false).await
    }

    /// The prompts' tokens; with `emphasis`, brackets weigh and a long prompt becomes several chunks (at least `least`).
    pub(super) fn mark(&self, prompts: &[&str], emphasis: bool, least: usize) -> Marked {
        let tokens = self.tokens();
        if !emphasis {
            let ids: Vec<u32> = prompts.iter().flat_map(|prompt| self.tokenizer.encode(prompt, tokens)).collect();
            return Marked { weights: vec![1.0; ids.len()], ids, chunks: 1 };
        }
        let room = (tokens - 2).max(1);
        let weighed: Vec<Vec<(u32, f32)>> = prompts
            .iter()
            .map(|prompt| {
                let piece = |(text, weight): (String, f32)| {
                    self.tokenizer.words(&text).into_iter().map(move |id| (id, weight)).collect::<Vec<_>>()
                };
                emphasis::pieces(prompt).into_iter().flat_map(piece).take(room * MOST_CHUNKS).collect()
            })
            .collect();
        let longest = weighed.iter().map(|words| words.len().div_ceil(room)).max().unwrap_or(1);
        let chunks = longest.max(least).max(1);
        let mut marked = Marked { ids: Vec::new(), weights: Vec::new(), chunks };
        for words in &weighed {
            for chunk in 0..chunks {
                let rest = words.get(chunk * room..).unwrap_or_default();
                let (ids, weights): (Vec<u32>, Vec<f32>) = rest.iter().take(room).copied().unzip();
                marked.ids.extend(self.tokenizer.framed(&ids, tokens));
                marked.weights.push(1.0);
                marked.weights.extend(&weights);
                marked.weights.extend(std::iter::repeat_n(1.0, tokens - 1 - weights.len()));
            }
        }
        marked
    }

    /// Reads the prompts; without so many layers those behind so many first ones.
    pub(super) async fn read(
        &self,
        marked: &Marked,
        (skip, whole): (usize, usize),
        plan: &Plan,
        files: &dyn Files,
        engine: &dyn Engine,
        control: &dyn Control,
    ) -> Result<States, Error> {
        let tokens = self.tokens();
        let rows = self.clip.embed(&marked.ids, tokens, &self.stage.tensors, files).await?;
        let mut recording = Recording::new();
        plan.write(&mut recording, 0, &rows)?;
        engine.run(&recording, control).await?;
        plan.run(engine, control).await?;
        // Outputs: the last state behind the norm, then each layer's input, then the last layer's output.
        let usual = if self.of_two { self.clip.layers() } else { 0 };
        let mut states = plan.read(engine, usual).await?;
        if skip > 0 {
            let place = (self.clip.layers() + usize::from(!self.of_two)).checked_sub(skip).filter(|&place| place > 0);
            let place = place.ok_or_else(|| Error::new("The text encoder has fewer layers than are to be skipped."))?;
            let mut early = plan.read(engine, place).await?;
            if !self.of_two {
                self.clip.norm(&mut early, &self.stage.tensors, files).await?;
            }
            let first = whole * marked.chunks * tokens * self.clip.channels;
            states.truncate(first);
            states.extend(early.iter().skip(first));
        }
        let states = self.weigh(states, marked);
        if !self.of_two {
            return Ok(States { states, projected: Vec::new() });
        }
        let Some(tensor) = self.stage.tensors.get("text_projection.weight") else {
            return Ok(States { states, projected: Vec::new() });
        };
        let (size, channels) = (self.clip.projection, self.clip.channels);
        if tensor.shape != [size, channels] {
            return Err(Error::new("The text encoder's text_projection is not of its configured size."));
        }
        let matrix = self.stage.tensors.read_part(files, tensor, 0, tensor.count()).await?;
        let last = plan.read(engine, 0).await?;
        let mut projected = Vec::new();
        // Of a prompt of several chunks the first one counts.
        let texts = marked.ids.chunks_exact(tokens).zip(last.chunks_exact(tokens * channels));
        for (ids, states) in texts.step_by(marked.chunks) {
            let place = self.clip.pooled(ids) * channels;
            let row = &states[place..place + channels];
            let dot = |weights: &[f32]| weights.iter().zip(row).map(|(w, x)| w * x).sum::<f32>();
            projected.extend(matrix.chunks_exact(channels).map(dot));
        }
        Ok(States { states, projected })
    }

    /// States times their tokens' weights, brought back to the mean that they had: so the whole stays as it was.
    fn weigh(&self, mut states: Vec<f32>, marked: &Marked) -> Vec<f32> {
        let channels = self.clip.channels;
        let one = marked.chunks * self.tokens();
        for (states, weights) in states.chunks_exact_mut(one * channels).zip(marked.weights.chunks_exact(one)) {
            if weights.iter().all(|&weight| weight == 1.0) {
                continue;
            }
            let before: f32 = states.iter().sum();
            for (state, &weight) in states.chunks_exact_mut(channels).zip(weights) {
                state.iter_mut().for_each(|x| *x *= weight);
            }
            let after: f32 = states.iter().sum();
            let factor = before / after;
            if factor.is_finite() && factor > 0.0 {
                states.iter_mut().for_each(|x| *x *= factor);
            }
        }
        states
    }
}
