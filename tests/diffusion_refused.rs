//! What a checkpoint's configurations may not say: each is refused by the field's name, before anything large is read.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
mod support;

use std::rc::Rc;
use std::time::Duration;

use gradus::diffusion::Pipeline;
use gradus::diffusion::config::Config;
use gradus::diffusion::tokenizer::Tokenizer;
use gradus::diffusion::unet::Unet;
use gradus::kernels::cpu::CpuEngine;
use support::Ticking;
use support::watcher::Watcher;

fn control() -> Ticking {
    Ticking::by(Duration::from_millis(2))
}

#[test]
fn fields_that_nobody_here_knows_are_refused_by_their_name() {
    pollster::block_on(async {
        let paths = [
            ("sd1", "unet/config.json"),
            ("sd1", "vae/config.json"),
            ("flow", "vae/config.json"),
            ("flow", "text_encoder/config.json"),
            ("flow", "scheduler/scheduler_config.json"),
        ];
        let cases = paths.map(|(fixture, path)| (fixture, path, "a_new_field", "1.5"));
        let of_samplers = [
            ("use_beta_sigmas", "true"),
            ("thresholding", "true"),
            ("trained_betas", "[0.1, 0.2]"),
            ("sigma_max", "80"),
            ("lambda_min_clipped", "-5.1"),
        ];
        let of_samplers = of_samplers.map(|(key, value)| ("sd1", "scheduler/scheduler_config.json", key, value));
        for (fixture, path, key, value) in cases.into_iter().chain(of_samplers) {
            let files = fixtures::files(fixture, |name, bytes| {
                let text = std::str::from_utf8(bytes).unwrap_or_default();
                // The first of two fields of one name counts.
                (name == path).then(|| text.replacen('{', &format!("{{\"{key}\": {value},"), 1).into_bytes())
            });
            let engine = CpuEngine::new("test");
            let loaded = Pipeline::load(Rc::new(files), &engine, &control(), &Watcher::default()).await;
            let why = loaded.err().map(|error| error.message().to_owned()).unwrap_or_default();
            assert!(why.contains(path) && why.contains(key), "{path} with {key}: {why}");
        }
    });
}

#[test]
fn what_a_pipeline_or_a_tokenizer_says_beside_is_refused_with_its_name() {
    pollster::block_on(async {
        let engine = CpuEngine::new("test");
        let cases = [
            (
                "model_index.json",
                "\"unet\": [",
                "\"controlnet\": [\"diffusers\", \"ControlNetModel\"], \"unet\": [",
                "controlnet",
            ),
            ("model_index.json", "\"_class_name\": \"", "\"_class_name\": \"Kandinsky", "_class_name"),
            ("model_index.json", "\"StableDiffusionPipeline", "\"StableDiffusion3Pipeline", "_class_name"),
            ("model_index.json", "UNet2DConditionModel", "UNet3DConditionModel", "unet"),
            ("model_index.json", "\"AutoencoderKL\"", "\"VQModel\"", "vae"),
            ("model_index.json", "\"CLIPTextModel\"", "\"T5EncoderModel\"", "text_encoder"),
            ("model_index.json", "\"CLIPTokenizer\"", "\"T5Tokenizer\"", "tokenizer"),
            ("unet/config.json", "UNet2DConditionModel", "UNet3DConditionModel", "_class_name"),
            ("unet/config.json", "\"conv_out_kernel\": 3", "\"conv_out_kernel\": 4", "conv_out_kernel"),
            ("unet/config.json", "\"conv_in_kernel\": 3", "\"conv_in_kernel\": 4", "conv_in_kernel"),
            ("unet/config.json", "    8\n", "    1026\n", "attention_head_dim"),
            ("vae/config.json", "    8\n", "    1024\n", "block_out_channels"),
            ("text_encoder/config.json", "\"CLIPTextModel\"", "\"CLIPModel\"", "architectures"),
            ("text_encoder/config.json", "clip_text_model", "clip_vision_model", "model_type"),
            (
                "tokenizer/tokenizer_config.json",
                "\"bos_token\": \"<|startoftext|>",
                "\"bos_token\": \"<s>",
                "bos_token",
            ),
            ("tokenizer/tokenizer_config.json", "\"eos_token\": \"<|endoftext|>", "\"eos_token\": \"</s>", "eos_token"),
            ("model_index.json", "\"unet\": [", "\"is_magic\": true, \"unet\": [", "is_magic"),
            ("tokenizer/tokenizer_config.json", "CLIPTokenizer", "T5Tokenizer", "tokenizer_class"),
            ("tokenizer/tokenizer_config.json", "{", "{\"do_lower_case\": false, ", "do_lower_case"),
            ("tokenizer/tokenizer_config.json", "{", "{\"add_magic\": true, ", "add_magic"),
        ];
        let two = ("text_encoder_2/config.json", "\"max_position_embeddings\": 11", "\"max_position_embeddings\": 12");
        let files = fixtures::files("xl", |name, bytes| {
            (name == two.0).then(|| String::from_utf8(bytes.to_vec()).unwrap().replacen(two.1, two.2, 1).into_bytes())
        });
        let refused = Pipeline::load(Rc::new(files), &engine, &control(), &Watcher::default()).await.err().unwrap();
        assert!(refused.message().contains("max_position_embeddings"), "{refused}");
        for (path, from, to, field) in cases {
            let files = fixtures::files("sd1", |name, bytes| {
                (name == path).then(|| String::from_utf8(bytes.to_vec()).unwrap().replacen(from, to, 1).into_bytes())
            });
            let refused = Pipeline::load(Rc::new(files), &engine, &control(), &Watcher::default()).await.err().unwrap();
            assert!(refused.message().contains(field) && refused.message().contains(path), "{field}: {refused}");
        }
        for (from, to, field) in [("\"BPE\"", "\"Unigram\"", "`type`"), ("\"</w>\"", "\"##\"", "`end_of_word_suffix`")]
        {
            let files = fixtures::files("words", |name, bytes| {
                (name == "tokenizer_json/tokenizer.json")
                    .then(|| String::from_utf8(bytes.to_vec()).unwrap().replacen(from, to, 1).into_bytes())
            });
            let refused = Tokenizer::read(&files, "tokenizer_json").await.err().unwrap();
            assert!(refused.message().contains(field), "{refused}");
        }
        // A checker of pictures, as real checkpoints have one, and what newer tokenizers write, change nothing.
        let files = fixtures::files("sd1", |name, bytes| {
            let text = |from: &str, to: &str| {
                Some(String::from_utf8(bytes.to_vec()).unwrap().replacen(from, to, 1).into_bytes())
            };
            match name {
                // Chance in the training is none in a picture.
                "unet/config.json" => text("\"dropout\": 0.0", "\"dropout\": 0.1"),
                "model_index.json" => text(
                    "\"unet\": [",
                    "\"safety_checker\": [\"stable_diffusion\", \"Checker\"], \"image_encoder\": [null, null], \"unet\": [",
                ),
                "tokenizer/tokenizer_config.json" => text("{", "{\"add_prefix_space\": false, \"use_fast\": true, "),
                _ => None,
            }
        });
        assert!(Pipeline::load(Rc::new(files), &engine, &control(), &Watcher::default()).await.is_ok());
    });
}

#[test]
fn a_network_of_more_channels_than_the_most_is_refused_by_their_name_and_one_of_the_most_is_not() {
    let of = |key: &str, value: usize| {
        // The first of two fields of one name counts.
        let text = format!(
            r#"{{"{key}": {value}, "down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"],
                "mid_block_type": "UNetMidBlock2D", "block_out_channels": [32]}}"#
        );
        Unet::new(&Config::parse("unet/config.json", text.as_bytes()).unwrap())
    };
    for key in ["block_out_channels", "in_channels", "out_channels", "cross_attention_dim"] {
        assert!(of(key, 8192).is_ok(), "{key}");
        let why = of(key, 8193).unwrap_err();
        let all = ["unet/config.json", key, "8192"];
        assert!(all.iter().all(|word| why.message().contains(word)), "{key}: {why}");
    }
}
