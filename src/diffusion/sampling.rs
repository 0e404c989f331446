//! The loop of a sampler on an engine: the network, then the schedule's sums, step by step; nothing is read back.

use gradus_cpu::nn::pointwise::{Behind, Combination, TERMS};

use super::graph::Node;
use super::plan::{Plan, channels_first, channels_last};
use super::schedule::{KEPT, Place, Schedule, Step};
use super::unet::{Unet, guidance_embedding};
use super::weights::Weight;
use crate::kernels::nn;
use crate::kernels::{Buffer, Control, Engine, Recording};
use crate::ports::Observer;
use crate::value::Error;

/// What is to be sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Pictures made together.
    pub pictures: usize,
    /// Height and width of the latent.
    pub size: [usize; 2],
    /// Tokens of the context.
    pub tokens: usize,
    /// How strongly the prompt steers; up to 1 the network runs once a step, without the negative prompt.
    pub guidance: f32,
}

impl Shape {
    /// Whether the network sees each picture twice: without the prompt, then with it.
    #[must_use]
    pub fn pair(&self, unet: &Unet) -> bool {
        self.guidance > 1.0 && unet.guidance_channels == 0
    }
}

/// A network made ready, and the tensors of the loop around it.
pub struct Sampling {
    unet: Unet,
    shape: Shape,
    plan: Plan,
    node: Node,
    /// The sample in turn: a sum cannot write what it reads.
    samples: [Buffer; 2],
    now: usize,
    prediction: Buffer,
    noise: Buffer,
    kept: Vec<Buffer>,
    nothing: Vec<Buffer>,
    /// What stays of a picture: its latent, the first noise and the mask, where only a part is painted.
    behind: Option<[Buffer; 3]>,
}

impl Sampling {
    /// Makes the network ready for a shape.
    ///
    /// # Errors
    /// When the network cannot be of this shape, or memory is short.
    pub async fn new(
        unet: &Unet,
        weights: &[Weight],
        engine: &dyn Engine,
        control: &dyn Control,
        shape: Shape,
    ) -> Result<Self, Error> {
        let batch = shape.pictures * if shape.pair(unet) { 2 } else { 1 };
        let graph = unet.graph(batch, shape.size, shape.tokens)?;
        let plan = Plan::new(&graph, engine, control, weights, false).await?;
        let missing = || Error::new("The network has no input or output.");
        let node = plan.input(0).map(|(node, _)| *node).ok_or_else(missing)?;
        let node = Node { pictures: shape.pictures, ..node };
        let prediction = plan.output(0).map(|(_, buffer)| buffer.clone()).ok_or_else(missing)?;
        if node.channels != unet.out_channels {
            return Err(Error::new("This network predicts more channels than it reads, which is not supported."));
        }
        let latent = || engine.buffer("latent", node.rows() * node.lanes());
        let kept = (0..KEPT).map(|_| latent()).collect::<Result<_, _>>()?;
        let nothing = (0..TERMS).map(|_| engine.buffer("nothing", 4)).collect::<Result<_, _>>()?;
        let samples = [latent()?, latent()?];
        Ok(Self {
            unet: unet.clone(),
            shape,
            plan,
            node,
            samples,
            now: 0,
            prediction,
            noise: latent()?,
            kept,
            nothing,
            behind: None,
        })
    }

    /// As [`Plan::prepare`], with what the loop around the network runs.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn prepare(
        &self,
        engine: &dyn Engine,
        control: &dyn Control,
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        self.plan.prepare(&[&nn::COMBINE, &nn::FINITE], engine, control, observer).await
    }

    /// The shape it was made for.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Changes the guidance, where that changes no shape; whether it could.
    pub fn guide(&mut self, shape: Shape) -> bool {
        let same = Shape { guidance: 0.0, ..shape } == Shape { guidance: 0.0, ..self.shape };
        let fits = same && shape.pair(&self.unet) == self.shape.pair(&self.unet);
        if fits {
            self.shape = shape;
        }
        fits
    }

    /// Where the text's states go: pictures × tokens rows, those of the negative prompt first.
    #[must_use]
    pub fn context(&self) -> Option<&(Node, Buffer)> {
        self.plan.input(2)
    }

    /// Appends: what SDXL adds to the time, texts × channels.
    ///
    /// # Errors
    /// When the number of values is not what the network takes.
    pub fn add(&self, recording: &mut Recording, values: &[f32]) -> Result<(), Error> {
        let number = if self.unet.guidance_channels > 0 { 4 } else { 3 };
        self.plan.write(recording, number, values)
    }

    /// The network's last output.
    #[must_use]
    pub fn prediction(&self) -> Option<&(Node, Buffer)> {
        self.plan.output(0)
    }

    /// The sample as it stands, and its shape.
    #[must_use]
    pub fn sample(&self) -> (&Node, &Buffer) {
        (&self.node, &self.samples[self.now])
    }

    /// Begins: the first latent, channels first.
    ///
    /// # Errors
    /// When the number of values is not the latent's, and what the engine refuses.
    pub async fn begin(&mut self, latent: &[f32], engine: &dyn Engine, control: &dyn Control) -> Result<(), Error> {
        if latent.len() != self.node.rows() * self.node.channels {
            return Err(Error::new("The first latent has not the size that the network takes."));
        }
        self.now = 0;
        self.behind = None;
        let mut recording = Recording::new();
        recording.write(&self.samples[0], &channels_last(&self.node, latent));
        if self.unet.guidance_channels > 0 {
            let one = guidance_embedding(self.shape.guidance - 1.0, self.unet.guidance_channels);
            self.plan.write(&mut recording, 3, &one.repeat(self.shape.pictures))?;
        }
        Ok(engine.run(&recording, control).await?)
    }

    /// Gives what the network reads beside the latent, from here on: one picture's channels first, the same for all.
    ///
    /// # Errors
    /// When the network reads nothing of this size, and what the engine refuses.
    pub async fn give(&self, values: &[f32], engine: &dyn Engine, control: &dyn Control) -> Result<(), Error> {
        let others = [self.unet.guidance_channels > 0, self.unet.addition.is_some()];
        let number = 3 + others.into_iter().filter(|there| *there).count();
        let mut recording = Recording::new();
        self.plan.write(&mut recording, number, &values.repeat(self.batch()))?;
        Ok(engine.run(&recording, control).await?)
    }

    /// Keeps a picture where `mask` is 0, from here on: its latent and the first noise, all channels first.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn keep(
        &mut self,
        [latent, noise, mask]: [&[f32]; 3],
        engine: &dyn Engine,
        control: &dyn Control,
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        self.plan.prepare(&[&nn::BLEND], engine, control, observer).await?;
        let mut recording = Recording::new();
        let mut made = Vec::new();
        for values in [latent, noise, mask] {
            let buffer = engine.buffer("kept picture", self.node.rows() * self.node.lanes())?;
            recording.write(&buffer, &channels_last(&self.node, values));
            made.push(buffer);
        }
        engine.run(&recording, control).await?;
        self.behind = made.try_into().ok();
        Ok(())
    }

    /// Puts back what is kept, with the noise of the step that comes next; without any behind the last.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn put_back(
        &mut self,
        next: Option<&Step>,
        engine: &dyn Engine,
        control: &dyn Control,
    ) -> Result<(), Error> {
        let Some([picture, noise, mask]) = &self.behind else { return Ok(()) };
        let [of_picture, of_noise] = next.map_or([1.0, 0.0], |step| step.start);
        let behind = Behind { picture: of_picture as f32, noise: of_noise as f32 };
        let [from, to] = [&self.samples[self.now], &self.samples[1 - self.now]];
        let buffers = [from, picture, noise, mask, to].map(Buffer::clone).to_vec();
        let mut recording = Recording::new();
        recording.push(nn::blend(self.node.rows() * self.node.lanes(), behind).on(buffers));
        self.now = 1 - self.now;
        Ok(engine.run(&recording, control).await?)
    }

    /// Appends the network's input: the sample, scaled, once or twice.
    fn feed(&self, recording: &mut Recording, scale: f64) {
        let Some((node, to)) = self.plan.input(0) else { return };
        let one = self.node.rows() * self.node.lanes();
        let what = Combination {
            factors: [scale as f32, 0.0, 0.0, 0.0, 0.0],
            periods: [one, 0, 0, 0, 0],
            ..Combination::default()
        };
        let mut buffers = vec![self.samples[self.now].clone()];
        buffers.extend_from_slice(&self.nothing[1..]);
        buffers.push(to.clone());
        recording.push(nn::combine(node.rows() * node.lanes(), &what).on(buffers));
    }

    fn place(&self, place: Place) -> &Buffer {
        match place {
            Place::Sample => &self.samples[self.now],
            Place::Prediction => &self.prediction,
            Place::Noise => &self.noise,
            Place::Kept(number) => &self.kept[number % KEPT],
        }
    }

    /// Appends: to = Σ factor · term.
    fn sum(&self, recording: &mut Recording, terms: &[(Place, f64)], clip: f64, to: &Buffer) {
        let one = self.node.rows() * self.node.lanes();
        let mut what = Combination { clip: clip as f32, ..Combination::default() };
        let mut buffers = self.nothing.clone();
        // The second place is the prediction's, as only that can be a pair.
        let others =
            if terms.iter().any(|(place, _)| *place == Place::Prediction) { [0, 2, 3, 4, 4] } else { [0, 2, 3, 4, 1] };
        let mut others = others.into_iter();
        for &(place, factor) in terms {
            let slot = if place == Place::Prediction { 1 } else { others.next().unwrap_or(0) };
            what.factors[slot] = factor as f32;
            if place == Place::Prediction && self.shape.pair(&self.unet) {
                let guidance = f64::from(self.shape.guidance);
                what.factors[1] = (factor * (1.0 - guidance)) as f32;
                what.pair_factor = (factor * guidance) as f32;
                what.pair = one;
            }
            buffers[slot] = self.place(place).clone();
        }
        buffers.push(to.clone());
        recording.push(nn::combine(one, &what).on(buffers));
    }

    /// One step; `noise` (channels first) is what the sampler adds where it draws.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn step(
        &mut self,
        step: &Step,
        noise: Option<&[f32]>,
        engine: &dyn Engine,
        control: &dyn Control,
    ) -> Result<(), Error> {
        let mut recording = Recording::new();
        self.plan.write(&mut recording, 1, &self.unet.time_input(step.t as f32, self.batch()))?;
        self.feed(&mut recording, step.input_scale);
        engine.run(&recording, control).await?;
        self.plan.run(engine, control).await?;
        if let Some(noise) = noise.filter(|noise| noise.len() == self.node.rows() * self.node.channels) {
            let mut recording = Recording::new();
            recording.write(&self.noise, &channels_last(&self.node, noise));
            engine.run(&recording, control).await?;
        }
        Ok(())
    }

    /// The sums behind a [`Sampling::step`].
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn advance(&mut self, step: &Step, engine: &dyn Engine, control: &dyn Control) -> Result<(), Error> {
        let mut recording = Recording::new();
        for sum in &step.sums {
            let to = if sum.to == Place::Sample { &self.samples[1 - self.now] } else { self.place(sum.to) };
            self.sum(&mut recording, &sum.terms, sum.clip, to);
            if sum.to == Place::Sample {
                self.now = 1 - self.now;
            }
        }
        Ok(engine.run(&recording, control).await?)
    }

    fn batch(&self) -> usize {
        self.shape.pictures * if self.shape.pair(&self.unet) { 2 } else { 1 }
    }

    /// Appends: what the picture's latent would become, divided by `scaling`, into a decoder's input. Between
    /// [`Sampling::step`] and [`Sampling::advance`] the prediction is this step's.
    pub fn show(&self, recording: &mut Recording, step: &Step, scaling: f64, to: &Buffer) {
        let [sample, prediction] = step.picture;
        let terms = [(Place::Sample, sample / scaling), (Place::Prediction, prediction / scaling)];
        // Where a step holds the picture within a limit, that is its first sum.
        let clip = step.sums.first().map_or(0.0, |sum| sum.clip);
        self.sum(recording, &terms, clip / scaling, to);
    }

    /// The sample, channels first.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn read(&self, engine: &dyn Engine) -> Result<Vec<f32>, Error> {
        let (node, buffer) = self.sample();
        Ok(channels_first(node, bytemuck::cast_slice(&engine.read(buffer).await?)))
    }

    /// Draws the first latents of a schedule, already scaled.
    #[must_use]
    pub fn first_latents(&self, noise: &[f32], schedule: &Schedule) -> Vec<f32> {
        noise.iter().map(|x| x * schedule.init_sigma as f32).collect()
    }
}
