//! A prompt read as a 3-D scene and ray-marched.
//!
//! `words` is the vocabulary, `parse` reads the prompt, `layout` places objects and camera; tracing is in
//! `kernels::scene`.

mod layout;
mod parse;
mod words;

pub use layout::{Placed, Scene};
pub use parse::{Described, Description, MOST_OBJECTS, parse};
pub use words::{COLOURS, Colour, Ground, Material, Meaning, Relation, Shape, Size, Sky, meaning};

use std::time::Duration;

use super::random::Random;
use super::{Observer, Preset, Request, to_picture};
use crate::kernels::scene::{RESOLVE, TRACE, Uniform};
use crate::kernels::{Buffer, Control, Engine, Recording};
use crate::value::{Error, NoteLevel, Picture, Progress};

/// Unknown words that are named to the visitor, and how many characters of each.
const NAMED: (usize, usize) = (8, 24);

/// How long a timing of the adapter may take.
const TIMING: Duration = Duration::from_millis(150);

/// Camera samples a pixel.
#[must_use]
pub fn samples(preset: Preset) -> u32 {
    match preset {
        Preset::Low => 4,
        Preset::Middle => 12,
        Preset::High => 40,
    }
}

/// The scene that a request describes.
#[must_use]
pub fn understand(request: &Request) -> (Scene, Description) {
    let description = parse(&request.prompt);
    let mut random = Random::new(request.seed, &request.prompt);
    let scene = layout::place(&description, &mut random, request.width as f32 / request.height as f32);
    (scene, description)
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
    let (scene, description) = understand(request);
    tell(&description, observer);
    let run = Run::new(&scene, request.width, request.height, request.seed as u32, engine)?;
    let total = samples(request.preset);
    for sample in 0..total {
        observer.progress(Progress::step(sample.into(), total.into()).unit("samples"));
        run.add(sample, engine, control).await?;
        // The last is not a preview but the result.
        if sample + 1 < total && observer.wants_preview() {
            observer.preview(run.picture(engine, control).await?);
        }
    }
    observer.progress(Progress::step(total.into(), total.into()).unit("samples"));
    run.picture(engine, control).await
}

fn tell(description: &Description, observer: &dyn Observer) {
    let short = |word: &String| word.chars().take(NAMED.1).collect::<String>();
    let named: Vec<String> = description.unknown.iter().take(NAMED.0).map(short).collect();
    if !named.is_empty() {
        let more = description.unknown.len() - named.len();
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        let text = format!("These words were not understood and left out: {}{rest}.", named.join(", "));
        observer.note(NoteLevel::Info, text);
    }
    if description.too_many > 0 {
        let text = format!("A scene has room for {MOST_OBJECTS} objects; {} were left out.", description.too_many);
        observer.note(NoteLevel::Info, text);
    }
}

/// The buffers of one picture.
struct Run {
    params: gradus_cpu::scene::Params,
    floats: Vec<f32>,
    objects: Buffer,
    sums: Buffer,
    pixels: Buffer,
}

impl Run {
    fn new(scene: &Scene, width: u32, height: u32, seed: u32, engine: &dyn Engine) -> Result<Self, Error> {
        let count = width as usize * height as usize;
        let floats = scene.floats();
        Ok(Self {
            params: scene.params(width, height, seed),
            objects: engine.buffer("scene objects", floats.len())?,
            floats,
            sums: engine.buffer("scene sums", count * 4)?,
            pixels: engine.buffer("scene pixels", count)?,
        })
    }

    /// Adds one sample to each pixel.
    async fn add(&self, sample: u32, engine: &dyn Engine, control: &dyn Control) -> Result<(), Error> {
        let mut recording = Recording::new();
        if sample == 0 {
            recording.write(&self.objects, &self.floats);
        }
        let params = Uniform::of(gradus_cpu::scene::Params { sample, ..self.params });
        recording.dispatch(&TRACE, self.params.width * self.params.height, &params, &[&self.objects, &self.sums]);
        Ok(engine.run(&recording, control).await?)
    }

    async fn picture(&self, engine: &dyn Engine, control: &dyn Control) -> Result<Picture, Error> {
        let mut recording = Recording::new();
        let items = self.params.width * self.params.height;
        recording.dispatch(&RESOLVE, items, &Uniform::of(self.params), &[&self.sums, &self.pixels]);
        engine.run(&recording, control).await?;
        to_picture(self.params.width, self.params.height, engine.read(&self.pixels).await?)
    }
}

/// Camera samples a second on this engine, by tracing a small standard scene for a moment.
///
/// # Errors
/// When the engine fails.
pub async fn calibrate(engine: &dyn Engine, control: &dyn Control) -> Result<f32, Error> {
    let side = 96;
    let request = Request {
        prompt: "a shiny red ball, a metal cube and a glass cone on wood".into(),
        width: side,
        height: side,
        seed: 1,
        preset: Preset::Low,
    };
    let (scene, _) = understand(&request);
    let run = Run::new(&scene, side, side, 1, engine)?;
    // The first one compiles and warms up.
    run.add(0, engine, control).await?;
    let began = control.now();
    let mut samples = 0;
    while samples < 200 && (samples == 0 || control.now().since(began) < TIMING) {
        samples += 1;
        run.add(samples, engine, control).await?;
    }
    let seconds = control.now().since(began).as_secs_f32().max(1e-4);
    Ok((samples * side * side) as f32 / seconds)
}

/// The side and preset whose picture takes about three seconds at this speed.
///
/// ```
/// use gradus::imagegen::{Preset, scene::suggest};
/// assert_eq!(suggest(1e9), (1024, Preset::High));
/// assert_eq!(suggest(1e3), (256, Preset::Low));
/// ```
#[must_use]
pub fn suggest(samples_per_second: f32) -> (u32, Preset) {
    const SECONDS: f32 = 3.0;
    let choices = [
        (1024, Preset::High),
        (1024, Preset::Middle),
        (768, Preset::Middle),
        (512, Preset::Middle),
        (512, Preset::Low),
        (384, Preset::Low),
    ];
    let fits = |&(side, preset): &(u32, Preset)| (side * side * samples(preset)) as f32 <= samples_per_second * SECONDS;
    choices.into_iter().find(fits).unwrap_or((256, Preset::Low))
}
