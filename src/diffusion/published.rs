//! What diffusers' own tests publish of single layers (tests/models/test_layers_utils.py): nine numbers of an output each.
//!
//! The weights are torch's, by `tests/fixtures/layers.py`; the inputs come from the seed again, by our generator.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use gradus_cpu::nn::math::Activation;

use super::blocks::{Attention, attend, attention_block, resnet};
use super::graph::{Conv, Graph, Node};
use super::noise::Generator;
use super::plan::Plan;
use super::safetensors::Tensors;
use super::weights::{self, Meter, Precision};
use crate::kernels::cpu::CpuEngine;
use crate::kernels::{Control, Recording};
use crate::ports::Observer;
use crate::ports::memory::MemoryFiles;
use crate::value::{NoteLevel, Picture, Progress, Time};

/// Diffusers' default number of groups, and its layers' epsilon.
const NORM: (usize, f32) = (32, 1e-6);

pub(super) struct Nobody;

impl Control for Nobody {
    fn now(&self) -> Time {
        Time::ZERO
    }

    fn checkpoint(&self) -> LocalBoxFuture<'_, ()> {
        std::future::ready(()).boxed_local()
    }
}

impl Observer for Nobody {
    fn progress(&self, _: Progress) {}

    fn wants_preview(&self) -> bool {
        false
    }

    fn preview(&self, _: Picture) {}

    fn note(&self, _: NoteLevel, _: String) {}
}

/// Runs a layer with these weights on inputs; the last three numbers of the last three rows of the last channel, as
/// diffusers cuts them.
fn slice(file: &'static [u8], build: impl FnOnce(&mut Graph) -> Node, inputs: &[Vec<f32>], text: bool) -> Vec<f32> {
    let mut graph = Graph::default();
    let result = build(&mut graph);
    graph.output(result);
    let graph = graph.finish().unwrap();
    let mut files = MemoryFiles::default();
    files.insert("layer.safetensors", file);
    let engine = CpuEngine::new("test");
    let run = async {
        let tensors = Tensors::open(&files, "", "layer").await.unwrap();
        let mut meter = Meter::new(&Nobody, 1, 0);
        let specs = &graph.weights;
        let loaded = weights::load(specs, &tensors, Precision::AsStored, &files, &engine, &Nobody, &mut meter).await;
        let plan = Plan::new(&graph, &engine, &Nobody, &loaded.unwrap(), false).await.unwrap();
        let mut recording = Recording::new();
        for (number, values) in inputs.iter().enumerate() {
            plan.write(&mut recording, number, values).unwrap();
        }
        if text {
            plan.write(&mut recording, inputs.len(), &tensors.read(&files, "text").await.unwrap()).unwrap();
        }
        crate::kernels::Engine::run(&engine, &recording, &Nobody).await.unwrap();
        plan.run(&engine, &Nobody).await.unwrap();
        let all = plan.read(&engine, 0).await.unwrap();
        let last = &all[all.len() - result.height * result.width..];
        let rows = last.chunks_exact(result.width).skip(result.height - 3);
        rows.flat_map(|row| &row[result.width - 3..]).copied().collect()
    };
    // Nothing here has to be waited for.
    run.now_or_never().unwrap()
}

fn check(got: &[f32], published: [f32; 9]) {
    // They are published with four digits.
    let apart = got.iter().zip(published).map(|(got, published)| (got - published).abs()).fold(0.0, f32::max);
    assert!(got.len() == 9 && apart < 1e-4, "{got:?} instead of {published:?}");
}

fn weights_of(name: &str) -> &'static [u8] {
    match name {
        "resnet" => include_bytes!("../../tests/fixtures/layers/resnet.safetensors"),
        "upsample" => include_bytes!("../../tests/fixtures/layers/upsample.safetensors"),
        "downsample" => include_bytes!("../../tests/fixtures/layers/downsample.safetensors"),
        "alone" => include_bytes!("../../tests/fixtures/layers/alone.safetensors"),
        _ => include_bytes!("../../tests/fixtures/layers/across.safetensors"),
    }
}

#[test]
fn a_residual_block() {
    let mut torch = Generator::new(0);
    let sample = torch.normal(32 * 64 * 64);
    // The network applies SiLU to the time once for all of its blocks.
    let time = torch.normal(128).into_iter().map(|t| t / (1.0 + (-t).exp())).collect();
    let build = |g: &mut Graph| {
        let (source, time) = (g.input(1, [64, 64], 32), g.input_text(1, 1, 128));
        resnet(g, source, None, "layer", 32, NORM, Some(time))
    };
    let got = slice(weights_of("resnet"), build, &[sample, time], false);
    check(&got, [-1.9010, -0.2974, -0.8245, -1.3533, 0.8742, -0.9645, -2.0584, 1.3387, -0.4746]);
}

#[test]
fn upsampling_and_downsampling() {
    let sample = Generator::new(0).normal(32 * 32 * 32);
    let build = |g: &mut Graph| {
        let source = g.input(1, [32, 32], 32);
        g.conv(source, &Conv { grow: Some([64, 64]), ..Conv::square("layer.conv", 32) })
    };
    let got = slice(weights_of("upsample"), build, &[sample], false);
    check(&got, [0.7145, 1.3773, 0.3492, 0.8448, 1.0839, -0.3341, 0.5956, 0.1250, -0.4841]);
    let sample = Generator::new(0).normal(32 * 64 * 64);
    let build = |g: &mut Graph| {
        let source = g.input(1, [64, 64], 32);
        g.conv(source, &Conv { stride: 2, ..Conv::square("layer.conv", 32) })
    };
    let got = slice(weights_of("downsample"), build, &[sample], false);
    check(&got, [0.9267, 0.5878, 0.3337, 1.2321, -0.1191, -0.3984, -0.7532, -0.0715, -0.3913]);
}

#[test]
fn a_transformer_that_reads_a_text() {
    let sample = Generator::new(0).normal(64 * 64 * 64);
    let build = |g: &mut Graph| {
        let (source, text) = (g.input(1, [64, 64], 64), g.input_text(1, 4, 64));
        attention_block(g, source, text, "layer", &Attention { heads: 2, depth: 1, groups: 32 })
    };
    let got = slice(weights_of("across"), build, &[sample], true);
    check(&got, [0.0143, -0.6909, -2.1547, -1.8893, 1.4097, 0.1359, -0.2521, -1.3359, 0.2598]);
}

/// No network that we run has one without a text, so it is put together from the same parts.
#[test]
fn a_transformer_alone() {
    let sample = Generator::new(0).normal(32 * 64 * 64);
    let build = |g: &mut Graph| {
        let source = g.input(1, [64, 64], 32);
        let normed = g.group_norm(source, None, "layer.norm", NORM, false);
        let h = g.conv(normed, &Conv::linear("layer.proj_in", 32));
        let normed = g.layer_norm(h, "layer.transformer_blocks.0.norm1", 1e-5);
        let h = attend(g, normed, normed, h, "layer.transformer_blocks.0.attn1", 32, false);
        let normed = g.layer_norm(h, "layer.transformer_blocks.0.norm3", 1e-5);
        let gate = Conv::linear("layer.transformer_blocks.0.ff.net.0.proj", 32 * 8);
        let gated = g.conv(normed, &Conv { activation: Activation::Geglu, ..gate });
        let h = g.conv(gated, &Conv { add: Some(h), ..Conv::linear("layer.transformer_blocks.0.ff.net.2", 32) });
        g.conv(h, &Conv { add: Some(source), ..Conv::linear("layer.proj_out", 32) })
    };
    let got = slice(weights_of("alone"), build, &[sample], false);
    check(&got, [-1.9455, -0.0066, -1.3933, -1.5878, 0.5325, -0.6486, -1.8648, 0.7515, -0.9689]);
}
