//! Whole pictures of the generators, by any engine, and how alike two are.

use std::time::Duration;

use gradus::imagegen::{Preset, Request, flame, reaction, scene};
use gradus::kernels::{Engine, cpu::CpuEngine};
use gradus::value::Picture;

use super::Ticking;
use super::watcher::Watcher;

pub fn request(prompt: &str, width: u32, height: u32) -> Request {
    Request { prompt: prompt.into(), width, height, seed: 11, preset: Preset::Low }
}

pub async fn make(model: &str, request: &Request, engine: &dyn Engine) -> (Picture, Watcher) {
    let control = Ticking::by(Duration::from_micros(500));
    let watcher = Watcher { curious: true, ..Watcher::default() };
    let picture = match model {
        "scene" => scene::generate(request, engine, &control, &watcher).await,
        "flame" => flame::generate(request, engine, &control, &watcher).await,
        _ => reaction::generate(request, engine, &control, &watcher).await,
    };
    (picture.unwrap(), watcher)
}

/// The share of pixels whose channels are all within this much.
pub fn alike(one: &Picture, other: &Picture, most: u8) -> f32 {
    assert_eq!((one.width(), one.height()), (other.width(), other.height()));
    let near = |(a, b): &(&[u8], &[u8])| a.iter().zip(*b).all(|(a, b)| a.abs_diff(*b) <= most);
    let pixels = one.rgba().chunks_exact(4).zip(other.rgba().chunks_exact(4));
    let count = one.rgba().len() / 4;
    pixels.filter(near).count() as f32 / count as f32
}

/// Pictures of every generator by an engine beside the processor's: 99 % of the pixels are within 4/255. A flame's walks are
/// chaotic, and at these sizes a pixel is the mean of so many points that it hardly differs.
pub async fn agree(gpu: &dyn Engine, side: u32) {
    let cpu = CpuEngine::new("test");
    for prompt in [
        "two red balls on grass at sunset",
        "a glass cube on a metal cylinder on a checkerboard",
        "a cone on wood at night",
    ] {
        let request = request(prompt, side, side);
        let (one, other) = (make("scene", &request, gpu).await.0, make("scene", &request, &cpu).await.0);
        let share = alike(&one, &other, 4);
        assert!(share >= 0.99, "scene {prompt:?}: only {share} of the pixels agree");
    }
    let maze = request("green maze", side + side / 5, side);
    let (one, other) = (make("reaction", &maze, gpu).await.0, make("reaction", &maze, &cpu).await.0);
    let share = alike(&one, &other, 4);
    assert!(share >= 0.99, "reaction: only {share} of the pixels agree");

    let swirl = request("blue swirl", side, side);
    let (one, other) = (make("flame", &swirl, gpu).await.0, make("flame", &swirl, &cpu).await.0);
    let share = alike(&one, &other, 4);
    assert!(share >= 0.99, "flame: only {share} of the pixels agree");
}
