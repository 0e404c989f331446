//! How long the networks take that the figures are about, with weights of zeros: the work is the same.

use gradus::diffusion::autoencoder::Autoencoder;
use gradus::diffusion::config::Config;
use gradus::diffusion::graph::Graph;
use gradus::diffusion::plan::Plan;
use gradus::diffusion::unet::Unet;
use gradus::diffusion::weights::Weight;
use gradus::kernels::nn::Stored;
use gradus::kernels::{Control, Engine};

fn unet(cross: usize) -> Unet {
    let text = [
        r#"{"block_out_channels": [64, 128, 192], "layers_per_block": 1, "norm_num_groups": 16,
            "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
            "attention_head_dim": [2, 4, 6], "use_linear_projection": true, "cross_attention_dim": "#,
        if cross == 128 { "128}" } else { "192}" },
    ]
    .concat();
    Unet::new(&Config::parse("unet/config.json", text.as_bytes()).unwrap()).unwrap()
}

/// The networks by name: a step of the embedded default and its decoder, and the UNet of 11 million parameters at a
/// latent of 32 × 32.
pub fn graphs() -> Vec<(&'static str, Graph)> {
    let tiny = r#"{"_class_name": "AutoencoderTiny", "encoder_block_out_channels": [32, 32, 32, 32],
                   "decoder_block_out_channels": [32, 32, 32, 32], "num_decoder_blocks": [4, 3, 1, 1]}"#;
    let tiny = Autoencoder::new(&Config::parse("vae/config.json", tiny.as_bytes()).unwrap()).unwrap();
    vec![
        ("default_unet_step", unet(128).graph(2, [16, 16], 32).unwrap()),
        ("default_decode", tiny.decoder(1, [16, 16]).unwrap()),
        ("unet_11m_step", unet(192).graph(2, [32, 32], 24).unwrap()),
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
    let plan = Plan::new(graph, engine, &weights, false).unwrap();
    let mut times = Vec::new();
    for _ in 0..=runs {
        let began = seconds();
        plan.run(engine, control).await.unwrap();
        times.push(seconds() - began);
    }
    (times[0], times[1..].iter().copied().fold(f64::MAX, f64::min))
}
