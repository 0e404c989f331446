//! What a picture begins from: noise alone, or a picture with noise over it; and what of that picture stays.

use super::noise::Generator;
use super::picturing::{STAGES, no_number};
use super::pipeline::{Pipeline, Run, Silent};
use super::plan::Plan;
use super::request::{Request, Start};
use super::safetensors::Tensors;
use super::sampling::{Sampling, Shape};
use super::scaled;
use super::schedule::Schedule;
use super::weights::{Meter, load};
use crate::kernels::{Control, Engine, Recording};
use crate::value::{Error, Progress};

/// Words of a picture that are written at once.
const PIECE: usize = 1 << 20;

/// A picture as the encoder is shown it: RGBA bytes, and of which pixels nothing is seen.
struct Seen<'a> {
    rgba: Option<&'a [u8]>,
    hidden: Option<&'a [bool]>,
}

impl<'a> Seen<'a> {
    /// A picture without what may change; without a mask that is all of it.
    fn without(mask: Option<&'a [bool]>, rgba: Option<&'a [u8]>) -> Self {
        Self { rgba: rgba.filter(|_| mask.is_some()), hidden: mask }
    }

    /// Red, green and blue from 0 to 1; where nothing is seen, the middle between black and white.
    fn pixel(&self, number: usize) -> [f32; 3] {
        let hidden = self.hidden.and_then(|hidden| hidden.get(number)).is_some_and(|&hidden| hidden);
        match self.rgba.and_then(|rgba| rgba.get(number * 4..)) {
            Some([r, g, b, ..]) if !hidden => [r, g, b].map(|&byte| f32::from(byte) / 255.0),
            _ => [0.5; 3],
        }
    }
}

/// A picture as the encoder gives it: of each number of its latent the mean, and behind them all log variances, where the
/// encoder has such.
struct Coded(Vec<f32>);

/// The pictures that a request names, read.
pub(super) struct Beginning {
    /// What to begin from.
    start: Option<Coded>,
    /// What stays, for a network that reads it.
    kept: Option<Coded>,
    /// For each of a latent's places whether it may change.
    mask: Option<Vec<f32>>,
}

impl Beginning {
    /// Whether the encoder read a picture for it.
    pub(super) fn encoded(&self) -> bool {
        self.start.is_some() || self.kept.is_some()
    }
}

impl Start {
    /// Whether nothing but noise is begun from: diffusers' masks at full strength.
    fn forgets(&self) -> bool {
        self.mask.is_some() && self.strength >= 1.0
    }
}

impl Pipeline {
    /// Whether the network reads what stays of a picture; else that is put back behind each step.
    fn reads_kept(&self) -> bool {
        self.of.unet.given() > 0
    }

    /// Reads the pictures of a request. A network that paints into a picture and is given none paints all of it.
    pub(super) async fn read_pictures(&self, request: &Request, run: Run<'_>) -> Result<Beginning, Error> {
        let size = [request.height, request.width].map(|side| side as usize);
        let start = request.start.as_ref();
        let picture = start.map(|start| scaled::bytes(&start.picture, size));
        let mask = start.and_then(|start| start.mask.as_ref()).map(|mask| scaled::mask(mask, size));
        let whole = picture.as_deref().map(|rgba| Seen { rgba: Some(rgba), hidden: None });
        let kept = self.reads_kept().then(|| Seen::without(mask.as_deref(), picture.as_deref()));
        let picture = whole.filter(|_| !(self.reads_kept() && start.is_some_and(|start| start.strength >= 1.0)));
        let named = [picture.is_some(), kept.is_some()];
        let mut coded = self.encode([picture, kept].into_iter().flatten(), size, run).await?.into_iter();
        let [start, kept] = named.map(|named| if named { coded.next() } else { None });
        let scale = self.scale() as usize;
        Ok(Beginning { start, kept, mask: mask.map(|mask| thinned(&mask, size[1], scale)) })
    }

    /// Pictures through the encoder.
    async fn encode(
        &self,
        pictures: impl Iterator<Item = Seen<'_>>,
        size: [usize; 2],
        Run { engine, control, observer }: Run<'_>,
    ) -> Result<Vec<Coded>, Error> {
        let mut all = Vec::new();
        let mut pictures = pictures.peekable();
        if pictures.peek().is_none() {
            return Ok(all);
        }
        let graph = self.of.autoencoder.encoder(1, size)?;
        let tensors = Tensors::open(&*self.files, "vae", "diffusion_pytorch_model").await?;
        let mut meter = Meter::new(&Silent, 1, 0);
        let weights = load(&graph.weights, &tensors, self.precision, &*self.files, engine, control, &mut meter).await?;
        let plan = Plan::new(&graph, engine, control, &weights, false).await?;
        plan.prepare(&[], engine, control, observer).await?;
        observer.progress(Progress::doing("Reading the picture"));
        for picture in pictures {
            self.show(&picture, &plan, engine, control).await?;
            plan.run(engine, control).await?;
            let coded = plan.read(engine, 0).await?;
            if !coded.iter().all(|x| x.is_finite()) {
                return Err(no_number(STAGES[3]));
            }
            all.push(Coded(coded));
        }
        Ok(all)
    }

    /// Writes a picture into the encoder's input, in pieces: as floats a large one is half of what a page may take.
    async fn show(
        &self,
        picture: &Seen<'_>,
        plan: &Plan,
        engine: &dyn Engine,
        control: &dyn Control,
    ) -> Result<(), Error> {
        let (node, buffer) = plan.input(0).ok_or_else(|| Error::new("This encoder takes no picture."))?;
        let ([scale, shift], lanes) = (self.of.autoencoder.range(), node.lanes());
        for first in (0..node.rows()).step_by(PIECE / lanes) {
            let mut piece = vec![0.0; lanes * (PIECE / lanes).min(node.rows() - first)];
            for (to, pixel) in piece.chunks_exact_mut(lanes).zip(first..) {
                to.iter_mut().zip(picture.pixel(pixel)).for_each(|(to, x)| *to = (x - shift) / scale);
            }
            let mut recording = Recording::new();
            recording.write_at(buffer, first * lanes, &piece);
            engine.run(&recording, control).await?;
        }
        Ok(())
    }

    /// The latent of a picture, drawn. diffusers heeds the channels' levels of none that has a mask.
    fn latent(&self, coded: &Coded, masked: bool, generator: &mut Generator) -> Vec<f32> {
        let of = &self.of.autoencoder;
        let (means, variances) = coded.0.split_at(if of.quick() { coded.0.len() } else { coded.0.len() / 2 });
        let mut latent = means.to_vec();
        if !of.quick() {
            let noise = generator.normal(means.len());
            let draws = latent.iter_mut().zip(variances).zip(&noise);
            draws.for_each(|((x, variance), noise)| *x += (0.5 * variance.clamp(-30.0, 20.0)).exp() * noise);
        }
        let plane = latent.len() / of.latent_channels();
        of.bring(&mut latent, plane, if masked { &[] } else { &of.levels }, false);
        latent
    }

    /// The first latents. In diffusers' order of drawing: the picture, the noise, what is kept of the picture.
    #[allow(clippy::too_many_arguments, reason = "one part of a long way, named apart")]
    pub(super) async fn begin(
        &self,
        sampling: &mut Sampling,
        shape: Shape,
        request: &Request,
        schedule: &Schedule,
        from: &Beginning,
        generator: &mut Generator,
        Run { engine, control, observer }: Run<'_>,
    ) -> Result<(), Error> {
        let (pictures, masked) = (request.pictures, from.mask.is_some() || from.kept.is_some());
        let latent = from.start.as_ref().map(|coded| self.latent(coded, masked, generator).repeat(pictures));
        let noise = generator.normal(self.count(shape));
        let kept = from.kept.as_ref().map(|coded| self.latent(coded, true, generator));
        if kept.is_none() && from.mask.is_some() && !self.of.autoencoder.quick() {
            // diffusers draws what is kept also for networks that do not read it.
            let _ = generator.normal(self.count(shape) / pictures);
        }
        let mut first = sampling.first_latents(&noise, schedule);
        if let (Some(start), Some(latent), Some(step)) = (&request.start, &latent, schedule.steps.first())
            && !start.forgets()
        {
            let [of_picture, of_noise] = step.start.map(|factor| factor as f32);
            let mix = |(x, noise): (&f32, &f32)| of_picture * x + of_noise * noise;
            first = latent.iter().zip(&noise).map(mix).collect();
        }
        sampling.begin(&first, engine, control).await?;
        match (kept, &from.mask, latent) {
            (Some(kept), mask, _) => {
                let mut given = mask.clone().unwrap_or_else(|| vec![1.0; shape.size[0] * shape.size[1]]);
                given.extend(kept);
                sampling.give(&given, engine, control).await
            }
            (None, Some(mask), Some(latent)) => {
                let mask = mask.repeat(noise.len() / mask.len());
                sampling.keep([&latent, &noise, &mask], engine, control, observer).await
            }
            _ => Ok(()),
        }
    }
}

/// A mask at the latent's size: of each of its places the first pixel counts.
fn thinned(mask: &[bool], width: usize, scale: usize) -> Vec<f32> {
    let rows = mask.chunks_exact(width).step_by(scale);
    rows.flat_map(|row| row.iter().step_by(scale)).map(|&changes| f32::from(u8::from(changes))).collect()
}
