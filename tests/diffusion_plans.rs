//! Models of real sizes without their weights: work, memory and dispatches of their plans, held to what PyTorch counts.
//! Natively, and where a size has 32 bits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::BTreeSet;

use gradus::diffusion::autoencoder::Autoencoder;
use gradus::diffusion::clip::Clip;
use gradus::diffusion::config::Config;
use gradus::diffusion::graph::{Conv, Graph, Work};
use gradus::diffusion::plan::Cost;
use gradus::diffusion::unet::Unet;
use gradus::diffusion::weights::Spec;
use gradus::kernels::nn::{self, Stored};
use gradus::kernels::{self, flame, reaction, scene};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn config(text: &str) -> Config {
    Config::parse("config.json", text.as_bytes()).unwrap()
}

/// The UNet of Stable Diffusion with what differs from version to version.
fn unet(differs: &str) -> Unet {
    let text = [
        r#"{"sample_size": 64, "in_channels": 4, "out_channels": 4, "block_out_channels": [320, 640, 1280, 1280],
            "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
            "layers_per_block": 2, "act_fn": "silu", "norm_eps": 1e-05, "norm_num_groups": 32, "flip_sin_to_cos": true,
            "freq_shift": 0, "downsample_padding": 1, "mid_block_scale_factor": 1, "#,
        differs,
        "}",
    ]
    .concat();
    Unet::new(&config(&text)).unwrap()
}

/// Decoder and encoder of an autoencoder for 512 × 512 pixels.
fn both(config: &Config) -> (Graph, Graph) {
    let autoencoder = Autoencoder::new(config).unwrap();
    (autoencoder.decoder(1, [64, 64]).unwrap(), autoencoder.encoder(1, [512, 512]).unwrap())
}

/// Numbers of the weights as the checkpoint has them, and how many tensors.
fn parameters(graph: &Graph) -> (f64, usize) {
    let (mut numbers, mut tensors) = (0, 0);
    for weight in &graph.weights {
        match weight {
            Spec::Packed { parts, inner, taps, .. } => {
                for part in parts {
                    numbers += part.outer * inner * taps + if part.bias { part.outer } else { 0 };
                    tensors += 1 + usize::from(part.bias);
                }
            }
            Spec::Affine { channels, .. } => {
                numbers += channels * 2;
                tensors += 2;
            }
        }
    }
    (numbers as f64 / 1e6, tensors)
}

fn report(name: &str, graph: &Graph) -> Cost {
    let cost = Cost::of(graph);
    let (millions, tensors) = parameters(graph);
    println!(
        "{{\"plan\":\"{name}\",\"gflop\":{:.1},\"dispatches\":{},\"pipelines\":{},\"weights_mib_f16\":{},\
         \"tensors_mib\":{},\"moved_mib\":{},\"parameters_m\":{millions:.2},\"tensors\":{tensors}}}",
        cost.operations / 1e9,
        cost.dispatches,
        cost.pipelines,
        cost.weight_bytes >> 21,
        cost.tensor_bytes >> 20,
        cost.moved_bytes >> 20,
    );
    // Milliseconds at half of a GPU's peak, or at 70 % of what its memory moves, whichever is longer; f32.
    for (gpu, teraflops, gigabytes) in
        [("Apple M2", 3.6, 100.0), ("Intel Xe2", 3.9, 136.0), ("RTX 4070", 29.0, 504.0), ("H100", 60.0, 3350.0)]
    {
        let compute = cost.operations / (teraflops * 1e12 * 0.5) * 1e3;
        let memory = cost.moved_bytes as f64 / (gigabytes * 1e9 * 0.7) * 1e3;
        println!("{{\"plan\":\"{name}\",\"gpu\":\"{gpu}\",\"roofline_ms\":{:.1}}}", compute.max(memory));
    }
    cost
}

fn within(name: &str, got: f64, expected: f64, share: f64) {
    assert!((got - expected).abs() <= expected * share, "{name}: {got} for {expected}");
}

#[test]
fn plans_of_real_models_have_the_work_that_pytorch_counts() {
    // PyTorch's FlopCounter on diffusers' and transformers' own classes.
    let sd15 = unet(r#""attention_head_dim": 8, "cross_attention_dim": 768"#).graph(1, [64, 64], 77).unwrap();
    let turbo =
        unet(r#""attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024, "use_linear_projection": true"#)
            .graph(1, [64, 64], 77)
            .unwrap();
    let (sd15_cost, turbo_cost) = (report("SD 1.5 UNet", &sd15), report("SD-Turbo UNet", &turbo));
    within("SD 1.5 UNet", sd15_cost.operations / 1e9, 803.0, 0.02);
    within("SD-Turbo UNet", turbo_cost.operations / 1e9, 804.0, 0.02);
    for (name, graph, millions) in [("SD 1.5", &sd15, 859.52), ("SD-Turbo", &turbo, 865.91)] {
        let (numbers, tensors) = parameters(graph);
        within(name, numbers, millions, 1e-5);
        assert_eq!(tensors, 686, "{name}");
    }

    let kl = config(
        r#"{"_class_name": "AutoencoderKL", "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
            "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
            "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]}"#,
    );
    let (kl, kl_encoder) = both(&kl);
    within("AutoencoderKL", report("AutoencoderKL decoder", &kl).operations / 1e9, 2514.0, 0.02);
    within("AutoencoderKL", parameters(&kl).0, 49.49, 1e-3);
    let (tiny, tiny_encoder) = both(&config(r#"{"_class_name": "AutoencoderTiny"}"#));
    within("AutoencoderTiny", report("AutoencoderTiny decoder", &tiny).operations / 1e9, 141.0, 0.02);
    assert_eq!(parameters(&tiny).1, 67);

    let clip_l =
        r#"{"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}"#;
    let clip_h = r#"{"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23, "num_attention_heads": 16,
                     "hidden_act": "gelu"}"#;
    let text = |json: &str| Clip::new(&config(json)).unwrap().graph(1, 77).unwrap();
    within("CLIP-L", report("CLIP-L", &text(clip_l)).operations / 1e9, 13.3, 0.02);
    within("OpenCLIP-H", report("OpenCLIP-H", &text(clip_h)).operations / 1e9, 45.1, 0.02);

    // Text encoder, a step of the network and the decoder, with weights as halves.
    let jobs = [
        (
            "SD-Turbo, one step",
            [text(clip_h), turbo, tiny],
            tiny_encoder,
            Most { dispatches: 500, gib: 2.6, kernels: 11 },
        ),
        ("SD 1.5, a step", [text(clip_l), sd15, kl], kl_encoder, Most { dispatches: 490, gib: 2.7, kernels: 13 }),
    ];
    for (name, networks, encoder, most) in jobs {
        let [text, step, decoder] = networks.each_ref().map(Cost::of);
        let dispatches = step.dispatches + decoder.dispatches;
        let bytes = |cost: Cost| cost.weight_bytes / 2 + cost.tensor_bytes;
        let gib = [text, step, decoder].map(bytes).iter().sum::<u64>() as f64 / f64::from(1 << 30);
        let kernels = text.pipelines + step.pipelines + decoder.pipelines;
        let pipelines = pipelines(networks.iter().chain([&encoder]));
        println!(
            "{{\"plan\":\"{name}\",\"dispatches\":{dispatches},\"gib\":{gib:.3},\"kernels\":{kernels},\
             \"pipelines_at_most\":{}}}",
            pipelines.len()
        );
        assert!(dispatches <= most.dispatches, "{name}: {dispatches} dispatches");
        assert!(gib <= most.gib, "{name}: {gib} GiB");
        assert!(kernels <= most.kernels, "{name}: {kernels} kernels");
        assert!(pipelines.len() <= 25, "{name}: {pipelines:?}");
    }
}

/// What a job may take.
struct Most {
    dispatches: usize,
    gib: f64,
    kernels: usize,
}

/// The kernels that a GPU compiles at the most for a model's jobs, pictures to begin with and their masks among them:
/// products in every variant, as the timing tries them, with weights as halves, and of a checkpoint that has some weights
/// in another form with those, too; attention; and every other kernel that there is but the generators'.
fn pipelines<'a>(networks: impl Iterator<Item = &'a Graph>) -> BTreeSet<&'static str> {
    let products =
        nn::CONV.iter().flat_map(|variant| [Stored::Halves, Stored::Floats].map(|of| &variant.kernels[of as usize]));
    let attention = networks.flat_map(|graph| &graph.steps).filter_map(|step| match &step.work {
        Work::Attention(shape) => Some(nn::attention(shape, true).kernel),
        _ => None,
    });
    let of_generators =
        [&scene::TRACE, &scene::RESOLVE, &flame::WALK, &flame::SINGLE, &flame::TONE, &reaction::STEP, &reaction::SHADE];
    let products_and_attention = nn::CONV.iter().flat_map(|variant| &variant.kernels);
    let counted =
        products_and_attention.chain(nn::ATTENTION.iter().map(|variant| &variant.kernel)).chain(of_generators);
    let counted: Vec<&str> = counted.map(|kernel| kernel.name).collect();
    let others = kernels::ALL.iter().copied().filter(|kernel| !counted.contains(&kernel.name));
    products.chain(attention).chain(others).map(|kernel| kernel.name).collect()
}

#[test]
fn a_product_moves_its_tensors_as_floats_and_its_weights_as_halves() {
    let mut graph = Graph::default();
    let source = graph.input_text(1, 77, 64);
    let result = graph.conv(source, &Conv::linear("layer", 32));
    graph.output(result);
    let moved = Cost::of(&graph.finish().unwrap()).moved_bytes;
    assert_eq!(moved, 77 * (64 + 32) * 4 + (64 + 1) * 32 * 2);
}

/// Work and memory grow with the number of pictures, to the largest that can be asked for, which is refused before its
/// numbers could not be counted.
#[test]
fn the_largest_requests_are_counted_or_refused() {
    let unet = unet(r#""attention_head_dim": 8, "cross_attention_dim": 768"#);
    let kl = config(
        r#"{"_class_name": "AutoencoderKL", "block_out_channels": [128, 256], "layers_per_block": 2,
            "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
            "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"]}"#,
    );
    let kl = Autoencoder::new(&kl).unwrap();
    let (mut counted, mut refused) = (0, 0);
    for side in [64, 128, 256] {
        let networks: [&dyn Fn(usize) -> Result<Graph, gradus::Error>; 2] =
            [&|pictures| unet.graph(pictures, [side; 2], 77), &|pictures| kl.decoder(pictures, [side * 4; 2])];
        for network in networks {
            let one = Cost::of(&network(1).unwrap());
            for pictures in [2, 8, 32, 4096, 1 << 20] {
                match network(pictures) {
                    Ok(graph) => {
                        let all = Cost::of(&graph);
                        let times = pictures as f64;
                        within("operations", all.operations, one.operations * times, 0.01);
                        within("tensors", all.tensor_bytes as f64, one.tensor_bytes as f64 * times, 0.01);
                        counted += 1;
                    }
                    Err(error) => {
                        assert!(error.to_string().contains("2^30 numbers"), "{error}");
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(counted > 10 && refused > 10, "{counted} counted, {refused} refused");
}

#[test]
fn a_configuration_of_four_levels_that_says_no_channels_has_those_of_stable_diffusion() {
    let four = |channels: &str| {
        let levels = r#""down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
            "DownBlock2D"], "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D",
            "CrossAttnUpBlock2D"]"#;
        Unet::new(&config(&format!("{{{levels}{channels}}}"))).unwrap()
    };
    assert_eq!(four(""), four(", \"block_out_channels\": [320, 640, 1280, 1280]"));
}

#[test]
fn what_is_not_supported_is_named() {
    let refused = |json: &str| Unet::new(&config(json)).unwrap_err().to_string();
    let blocks = r#""down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"], "norm_num_groups": 1"#;
    let check = |field: &str, value: &str| {
        let error = refused(&format!("{{{blocks}, \"block_out_channels\": [8], \"{field}\": {value}}}"));
        assert!(error.contains(field), "{field}: {error}");
    };
    check("act_fn", "\"mish\"");
    check("class_embed_type", "\"timestep\"");
    check("resnet_time_scale_shift", "\"scale_shift\"");
    check("dual_cross_attention", "true");
    check("a_field_of_tomorrow", "3");
    check("layers_per_block", "[1, 2]");
    check("attention_head_dim", "3");
    check("in_channels", "0");
    check("in_channels", "1e300");
    assert!(refused(&format!("{{{blocks}}}")).contains("block_out_channels"));
    let error = refused(r#"{"down_block_types": ["AttnDownBlock2D"], "up_block_types": ["UpBlock2D"]}"#);
    assert!(error.contains("down_block_types") && error.contains("CrossAttnDownBlock2D"), "{error}");
}
