//! The networks of SD-Turbo and Stable Diffusion 1.5 at 512 × 512, built from their configurations with random weights:
//! each of their different kernel calls by itself, and the whole.

use std::time::Instant;

use gradus::diffusion::autoencoder::Autoencoder;
use gradus::diffusion::clip::Clip;
use gradus::diffusion::config::Config;
use gradus::diffusion::graph::{Bind, Graph, Step, Work};
use gradus::diffusion::plan::Plan;
use gradus::diffusion::unet::Unet;
use gradus::diffusion::weights::{Spec, Weight};
use gradus::kernels::nn::{self, Call, Stored};
use gradus::kernels::{Buffer, Dispatch};
use gradus::value::Error;

use super::{Bench, Numbers};
use crate::golden::quoted;

/// What tensors are filled with.
const PLAIN: Numbers = Numbers { halves: false, scale: 1.0, middle: 0.0 };

/// The side of a latent for 512 × 512 pixels.
const SIDE: usize = 64;

fn unet(differs: &str, pictures: usize) -> Result<Graph, Error> {
    let text = [
        r#"{"sample_size": 64, "in_channels": 4, "out_channels": 4, "block_out_channels": [320, 640, 1280, 1280],
            "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
            "layers_per_block": 2, "norm_num_groups": 32, "#,
        differs,
        "}",
    ];
    Unet::new(&Config::parse("config.json", text.concat().as_bytes())?)?.graph(pictures, [SIDE; 2], 77)
}

fn text(config: &str, texts: usize) -> Result<Graph, Error> {
    Clip::new(&Config::parse("config.json", config.as_bytes())?)?.graph(texts, 77)
}

fn decoder(config: &str, side: usize) -> Result<Graph, Error> {
    Autoencoder::new(&Config::parse("config.json", config.as_bytes())?)?.decoder(1, [side; 2])
}

/// Stable Diffusion's decoder.
const KL: &str = r#"{"_class_name": "AutoencoderKL", "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
    "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
    "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]}"#;

/// That decoder for 256 × 256 pixels, which a processor can be asked for.
pub(super) fn small() -> Result<Graph, Error> {
    decoder(KL, SIDE / 2)
}

const TINY: &str = r#"{"_class_name": "AutoencoderTiny"}"#;

/// What the networks of SD-Turbo and of Stable Diffusion 1.5 differ in.
const TURBO: &str =
    r#""attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024, "use_linear_projection": true"#;
const SD15: &str = r#""attention_head_dim": 8, "cross_attention_dim": 768"#;

/// Their text encoders.
const OPEN_CLIP_H: &str = r#"{"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23,
    "num_attention_heads": 16, "hidden_act": "gelu"}"#;
const CLIP_L: &str =
    r#"{"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}"#;

/// The networks by name.
pub(super) fn all() -> Result<Vec<(&'static str, Graph)>, String> {
    let made =
        [("turbo", unet(TURBO, 1)), ("tiny", decoder(TINY, SIDE)), ("kl", decoder(KL, SIDE)), ("sd15", unet(SD15, 1))];
    made.into_iter().map(|(name, graph)| Ok((name, graph.map_err(|error| error.to_string())?))).collect()
}

/// What a whole picture runs.
pub(super) struct Job {
    pub(super) name: &'static str,
    pub(super) text: Graph,
    pub(super) network: Graph,
    pub(super) steps: usize,
    pub(super) decoder: Graph,
}

/// Pictures as they are usually made: SD-Turbo's in one step and without guidance, with which Stable Diffusion reads two
/// texts and runs its network on a pair.
pub(super) fn jobs() -> Result<[Job; 2], Error> {
    Ok([
        Job {
            name: "SD-Turbo, 1 step",
            text: text(OPEN_CLIP_H, 1)?,
            network: unet(TURBO, 1)?,
            steps: 1,
            decoder: decoder(TINY, SIDE)?,
        },
        Job {
            name: "SD 1.5, 20 steps with guidance",
            text: text(CLIP_L, 2)?,
            network: unet(SD15, 2)?,
            steps: 20,
            decoder: decoder(KL, SIDE)?,
        },
    ])
}

/// The numbers that a weight is filled with: a sum over its inner dimension keeps its size.
fn numbers(spec: &Spec) -> Numbers {
    match spec {
        Spec::Packed { rows, taps, .. } => {
            Numbers { halves: true, scale: (3.0 / (rows.len() * taps).max(1) as f32).sqrt(), middle: 0.0 }
        }
        Spec::Affine { .. } => Numbers { halves: false, scale: 0.1, middle: 0.5 },
    }
}

fn words(spec: &Spec) -> usize {
    if matches!(spec, Spec::Packed { .. }) { spec.count() / 2 } else { spec.count() }
}

impl Bench {
    /// Measures a network: its parts, then the whole with each choice of variants.
    pub(super) async fn net(&self, name: &str, graph: &Graph) -> Result<(), String> {
        if graph.operations() <= self.most * 10.0 {
            self.whole(name, graph).await?;
        }
        for (step, times) in different(graph) {
            if step.operations <= self.most {
                self.part(name, graph, step, times).await?;
            }
        }
        Ok(())
    }

    /// What a step is bound to, filled.
    pub(super) async fn bound(&self, graph: &Graph, step: &Step) -> Result<Vec<Buffer>, String> {
        let mut buffers = Vec::new();
        for bind in &step.bind {
            buffers.push(match bind {
                Bind::Weight(id) => self.filled(words(&graph.weights[*id]), &numbers(&graph.weights[*id])).await?,
                other => self.filled(size(graph, other), &PLAIN).await?,
            });
        }
        Ok(buffers)
    }

    /// Measures one call of a network, with each variant that it has.
    async fn part(&self, net: &str, graph: &Graph, step: &Step, times: usize) -> Result<(), String> {
        let buffers = self.bound(graph, step).await?;
        let (what, calls): (String, Vec<Call>) = match &step.work {
            Work::Conv(shape) => {
                let [height, width] = shape.kernel;
                let what = format!(
                    "{height}x{width} {}x{} {}>{}{}",
                    shape.result[0],
                    shape.result[1],
                    shape.channels[0] + shape.channels[1],
                    shape.panels * 8,
                    if shape.upsample > 0 { " up" } else { "" }
                );
                let variants = nn::variants(self.engine.info());
                (what, variants.map(|variant| nn::conv(shape, Stored::Halves, variant)).collect())
            }
            Work::Attention(shape) => {
                let what = format!("{}x{} heads x{} keys {}", shape.queries, shape.heads, shape.size, shape.keys);
                // Wider heads would take many seconds without tiles.
                let alone = (shape.size <= 64).then(|| nn::attention(shape, false));
                (what, alone.into_iter().chain([nn::attention(shape, true)]).collect())
            }
            Work::Call(call) => (format!("{:?}", sizes(graph, step)), vec![call.clone()]),
        };
        for call in calls {
            self.line(net, &what, &call.on(buffers.clone()), step, times).await?;
        }
        Ok(())
    }

    async fn line(&self, net: &str, what: &str, dispatch: &Dispatch, step: &Step, times: usize) -> Result<(), String> {
        let took = self.time(dispatch).await?;
        let speed = step.operations / took;
        println!(
            "{{\"net\":{},\"kernel\":{},\"what\":{},\"times\":{times},\"us\":{:.1},\"tflops\":{:.2},\"share\":{:.3}}}",
            quoted(net),
            quoted(dispatch.kernel.name),
            quoted(what),
            took * 1e6,
            speed / 1e12,
            speed / self.peak
        );
        Ok(())
    }

    /// Milliseconds of the whole network.
    async fn whole(&self, name: &str, graph: &Graph) -> Result<(), String> {
        let told = |error: Error| error.to_string();
        let mut weights = Vec::new();
        for spec in &graph.weights {
            let buffer = self.filled(words(spec), &numbers(spec)).await?;
            let stored = if matches!(spec, Spec::Packed { .. }) { Stored::Halves } else { Stored::Floats };
            weights.push(Weight { buffer, stored });
        }
        for (variant, choices) in self.choices().await? {
            self.engine.choose(choices);
            let plan = Plan::new(graph, &*self.engine, &self.control, &weights, false).await.map_err(told)?;
            let inputs = (0..).map_while(|number| plan.input(number));
            for (_, buffer) in inputs.collect::<Vec<&(_, Buffer)>>() {
                self.fill(buffer, &PLAIN).await?;
            }
            let mut all = Vec::new();
            // The engine learns in the first runs how much it may submit at once.
            let start = Instant::now();
            while all.is_empty() || (all.len() < 9 && start.elapsed().as_secs_f64() < 1.5) {
                let began = Instant::now();
                plan.run(&*self.engine, &self.control).await.map_err(told)?;
                all.push(began.elapsed().as_secs_f64());
            }
            let result = plan.read(&*self.engine, 0).await.map_err(told)?;
            let finite = result.iter().all(|x| x.is_finite());
            let first = all[0];
            let mut later = all.split_off(all.len() / 2);
            later.sort_unstable_by(f64::total_cmp);
            let took = later[later.len() / 2];
            println!(
                "{{\"net\":{},\"variant\":\"{variant}\",\"choices\":\"{choices:?}\",\"ms\":{:.2},\"first_ms\":{:.2},\"tflops\":{:.2},\"share\":{:.3},\"finite\":{finite}}}",
                quoted(name),
                took * 1e3,
                first * 1e3,
                graph.operations() / took / 1e12,
                graph.operations() / took / self.peak
            );
        }
        Ok(())
    }
}

/// The different steps of a network, and how often it has each.
pub(super) fn different(graph: &Graph) -> Vec<(&Step, usize)> {
    let mut seen: Vec<(String, &Step, usize)> = Vec::new();
    for step in &graph.steps {
        let sizes = sizes(graph, step);
        let key = match &step.work {
            Work::Conv(shape) => format!("{shape:?} {sizes:?}"),
            Work::Attention(shape) => format!("{shape:?}"),
            Work::Call(call) => format!("{} {:?} {sizes:?}", call.kernel.name, call.params),
        };
        match seen.iter_mut().find(|(known, ..)| *known == key) {
            Some((_, _, times)) => *times += 1,
            None => seen.push((key, step, 1)),
        }
    }
    seen.into_iter().map(|(_, step, times)| (step, times)).collect()
}

/// Floats of all that a step is bound to.
pub(super) fn sizes(graph: &Graph, step: &Step) -> Vec<usize> {
    step.bind.iter().map(|bind| size(graph, bind)).collect()
}

/// Floats of what a step is bound to.
fn size(graph: &Graph, bind: &Bind) -> usize {
    match bind {
        Bind::Node(id) => graph.nodes[*id].rows() * graph.nodes[*id].lanes(),
        Bind::Weight(id) => graph.weights[*id].count(),
        Bind::Nothing(_) => 4,
    }
}
