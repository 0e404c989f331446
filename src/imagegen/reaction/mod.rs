//! Gray–Scott reaction and diffusion; regime and palette by the prompt's words, the rest by the seed.

use gradus_cpu::reaction::Params;

use super::palette;
use super::random::Random;
use super::{Observer, Preset, Request, to_picture};
use crate::kernels::reaction::{SHADE, STEP, Uniform};
use crate::kernels::{Buffer, Control, Engine, Recording};
use crate::value::{Error, Picture, Progress};

/// Regimes by the words that ask for them: feed and kill. After Pearson's map and Robert Munafo's catalogue of it.
const REGIMES: [(&str, f32, f32); 9] = [
    ("coral reef brain", 0.0545, 0.0620),
    ("mitosis cell bacteria growth", 0.0367, 0.0649),
    ("maze labyrinth path", 0.0290, 0.0570),
    ("worm snake noodle", 0.0580, 0.0650),
    ("hole sponge cheese net", 0.0390, 0.0580),
    ("spot dot leopard ladybird", 0.0300, 0.0620),
    ("fingerprint stripe zebra tiger", 0.0370, 0.0600),
    ("wave ripple water", 0.0180, 0.0510),
    ("chaos storm turbulence", 0.0260, 0.0550),
];

/// Steps between two looks at the observer.
const BATCH: u32 = 50;

/// The side of a square picture's grid in cells, and the steps. Another shape has as many cells.
fn effort(preset: Preset) -> (u32, u32) {
    match preset {
        Preset::Low => (160, 2_000),
        Preset::Middle => (256, 4_500),
        Preset::High => (400, 9_000),
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
    let (side, steps) = effort(request.preset);
    let params = settings(request, &words, &mut random, side);
    let cells = params.width as usize * params.height as usize;
    let count = request.width as usize * request.height as usize;
    let run = Run {
        params,
        grids: [engine.buffer("reaction grid", cells * 2)?, engine.buffer("reaction grid", cells * 2)?],
        pixels: engine.buffer("reaction pixels", count)?,
    };
    let mut recording = Recording::new();
    recording.write(&run.grids[0], &seeded(&params, &mut random));
    engine.run(&recording, control).await?;
    let mut done = 0;
    while done < steps {
        observer.progress(Progress::step(done.into(), steps.into()));
        run.advance(BATCH, engine, control).await?;
        done += BATCH;
        if done < steps && observer.wants_preview() {
            observer.preview(run.picture(engine, control).await?);
        }
    }
    observer.progress(Progress::step(steps.into(), steps.into()));
    run.picture(engine, control).await
}

fn settings(request: &Request, words: &[String], random: &mut Random, side: u32) -> Params {
    let named: Vec<_> = REGIMES.iter().filter(|(names, ..)| palette::names_one(words, names)).collect();
    let drawn = random.pick(&REGIMES);
    let &(_, feed, kill) = named.first().copied().or(drawn).unwrap_or(&REGIMES[0]);
    let colours = palette::colours(words, random);
    // A cosine through the dark, the middle and the light of the palette.
    let (dark, light) = (palette::between(&colours, 0.05), palette::between(&colours, 0.8));
    let four = |of: &dyn Fn(usize) -> f32| [of(0), of(1), of(2), 0.0];
    // By the area: by the longer side, a ribbon's grid was a few cells wide, and its pattern died out.
    let shrink = (side as f32 / (request.width as f32 * request.height as f32).sqrt()).min(1.0);
    let side = |pixels: u32| ((pixels as f32 * shrink).round() as u32).max(16);
    Params {
        width: side(request.width),
        height: side(request.height),
        picture_width: request.width,
        picture_height: request.height,
        feed,
        kill,
        spread: 1.0,
        phase: 0.0,
        middle: four(&|channel| (dark[channel] + light[channel]) * 0.5),
        swing: four(&|channel| (dark[channel] - light[channel]) * 0.5),
        pace: four(&|_| 0.62),
        start: four(&|_| 0.0),
    }
}

/// U everywhere, with drops of V.
fn seeded(params: &Params, random: &mut Random) -> Vec<f32> {
    let (width, height) = (params.width as i32, params.height as i32);
    let mut grid: Vec<f32> = (0..width * height).flat_map(|_| [1.0, 0.0]).collect();
    let drops = 6 + width * height / 900;
    for _ in 0..drops {
        let (x, y) = (random.bits() as i32 & 0xffff, random.bits() as i32 & 0xffff);
        let radius = 2 + (random.bits() % 3) as i32;
        for dy in -radius..=radius {
            for dx in -radius..=radius {
                let at = ((y + dy).rem_euclid(height) * width + (x + dx).rem_euclid(width)) as usize * 2;
                if dx * dx + dy * dy <= radius * radius {
                    grid[at] = 0.5;
                    grid[at + 1] = 0.25 + 0.2 * random.unit();
                }
            }
        }
    }
    grid
}

/// The buffers of one picture. After an even number of steps the grid is in the first.
struct Run {
    params: Params,
    grids: [Buffer; 2],
    pixels: Buffer,
}

impl Run {
    async fn advance(&self, steps: u32, engine: &dyn Engine, control: &dyn Control) -> Result<(), Error> {
        let [first, second] = &self.grids;
        let (cells, uniform) = (self.params.width * self.params.height, Uniform::of(self.params));
        let mut recording = Recording::new();
        for _ in 0..steps / 2 {
            recording.dispatch(&STEP, cells, &uniform, &[first, second]);
            recording.dispatch(&STEP, cells, &uniform, &[second, first]);
        }
        Ok(engine.run(&recording, control).await?)
    }

    async fn picture(&self, engine: &dyn Engine, control: &dyn Control) -> Result<Picture, Error> {
        let (width, height) = (self.params.picture_width, self.params.picture_height);
        let mut recording = Recording::new();
        recording.dispatch(&SHADE, width * height, &Uniform::of(self.params), &[&self.grids[0], &self.pixels]);
        engine.run(&recording, control).await?;
        to_picture(width, height, engine.read(&self.pixels).await?)
    }
}
