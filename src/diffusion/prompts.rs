//! From a request's prompts to what the network is told of them.

use super::picturing::{Frame, STAGES, no_number};
use super::pipeline::{Pipeline, Ready, Run};
use super::plan::channels_last;
use super::request::Request;
use super::sampling::{Sampling, Shape};
use super::text::Marked;
use crate::kernels::Recording;
use crate::value::{Error, Progress};

/// What the prompts came to.
pub(super) struct Said {
    /// Texts × tokens × channels, those of the negative prompt first.
    context: Vec<f32>,
    /// Each text as a whole, for SDXL.
    texts: Vec<Vec<f32>>,
}

impl Pipeline {
    /// The prompts' tokens for each encoder, those of the negative prompt first; all of as many chunks.
    pub(super) fn mark(&self, request: &Request) -> Vec<Marked> {
        let mut prompts = Vec::new();
        if request.guidance > 1.0 && self.of.unet.guidance_channels == 0 {
            prompts.extend(std::iter::repeat_n(request.negative.as_str(), request.pictures));
        }
        prompts.extend(std::iter::repeat_n(request.prompt.as_str(), request.pictures));
        let all =
            |least| self.of.encoders.iter().map(|encoder| encoder.mark(&prompts, request.emphasis, least)).collect();
        let first: Vec<Marked> = all(1);
        let most = first.iter().map(|marked| marked.chunks).max().unwrap_or(1);
        if first.iter().all(|marked| marked.chunks == most) { first } else { all(most) }
    }

    /// What the prompts come to, the negative prompt first.
    pub(super) async fn read_prompts(
        &self,
        ready: &mut Ready,
        shape: Shape,
        request: &Request,
        marked: &[Marked],
        run: Run<'_>,
    ) -> Result<Said, Error> {
        let Run { engine, control, observer } = run;
        let negatives = if shape.pair(&self.of.unet) { request.pictures } else { 0 };
        let count = request.pictures + negatives;
        let mut before = std::mem::take(&mut ready.texts).into_iter();
        let mut read = Vec::new();
        for (encoder, marked) in self.of.encoders.iter().zip(marked) {
            let texts = count * shape.tokens / encoder.tokens().max(1);
            let plan = match before.next() {
                Some((of, plan)) if of == texts => plan,
                _ => encoder.plan(texts, &self.weights(&encoder.stage, run).await?, run).await?,
            };
            plan.prepare(&[], engine, control, observer).await?;
            observer.progress(Progress::doing("Reading the prompt"));
            let skip = (request.clip_skip, negatives);
            read.push(encoder.read(marked, skip, &plan, &*self.files, engine, control).await?);
            if self.by_stage.get() {
                drop(plan);
                encoder.stage.free();
            } else {
                ready.texts.push((texts, plan));
            }
        }
        // The encoders' channels side by side.
        let mut rows: Vec<_> = self
            .of
            .encoders
            .iter()
            .zip(&read)
            .map(|(encoder, read)| read.states.chunks_exact(encoder.clip.channels))
            .collect();
        let mut context = Vec::new();
        for _ in 0..count * shape.tokens {
            rows.iter_mut().filter_map(Iterator::next).for_each(|row| context.extend_from_slice(row));
        }
        let mut projected = read.pop().map(|read| read.projected).unwrap_or_default();
        if self.of.zeros && request.negative.is_empty() {
            // diffusers takes a prompt that was not given so; an empty field of a page is the same.
            let share = |all: usize| all / count * negatives;
            let (states, texts) = (share(context.len()), share(projected.len()));
            context[..states].fill(0.0);
            projected[..texts].fill(0.0);
        }
        if context.iter().any(|x| !x.is_finite()) {
            return Err(no_number(STAGES[0]));
        }
        let each = projected.chunks_exact((projected.len() / count).max(1)).map(<[f32]>::to_vec);
        Ok(Said { context, texts: each.collect() })
    }

    /// Tells the network what the prompts came to.
    pub(super) async fn say(
        &self,
        said: &Said,
        request: &Request,
        sampling: &Sampling,
        frame: &Frame,
        Run { engine, control, .. }: Run<'_>,
    ) -> Result<(), Error> {
        let (node, to) = sampling.context().ok_or_else(|| Error::new("The network takes no text."))?;
        let mut recording = Recording::new();
        frame.begin(&mut recording);
        recording.write(to, &channels_last(node, &said.context));
        if let Some((numbers, _)) = self.of.unet.addition {
            // What SDXL is told of a picture's size: the original, what was cut off, and the target.
            let (height, width) = (request.height as f32, request.width as f32);
            let sizes: Vec<f32> = [height, width, 0.0, 0.0, height, width]
                .iter()
                .flat_map(|&n| self.of.unet.sinusoids(n, numbers))
                .collect();
            let all: Vec<f32> = said.texts.iter().flat_map(|text| text.iter().chain(&sizes)).copied().collect();
            sampling.add(&mut recording, &all)?;
        }
        Ok(engine.run(&recording, control).await?)
    }
}
