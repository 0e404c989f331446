//! Whole pictures, as a visitor asks for them: from words to pixels, against diffusers' own pipelines.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
mod support;
#[path = "support/whole.rs"]
mod whole;

use std::rc::Rc;
use std::time::Duration;

use gradus::diffusion::json::Json;
use gradus::diffusion::safetensors::Tensors;
use gradus::diffusion::schedule::Kind;
use gradus::diffusion::{Lora, Merge, Pipeline, Precision, Request, Start};
use gradus::gpu;
use gradus::kernels::{Engine, cpu::CpuEngine};
use gradus::ports::Files;
use gradus::ports::memory::MemoryFiles;
use gradus::value::Picture;
use support::Ticking;
use support::tensor_file::{self, Entry};
use support::watcher::Watcher;
use whole::{as_diffusers, picture, pipeline};

fn control() -> Ticking {
    Ticking::by(Duration::from_millis(2))
}

#[test]
fn a_picture_is_brought_to_its_size_as_diffusers_imaging_library_does() {
    pollster::block_on(async {
        let files = fixtures::files("fill", |_, _| None);
        let size = files.size("golden.json").await.unwrap().unwrap();
        let golden = Json::parse(&files.read("golden.json", 0..size).await.unwrap()).unwrap();
        let tensors = Tensors::open(&files, "", "golden").await.unwrap();
        let cases = golden.get("notes").and_then(|notes| notes.get("resampled")).and_then(Json::list).unwrap();
        assert_eq!(cases.len(), 7);
        for case in cases {
            let [from, to] = ["from", "to"].map(|key| {
                let sides = case.get(key).and_then(Json::list).unwrap();
                [0, 1].map(|n| sides[n].number().unwrap() as usize)
            });
            let [before, after] = ["in", "out"].map(|key| case.get(key).and_then(Json::text).unwrap());
            let before = picture(&tensors.read(&files, before).await.unwrap(), from);
            let after = picture(&tensors.read(&files, after).await.unwrap(), to);
            assert_eq!(gradus_cpu::resample::lanczos(before.rgba(), from, to), after.rgba(), "{from:?} to {to:?}");
        }
    });
}

#[test]
fn pictures_of_the_cpu_are_those_of_diffusers() {
    pollster::block_on(as_diffusers(&CpuEngine::new("test"), &control()));
}

#[test]
fn pictures_of_the_gpu_are_those_of_diffusers() {
    pollster::block_on(async {
        let engine = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        as_diffusers(&engine, &control()).await;
    });
}

#[test]
fn a_visitor_sees_it_coming_and_gets_the_same_twice() {
    pollster::block_on(async {
        let engine = CpuEngine::new("test");
        let (_, pipeline) = pipeline("flow", &engine, &control()).await;
        let request = Request { prompt: "a red ball".into(), steps: 5, ..pipeline.usual_request() };
        let watcher = Watcher { curious: true, ..Watcher::default() };
        let first = pipeline.generate(&request, &engine, &control(), &watcher).await.unwrap();
        assert_eq!((first[0].width(), first[0].height()), (64, 64));
        assert_eq!(watcher.previews.borrow().len(), 4, "one behind each step but the last");
        let shares: Vec<f32> = watcher.progress.borrow().iter().filter_map(|p| p.fraction()).collect();
        assert!(shares.is_sorted() && shares.last() == Some(&1.0), "{shares:?}");
        for (preview_every, count) in [(0, 0), (2, 2), (4, 1), (5, 0)] {
            let watcher = Watcher { curious: true, ..Watcher::default() };
            let request = Request { preview_every, ..request.clone() };
            let same = pipeline.generate(&request, &engine, &control(), &watcher).await.unwrap();
            assert_eq!(watcher.previews.borrow().len(), count, "of five steps, behind each {preview_every}");
            assert_eq!(same[0].rgba(), first[0].rgba());
        }
        // Another size and back: what was made ready is made anew.
        let wide = Request { width: 104, height: 40, guidance: 1.0, ..request.clone() };
        let other = pipeline.generate(&wide, &engine, &control(), &Watcher::default()).await.unwrap();
        assert_eq!((other[0].width(), other[0].height()), (104, 40));
        let again = pipeline.generate(&request, &engine, &control(), &Watcher::default()).await.unwrap();
        assert_eq!(first[0].rgba(), again[0].rgba());
        // Emphasis: without brackets nothing changes; with them, and beyond the encoder's room, the picture does.
        let plain = Request { emphasis: true, ..request.clone() };
        let plain = pipeline.generate(&plain, &engine, &control(), &Watcher::default()).await.unwrap();
        assert_eq!(plain[0].rgba(), first[0].rgba());
        for prompt in ["a (red:1.6) ball".to_owned(), "a red ball, ".repeat(12)] {
            let cut = Request { prompt, ..request.clone() };
            let weighed = Request { emphasis: true, ..cut.clone() };
            let cut = pipeline.generate(&cut, &engine, &control(), &Watcher::default()).await.unwrap();
            let weighed = pipeline.generate(&weighed, &engine, &control(), &Watcher::default()).await.unwrap();
            assert_ne!(cut[0].rgba(), weighed[0].rgba());
        }
        // Several together.
        let three = Request { pictures: 3, ..request.clone() };
        let three = pipeline.generate(&three, &engine, &control(), &Watcher::default()).await.unwrap();
        assert_eq!(three.len(), 3);
        assert_ne!(three[1].rgba(), three[2].rgba());
        let euler = Request { sampler: Some(Kind::Euler), ..request.clone() };
        let refused = pipeline.generate(&euler, &engine, &control(), &Watcher::default()).await.unwrap_err();
        assert!(refused.message().contains("Choose the model's own sampler"), "{refused}");
    });
}

#[test]
fn another_sampler_makes_another_picture() {
    pollster::block_on(async {
        let engine = CpuEngine::new("test");
        let (_, pipeline) = pipeline("sd1", &engine, &control()).await;
        let mut pictures = Vec::new();
        for sampler in [None, Some(Kind::EulerAncestral), Some(Kind::Dpm), Some(Kind::Lcm)] {
            let request = Request { prompt: "a red ball".into(), steps: 3, sampler, ..pipeline.usual_request() };
            let made = pipeline.generate(&request, &engine, &control(), &Watcher::default()).await.unwrap();
            pictures.push(made[0].rgba().to_vec());
        }
        for (n, one) in pictures.iter().enumerate() {
            assert!(!pictures[..n].contains(one), "{n}");
        }
    });
}

#[test]
fn a_slow_decoder_has_previews_of_its_latents() {
    pollster::block_on(async {
        let engine = CpuEngine::new("test");
        let (_, pipeline) = pipeline("sd1", &engine, &control()).await;
        let request = Request { prompt: "a red ball".into(), steps: 4, ..pipeline.usual_request() };
        let watcher = Watcher { curious: true, ..Watcher::default() };
        let made = pipeline.generate(&request, &engine, &control(), &watcher).await.unwrap();
        let previews = watcher.previews.borrow();
        assert_eq!(previews.len(), 3, "one behind each step but the last");
        for preview in &*previews {
            assert_eq!((preview.width(), preview.height()), (made[0].width(), made[0].height()));
        }
        assert_ne!(previews[0].rgba(), previews[2].rgba());
    });
}

/// The one's previews are of its latents, the other's of its decoder.
#[test]
fn previews_of_the_gpu_are_those_of_the_cpu() {
    pollster::block_on(async {
        let gpu = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        let cpu = CpuEngine::new("test");
        for fixture in ["sd1", "flow"] {
            let mut seen = Vec::new();
            for engine in [&gpu as &dyn Engine, &cpu] {
                let (_, pipeline) = pipeline(fixture, engine, &control()).await;
                let request =
                    Request { prompt: "a red ball".into(), steps: 4, pictures: 2, ..pipeline.usual_request() };
                let watcher = Watcher { curious: true, ..Watcher::default() };
                pipeline.generate(&request, engine, &control(), &watcher).await.unwrap();
                seen.push(watcher.previews.take());
            }
            assert_eq!((seen[0].len(), seen[1].len()), (3, 3), "{fixture}");
            for (n, (gpu, cpu)) in seen[0].iter().zip(&seen[1]).enumerate() {
                let off = gpu.rgba().iter().zip(cpu.rgba()).map(|(a, b)| a.abs_diff(*b)).max();
                assert!(off <= Some(1), "{fixture}: {off:?} of 255 in preview {n}");
            }
            let same = seen[0].windows(2).any(|two| two[0] == two[1]);
            assert!(!same, "{fixture}: a step that shows nothing new");
        }
    });
}

/// The encoder is a stage of its own, where there is a picture for it.
#[test]
fn a_picture_says_how_long_each_of_its_stages_took() {
    pollster::block_on(async {
        let engine = CpuEngine::new("test");
        let (_, pipeline) = pipeline("sd1", &engine, &control()).await;
        let mut request = Request { prompt: "a red ball".into(), steps: 2, ..pipeline.usual_request() };
        let slow = Ticking::by(Duration::from_millis(50));
        let mut began = None;
        for stages in [vec!["text", "2 steps", "decoder"], vec!["text", "encoder", "1 steps", "decoder"]] {
            request.start = began.map(|picture| Start { picture, strength: 0.5, mask: None });
            let made = pipeline.generate(&request, &engine, &slow, &Watcher::default()).await.unwrap().remove(0);
            let took = made.fact("Time").unwrap();
            // "2 steps 0.4 s (0.2 s each)": a stage, and how long.
            let parts = took.split(", ").map(|part| part.split(" s (").next().unwrap().trim_end_matches(" s"));
            let (names, times): (Vec<&str>, Vec<&str>) = parts.filter_map(|part| part.rsplit_once(' ')).unzip();
            assert_eq!(names, stages, "{took}");
            assert!(times.iter().all(|time| time.parse::<f32>().unwrap() >= 0.05), "{took}");
            began = Some(made);
        }
    });
}

/// A plan's bind groups are for all its steps and pictures: what a preview makes for itself takes none of them along.
#[test]
fn a_gpu_makes_the_bind_groups_of_a_plan_once() {
    pollster::block_on(async {
        let engine = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        let (_, pipeline) = pipeline("sd1", &engine, &control()).await;
        let request = Request { prompt: "a red ball".into(), steps: 4, ..pipeline.usual_request() };
        let mut made = Vec::new();
        for _ in 0..2 {
            let (watcher, before) = (Watcher { curious: true, ..Watcher::default() }, engine.bind_groups());
            pipeline.generate(&request, &engine, &control(), &watcher).await.unwrap();
            assert_eq!(watcher.previews.borrow().len(), 3);
            made.push(engine.bind_groups() - before);
        }
        println!("{made:?} bind groups");
        assert!(made[0] > 100, "{made:?}");
        // One a preview, and those of the pixels and of three stages' flags.
        assert!(made[1] <= 3 + 4, "{made:?}");
    });
}

#[test]
fn what_cannot_be_made_is_refused_in_words() {
    pollster::block_on(async {
        let engine = CpuEngine::new("test");
        let (_, pipeline) = pipeline("flow", &engine, &control()).await;
        let usual = pipeline.usual_request();
        let check = |request: Request, words: &str| {
            let watcher = Watcher::default();
            let refused = pollster::block_on(pipeline.generate(&request, &engine, &control(), &watcher)).unwrap_err();
            assert!(refused.message().contains(words), "{refused} has no {words:?}");
        };
        check(Request { width: 65, ..usual.clone() }, "multiple of 8");
        check(Request { height: 0, ..usual.clone() }, "height of 0");
        check(Request { width: 4096, ..usual.clone() }, "up to 2048");
        check(Request { steps: 0, ..usual.clone() }, "1 to 1000 steps");
        check(Request { pictures: 0, ..usual.clone() }, "1 to 16 pictures");
        check(Request { guidance: f32::NAN, ..usual.clone() }, "no number");
        check(Request { prompt: "x".repeat(2001), ..usual.clone() }, "2000 characters");
        let start = Start { picture: picture(&[0.5; 3], [1, 1]), strength: 1.5, mask: None };
        check(Request { start: Some(start.clone()), ..usual.clone() }, "0 to 1");
        check(Request { start: Some(Start { strength: 0.0, ..start }), ..usual }, "no step would be taken");

        for (path, words) in [("vae/config.json", "vae/config.json"), ("tokenizer/merges.txt", "tokenizer/merges.txt")]
        {
            let mut less = gradus::ports::memory::MemoryFiles::default();
            let all = fixtures::files("flow", |_, _| None);
            for name in [
                "unet/config.json",
                "unet/diffusion_pytorch_model.safetensors",
                "text_encoder/config.json",
                "text_encoder/model.safetensors",
                "vae/config.json",
                "vae/diffusion_pytorch_model.safetensors",
                "tokenizer/vocab.json",
                "tokenizer/merges.txt",
                "scheduler/scheduler_config.json",
            ] {
                if name != path {
                    let size = all.size(name).await.unwrap().unwrap();
                    less.insert(name, all.read(name, 0..size).await.unwrap());
                }
            }
            let loaded = Pipeline::load(Rc::new(less), &engine, &control(), &Watcher::default()).await;
            assert!(loaded.err().unwrap().message().contains(words), "{path}");
        }
    });
}

/// A checkpoint of which a tensor, of the file at this path, has this number everywhere.
fn filled_with(number: f32, fixture: &str, path: &str, tensor: &str) -> Rc<dyn Files> {
    let files = fixtures::files(fixture, |name, bytes| {
        (name == path).then(|| {
            tensor_file::changed(bytes, |entry| {
                if entry.name == tensor {
                    entry.change(|_| number);
                }
            })
        })
    });
    Rc::new(files)
}

async fn none_are_told(engine: &dyn Engine, number: f32) {
    let [unet, text] = ["unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"];
    let coder = "vae/diffusion_pytorch_model.safetensors";
    // In the middle, from where it has to come through all that follows; and at the end, where what is infinite stays so.
    for (path, tensor, stage) in [
        (unet, "mid_block.resnets.0.conv1.weight", "the UNet"),
        (unet, "conv_out.bias", "the UNet"),
        (coder, "decoder.layers.2.conv.2.weight", "the decoder"),
        (coder, "decoder.layers.18.bias", "the decoder"),
        (text, "encoder.layers.0.mlp.fc2.weight", "the text encoder"),
        (text, "final_layer_norm.bias", "the text encoder"),
    ] {
        let files = filled_with(number, "flow", path, tensor);
        let pipeline = Pipeline::load(files, engine, &control(), &Watcher::default()).await.unwrap();
        let request = Request { prompt: "a red ball".into(), steps: 2, ..pipeline.usual_request() };
        let made = pipeline.generate(&request, engine, &control(), &Watcher::default()).await;
        let error = made.err().unwrap_or_else(|| panic!("{number} in {tensor} makes a picture on {:?}", engine.info()));
        assert!(error.message().starts_with(stage), "{number} in {tensor}: {error}");
    }
    // The encoder is asked only where a picture is to begin from.
    let files = filled_with(number, "sd1", coder, "encoder.conv_in.weight");
    let pipeline = Pipeline::load(files, engine, &control(), &Watcher::default()).await.unwrap();
    let mut request = Request { prompt: "a red ball".into(), steps: 2, ..pipeline.usual_request() };
    let made = pipeline.generate(&request, engine, &control(), &Watcher::default()).await.unwrap().remove(0);
    request.start = Some(Start { picture: made, strength: 0.5, mask: None });
    let error = pipeline.generate(&request, engine, &control(), &Watcher::default()).await.unwrap_err();
    assert!(error.message().starts_with("the encoder"), "{number}: {error}");
}

#[test]
fn numbers_that_are_none_are_told_with_their_stage() {
    pollster::block_on(async {
        let gpu = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        let cpu = CpuEngine::new("test");
        for engine in [&cpu as &dyn Engine, &gpu] {
            for number in [f32::NAN, f32::INFINITY] {
                none_are_told(engine, number).await;
            }
        }
    });
}

/// The bytes of a LoRA file, with one text of its header put for another of its length.
fn lora_file(name: &str, from: &str, to: &str) -> MemoryFiles {
    assert_eq!(from.len(), to.len());
    let path = format!("lora/{name}.safetensors");
    let files = fixtures::files("lora", |name, bytes| {
        (name == path && !from.is_empty()).then(|| {
            let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect(from);
            [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
        })
    });
    let mut file = MemoryFiles::default();
    let read = pollster::block_on(async {
        let size = files.size(&path).await.unwrap().unwrap();
        files.read(&path, 0..size).await.unwrap()
    });
    file.insert("one.safetensors", read);
    file
}

/// SD 1's fixture with LoRA files, or why not.
async fn with_loras(loras: Vec<(MemoryFiles, f32)>) -> Result<Picture, String> {
    let engine = CpuEngine::new("test");
    let files: Rc<dyn Files> = Rc::new(fixtures::files("sd1", |_, _| None));
    let mut opened: Vec<Rc<dyn Merge>> = Vec::new();
    for (files, weight) in loras {
        let lora = Lora::open(Rc::new(files), "one.safetensors", weight).await;
        opened.push(Rc::new(lora.map_err(|error| error.message().to_owned())?));
    }
    let pipeline =
        Pipeline::load_with(files, &opened, Precision::AsStored, &engine, &control(), &Watcher::default()).await;
    let pipeline = pipeline.map_err(|error| error.message().to_owned())?;
    let request = Request { prompt: "a painting".into(), steps: 2, ..pipeline.usual_request() };
    Ok(pipeline.generate(&request, &engine, &control(), &Watcher::default()).await.unwrap().remove(0))
}

#[test]
fn loras_of_every_naming_change_the_picture_and_add_up() {
    pollster::block_on(async {
        let plain = with_loras(vec![]).await.unwrap();
        for name in ["kohya", "peft", "old"] {
            let changed = with_loras(vec![(lora_file(name, "", ""), 1.0)]).await.unwrap();
            assert_ne!(changed, plain, "{name}");
            let none = with_loras(vec![(lora_file(name, "", ""), 0.7), (lora_file(name, "", ""), -0.7)]).await.unwrap();
            let far = |(a, b): (&u8, &u8)| a.abs_diff(*b);
            let off = none.rgba().iter().zip(plain.rgba()).map(far).max();
            assert!(off <= Some(1), "{name}: {off:?}");
        }
    });
}

/// A LoRA file of the fixtures with its keys as another version of diffusers would write them.
fn respelt(name: &str, spell: impl Fn(&str) -> String) -> MemoryFiles {
    let file = lora_file(name, "", "");
    let read = pollster::block_on(async {
        let size = file.size("one.safetensors").await.unwrap().unwrap();
        file.read("one.safetensors", 0..size).await.unwrap()
    });
    let mut file = MemoryFiles::default();
    let mut count = 0;
    let changed = tensor_file::changed(&read, |entry| {
        let spelt = spell(&entry.name);
        count += usize::from(spelt != entry.name);
        entry.name = spelt;
    });
    assert!(count > 5, "{count} keys are spelt otherwise");
    file.insert("one.safetensors", changed);
    file
}

#[test]
fn loras_of_older_and_newer_spellings_make_the_same_picture() {
    pollster::block_on(async {
        let expected = with_loras(vec![(lora_file("old", "", ""), 1.0)]).await.unwrap();
        // diffusers 0.13 to 0.19: the attention's processor had the matrices, and at first no component was named.
        let processor = |name: &str| {
            let Some((path, rest)) = name.split_once(".to_") else { return name.to_owned() };
            let (matrix, part) = rest.split_once(".lora.").unwrap();
            [path, ".processor.to_", matrix.trim_end_matches(".0"), "_lora.", part].concat()
        };
        let nameless = |name: &str| match processor(name) {
            changed if changed != name => changed.replace("unet.", ""),
            same => same,
        };
        let of_text = |name: &str| {
            let name = processor(name);
            name.replace(".q_proj.lora_linear_layer.", ".to_q_lora.")
                .replace(".v_proj.lora_linear_layer.", ".to_v_lora.")
        };
        // Some are saved in double precision, which is rounded.
        let doubled = {
            let files = lora_file("old", "", "");
            let size = files.size("one.safetensors").await.unwrap().unwrap();
            let doubled = tensor_file::changed(&files.read("one.safetensors", 0..size).await.unwrap(), Entry::double);
            let mut files = MemoryFiles::default();
            files.insert("one.safetensors", doubled);
            files
        };
        for spelt in [respelt("old", processor), respelt("old", nameless), respelt("old", of_text), doubled] {
            assert_eq!(with_loras(vec![(spelt, 1.0)]).await.unwrap(), expected);
        }
        // As peft itself saves it, with the adapter's name. Its header, which says alpha, is left out in both.
        let spelt =
            |by: [&str; 2]| respelt("peft", move |name| name.replace(".lora_A.", by[0]).replace(".lora_B.", by[1]));
        let named = with_loras(vec![(spelt([".lora_A.default.", ".lora_B.default."]), 1.0)]).await.unwrap();
        let plain = with_loras(vec![(spelt([".lora.down.", ".lora.up."]), 1.0)]).await.unwrap();
        assert_eq!(named, plain);
        assert_ne!(named, with_loras(vec![]).await.unwrap());
    });
}

#[test]
fn loras_that_do_not_belong_are_refused_by_their_key() {
    pollster::block_on(async {
        for (name, from, to, key) in [
            ("kohya", "attn1_to_k.lora_up", "attn1_to_w.lora_up", "attn1_to_"),
            ("kohya", "proj_in.alpha", "proj_in.dora!", "proj_in.dora!"),
            ("kohya", "lora_te_", "lora_tx_", "lora_tx_"),
            ("peft", "to_q.lora_B", "to_q.lora_C", "to_q.lora_C"),
            ("peft", "unet.down_blocks.1", "unet.down_blocks.7", "down_blocks."),
            ("old", "[1,8,3,3]", "[1,4,3,6]", "conv"),
            ("peft", "[2,8]", "[8,2]", ".lora_"),
            ("peft", "lora_adapter_metadata\":\"{", "lora_adapter_metadata\":\"[", ".lora_"),
        ] {
            let why = with_loras(vec![(lora_file(name, from, to), 1.0)]).await.unwrap_err();
            assert!(why.contains(key) && why.contains("Supported are"), "{from}: {why}");
        }
        // Files of other kinds are told what they are.
        for (from, to, kind) in [
            ("to_k.lora_down.weight", "to_k.hada_w1_a.other-", "LoHa"),
            ("to_k.lora_down.weight", "to_k.lokr_w1.another-", "LoKr"),
            ("to_k.lora_down.weight", "to_k.dora_scale.other", "DoRA"),
        ] {
            let why = with_loras(vec![(lora_file("kohya", from, to), 1.0)]).await.unwrap_err();
            assert!(why.contains(to) && why.contains(kind), "{why}");
        }
        assert!(with_loras(vec![(lora_file("old", "", ""), f32::NAN)]).await.is_err());
        assert!(with_loras(vec![(MemoryFiles::default(), 1.0)]).await.unwrap_err().contains("not there"));
    });
}
