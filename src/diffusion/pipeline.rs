//! From a prompt to a picture.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::checkpoint::Checkpoint;
use super::lora::Merge;
use super::noise::Generator;
use super::picturing::{Frame, Latent, is_no_number};
use super::plan::Plan;
use super::preview;
use super::request::{MOST_SIDE, Request};
use super::sampling::{Sampling, Shape};
use super::schedule::{Kind, Sampler, Schedule};
use super::small;
use super::stage::Stage;
use super::text::Encoder;
use super::weights::{Meter, Precision, Weight};
use crate::kernels::{Control, Engine, nn};
use crate::ports::{Files, Observer};
use crate::value::{Error, ErrorKind, NoteLevel, Picture, Progress, decimal};

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
///
/// Where the engine has not enough memory for all weights, text encoder, network and decoder are loaded for each picture
/// one after another, and each makes room for the next.
pub struct Pipeline {
    pub(super) files: Rc<dyn Files>,
    pub(super) of: Checkpoint,
    pub(super) precision: Precision,
    /// Whether a stage's weights go when the next one's come.
    pub(super) by_stage: Cell<bool>,
    /// What the last picture was made with, for the next of the same size.
    ready: RefCell<Ready>,
}

/// Hears nothing: what is loaded in the midst of a picture needs no bar.
pub(super) struct Silent;

impl Observer for Silent {
    fn progress(&self, _: Progress) {}

    fn wants_preview(&self) -> bool {
        false
    }

    fn preview(&self, _: Picture) {}

    fn note(&self, _: NoteLevel, _: String) {}
}

/// Plans, those that there are.
#[derive(Default)]
pub(super) struct Ready {
    /// An encoder's, with the number of texts it is for.
    pub(super) texts: Vec<(usize, Plan)>,
    pub(super) sampling: Option<Sampling>,
    decoder: Option<(Shape, Decoder)>,
}

/// The plan of a decoder, and of a small one for previews where there is such.
struct Decoder {
    plan: Plan,
    small: Option<Plan>,
}

/// The engine and who follows, as all parts of a run need them.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) engine: &'a dyn Engine,
    pub(super) control: &'a dyn Control,
    pub(super) observer: &'a dyn Observer,
}

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
        Self::load_with(files, &[], Precision::AsStored, engine, control, observer).await
    }

    /// The same with LoRA files merged into the weights, which are kept with this precision.
    ///
    /// # Errors
    /// Also when a LoRA does not belong to this checkpoint.
    pub async fn load_with(
        files: Rc<dyn Files>,
        loras: &[Rc<dyn Merge>],
        precision: Precision,
        engine: &dyn Engine,
        control: &dyn Control,
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        let of = Checkpoint::open(&*files, loras).await?;
        of.needs(engine.info().kind, precision)?.fit(engine.info())?;
        let (by_stage, ready) = (Cell::new(false), RefCell::default());
        let pipeline = Self { files, of, precision, by_stage, ready };
        let numbers = pipeline.of.stages().map(|stage| stage.count()).sum();
        let bytes = pipeline.of.stages().map(|stage| stage.tensors.bytes()).sum();
        let mut meter = Meter::new(observer, numbers, bytes);
        for stage in pipeline.of.stages() {
            match stage.weights(precision, &*pipeline.files, engine, control, &mut meter).await {
                Err(error) if error.kind() == ErrorKind::OutOfMemory => {
                    pipeline.go_by_stage(observer);
                    break;
                }
                loaded => drop(loaded?),
            }
        }
        Ok(pipeline)
    }

    fn go_by_stage(&self, observer: &dyn Observer) {
        self.by_stage.set(true);
        self.ready.take();
        self.of.stages().for_each(Stage::free);
        observer.note(
            NoteLevel::Info,
            "This model does not fit into the memory at once, so its parts are loaded one after another for each \
             picture. That takes longer."
                .to_owned(),
        );
    }

    /// The words of a prompt that the first tokenizer has only in pieces; see its `strangers`.
    #[must_use]
    pub fn strangers(&self, prompt: &str) -> Vec<String> {
        self.of.encoders.first().map(|encoder| encoder.strangers(prompt)).unwrap_or_default()
    }

    /// Pixels of a picture for each of a latent: sides are multiples of it.
    #[must_use]
    pub fn scale(&self) -> u32 {
        self.of.autoencoder.scale() as u32
    }

    /// The side in pixels that the network was trained for.
    #[must_use]
    pub fn side(&self) -> u32 {
        (self.of.side() * self.of.autoencoder.scale()).min(MOST_SIDE as usize) as u32
    }

    /// The checkpoint's own sampler.
    ///
    /// # Errors
    /// When it has none that is supported.
    pub fn sampler(&self) -> Result<Kind, Error> {
        Ok(Sampler::new(&self.of.sampler, None)?.kind())
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
            clip_skip: 0,
            preview_every: 1,
            start: None,
        }
    }

    /// Makes pictures: text, steps of the network, decoding. Previews are of the picture as the network sees it coming: by
    /// the decoder where it is a quick one, else by a weighted sum of the latent's channels. A picture's facts say how
    /// long each stage took.
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
        let run = Run { engine, control, observer };
        loop {
            match self.make(request, run).await {
                Err(error) if error.kind() == ErrorKind::OutOfMemory && !self.by_stage.get() => {
                    self.go_by_stage(observer);
                }
                // Some networks go beyond the largest half. No plan in halves is left: `make` took those that there were.
                Err(error) if is_no_number(&error) && engine.choices().halves() => {
                    engine.choose(engine.choices().in_floats());
                    let words = "The model's numbers are too large for halves; the picture is made again in floats.";
                    observer.note(NoteLevel::Info, words.to_owned());
                }
                made => return made,
            }
        }
    }

    async fn make(&self, request: &Request, run: Run<'_>) -> Result<Vec<Picture>, Error> {
        let Run { engine, control, observer } = run;
        let mut sampler = Sampler::new(&self.of.sampler, request.sampler)?;
        let paints = self.of.unet.given() > 0 || request.start.as_ref().is_some_and(|start| start.mask.is_some());
        if paints && self.of.unet.addition.is_none() {
            sampler = sampler.without_runge_kutta();
        }
        // The number that was typed: 0.7 in single precision is a little less, and ten steps of it were six.
        let strength = request.start.as_ref().map_or(1.0, |start| (f64::from(start.strength) * 1e6).round() / 1e6);
        let schedule = if self.of.consistency && sampler.kind() == Kind::Lcm {
            sampler.within(strength).schedule(request.steps)?
        } else {
            // As diffusers does: of all steps the last ones, by the strength.
            let taken = ((request.steps as f64 * strength) as usize).min(request.steps);
            sampler.schedule_from(request.steps, request.steps - taken)?
        };
        let scale = self.scale();
        let marked = self.mark(request);
        let chunks = marked.first().map_or(1, |marked| marked.chunks);
        let shape = Shape {
            pictures: request.pictures,
            size: [request.height / scale, request.width / scale].map(|side| side as usize),
            tokens: self.of.encoders.first().map_or(0, Encoder::tokens) * chunks,
            guidance: request.guidance,
        };
        let total = schedule.steps.len() as u64;
        observer.progress(Progress::step(0, total));
        if self.by_stage.get() {
            // A picture that was cancelled leaves its stage's weights where the next one's are to be.
            self.of.stages().for_each(Stage::free);
        }
        let mut ready = self.ready.take();
        let began = control.now();
        let said = self.read_prompts(&mut ready, shape, request, &marked, run).await?;
        let text_took = control.now().since(began);

        let began = control.now();
        let from = self.read_pictures(request, run).await?;
        let encoder_took = from.encoded().then(|| control.now().since(began));
        let mut generator = Generator::new(request.seed);
        let mut sampling = self.sampling(&mut ready, shape, run).await?;
        let frame = Frame::new(shape, scale as usize, engine)?;
        self.say(&said, request, &sampling, &frame, run).await?;
        // A quick decoder is small and shows every step; a large one waits until the network has made room.
        let quick = self.of.autoencoder.quick();
        let decoder = if quick { Some(self.decoder(&mut ready, shape, run).await?) } else { None };
        observer.progress(Progress::step(0, total));
        let began = control.now();
        self.begin(&mut sampling, shape, request, &schedule, &from, &mut generator, run).await?;
        self.walk(&mut sampling, shape, request, &schedule, &mut generator, (&frame, decoder.as_ref()), run).await?;
        let steps_took = control.now().since(began);

        let began = control.now();
        let drawing = Progress::step(total, total).describe("Drawing the picture");
        let of = &self.of.autoencoder;
        let latent = Latent::Read(sampling.read(engine).await?);
        if quick || !self.by_stage.get() {
            ready.sampling = Some(sampling);
        } else {
            drop(sampling);
            self.of.of_unet.free();
        }
        let decoder = match decoder {
            Some(decoder) => decoder,
            None => self.decoder(&mut ready, shape, run).await?,
        };
        observer.progress(drawing);
        let pictures = frame.decode(latent, &decoder.plan, of, engine, control).await?;
        ready.decoder = Some((shape, decoder));
        frame.trust(engine).await?;
        if self.by_stage.get() {
            drop(ready);
            self.of.stages().for_each(Stage::free);
        } else {
            *self.ready.borrow_mut() = ready;
        }
        let took = times(text_took, encoder_took, (steps_took, total), control.now().since(began));
        Ok(pictures.into_iter().map(|picture| picture.with_fact("Time", took.clone())).collect())
    }

    /// All steps, with previews.
    #[allow(clippy::too_many_arguments, reason = "one part of a long way, named apart")]
    async fn walk(
        &self,
        sampling: &mut Sampling,
        shape: Shape,
        request: &Request,
        schedule: &Schedule,
        generator: &mut Generator,
        (frame, decoder): (&Frame, Option<&Decoder>),
        Run { engine, control, observer }: Run<'_>,
    ) -> Result<(), Error> {
        let total = schedule.steps.len() as u64;
        let rough = preview::weights(self.of.unet.out_channels, self.of.autoencoder.scaling);
        for (number, step) in schedule.steps.iter().enumerate() {
            let noise = step.noise.then(|| generator.normal(self.count(shape)));
            sampling.step(step, noise.as_deref(), engine, control).await?;
            if let Some((node, buffer)) = sampling.prediction() {
                frame.look(node, buffer, 1, engine, control).await?;
            }
            let done = number as u64 + 1;
            let due = (number + 1).checked_rem(request.preview_every) == Some(0);
            if due && done < total && observer.wants_preview() {
                if let Some(decoder) = decoder {
                    let coming = Latent::Coming(sampling, step);
                    let plan = decoder.small.as_ref().unwrap_or(&decoder.plan);
                    let seen = frame.decode(coming, plan, &self.of.autoencoder, engine, control).await?;
                    if let Some(picture) = seen.into_iter().next() {
                        let size = [request.height, request.width];
                        let whole = [picture.height(), picture.width()] == size;
                        observer.preview(if whole { picture } else { preview::enlarged(&picture, size)? });
                    }
                } else {
                    let (node, seen) = frame.rough(sampling, step, engine, control).await?;
                    observer.preview(preview::picture(&node, &seen, rough, [request.height, request.width])?);
                }
            }
            sampling.advance(step, engine, control).await?;
            sampling.put_back(schedule.steps.get(number + 1), engine, control).await?;
            observer.progress(Progress::step(done, total));
        }
        Ok(())
    }

    /// Numbers of all latents.
    pub(super) fn count(&self, shape: Shape) -> usize {
        shape.pictures * self.of.unet.out_channels * shape.size[0] * shape.size[1]
    }

    /// The network for this shape: the last picture's where it fits.
    async fn sampling(&self, ready: &mut Ready, shape: Shape, run: Run<'_>) -> Result<Sampling, Error> {
        if let Some(mut sampling) = ready.sampling.take()
            && sampling.guide(shape)
        {
            return Ok(sampling);
        }
        let weights = self.weights(&self.of.of_unet, run).await?;
        let sampling = Sampling::new(&self.of.unet, &weights, run.engine, run.control, shape).await?;
        sampling.prepare(run.engine, run.control, run.observer).await?;
        Ok(sampling)
    }

    /// The decoder for this shape: the last picture's where it fits.
    async fn decoder(&self, ready: &mut Ready, shape: Shape, run: Run<'_>) -> Result<Decoder, Error> {
        if let Some((of, decoder)) = ready.decoder.take()
            && (of.pictures, of.size) == (shape.pictures, shape.size)
        {
            return Ok(decoder);
        }
        let weights = self.weights(&self.of.of_decoder, run).await?;
        let graph = self.of.autoencoder.decoder(shape.pictures, shape.size)?;
        let plan = Plan::new(&graph, run.engine, run.control, &weights, false).await?;
        plan.prepare(&[&nn::PIXELS], run.engine, run.control, run.observer).await?;
        let small = small::plan(&self.of.autoencoder, &weights, shape, run).await?;
        Ok(Decoder { plan, small })
    }

    pub(super) async fn weights(&self, stage: &Stage, run: Run<'_>) -> Result<Rc<[Weight]>, Error> {
        let mut meter = Meter::new(&Silent, 1, 0);
        stage.weights(self.precision, &*self.files, run.engine, run.control, &mut meter).await
    }
}

/// How long the stages took, in words; the encoder's where it read a picture.
fn times(text: Duration, encoder: Option<Duration>, (steps, count): (Duration, u64), decoder: Duration) -> String {
    let seconds = |time: Duration| decimal(time.as_secs_f64(), 2);
    let each = steps / count.max(1) as u32;
    let encoder = encoder.map_or_else(String::new, |time| format!(", encoder {} s", seconds(time)));
    format!(
        "text {} s{encoder}, {count} steps {} s ({} s each), decoder {} s",
        seconds(text),
        seconds(steps),
        seconds(each),
        seconds(decoder)
    )
}
