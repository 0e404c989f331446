//! Whole pictures, as a visitor asks for them: from words to pixels on any engine, against diffusers' own pipelines.
#![allow(dead_code, reason = "each user takes its part")]

use std::rc::Rc;

use gradus::diffusion::json::Json;
use gradus::diffusion::safetensors::Tensors;
use gradus::diffusion::schedule::Kind;
use gradus::diffusion::{Pipeline, Request, Start};
use gradus::kernels::{Control, Engine};
use gradus::ports::Files;
use gradus::value::Picture;

use crate::fixtures;
use crate::support::watcher::Watcher;

/// The fixtures that have whole pictures, and how many.
pub const PICTURES: [(&str, usize); 7] =
    [("sd1", 4), ("xl", 3), ("levels", 3), ("draws", 10), ("lcm", 6), ("fill", 5), ("rules", 12)];

/// How far a byte may be from what diffusers has before it rounds: half of one, and 1e-4 of the range.
const ROUNDED: f32 = 0.5 + 0.0255;

/// A fixture's files, and its checkpoint.
pub async fn pipeline(fixture: &str, engine: &dyn Engine, control: &dyn Control) -> (Rc<dyn Files>, Pipeline) {
    let files: Rc<dyn Files> = Rc::new(fixtures::files(fixture, |_, _| None));
    let watcher = Watcher::default();
    let pipeline = Pipeline::load(Rc::clone(&files), engine, control, &watcher).await.unwrap();
    let shares: Vec<f32> = watcher.progress.borrow().iter().filter_map(|p| p.fraction()).collect();
    assert!(shares.is_sorted() && shares.last() == Some(&1.0), "loading tells how far it is: {shares:?}");
    (files, pipeline)
}

/// Channels-first numbers of 0..1 as a picture.
pub fn picture(values: &[f32], [width, height]: [usize; 2]) -> Picture {
    let pixels = width * height;
    let channels = values.len() / pixels;
    let byte =
        |channel: usize, pixel: usize| (values[channel.min(channels - 1) * pixels + pixel] * 255.0).round() as u8;
    let rgba = (0..pixels).flat_map(|n| [byte(0, n), byte(1, n), byte(2, n), 255]).collect();
    Picture::from_rgba(width as u32, height as u32, rgba).unwrap()
}

/// The checkpoint of a fixture with the sampler's configuration of a folder, as a class of pipelines has it.
async fn run_by(
    fixture: &str,
    all: &dyn Files,
    (folder, class): (&str, Option<&str>),
    engine: &dyn Engine,
    control: &dyn Control,
) -> Pipeline {
    let path = format!("{folder}/scheduler_config.json");
    let size = all.size(&path).await.unwrap().unwrap();
    let sampler = all.read(&path, 0..size).await.unwrap();
    let files = fixtures::files(fixture, |path, bytes| match (path, class) {
        ("scheduler/scheduler_config.json", _) => Some(sampler.clone()),
        ("model_index.json", Some(class)) => {
            Some(String::from_utf8(bytes.to_vec()).unwrap().replace("StableDiffusionPipeline", class).into_bytes())
        }
        _ => None,
    });
    Pipeline::load(Rc::new(files), engine, control, &Watcher::default()).await.unwrap()
}

/// All pictures of all fixtures.
pub async fn as_diffusers(engine: &dyn Engine, control: &dyn Control) {
    for (fixture, count) in PICTURES {
        pictures_of(fixture, count, engine, control).await;
    }
}

/// All pictures of a fixture.
pub async fn pictures_of(fixture: &str, count: usize, engine: &dyn Engine, control: &dyn Control) {
    let (files, own) = pipeline(fixture, engine, control).await;
    let size = files.size("golden.json").await.unwrap().unwrap();
    let golden = Json::parse(&files.read("golden.json", 0..size).await.unwrap()).unwrap();
    let tensors = Tensors::open(&*files, "", "golden").await.unwrap();
    let wanted = golden.get("pictures").and_then(Json::list).unwrap();
    assert_eq!(wanted.len(), count);
    for wanted in wanted {
        // Some want the checkpoint with another sampler's configuration, or as another pipeline's.
        let other = match wanted.get("scheduler").and_then(Json::text) {
            Some(folder) => {
                let how = (folder, wanted.get("class").and_then(Json::text));
                Some(run_by(fixture, &*files, how, engine, control).await)
            }
            None => None,
        };
        let pipeline = other.as_ref().unwrap_or(&own);
        let asked = Asked { json: wanted, files: &*files, tensors: &tensors };
        let request = asked.request(pipeline.usual_request()).await;
        let made = pipeline.generate(&request, engine, control, &Watcher::default()).await.unwrap();
        let expected = tensors.read(&*files, &asked.text("out")).await.unwrap();
        let count = 3 * request.width as usize * request.height as usize;
        assert_eq!([made.len(), expected.len()], [request.pictures, request.pictures * count]);
        for (number, (one, expected)) in made.iter().zip(expected.chunks(count)).enumerate() {
            let apart = apart(one, expected);
            let (kind, strength) = (asked.text("kind"), wanted.get("strength"));
            assert!(apart <= ROUNDED, "{fixture}: {kind} {number} of strength {strength:?}: {apart} apart");
        }
    }
}

/// The farthest byte of a picture from these channels-first numbers.
fn apart(picture: &Picture, expected: &[f32]) -> f32 {
    let pixels = expected.len() / 3;
    let apart = picture.rgba().chunks_exact(4).enumerate().flat_map(|(pixel, rgba)| {
        let wanted = (0..3).map(move |channel| expected[channel * pixels + pixel].clamp(0.0, 1.0) * 255.0);
        rgba.iter().zip(wanted).map(|(&byte, wanted)| (f32::from(byte) - wanted).abs())
    });
    apart.fold(0.0, f32::max)
}

/// What a golden.json says of a picture.
struct Asked<'a> {
    json: &'a Json,
    files: &'a dyn Files,
    tensors: &'a Tensors,
}

impl Asked<'_> {
    fn text(&self, key: &str) -> String {
        self.json.get(key).and_then(Json::text).unwrap().to_owned()
    }

    fn number(&self, key: &str) -> f64 {
        self.json.get(key).and_then(Json::number).unwrap()
    }

    fn size(&self, key: &str) -> Option<[usize; 2]> {
        let sides: Vec<f64> = self.json.get(key)?.list()?.iter().filter_map(Json::number).collect();
        Some([sides[0] as usize, sides[1] as usize])
    }

    async fn picture(&self, key: &str, size: [usize; 2]) -> Picture {
        picture(&self.tensors.read(self.files, &self.text(key)).await.unwrap(), size)
    }

    async fn request(&self, usual: Request) -> Request {
        let count = |key: &str| self.json.get(key).and_then(Json::number).map(|count| count as usize);
        let made = self.size("size").unwrap_or_else(|| [self.number("side") as usize; 2]);
        let mut request = Request {
            prompt: self.text("prompt"),
            negative: self.text("negative"),
            width: made[0] as u32,
            height: made[1] as u32,
            seed: self.number("seed") as u64,
            steps: self.number("steps") as usize,
            guidance: self.number("guidance") as f32,
            pictures: count("pictures").unwrap_or(1),
            clip_skip: count("clip_skip").unwrap_or(0),
            sampler: self.json.get("sampler").and_then(Json::text).map(|name| match name {
                "ddim" => Kind::Ddim,
                "dpm" => Kind::Dpm,
                other => panic!("a sampler {other}"),
            }),
            ..usual
        };
        if self.json.get("image").is_some() {
            let mask = match self.json.get("mask") {
                Some(_) => Some(self.picture("mask", self.size("mask_size").unwrap_or(made)).await),
                None => None,
            };
            let picture = self.picture("image", self.size("image_size").unwrap_or(made)).await;
            request.start = Some(Start { picture, strength: self.number("strength") as f32, mask });
        }
        request
    }
}
