//! A fractal flame whose transforms and palette are drawn from the prompt and the seed.
//!
//! `genome` draws the transforms, frames them and throws dull ones away; walking and toning are in `kernels::flame`.

mod genome;

use gradus_cpu::flame::{PALETTE, Params, WARM_UP};

use super::palette;
use super::random::Random;
use super::{Observer, Preset, Request, to_picture};
use crate::kernels::flame::{TONE, Uniform, WALK};
use crate::kernels::{Buffer, Control, Engine, Recording};
use crate::value::{Error, Picture, Progress};
use genome::Genome;

/// Walkers of a round, and the points each counts.
const WALKERS: u32 = 16_384;
const STEPS: u32 = 128;

/// Points that a picture of this preset counts at least.
#[must_use]
pub fn points(preset: Preset) -> u64 {
    u64::from(rounds(preset)) * u64::from(WALKERS) * u64::from(STEPS)
}

fn rounds(preset: Preset) -> u32 {
    match preset {
        Preset::Low => 3,
        Preset::Middle => 10,
        Preset::High => 40,
    }
}

/// Makes a picture of the request.
///
/// # Errors
/// When the request is refused ([`Request::check`]) or the engine fails.
pub async fn generate(
    request: &Request,
    engine: &dyn Engine,
    control: &dyn Control,
    observer: &dyn Observer,
) -> Result<Picture, Error> {
    request.check()?;
    let words = palette::words(&request.prompt);
    let mut random = Random::new(request.seed, &words.join(" "));
    let colours = palette::colours(&words, &mut random);
    let genome = Genome::draw(&words, &mut random, request.width, request.height);
    let packed: Vec<u32> = (0..PALETTE).map(|index| pack(palette::between(&colours, index as f32 / 255.0))).collect();

    let count = request.width as usize * request.height as usize;
    let run = Run {
        params: Params {
            width: request.width,
            height: request.height,
            transforms: genome.count,
            seed: random.bits(),
            steps: STEPS,
            warm_up: WARM_UP,
            scale: genome.scale,
            centre_x: genome.centre[0],
            centre_y: genome.centre[1],
            ..Params::default()
        },
        transforms: engine.buffer("flame transforms", genome.floats.len())?,
        palette: engine.buffer("flame palette", PALETTE)?,
        histogram: engine.buffer("flame histogram", count * 4)?,
        pixels: engine.buffer("flame pixels", count)?,
    };
    let mut recording = Recording::new();
    recording.write(&run.transforms, &genome.floats);
    recording.write(&run.palette, &packed);
    engine.run(&recording, control).await?;
    let total = rounds(request.preset);
    for round in 0..total {
        observer.progress(Progress::step(round.into(), total.into()).unit("rounds"));
        run.walk(round, engine, control).await?;
        // The last is not a preview but the result.
        if round + 1 < total && observer.wants_preview() {
            observer.preview(run.picture(round + 1, engine, control).await?);
        }
    }
    observer.progress(Progress::step(total.into(), total.into()).unit("rounds"));
    run.picture(total, engine, control).await
}

fn pack(rgb: [f32; 3]) -> u32 {
    let byte = |channel: f32| (channel.clamp(0.0, 1.0) * 255.0 + 0.5) as u32;
    byte(rgb[0]) | byte(rgb[1]) << 8 | byte(rgb[2]) << 16
}

/// The buffers of one picture.
struct Run {
    params: Params,
    transforms: Buffer,
    palette: Buffer,
    histogram: Buffer,
    pixels: Buffer,
}

impl Run {
    async fn walk(&self, round: u32, engine: &dyn Engine, control: &dyn Control) -> Result<(), Error> {
        let params = Params { seed: self.params.seed.wrapping_add(round.wrapping_mul(0x85eb_ca6b)), ..self.params };
        let mut recording = Recording::new();
        recording.dispatch(&WALK, WALKERS, &Uniform::of(params), &[&self.transforms, &self.palette, &self.histogram]);
        Ok(engine.run(&recording, control).await?)
    }

    async fn picture(&self, rounds: u32, engine: &dyn Engine, control: &dyn Control) -> Result<Picture, Error> {
        let pixels = self.params.width * self.params.height;
        let points = rounds as f32 * WALKERS as f32 * STEPS as f32;
        // Brightness counts in hits of an even spread, so that it does not depend on size or points.
        let brightness = 4.0 * pixels as f32 / points;
        let params = Params { brightness, exposure: 1.0 / (1.0f32 + 4.0 * 45.0).ln(), ..self.params };
        let mut recording = Recording::new();
        recording.dispatch(&TONE, pixels, &Uniform::of(params), &[&self.histogram, &self.pixels]);
        engine.run(&recording, control).await?;
        to_picture(self.params.width, self.params.height, engine.read(&self.pixels).await?)
    }
}
