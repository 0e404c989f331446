//! What diffusers' own tests publish of single layers (tests/models/test_layers_utils.py): nine numbers of an output each,
//! held to on any engine.
//!
//! The weights are torch's, by `tests/fixtures/layers.py`; the inputs come from the seed again, by our generator.

use gradus::diffusion::Precision;
use gradus::diffusion::blocks::{Attention, attend, attention_block, resnet};
use gradus::diffusion::graph::{Conv, Graph, Node};
use gradus::diffusion::noise::Generator;
use gradus::diffusion::plan::Plan;
use gradus::diffusion::safetensors::Tensors;
use gradus::diffusion::weights::{self, Meter};
use gradus::kernels::{Control, Engine, Recording};
use gradus::ports::memory::MemoryFiles;
use gradus_cpu::nn::math::Activation;

use crate::support::watcher::Watcher;

/// Diffusers' default number of groups, and its layers' epsilon.
const NORM: (usize, f32) = (32, 1e-6);

/// A layer, the shape of the tensors that are drawn for it, and what is published of its output.
struct Layer {
    name: &'static str,
    weights: &'static [u8],
    /// Channels and the side of the picture that it reads.
    source: (usize, usize),
    build: fn(&mut Graph, Node) -> Node,
    published: [f32; 9],
}

const LAYERS: [Layer; 5] = [
    Layer {
        name: "a residual block",
        weights: include_bytes!("../fixtures/layers/resnet.safetensors"),
        source: (32, 64),
        build: |g, source| {
            let time = g.input_text(1, 1, 128);
            resnet(g, source, None, "layer", 32, NORM, Some(time))
        },
        published: [-1.9010, -0.2974, -0.8245, -1.3533, 0.8742, -0.9645, -2.0584, 1.3387, -0.4746],
    },
    Layer {
        name: "upsampling",
        weights: include_bytes!("../fixtures/layers/upsample.safetensors"),
        source: (32, 32),
        build: |g, source| g.conv(source, &Conv { grow: Some([64, 64]), ..Conv::square("layer.conv", 32) }),
        published: [0.7145, 1.3773, 0.3492, 0.8448, 1.0839, -0.3341, 0.5956, 0.1250, -0.4841],
    },
    Layer {
        name: "downsampling",
        weights: include_bytes!("../fixtures/layers/downsample.safetensors"),
        source: (32, 64),
        build: |g, source| g.conv(source, &Conv { stride: 2, ..Conv::square("layer.conv", 32) }),
        published: [0.9267, 0.5878, 0.3337, 1.2321, -0.1191, -0.3984, -0.7532, -0.0715, -0.3913],
    },
    Layer {
        name: "a transformer that reads a text",
        weights: include_bytes!("../fixtures/layers/across.safetensors"),
        source: (64, 64),
        build: |g, source| {
            let text = g.input_text(1, 4, 64);
            attention_block(g, source, text, "layer", &Attention { heads: 2, depth: 1, groups: 32 })
        },
        published: [0.0143, -0.6909, -2.1547, -1.8893, 1.4097, 0.1359, -0.2521, -1.3359, 0.2598],
    },
    // No network that we run has one without a text, so it is put together from the same parts.
    Layer {
        name: "a transformer alone",
        weights: include_bytes!("../fixtures/layers/alone.safetensors"),
        source: (32, 64),
        build: |g, source| {
            let normed = g.group_norm(source, None, "layer.norm", NORM, false);
            let h = g.conv(normed, &Conv::linear("layer.proj_in", 32));
            let normed = g.layer_norm(h, "layer.transformer_blocks.0.norm1", 1e-5);
            let h = attend(g, normed, normed, h, "layer.transformer_blocks.0.attn1", 32, false);
            let normed = g.layer_norm(h, "layer.transformer_blocks.0.norm3", 1e-5);
            let gate = Conv::linear("layer.transformer_blocks.0.ff.net.0.proj", 32 * 8);
            let gated = g.conv(normed, &Conv { activation: Activation::Geglu, ..gate });
            let h = g.conv(gated, &Conv { add: Some(h), ..Conv::linear("layer.transformer_blocks.0.ff.net.2", 32) });
            g.conv(h, &Conv { add: Some(source), ..Conv::linear("layer.proj_out", 32) })
        },
        published: [-1.9455, -0.0066, -1.3933, -1.5878, 0.5325, -0.6486, -1.8648, 0.7515, -0.9689],
    },
];

/// All layers; asserts that each gives what is published.
pub async fn layers(engine: &dyn Engine, control: &dyn Control) {
    for layer in LAYERS {
        let got = slice(&layer, engine, control).await;
        // They are published with four digits.
        let apart = |(got, published): (&f32, f32)| (got - published).abs() < 1e-4;
        let same = got.len() == 9 && got.iter().zip(layer.published).all(apart);
        assert!(same, "{} on {:?}: {got:?} instead of {:?}", layer.name, engine.info(), layer.published);
    }
}

/// Runs a layer on what torch would draw; the last three numbers of the last three rows of the last channel, as diffusers
/// cuts them.
async fn slice(layer: &Layer, engine: &dyn Engine, control: &dyn Control) -> Vec<f32> {
    let (channels, side) = layer.source;
    let mut graph = Graph::default();
    let source = graph.input(1, [side; 2], channels);
    let result = (layer.build)(&mut graph, source);
    graph.output(result);
    let graph = graph.finish().unwrap();
    let mut files = MemoryFiles::default();
    files.insert("layer.safetensors", layer.weights);
    let tensors = Tensors::open(&files, "", "layer").await.unwrap();
    let watcher = Watcher::default();
    let mut meter = Meter::new(&watcher, 1, 0);
    let specs = &graph.weights;
    let weights =
        weights::load(specs, &tensors, Precision::AsStored, &files, engine, control, &mut meter).await.unwrap();
    let plan = Plan::new(&graph, engine, control, &weights, false).await.unwrap();
    let mut recording = Recording::new();
    let mut torch = Generator::new(0);
    plan.write(&mut recording, 0, &torch.normal(channels * side * side)).unwrap();
    if let Some((second, _)) = plan.input(1) {
        let values = match tensors.get("text") {
            Some(_) => tensors.read(&files, "text").await.unwrap(),
            // The network applies SiLU to the time once for all of its blocks.
            None => torch.normal(second.channels).into_iter().map(|t| t / (1.0 + (-t).exp())).collect(),
        };
        plan.write(&mut recording, 1, &values).unwrap();
    }
    engine.run(&recording, control).await.unwrap();
    plan.run(engine, control).await.unwrap();
    let all = plan.read(engine, 0).await.unwrap();
    let last = &all[all.len() - result.height * result.width..];
    let rows = last.chunks_exact(result.width).skip(result.height - 3);
    rows.flat_map(|row| &row[result.width - 3..]).copied().collect()
}
