//! Numbers that others published: the sums of diffusers' own scheduler tests, slices of its layers' tests; and checkpoints under their older names.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
#[path = "support/golden.rs"]
mod golden;
#[path = "support/published.rs"]
mod published;
mod support;

use std::time::Duration;

use golden::Golden;
use gradus::diffusion::config::Config;
use gradus::diffusion::noise::Generator;
use gradus::diffusion::schedule::{KEPT, Place, Sampler};
use gradus::gpu;
use gradus::kernels::cpu::CpuEngine;
use gradus::ports::Files;
use gradus::ports::memory::MemoryFiles;
use support::Ticking;

#[test]
fn layers_of_both_engines_give_what_diffusers_publishes() {
    pollster::block_on(async {
        let control = Ticking::by(Duration::from_millis(2));
        published::layers(&CpuEngine::new("test"), &control).await;
        let engine = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        published::layers(&engine, &control).await;
    });
}

#[test]
fn times_of_diffusers() {
    // As diffusers 0.42.1 sets them.
    let check = |config: &str, steps: usize, expected: &[f64]| {
        let parsed = Config::parse("scheduler_config.json", config.as_bytes()).unwrap();
        let schedule = Sampler::new(&parsed, None).unwrap().schedule(steps).unwrap();
        let times: Vec<f64> = schedule.steps.iter().map(|step| step.t).collect();
        assert_eq!(times.len(), expected.len(), "{config}: {times:?}");
        for (got, expected) in times.iter().zip(expected) {
            assert!((got - expected).abs() <= 1e-4 * expected, "{config}: {times:?}");
        }
    };
    let flow = r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "use_karras_sigmas": true}"#;
    check(flow, 1, &[1000.0]);
    check(flow, 3, &[1000.0, 71.77132, 1.0]);
    check(flow, 7, &[1000.0, 461.66077, 193.6097, 71.77132, 22.574745, 5.6433463, 1.0]);
    let betas = r#""beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1"#;
    let one = |class: &str, more: &str| format!(r#"{{"_class_name": "{class}", {betas}, {more}}}"#);
    check(&one("PNDMScheduler", r#""skip_prk_steps": true"#), 1, &[1.0]);
    check(&one("PNDMScheduler", r#""skip_prk_steps": true, "timestep_spacing": "trailing""#), 1, &[999.0]);
    let karras = r#""use_karras_sigmas": true, "timestep_spacing": "#;
    check(&one("EulerDiscreteScheduler", &format!("{karras}\"leading\"")), 1, &[1.0]);
    check(&one("DPMSolverMultistepScheduler", &format!("{karras}\"trailing\"")), 1, &[999.0]);
}

#[test]
fn sigmas_of_sd_turbo() {
    // As diffusers sets them for stabilityai/sd-turbo, with four digits.
    let config = r#"{"_class_name": "EulerDiscreteScheduler", "beta_start": 0.00085, "beta_end": 0.012,
        "beta_schedule": "scaled_linear", "steps_offset": 1, "timestep_spacing": "trailing"}"#;
    let config = Config::parse("scheduler_config.json", config.as_bytes()).unwrap();
    for (times, sigmas) in [
        (&[999.0][..], &[14.6146][..]),
        (&[999.0, 499.0], &[14.6146, 1.6129]),
        (&[999.0, 749.0, 499.0, 249.0], &[14.6146, 4.0817, 1.6129, 0.6932]),
    ] {
        let schedule = Sampler::new(&config, None).unwrap().schedule(times.len()).unwrap();
        assert!(schedule.steps.iter().map(|step| step.t).eq(times.iter().copied()), "{times:?}");
        let found: Vec<f64> = schedule.steps.iter().map(|step| step.start[1]).collect();
        let near = found.iter().zip(sigmas).all(|(found, sigma)| (found - sigma).abs() < 5.1e-5);
        assert!(near && found.len() == sigmas.len(), "{found:?} for {sigmas:?}");
        // The first noise is as large as the first sigma, to which four digits are no limit.
        assert!((schedule.init_sigma - found[0]).abs() < 1e-12, "{}", schedule.init_sigma);
    }
}

/// diffusers' dummy sample, and its dummy model x · t / (t + 1), through a schedule; in double precision. Noise is what
/// `torch.manual_seed(0)` gives.
fn full_loop(config: &str, steps: usize) -> Vec<f64> {
    let config = Config::parse("scheduler_config.json", config.as_bytes()).unwrap();
    let schedule = Sampler::new(&config, None).unwrap().schedule(steps).unwrap();
    let count = 4 * 3 * 8 * 8;
    // arange(768) / 768, reshaped to (3, 8, 8, 4) and its last axis put first; noise is drawn in the order that is then.
    let place = |n: i32| f64::from(4 * (n % 192) + n / 192);
    let mut sample: Vec<f64> = (0..count).map(|n| place(n) / f64::from(count) * schedule.init_sigma).collect();
    let mut kept = vec![vec![0.0; sample.len()]; KEPT];
    let mut generator = Generator::new(0);
    for step in &schedule.steps {
        let noise = if step.noise { generator.normal(sample.len()) } else { Vec::new() };
        // Those tests go on with the scaled sample, which no pipeline does.
        sample.iter_mut().for_each(|x| *x *= step.input_scale);
        let prediction: Vec<f64> = sample.iter().map(|x| x * step.t / (step.t + 1.0)).collect();
        for sum in &step.sums {
            let value = |n: usize| {
                let term = |&(place, factor): &(Place, f64)| {
                    factor
                        * match place {
                            Place::Sample => sample[n],
                            Place::Prediction => prediction[n],
                            Place::Noise => f64::from(noise[n]),
                            Place::Kept(number) => kept[number][n],
                        }
                };
                let all = sum.terms.iter().map(term).sum::<f64>();
                if sum.clip > 0.0 { all.clamp(-sum.clip, sum.clip) } else { all }
            };
            let made: Vec<f64> = (0..sample.len()).map(value).collect();
            match sum.to {
                Place::Sample => sample = made,
                Place::Kept(number) => kept[number] = made,
                _ => panic!("a sum writes {:?}", sum.to),
            }
        }
    }
    sample
}

#[test]
fn sums_of_diffusers_scheduler_tests() {
    let sum = |config: &str, steps: usize| full_loop(config, steps).iter().map(|x| x.abs()).sum::<f64>();
    let check = |name: &str, got: f64, expected: f64, most: f64| {
        assert!((got - expected).abs() <= most, "{name}: {got} for {expected}");
    };
    let linear = r#""beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear""#;
    let euler = |more: &str| {
        format!(r#"{{"_class_name": "EulerDiscreteScheduler", "num_train_timesteps": 1100, {linear}{more}}}"#)
    };
    check("Euler", sum(&euler(""), 10), 10.0807, 1e-3);
    // In exact arithmetic this one is 0; what is published is the rounding of single precision.
    check("Euler, v", sum(&euler(r#", "prediction_type": "v_prediction""#), 10), 0.0002, 3e-4);
    check("Euler, karras", sum(&euler(r#", "use_karras_sigmas": true"#), 10), 124.523, 1e-2);
    let ddim = |more: &str| {
        format!(r#"{{"_class_name": "DDIMScheduler", "num_train_timesteps": 1000, "clip_sample": true, {more}}}"#)
    };
    check("DDIM", sum(&ddim(linear), 10), 172.0067, 1e-2);
    check("DDIM, v", sum(&ddim(&format!(r#"{linear}, "prediction_type": "v_prediction""#)), 10), 52.5302, 1e-2);
    let steep = r#""beta_start": 0.01, "beta_end": 0.02, "beta_schedule": "linear", "set_alpha_to_one": "#;
    check("DDIM, alpha one", sum(&ddim(&format!("{steep}true")), 10), 149.8295, 1e-2);
    check("DDIM, alpha first", sum(&ddim(&format!("{steep}false")), 10), 149.0784, 1e-2);
    let mean = |more: &str| {
        let config = format!(
            r#"{{"_class_name": "DPMSolverMultistepScheduler", "num_train_timesteps": 1000, "lower_order_final": false,
                 "final_sigmas_type": "sigma_min", {linear}{more}}}"#
        );
        sum(&config, 10) / 768.0
    };
    check("DPM++ 2M", mean(""), 0.3301, 1e-3);
    check("DPM++ 2M, v", mean(r#", "prediction_type": "v_prediction""#), 0.2251, 1e-3);
    let both = r#", "prediction_type": "v_prediction", "use_karras_sigmas": true"#;
    check("DPM++ 2M, v, karras", mean(both), 0.2096, 1e-3);
    let lcm = r#"{"_class_name": "LCMScheduler", "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012,
                  "beta_schedule": "scaled_linear"}"#;
    check("LCM, one step", sum(lcm, 1), 18.7097, 1e-3);
    check("LCM", sum(lcm, 10), 197.7616, 1e-2);
    let ancestral = |more: &str| {
        format!(r#"{{"_class_name": "EulerAncestralDiscreteScheduler", "num_train_timesteps": 1100, {linear}{more}}}"#)
    };
    check("Euler, ancestral", sum(&ancestral(""), 10), 152.3192, 1e-2);
    check("Euler, ancestral, v", sum(&ancestral(r#", "prediction_type": "v_prediction""#), 10), 108.4439, 1e-2);
    // Runge-Kutta's steps first, which Stable Diffusion leaves out.
    let pndm = |more: &str| format!(r#"{{"_class_name": "PNDMScheduler", "num_train_timesteps": 1000, {more}}}"#);
    check("PNDM", sum(&pndm(linear), 10), 198.1318, 1e-2);
    check("PNDM, v", sum(&pndm(&format!(r#"{linear}, "prediction_type": "v_prediction""#)), 10), 67.3986, 1e-2);
    check("PNDM, alpha one", sum(&pndm(&format!("{steep}true")), 10), 230.0399, 1e-2);
    check("PNDM, alpha first", sum(&pndm(&format!("{steep}false")), 10), 186.9482, 1e-2);
}

/// A safetensors file with a text of its header's names put for another.
fn renamed(bytes: &[u8], names: &[(&str, &str)]) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
    for (from, to) in names {
        assert!(header.contains(from), "{from}");
        header = header.replace(from, to);
    }
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes[8 + length..]].concat()
}

async fn all_pass(files: &MemoryFiles, kind: &str) {
    let (engine, control) = (CpuEngine::new("test"), Ticking::by(Duration::from_millis(2)));
    let outcomes = Golden::open(files, &engine, &control).await.unwrap().run(|wanted| wanted == kind).await;
    assert!(!outcomes.is_empty() && outcomes.iter().all(|outcome| outcome.pass), "{outcomes:?}");
}

#[test]
fn older_names_and_shards_are_read() {
    pollster::block_on(async {
        let prefix = [
            ("\"encoder.", "\"text_model.encoder."),
            ("\"embeddings.", "\"text_model.embeddings."),
            ("\"final_layer_norm.", "\"text_model.final_layer_norm."),
        ];
        let text = fixtures::files("flow", |path, bytes| {
            (path == "text_encoder/model.safetensors").then(|| renamed(bytes, &prefix))
        });
        all_pass(&text, "text_encoder").await;

        let old = [
            ("attentions.0.to_q.", "attentions.0.query."),
            ("attentions.0.to_k.", "attentions.0.key."),
            ("attentions.0.to_v.", "attentions.0.value."),
            ("attentions.0.to_out.0.", "attentions.0.proj_attn."),
        ];
        let coder = fixtures::files("sd1", |path, bytes| {
            (path == "vae/diffusion_pytorch_model.safetensors").then(|| renamed(bytes, &old))
        });
        all_pass(&coder, "vae_decode").await;
        all_pass(&coder, "vae_encode").await;

        let whole = fixtures::files("odd", |_, _| None);
        let mut shards = MemoryFiles::default();
        for path in ["golden.json", "golden.safetensors", "unet/config.json"] {
            let size = whole.size(path).await.unwrap().unwrap();
            shards.insert(path, whole.read(path, 0..size).await.unwrap());
        }
        let path = "unet/diffusion_pytorch_model.safetensors";
        let size = whole.size(path).await.unwrap().unwrap();
        let bytes = whole.read(path, 0..size).await.unwrap();
        // Two files with all tensors of which the index names one each: what matters is that both are opened.
        shards.insert("unet/part-1.safetensors", bytes.clone());
        shards.insert("unet/part-2.safetensors", bytes);
        let index = r#"{"weight_map": {"a": "part-1.safetensors", "b": "part-2.safetensors"}}"#;
        shards.insert("unet/diffusion_pytorch_model.safetensors.index.json", index.as_bytes().to_vec());
        all_pass(&shards, "unet").await;
    });
}
