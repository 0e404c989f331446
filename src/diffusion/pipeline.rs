//! From a prompt to a picture.

use std::cell::RefCell;
use std::rc::Rc;

use super::autoencoder::Autoencoder;
use super::config::Config;
use super::graph::Node;
use super::lora::Merge;
use super::noise::Generator;
use super::parts::Parts;
use super::plan::{Plan, channels_last};
use super::request::{MOST_SIDE, Request, Start};
use super::safetensors::Tensors;
use super::sampling::{Sampling, Shape};
use super::scaled;
use super::schedule::Sampler;
use super::text::{Encoder, Marked};
use super::unet::Unet;
use super::weights::{Meter, Spec, Weight, load};
use crate::kernels::nn;
use crate::kernels::{Buffer, Control, Engine, EngineKind, Recording};
use crate::ports::{Files, Observer};
use crate::value::{Error, NoteLevel, Picture, Progress};

/// What weights may take of wasm's memory when the processor computes.
const MOST_CPU_BYTES: usize = 512 << 20;
/// A checkpoint on an engine, ready to make pictures.
///
/// ```
/// use std::rc::Rc;
/// use gradus::diffusion::{Pipeline, Request};
/// use gradus::kernels::{Control, Engine};
/// use gradus::ports::{Files, Observer};
/// use gradus::{Error, Picture};
///
/// async fn paint(
///     files: Rc<dyn Files>,
///     engine: &dyn Engine,
///     control: &dyn Control,
///     observer: &dyn Observer,
/// ) -> Result<Vec<Picture>, Error> {
///     let pipeline = Pipeline::load(files, engine, control, observer).await?;
///     let request = Request { prompt: "a red ball".into(), ..pipeline.usual_request() };
///     pipeline.generate(&request, engine, control, observer).await
/// }
/// ```
pub struct Pipeline {
    files: Rc<dyn Files>,
    encoders: Vec<Encoder>,
    zeros: bool,
    unet: Unet,
    unet_weights: Vec<Weight>,
    autoencoder: Autoencoder,
    decoder_weights: Vec<Weight>,
    sampler: Config,
    /// What the last picture was made with, for the next of the same size.
    ready: RefCell<Option<Ready>>,
}

/// Hears nothing: a coder's few weights need no bar.
struct Silent;

impl Observer for Silent {
    fn progress(&self, _: Progress) {}

    fn wants_preview(&self) -> bool {
        false
    }

    fn preview(&self, _: Picture) {}

    fn note(&self, _: NoteLevel, _: String) {}
}

/// Plans for one shape.
struct Ready {
    shape: Shape,
    texts: Vec<Plan>,
    sampling: Sampling,
    decoder: Plan,
    pixels: Buffer,
    /// For each of the stages whether a number there is none.
    flags: Buffer,
}

/// The stages, by their words.
const STAGES: [&str; 3] = ["the text encoder", "the UNet", "the decoder"];

impl Pipeline {
    /// Loads a checkpoint's weights into an engine; the files stay in use for rows of the token table.
    ///
    /// # Errors
    /// Names what is missing, not supported, or does not fit.
    pub async fn load(
        files: Rc<dyn Files>,
        engine: &dyn Engine,
        control: &dyn Control,
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        Self::load_with(files, &[], engine, control, observer).await
    }

    /// The same with LoRA files merged into the weights.
    ///
    /// # Errors
    /// Also when a LoRA does not belong to this checkpoint.
    pub async fn load_with(
        files: Rc<dyn Files>,
        loras: &[Rc<dyn Merge>],
        engine: &dyn Engine,
        control: &dyn Control,
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        let parts = Parts::read(&*files).await?;
        let tokens = parts.tokens();
        let Parts { clips, zeros, unet, autoencoder, sampler } = parts;
        let of_two = clips.len() > 1;
        let mut encoders = Vec::new();
        for (clip, folders) in clips.into_iter().zip([["text_encoder", "tokenizer"], ["text_encoder_2", "tokenizer_2"]])
        {
            encoders.push(Encoder::open(clip, folders, of_two, &*files, loras).await?);
        }
        let mut specs = vec![
            unet.graph(1, [unet.sample_size.min(64); 2], tokens)?.weights,
            autoencoder.decoder(1, [8, 8])?.weights,
        ];
        for encoder in &encoders {
            specs.push(encoder.specs()?);
        }
        let total = specs.iter().flatten().map(Spec::count).sum::<usize>();
        if engine.info().kind == EngineKind::Cpu && total * 4 > MOST_CPU_BYTES {
            return Err(Error::new(format!(
                "This model has {} MiB of weights; without a GPU at most {} MiB can be used. Choose a smaller model, or \
                 a browser with WebGPU.",
                total >> 18,
                MOST_CPU_BYTES >> 20
            )));
        }
        let mut tensors = Tensors::open(&*files, "unet", "diffusion_pytorch_model").await?;
        for lora in loras {
            Rc::clone(lora).merge("unet", &mut tensors).await?;
            lora.all_used()?;
        }
        let of_decoder = Tensors::open(&*files, "vae", "diffusion_pytorch_model").await?;
        let bytes = encoders.iter().map(Encoder::bytes).sum::<u64>() + tensors.bytes() + of_decoder.bytes();
        let mut meter = Meter::new(observer, total, bytes);
        for encoder in &mut encoders {
            encoder.load(&*files, engine, control, &mut meter).await?;
        }
        let unet_weights = load(&specs[0], &tensors, &*files, engine, control, &mut meter).await?;
        let decoder_weights = load(&specs[1], &of_decoder, &*files, engine, control, &mut meter).await?;
        let ready = RefCell::new(None);
        Ok(Self { files, encoders, zeros, unet, unet_weights, autoencoder, decoder_weights, sampler, ready })
    }

    /// The words of a prompt that the first tokenizer has only in pieces; see its `strangers`.
    #[must_use]
    pub fn strangers(&self, prompt: &str) -> Vec<String> {
        self.encoders.first().map(|encoder| encoder.strangers(prompt)).unwrap_or_default()
    }

    /// Pixels of a picture for each of a latent: sides are multiples of it.
    #[must_use]
    pub fn scale(&self) -> u32 {
        self.autoencoder.scale() as u32
    }

    /// The side in pixels that the network was trained for.
    #[must_use]
    pub fn side(&self) -> u32 {
        (self.unet.sample_size * self.autoencoder.scale()).min(MOST_SIDE as usize) as u32
    }

    /// A request of the size the checkpoint was trained for; without a prompt.
    #[must_use]
    pub fn usual_request(&self) -> Request {
        let side = self.side();
        Request {
            prompt: String::new(),
            negative: String::new(),
            width: side,
            height: side,
            seed: 0,
            steps: 8,
            guidance: 4.0,
            sampler: None,
            pictures: 1,
            emphasis: false,
            start: None,
        }
    }

    /// Makes pictures: text, steps of the network, decoding. Previews are of the picture as the network sees it coming,
    /// where the checkpoint's coder is a quick one.
    ///
    /// # Errors
    /// When the request is refused, or the engine fails.
    pub async fn generate(
        &self,
        request: &Request,
        engine: &dyn Engine,
        control: &dyn Control,
        observer: &dyn Observer,
    ) -> Result<Vec<Picture>, Error> {
        request.check(self.scale())?;
        let sampler = Sampler::new(&self.sampler, request.sampler)?;
        // As diffusers does: of all steps the last ones, by the strength.
        let taken = request.start.as_ref().map_or(request.steps, |start| {
            ((request.steps as f64 * f64::from(start.strength)) as usize).min(request.steps)
        });
        let schedule = sampler.schedule_from(request.steps, request.steps - taken)?;
        let scale = self.scale();
        let marked = self.mark(request);
        let chunks = marked.first().map_or(1, |marked| marked.chunks);
        let shape = Shape {
            pictures: request.pictures,
            size: [request.height / scale, request.width / scale].map(|side| side as usize),
            tokens: self.encoders.first().map_or(0, Encoder::tokens) * chunks,
            guidance: request.guidance,
        };
        let total = schedule.steps.len() as u64;
        observer.progress(Progress::step(0, total));
        let mut ready = self.ready(shape, engine)?;
        self.read_prompts(&mut ready, request, &marked, engine, control).await?;

        let mut generator = Generator::new(request.seed);
        let count = shape.pictures * self.unet.in_channels * shape.size[0] * shape.size[1];
        let latent = match &request.start {
            None => None,
            Some(start) => Some(self.encode(start, request, &mut generator, engine, control).await?),
        };
        let noise = generator.normal(count);
        let mut first = ready.sampling.first_latents(&noise, &schedule);
        if let (Some(start), Some(latent), Some(step)) = (&request.start, &latent, schedule.steps.first()) {
            // A mask at full strength begins from noise alone: what is kept is put back behind each step.
            if start.mask.is_none() || start.strength < 1.0 {
                let [of_picture, of_noise] = step.start.map(|factor| factor as f32);
                let mix = |(x, noise): (&f32, &f32)| of_picture * x + of_noise * noise;
                first = latent.iter().zip(&noise).map(mix).collect();
            }
        }
        ready.sampling.begin(&first, engine, control).await?;
        if let (Some(latent), Some(mask)) = (&latent, request.start.as_ref().and_then(|start| start.mask.as_ref())) {
            let mask = scaled::mask(mask, shape.size).repeat(shape.pictures * self.unet.in_channels);
            ready.sampling.keep([latent, &noise, &mask], engine, control).await?;
        }
        for (number, step) in schedule.steps.iter().enumerate() {
            let noise = step.noise.then(|| generator.normal(count));
            ready.sampling.step(step, noise.as_deref(), engine, control).await?;
            if let Some((node, buffer)) = ready.sampling.prediction() {
                look(&ready, node, buffer, 1, engine, control).await?;
            }
            let done = number as u64 + 1;
            if done < total && self.autoencoder.quick() && observer.wants_preview() {
                let seen = self.decode(&ready, Some(step), engine, control).await?;
                seen.into_iter().next().into_iter().for_each(|picture| observer.preview(picture));
            }
            ready.sampling.advance(step, engine, control).await?;
            ready.sampling.put_back(schedule.steps.get(number + 1), engine, control).await?;
            observer.progress(Progress::step(done, total));
        }
        let pictures = self.decode(&ready, None, engine, control).await?;
        let flags = engine.read(&ready.flags).await?;
        if let Some((stage, _)) = STAGES.iter().zip(flags).find(|&(_, flag)| flag != 0) {
            return Err(no_number(stage));
        }
        *self.ready.borrow_mut() = Some(ready);
        Ok(pictures)
    }

    /// The latent of a picture, once for each picture that is made, multiplied as the network wants it.
    async fn encode(
        &self,
        start: &Start,
        request: &Request,
        generator: &mut Generator,
        engine: &dyn Engine,
        control: &dyn Control,
    ) -> Result<Vec<f32>, Error> {
        let size = [request.height as usize, request.width as usize];
        let graph = self.autoencoder.encoder(1, size)?;
        let tensors = Tensors::open(&*self.files, "vae", "diffusion_pytorch_model").await?;
        let mut meter = Meter::new(&Silent, 1, 0);
        let weights = load(&graph.weights, &tensors, &*self.files, engine, control, &mut meter).await?;
        let plan = Plan::new(&graph, engine, &weights, false)?;
        let [scale, shift] = self.autoencoder.range();
        let pixels: Vec<f32> = scaled::picture(&start.picture, size).into_iter().map(|x| (x - shift) / scale).collect();
        let mut recording = Recording::new();
        plan.write(&mut recording, 0, &pixels)?;
        engine.run(&recording, control).await?;
        plan.run(engine, control).await?;
        let coded = plan.read(engine, 0).await?;
        let scaling = self.autoencoder.scaling as f32;
        if self.autoencoder.quick() {
            return Ok(coded.iter().map(|x| x * scaling).collect::<Vec<_>>().repeat(request.pictures));
        }
        // Means, then log variances: a latent is drawn for each picture.
        let (means, variances) = coded.split_at(coded.len() / 2);
        let noise = generator.normal(means.len() * request.pictures);
        let draw = |(n, noise): (usize, &f32)| {
            let (mean, variance) = (means[n % means.len()], variances[n % means.len()]);
            (mean + (0.5 * variance.clamp(-30.0, 20.0)).exp() * noise) * scaling
        };
        Ok(noise.iter().enumerate().map(draw).collect())
    }

    /// The prompts' tokens for each encoder, those of the negative prompt first; all of as many chunks.
    fn mark(&self, request: &Request) -> Vec<Marked> {
        let mut prompts = Vec::new();
        if request.guidance > 1.0 && self.unet.guidance_channels == 0 {
            prompts.extend(std::iter::repeat_n(request.negative.as_str(), request.pictures));
        }
        prompts.extend(std::iter::repeat_n(request.prompt.as_str(), request.pictures));
        let all = |least| self.encoders.iter().map(|encoder| encoder.mark(&prompts, request.emphasis, least)).collect();
        let first: Vec<Marked> = all(1);
        let most = first.iter().map(|marked| marked.chunks).max().unwrap_or(1);
        if first.iter().all(|marked| marked.chunks == most) { first } else { all(most) }
    }

    /// Plans for this shape: those of the last picture where they fit.
    fn ready(&self, shape: Shape, engine: &dyn Engine) -> Result<Ready, Error> {
        if let Some(mut ready) = self.ready.take()
            && ready.sampling.guide(shape)
        {
            ready.shape = shape;
            return Ok(ready);
        }
        let texts = shape.pictures * if shape.pair(&self.unet) { 2 } else { 1 };
        let texts = self
            .encoders
            .iter()
            .map(|encoder| encoder.plan(texts * shape.tokens / encoder.tokens().max(1), engine))
            .collect::<Result<_, _>>()?;
        let sampling = Sampling::new(&self.unet, &self.unet_weights, engine, shape)?;
        let decoder =
            Plan::new(&self.autoencoder.decoder(shape.pictures, shape.size)?, engine, &self.decoder_weights, false)?;
        let scale = self.autoencoder.scale();
        let pixels = engine.buffer("pixels", shape.pictures * shape.size[0] * shape.size[1] * scale * scale)?;
        let flags = engine.buffer("flags", STAGES.len())?;
        Ok(Ready { shape, texts, sampling, decoder, pixels, flags })
    }

    /// The prompts' states into the network's context, the negative prompt's first.
    async fn read_prompts(
        &self,
        ready: &mut Ready,
        request: &Request,
        marked: &[Marked],
        engine: &dyn Engine,
        control: &dyn Control,
    ) -> Result<(), Error> {
        let negatives = if ready.shape.pair(&self.unet) { request.pictures } else { 0 };
        let count = request.pictures + negatives;
        let mut read = Vec::new();
        for ((encoder, plan), marked) in self.encoders.iter().zip(&ready.texts).zip(marked) {
            read.push(encoder.read(marked, plan, &*self.files, engine, control).await?);
        }
        // The encoders' channels side by side.
        let mut rows: Vec<_> = self
            .encoders
            .iter()
            .zip(&read)
            .map(|(encoder, read)| read.states.chunks_exact(encoder.clip.channels))
            .collect();
        let mut context = Vec::new();
        for _ in 0..count * ready.shape.tokens {
            rows.iter_mut().filter_map(Iterator::next).for_each(|row| context.extend_from_slice(row));
        }
        let mut projected = read.pop().map(|read| read.projected).unwrap_or_default();
        if self.zeros && request.negative.is_empty() {
            // diffusers takes a prompt that was not given so; an empty field of a page is the same.
            let share = |all: usize| all / count * negatives;
            let (states, texts) = (share(context.len()), share(projected.len()));
            context[..states].fill(0.0);
            projected[..texts].fill(0.0);
        }
        if context.iter().any(|x| !x.is_finite()) {
            return Err(no_number(STAGES[0]));
        }
        let (node, to) = ready.sampling.context().ok_or_else(|| Error::new("The network takes no text."))?;
        let mut recording = Recording::new();
        recording.clear(&ready.flags);
        recording.write(to, &channels_last(node, &context));
        if let Some((numbers, _)) = self.unet.addition {
            // What SDXL is told of a picture's size: the original, what was cut off, and the target.
            let (height, width) = (request.height as f32, request.width as f32);
            let sizes: Vec<f32> = [height, width, 0.0, 0.0, height, width]
                .iter()
                .flat_map(|&n| self.unet.sinusoids(n, numbers))
                .collect();
            let each = projected.chunks_exact((projected.len() / count).max(1));
            let all: Vec<f32> = each.flat_map(|text| text.iter().chain(&sizes)).copied().collect();
            ready.sampling.add(&mut recording, &all)?;
        }
        Ok(engine.run(&recording, control).await?)
    }

    /// The pictures of the sample, or of what a step sees coming.
    async fn decode(
        &self,
        ready: &Ready,
        step: Option<&super::schedule::Step>,
        engine: &dyn Engine,
        control: &dyn Control,
    ) -> Result<Vec<Picture>, Error> {
        let missing = || Error::new("The decoder has no input or output.");
        let (_, to) = ready.decoder.input(0).ok_or_else(missing)?;
        let mut recording = Recording::new();
        ready.sampling.show(&mut recording, step, self.autoencoder.scaling, to);
        engine.run(&recording, control).await?;
        ready.decoder.run(engine, control).await?;
        let (node, decoded) = ready.decoder.output(0).ok_or_else(missing)?;
        let [scale, shift] = self.autoencoder.range();
        let mut recording = Recording::new();
        recording
            .push(nn::pixels(node.rows(), node.lanes(), scale, shift).on(vec![decoded.clone(), ready.pixels.clone()]));
        engine.run(&recording, control).await?;
        look(ready, node, decoded, 2, engine, control).await?;
        let words = engine.read(&ready.pixels).await?;
        let picture = |words: &[u32]| {
            let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            Picture::from_rgba(node.width as u32, node.height as u32, bytes)
                .map_err(|error| Error::new(error.to_string()))
        };
        words.chunks_exact(node.width * node.height).map(picture).collect()
    }
}

/// Raises a stage's flag when a number of a tensor is none.
async fn look(
    ready: &Ready,
    node: &Node,
    buffer: &Buffer,
    stage: u32,
    engine: &dyn Engine,
    control: &dyn Control,
) -> Result<(), Error> {
    let mut recording = Recording::new();
    recording.push(nn::finite(node.rows() * node.lanes(), stage).on(vec![buffer.clone(), ready.flags.clone()]));
    Ok(engine.run(&recording, control).await?)
}

fn no_number(stage: &str) -> Error {
    Error::new(format!(
        "{stage} of this checkpoint gave numbers that are none (NaN), so there is no picture. Try another size, or load \
         the checkpoint again."
    ))
}
