//! How long the networks take that the figures are about, with weights of zeros: the work is the same.

use gradus::diffusion::autoencoder::Autoencoder;
use gradus::diffusion::config::Config;
use gradus::diffusion::graph::Graph;
use gradus::diffusion::plan::Plan;
use gradus::diffusion::unet::Unet;
use gradus::diffusion::weights::Weight;
use gradus::kernels::nn::Stored;
use gradus::kernels::{Control, Engine};

fn unet(shape: &str) -> Unet {
    let text = [
        r#"{"layers_per_block": 1, "norm_num_groups": 16, "use_linear_projection": true,
            "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"], "#,
        shape,
        "}",
    ]
    .concat();
    Unet::new(&Config::parse("unet/config.json", text.as_bytes()).unwrap()).unwrap()
}

/// The networks by name: a step of the embedded default and its decoder, and the UNet of 11 million parameters at a
/// latent of 32 × 32.
pub fn graphs() -> Vec<(&'static str, Graph)> {
    let tiny = r#"{"_class_name": "AutoencoderTiny", "latent_channels": 16, "num_encoder_blocks": [0, 1, 1, 1, 1],
                   "num_decoder_blocks": [3, 2, 2, 1, 0]}"#;
    let tiny = Autoencoder::new(&Config::parse("vae/config.json", tiny.as_bytes()).unwrap()).unwrap();
    let default = r#""block_out_channels": [96, 128, 160], "attention_head_dim": [3, 4, 5], "cross_attention_dim": 128,
                     "in_channels": 16, "out_channels": 16"#;
    let larger = r#""block_out_channels": [64, 128, 192], "attention_head_dim": [2, 4, 6], "cross_attention_dim": 192"#;
    vec![
        ("default_unet_step", unet(default).graph(2, [16, 16], 32).unwrap()),
        ("default_decode", tiny.decoder(1, [16, 16]).unwrap()),
        ("unet_11m_step", unet(larger).graph(2, [32, 32], 24).unwrap()),
    ]
}

/// The best of some runs in seconds, and the first, which makes pipelines and learns.
pub async fn time(
    graph: &Graph,
    engine: &dyn Engine,
    control: &dyn Control,
    runs: usize,
    seconds: impl Fn() -> f64,
) -> (f64, f64) {
    let weights: Vec<Weight> = graph
        .weights
        .iter()
        .map(|spec| Weight { buffer: engine.buffer("weight", spec.count()).unwrap(), stored: Stored::Floats })
        .collect();
    let plan = Plan::new(graph, engine, control, &weights, false).await.unwrap();
    let mut times = Vec::new();
    for _ in 0..=runs {
        let began = seconds();
        plan.run(engine, control).await.unwrap();
        times.push(seconds() - began);
    }
    (times[0], times[1..].iter().copied().fold(f64::MAX, f64::min))
}
