//! One row for each kernel: what one step of it starts from. Native and browser tests run the same rows.

use gradus::imagegen::{Preset, Request, scene};
use gradus::kernels::{flame, reaction, scene as scene_kernels};
use gradus_cpu::{hash, unit};

use super::twin::Case;

fn floats(values: impl Iterator<Item = f32>) -> Vec<u32> {
    values.map(f32::to_bits).collect()
}

/// A row of numbers from 0 to 1.
fn row(seed: u32, count: usize) -> impl Iterator<Item = f32> {
    (0..count as u32).map(move |index| unit(hash(seed ^ hash(index))))
}

pub fn all() -> Vec<Case> {
    let mut cases = scenes();
    cases.extend(flames());
    cases.extend(reactions());
    cases.extend(super::nn_cases::all());
    cases
}

fn scenes() -> Vec<Case> {
    let prompts = [
        "a shiny red ball, a metal cube and a glass cone on wood at sunset",
        "a matte torus on a cylinder on a checkerboard at night",
        "three small metal balls on water, overcast",
        "a ball on grass",
        "a cone on sand",
        "a ring on snow",
    ];
    let (width, height) = (48, 40);
    let trace = prompts.iter().map(|prompt| {
        let request = Request { prompt: (*prompt).into(), width, height, seed: 3, preset: Preset::Low };
        let (scene, _) = scene::understand(&request);
        Case {
            kernel: &scene_kernels::TRACE,
            items: width * height,
            params: bytemuck::bytes_of(&scene_kernels::Uniform::of(scene.params(width, height, 3))).to_vec(),
            buffers: vec![floats(scene.floats().into_iter()), vec![0; (width * height * 4) as usize]],
            stray: 0.012,
        }
    });
    let mut cases: Vec<Case> = trace.collect();
    let params = gradus_cpu::scene::Params { width, height, ..Default::default() };
    cases.push(Case {
        kernel: &scene_kernels::RESOLVE,
        items: width * height,
        params: bytemuck::bytes_of(&scene_kernels::Uniform::of(params)).to_vec(),
        buffers: vec![
            floats(row(5, (width * height * 4) as usize).map(|x| x * 6.0)),
            vec![0; (width * height) as usize],
        ],
        stray: 0.0,
    });
    cases
}

/// Transforms with each variation once, two to a flame.
fn transforms(variation: usize) -> Vec<u32> {
    let mut all = vec![0.0f32; 2 * gradus_cpu::flame::TRANSFORM_FLOATS];
    for (index, transform) in all.chunks_exact_mut(gradus_cpu::flame::TRANSFORM_FLOATS).enumerate() {
        transform[..6].copy_from_slice(&[0.7, -0.3, 0.2 + index as f32 * 0.1, 0.4, 0.6, -0.25]);
        transform[6] = (index + 1) as f32 * 0.5;
        transform[7] = index as f32;
        transform[8] = 0.2;
        transform[8 + (variation + index) % 10] += 0.8;
    }
    floats(all.into_iter())
}

fn flames() -> Vec<Case> {
    let (width, height) = (40, 30);
    let params = gradus_cpu::flame::Params {
        width,
        height,
        transforms: 2,
        seed: 17,
        steps: 1,
        scale: 8.0,
        exposure: 0.25,
        brightness: 0.3,
        ..Default::default()
    };
    let bytes = bytemuck::bytes_of(&flame::Uniform::of(params)).to_vec();
    let mut cases: Vec<Case> = (0..10)
        .map(|variation| Case {
            kernel: &flame::SINGLE,
            items: 500,
            params: bytes.clone(),
            buffers: vec![transforms(variation), vec![0; 1500]],
            stray: 0.0,
        })
        .collect();
    cases.push(Case {
        kernel: &flame::WALK,
        items: 2000,
        params: bytes.clone(),
        buffers: vec![
            transforms(0),
            (0..256).map(|index| (index * 0x0001_0203) & 0x00ff_ffff).collect(),
            vec![0; (width * height * 4) as usize],
        ],
        // After one step a last bit moves a few of the points into the neighbouring pixel.
        stray: 0.01,
    });
    cases.push(Case {
        kernel: &flame::TONE,
        items: width * height,
        params: bytes,
        buffers: vec![
            row(9, (width * height) as usize)
                .flat_map(|x| {
                    let hits = (x * x * 300.0) as u32;
                    [hits, hits * 200, hits * 100, hits * 30]
                })
                .collect(),
            vec![0; (width * height) as usize],
        ],
        stray: 0.0,
    });
    cases
}

fn reactions() -> Vec<Case> {
    let (width, height) = (37, 29);
    let params = gradus_cpu::reaction::Params {
        width,
        height,
        picture_width: 64,
        picture_height: 64,
        feed: 0.037,
        kill: 0.06,
        spread: 1.0,
        phase: 0.0,
        middle: [0.5, 0.4, 0.3, 0.0],
        swing: [-0.4, -0.3, 0.2, 0.0],
        pace: [0.62; 4],
        start: [0.0; 4],
    };
    let bytes = bytemuck::bytes_of(&reaction::Uniform::of(params)).to_vec();
    let cells = (width * height * 2) as usize;
    vec![
        Case {
            kernel: &reaction::STEP,
            items: width * height,
            params: bytes.clone(),
            buffers: vec![floats(row(1, cells)), vec![0; cells]],
            stray: 0.0,
        },
        Case {
            kernel: &reaction::SHADE,
            items: 64 * 64,
            params: bytes,
            buffers: vec![floats(row(2, cells).map(|x| x * 0.4)), vec![0; 64 * 64]],
            stray: 0.0,
        },
    ]
}
