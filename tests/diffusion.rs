//! Diffusion against diffusers itself: the golden folders of tests/fixtures/diffusion on both native engines.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
#[path = "support/golden.rs"]
mod golden;
mod support;

use std::time::Duration;

use golden::{Golden, IN_HALVES_BY_SUBGROUPS};
use gradus::diffusion::Precision;
use gradus::diffusion::graph::{Bind, Graph, Node, Step, Work};
use gradus::diffusion::json::Json;
use gradus::diffusion::weights::Spec;
use gradus::gpu;
use gradus::kernels::nn::{self, FLOATS, TileChoices};
use gradus::kernels::{Engine, cpu::CpuEngine};
use gradus_cpu::nn::conv::Shape;
use support::Ticking;
use support::tensor_file::{self, Entry};

const FIXTURES: [&str; 12] =
    ["flow", "sd1", "odd", "lcm", "blocks", "eight", "fill", "lora", "rules", "sgm", "words", "deep"];

async fn all_pass(engine: &dyn Engine) {
    those_pass(engine, |_| true, None).await;
}

/// Cases of these kinds pass, and pipelines in halves within this limit where one is given.
async fn those_pass(engine: &dyn Engine, wanted: fn(&str) -> bool, pipelines_in_halves: Option<f64>) {
    let control = Ticking::by(Duration::from_millis(2));
    let mut failed = Vec::new();
    let mut count = 0;
    // Kept as they are in the file, 8-bit blocks mean the very same numbers.
    let all = FIXTURES.map(|name| (name, Precision::AsStored)).into_iter();
    for (name, precision) in all.chain([("blocks", Precision::EightBit), ("eight", Precision::EightBit)]) {
        let files = fixtures::files(name, |_, _| None);
        let mut golden = Golden::open(&files, engine, &control).await.unwrap();
        golden.precision = precision;
        golden.pipelines_in_halves = pipelines_in_halves.unwrap_or(golden.pipelines_in_halves);
        let exact = |kind: &str| wanted(kind) && (precision == Precision::AsStored || kind != "unet_f16_weights");
        for outcome in golden.run(exact).await {
            count += 1;
            println!("{name} {outcome:?}");
            if !outcome.pass {
                failed.push(format!("{name} {outcome:?}"));
            }
        }
    }
    assert!(count > 40, "only {count} cases");
    assert!(failed.is_empty(), "{} of {count} cases:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn cpu_engine_agrees_with_diffusers() {
    pollster::block_on(all_pass(&CpuEngine::new("test")));
}

#[test]
fn gpu_engine_agrees_with_diffusers() {
    pollster::block_on(async {
        let engine = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        all_pass(&engine).await;
    });
}

/// A software adapter is given the tiles without a barrier; these are what a real GPU may be given. Pipelines are the same
/// networks again, ten times over.
#[test]
fn gpu_engine_agrees_with_diffusers_by_its_other_tiles() {
    pollster::block_on(async {
        let engine = gpu::probe().await.expect("a Vulkan adapter").without_subgroups().open().await.unwrap();
        for variant in 1..FLOATS {
            engine.choose(TileChoices::all(variant));
            those_pass(&engine, |kind| !["pipeline", "tokenize", "randn"].contains(&kind), None).await;
        }
    });
}

#[test]
fn gpu_engine_in_halves_agrees_as_far_as_halves_can() {
    pollster::block_on(async {
        let engine = gpu::probe().await.expect("a Vulkan adapter").without_subgroups().open().await.unwrap();
        let variants = FLOATS..nn::variants(engine.info()).end;
        println!("{{\"variants_in_halves\":{}}}", variants.len());
        for variant in variants {
            engine.choose(TileChoices::all(variant));
            all_pass(&engine).await;
        }
    });
}

/// The smaller tiles in halves, whose pipelines are the farthest off.
#[test]
fn gpu_engine_in_halves_and_by_subgroups_agrees_as_far_as_halves_can() {
    pollster::block_on(async {
        let engine = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        if let Some(smallest) = nn::variants(engine.info()).last().filter(|&variant| variant >= FLOATS) {
            engine.choose(TileChoices::all(smallest));
            those_pass(&engine, |_| true, Some(IN_HALVES_BY_SUBGROUPS)).await;
        }
    });
}

/// A fault: its name, the fixture, what it does to files or networks, and the kind of case that must notice it.
struct Fault {
    name: &'static str,
    fixture: &'static str,
    file: fn(&str, &[u8]) -> Option<Vec<u8>>,
    graph: Option<fn(&mut Graph)>,
    kind: &'static str,
}

/// The file with one text put for another, when it is the file meant; the length stays where it must.
fn replaced(path: &str, wanted: &str, bytes: &[u8], from: &str, to: &str) -> Option<Vec<u8>> {
    if path != wanted {
        return None;
    }
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes());
    let at = at.unwrap_or_else(|| panic!("{wanted} has no {from:?}"));
    Some([&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat())
}

/// The file with two names of its header in each other's place, when it is the file meant.
fn swapped(path: &str, wanted: &str, bytes: &[u8], names: [&str; 2]) -> Option<Vec<u8>> {
    if path != wanted {
        return None;
    }
    let mut bytes = bytes.to_vec();
    let places = names.map(|name| {
        let at = |(at, window): (usize, &[u8])| (window == name.as_bytes()).then_some(at);
        bytes.windows(name.len()).enumerate().filter_map(at).collect::<Vec<_>>()
    });
    assert!(!places[0].is_empty() && places[0].len() == places[1].len(), "{names:?}");
    for (places, name) in places.iter().zip([names[1], names[0]]) {
        places.iter().for_each(|&at| bytes[at..at + name.len()].copy_from_slice(name.as_bytes()));
    }
    Some(bytes)
}

fn each_conv(graph: &mut Graph, change: impl Fn(&mut Shape, &mut Vec<Bind>)) {
    for step in &mut graph.steps {
        if let Work::Conv(shape) = &mut step.work {
            change(shape, &mut step.bind);
        }
    }
}

/// The golden of "odd" as GELU's approximation by tanh would have it, which no configuration can ask for.
fn by_tanh(path: &str, _: &[u8]) -> Option<Vec<u8>> {
    (path == "golden.safetensors").then(|| include_bytes!("fixtures/faults/tanh.safetensors").to_vec())
}

const FAULTS: [Fault; 18] = [
    Fault {
        name: "epsilon of the norms",
        fixture: "flow",
        file: |path, bytes| replaced(path, "unet/config.json", bytes, "\"norm_eps\": 1e-05", "\"norm_eps\": 1e-06"),
        graph: None,
        kind: "unet",
    },
    Fault {
        name: "epsilon of the transformers' norms",
        fixture: "flow",
        file: |_, _| None,
        graph: Some(|graph| {
            for step in &mut graph.steps {
                if let Work::Call(call) = &mut step.work
                    && call.kernel.name == "group-norm"
                    && call.params[28..32] == [0; 4]
                {
                    call.params[32..36].copy_from_slice(&1e-5f32.to_le_bytes());
                }
            }
        }),
        kind: "unet",
    },
    Fault {
        name: "number of heads",
        fixture: "sd1",
        file: |path, bytes| {
            replaced(path, "unet/config.json", bytes, "\"attention_head_dim\": 2", "\"attention_head_dim\": 1")
        },
        graph: None,
        kind: "unet",
    },
    Fault {
        name: "sines before cosines",
        fixture: "flow",
        file: |path, bytes| {
            replaced(path, "unet/config.json", bytes, "\"flip_sin_to_cos\": true", "\"flip_sin_to_cos\": false")
        },
        graph: None,
        kind: "unet",
    },
    Fault {
        name: "number of groups",
        fixture: "flow",
        file: |path, bytes| {
            replaced(path, "unet/config.json", bytes, "\"norm_num_groups\": 4", "\"norm_num_groups\": 2")
        },
        graph: None,
        kind: "unet",
    },
    Fault {
        name: "order of the skips",
        fixture: "flow",
        file: |_, _| None,
        // The skips of equal shape, the other way round.
        graph: Some(|graph| {
            let second = |step: &Step| match (&step.work, step.bind.get(1)) {
                (Work::Conv(_), Some(&Bind::Node(id))) => Some(id),
                _ => None,
            };
            let skips: Vec<usize> = graph.steps.iter().filter_map(second).collect();
            let same = |a: usize, b: usize| Node { id: 0, ..graph.nodes[a] } == Node { id: 0, ..graph.nodes[b] };
            let pairs: Vec<(usize, usize)> =
                skips.windows(2).filter(|two| same(two[0], two[1])).map(|two| (two[0], two[1])).collect();
            let (a, b) = *pairs.first().expect("two skips of one shape");
            for step in &mut graph.steps {
                match step.bind.get_mut(1) {
                    Some(Bind::Node(id)) if *id == a => *id = b,
                    Some(Bind::Node(id)) if *id == b => *id = a,
                    _ => {}
                }
            }
        }),
        kind: "unet",
    },
    Fault {
        name: "side of the padding",
        fixture: "sd1",
        file: |_, _| None,
        graph: Some(|graph| {
            each_conv(graph, |shape, _| {
                if shape.stride == 2 {
                    shape.padding = [1 - shape.padding[0]; 2];
                }
            })
        }),
        kind: "vae_encode",
    },
    Fault {
        name: "scaling factor",
        fixture: "sd1",
        file: |path, bytes| {
            replaced(path, "vae/config.json", bytes, "\"scaling_factor\": 0.18215", "\"scaling_factor\": 0.18")
        },
        graph: None,
        kind: "pipeline",
    },
    Fault {
        name: "time off by one",
        fixture: "sd1",
        file: |path, bytes| {
            replaced(path, "scheduler/scheduler_config.json", bytes, "\"steps_offset\": 1", "\"steps_offset\": 0")
        },
        graph: None,
        kind: "pipeline",
    },
    Fault {
        name: "kind of GELU",
        fixture: "odd",
        file: |path, bytes| {
            replaced(
                path,
                "text_encoder/config.json",
                bytes,
                "\"hidden_act\": \"gelu\"",
                "\"hidden_act\": \"quick_gelu\"",
            )
        },
        graph: None,
        kind: "text_encoder",
    },
    Fault { name: "tanh for erf in the text's GELU", fixture: "odd", file: by_tanh, graph: None, kind: "text_encoder" },
    Fault { name: "tanh for erf in the gates' GELU", fixture: "odd", file: by_tanh, graph: None, kind: "unet" },
    Fault {
        name: "values for keys",
        fixture: "sd1",
        file: |path, bytes| {
            swapped(path, "unet/diffusion_pytorch_model.safetensors", bytes, ["attn1.to_k", "attn1.to_v"])
        },
        graph: None,
        kind: "unet",
    },
    Fault {
        name: "scales of another tensor",
        fixture: "blocks",
        file: |path, bytes| {
            let names = ["attn1.to_k.weight.scale", "attn1.to_v.weight.scale"];
            swapped(path, "unet/diffusion_pytorch_model.safetensors", bytes, names)
        },
        graph: None,
        kind: "unet",
    },
    Fault {
        name: "a LoRA's matrices at another layer",
        fixture: "lora",
        file: |path, bytes| swapped(path, "lora/kohya.safetensors", bytes, ["attn1_to_k", "attn1_to_v"]),
        graph: None,
        kind: "unet",
    },
    Fault {
        name: "an SGM block's number, off by one layer",
        fixture: "sgm",
        file: |path, bytes| {
            swapped(path, "lora/sgm.safetensors", bytes, ["input_blocks_7_1_proj_in", "input_blocks_8_1_proj_in"])
        },
        graph: None,
        kind: "unet",
    },
    Fault {
        name: "a LoRA's alpha that is not read",
        fixture: "lora",
        file: |path, bytes| replaced(path, "lora/peft.safetensors", bytes, "unet.lora_alpha", "unet.none_alpha"),
        graph: None,
        kind: "unet",
    },
    Fault {
        name: "a gate and its value in the wrong order",
        fixture: "flow",
        file: |_, _| None,
        graph: Some(|graph| {
            for weight in &mut graph.weights {
                if let Spec::Packed { parts, columns, .. } = weight
                    && parts[0].name.ends_with("ff.net.0.proj")
                {
                    columns.chunks_exact_mut(8).for_each(|panel| panel.rotate_left(4));
                }
            }
        }),
        kind: "unet",
    },
];

#[test]
fn planted_faults_are_found() {
    pollster::block_on(async {
        let engine = CpuEngine::new("test");
        let control = Ticking::by(Duration::from_millis(2));
        for fault in FAULTS {
            let files = fixtures::files(fault.fixture, fault.file);
            let mut golden = Golden::open(&files, &engine, &control).await.unwrap();
            golden.tamper = fault.graph;
            let outcomes = golden.run(|kind| kind == fault.kind).await;
            let found = outcomes.iter().any(|outcome| !outcome.pass && outcome.max_abs > outcome.limit);
            assert!(found, "{} was not found: {outcomes:?}", fault.name);
            // A refusal at load would prove nothing.
            assert!(outcomes.iter().all(|outcome| outcome.limit > 0.0), "{}: {outcomes:?}", fault.name);
        }
    });
}

/// Why cases of a kind fail, of "flow" with files changed.
fn failures(kind: &str, change: impl Fn(&str, &[u8]) -> Option<Vec<u8>>) -> Vec<String> {
    let files = fixtures::files("flow", change);
    let (engine, control) = (CpuEngine::new("test"), Ticking::by(Duration::from_millis(2)));
    pollster::block_on(async {
        let outcomes = Golden::open(&files, &engine, &control).await.unwrap().run(|of| of == kind).await;
        outcomes.into_iter().filter(|outcome| !outcome.pass).map(|outcome| outcome.why).collect()
    })
}

/// What a golden folder says of a network's inside and of each step is compared to the last number, and told by its name.
#[test]
fn nothing_in_a_golden_folder_is_passed_over() {
    let json = Json::parse(include_bytes!("fixtures/diffusion/flow/golden.json")).unwrap();
    let cases = json.get("cases").unwrap().list().unwrap();
    let inside = cases.iter().filter_map(|case| case.get("intermediates")?.map()).flatten();
    let mut all: Vec<_> = inside.map(|(part, name)| ("unet", part.as_str(), name.text().unwrap())).collect();
    assert!(all.len() > 10 && all.iter().any(|(_, part, _)| *part == "time_embedding"), "{all:?}");
    all.push(("pipeline", "noise_pred", "pipeline/flow_match/8/noise_pred"));
    all.push(("pipeline", "latents", "pipeline/flow_match/8/latents"));
    for (kind, part, name) in all {
        let move_last = |entry: &mut Entry| {
            if entry.name == name {
                let at = entry.bytes.len() - 4;
                let last = f32::from_le_bytes(entry.bytes[at..].try_into().unwrap());
                entry.bytes[at..].copy_from_slice(&(last + 1.0).to_le_bytes());
            }
        };
        let why = failures(kind, |path, bytes| {
            (path == "golden.safetensors").then(|| tensor_file::changed(bytes, move_last))
        });
        assert!(why.len() == 1 && why[0].starts_with(&format!("{part}: ")), "{name}: {why:?}");
    }
    let why = failures("unet", |path, bytes| replaced(path, "golden.json", bytes, "\"mid_block\"", "\"mid_blocks\""));
    assert!(why.len() == 1 && why[0].ends_with(" mid_blocks"), "{why:?}");
}
