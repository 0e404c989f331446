//! Checkpoints whose files lie loose: each finds its place by what is in it, or is told by its name.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
mod support;

use std::rc::Rc;
use std::time::Duration;

use gradus::diffusion::loose::sorted;
use gradus::diffusion::{Pipeline, Report, Request};
use gradus::kernels::{Engine, cpu::CpuEngine};
use gradus::ports::{Files, memory::MemoryFiles};
use gradus::value::Picture;
use proptest::prelude::*;
use support::Ticking;
use support::tensor_file::{self, Entry};
use support::watcher::Watcher;

/// Names and bytes of files.
type All = Vec<(String, Vec<u8>)>;

/// The files that a fixture's checkpoint is made of, by their paths.
fn of(fixture: &str) -> All {
    pollster::block_on(async {
        let files = fixtures::files(fixture, |_, _| None);
        let report = Report::read(&files, CpuEngine::new("test").info()).await.unwrap();
        let mut all = Vec::new();
        for (path, bytes) in &report.files {
            all.push((path.clone(), files.read(path, 0..*bytes).await.unwrap()));
        }
        all
    })
}

/// What a second and third download of a name are called.
const RENAMED: [fn(&str, &str, usize) -> String; 4] = [
    |stem, ending, number| format!("{stem} ({number}).{ending}"),
    |stem, ending, number| format!("{stem}({number}).{ending}"),
    |stem, ending, number| format!("{stem}-{number}.{ending}"),
    |stem, ending, number| format!("{stem} {}.{ending}", number + 1),
];

/// The files without their folders, of which those with the same name are renamed.
fn flat(all: &All, renamed: fn(&str, &str, usize) -> String) -> All {
    let mut flat: All = Vec::new();
    for (path, bytes) in all {
        let name = path.rsplit('/').next().unwrap();
        let (stem, ending) = name.rsplit_once('.').unwrap();
        let names = (0..).map(|number| if number == 0 { name.to_owned() } else { renamed(stem, ending, number) });
        let free = names.into_iter().find(|name| flat.iter().all(|(taken, _)| taken != name)).unwrap();
        flat.push((free, bytes.clone()));
    }
    flat
}

/// The files as the page keeps them: with a list of their paths; a number stands before a name that is taken.
fn kept(all: &All) -> Rc<dyn Files> {
    let (mut files, mut list) = (MemoryFiles::default(), vec!["model_index.json".to_owned()]);
    for (number, (name, bytes)) in all.iter().enumerate() {
        let path = if list.contains(name) { format!("{number}/{name}") } else { name.clone() };
        files.insert(&path, bytes.clone());
        list.push(path);
    }
    list.remove(0);
    files.insert("loose.json", format!("{list:?}").into_bytes());
    Rc::new(files)
}

async fn picture(files: Rc<dyn Files>) -> Picture {
    let (engine, control) = (CpuEngine::new("test"), Ticking::by(Duration::from_millis(2)));
    let pipeline = Pipeline::load(files, &engine, &control, &Watcher::default()).await.unwrap();
    let request = Request { prompt: "a red ball".into(), seed: 7, steps: 2, ..pipeline.usual_request() };
    pipeline.generate(&request, &engine, &control, &Watcher::default()).await.unwrap().pop().unwrap()
}

/// Why these files are no checkpoint.
fn refused(all: &All) -> String {
    pollster::block_on(sorted(kept(all))).err().map(|why| why.message().to_owned()).unwrap_or_default()
}

/// Sees that loose files are found in these places.
fn placed(loose: &All, expected: &All) {
    pollster::block_on(async {
        let files = sorted(kept(loose)).await.unwrap();
        for (path, bytes) in expected {
            let size = files.size(path).await.unwrap().unwrap_or_else(|| panic!("{path} is not there"));
            assert!(files.read(path, 0..size).await.unwrap() == *bytes, "{path} is another");
        }
    });
}

fn without(mut all: All, gone: impl Fn(&str) -> bool) -> All {
    all.retain(|(path, _)| !gone(path));
    all
}

fn with(mut all: All, path: &str, bytes: impl Into<Vec<u8>>) -> All {
    all.retain(|(other, _)| other != path);
    all.push((path.to_owned(), bytes.into()));
    all
}

fn bytes_of<'a>(all: &'a All, path: &str) -> &'a [u8] {
    &all.iter().find(|(other, _)| other == path).unwrap().1
}

#[test]
fn loose_files_make_the_same_picture_as_their_folder() {
    pollster::block_on(async {
        for fixture in ["sd1", "xl", "flow", "lcm", "fill", "draws", "rules"] {
            let all = of(fixture);
            let expected = picture(Rc::new(fixtures::files(fixture, |_, _| None))).await;
            let engine = CpuEngine::new("test");
            let report = Report::read(&fixtures::files(fixture, |_, _| None), engine.info()).await.unwrap();
            for (order, renamed) in RENAMED.into_iter().enumerate() {
                let mut turned = all.clone();
                turned.rotate_left(order * 5 % all.len());
                if order % 2 == 1 {
                    turned.reverse();
                }
                let files = sorted(kept(&flat(&turned, renamed))).await.unwrap();
                assert_eq!(Report::read(&*files, engine.info()).await.unwrap(), report, "{fixture} in order {order}");
                assert!(picture(files).await == expected, "{fixture} in order {order}");
            }
        }
    });
}

#[test]
fn a_folder_is_read_as_it_is() {
    pollster::block_on(async {
        let folder: Rc<dyn Files> = Rc::new(fixtures::files("flow", |_, _| None));
        assert!(Rc::ptr_eq(&sorted(Rc::clone(&folder)).await.unwrap(), &folder));
        let bare = without(of("flow"), |path| path == "model_index.json");
        let mut files = MemoryFiles::default();
        bare.into_iter().for_each(|(path, bytes)| files.insert(&path, bytes));
        let folder: Rc<dyn Files> = Rc::new(files);
        assert!(Rc::ptr_eq(&sorted(Rc::clone(&folder)).await.unwrap(), &folder));
    });
}

/// A file of weights as two shards with their index.
fn in_shards(all: All, folder: &str, stem: &str) -> All {
    let mut entries = tensor_file::entries(bytes_of(&all, &format!("{folder}/{stem}.safetensors")));
    let second = entries.split_off(entries.len() / 2);
    let shard = |number: usize| format!("{stem}-0000{number}-of-00002.safetensors");
    let line = |(number, entry): (usize, &Entry)| format!("{:?}:{:?}", entry.name, shard(number));
    let map: Vec<String> = [(1, &entries), (2, &second)]
        .into_iter()
        .flat_map(|(number, all)| all.iter().map(move |entry| (number, entry)))
        .map(line)
        .collect();
    let index = format!("{{\"weight_map\":{{{}}}}}", map.join(","));
    let all = without(all, |path| path == format!("{folder}/{stem}.safetensors"));
    let all = with(all, &format!("{folder}/{stem}.safetensors.index.json"), index);
    let all = with(all, &format!("{folder}/{}", shard(1)), tensor_file::file(&entries));
    with(all, &format!("{folder}/{}", shard(2)), tensor_file::file(&second))
}

#[test]
fn shards_and_halves_and_texts_of_all_kinds_find_their_places() {
    let xl = of("xl");
    let sharded = [
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
        ("text_encoder_2", "model"),
    ]
    .into_iter()
    .fold(xl.clone(), |all, (folder, stem)| in_shards(all, folder, stem));
    let map = |pad: &str| format!(r#"{{"pad_token": {{"content": "{pad}", "lstrip": false}}}}"#);
    let mapped = with(xl.clone(), "tokenizer/special_tokens_map.json", map("<|endoftext|>"));
    let mapped = with(mapped, "tokenizer_2/special_tokens_map.json", map("!"));
    let unet = bytes_of(&xl, "unet/diffusion_pytorch_model.safetensors").to_vec();
    let halves = with(
        without(xl.clone(), |path| path.ends_with("unet/diffusion_pytorch_model.safetensors")),
        "unet/unet.fp16.safetensors",
        unet,
    );
    placed(&flat(&halves, RENAMED[0]), &xl);
    let json = without(of("flow"), |path| path.ends_with("vocab.json") || path.ends_with("merges.txt"));
    let json = with(json, "tokenizer/tokenizer.json", *b"{}");
    let json = with(json, "tokenizer/added_tokens.json", *b"{}");
    for all in [xl, sharded, mapped, json] {
        for renamed in RENAMED {
            for turned in 0..2 {
                let mut turned_by = all.clone();
                turned_by.sort();
                if turned == 1 {
                    turned_by.reverse();
                }
                placed(&flat(&turned_by, renamed), &all);
            }
        }
    }
}

#[test]
fn one_vocabulary_serves_two_text_encoders_but_not_what_pads() {
    let (xl, second) = (of("xl"), |name: &str| format!("tokenizer_2/{name}"));
    let once = without(xl.clone(), |path| path == second("vocab.json") || path == second("merges.txt"));
    placed(&flat(&once, RENAMED[0]), &xl);
    // The same file out of both folders is meant for both.
    let config = bytes_of(&xl, "tokenizer/tokenizer_config.json").to_vec();
    let alike = with(xl.clone(), &second("tokenizer_config.json"), config);
    placed(&flat(&alike, RENAMED[0]), &alike);

    for (gone, missing) in [
        ("tokenizer_2/", second("tokenizer_config.json")),
        ("tokenizer/", "tokenizer/tokenizer_config.json".to_owned()),
    ] {
        let why = refused(&flat(&without(xl.clone(), |path| path.starts_with(gone)), RENAMED[0]));
        assert!(why.starts_with(&format!("{missing} is missing. Choose all")), "{why}");
    }
    let larger = String::from_utf8(bytes_of(&xl, "text_encoder_2/config.json").to_vec()).unwrap().replace("604", "605");
    let why = refused(&flat(&with(once, "text_encoder_2/config.json", larger), RENAMED[0]));
    assert!(why.starts_with("tokenizer_2/vocab.json is missing. tokenizer_2/merges.txt is missing. Choose"), "{why}");
}

#[test]
fn what_is_no_checkpoint_is_told_by_its_name() {
    let sd1 = flat(&of("sd1"), RENAMED[0]);
    let unet = bytes_of(&of("sd1"), "unet/diffusion_pytorch_model.safetensors").to_vec();
    let config = bytes_of(&of("sd1"), "unet/config.json").to_vec();
    let tensor = |name: &str| {
        tensor_file::file(&[Entry { name: name.into(), dtype: "F32".into(), shape: vec![1], bytes: vec![0; 4] }])
    };
    let huge = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    let of_shards = in_shards(of("sd1"), "unet", "diffusion_pytorch_model");
    let lost = |number: &str| flat(&without(of_shards.clone(), |path| path.contains(number)), RENAMED[0]);
    let end = "Choose all files of the model again, at once, and only these.";
    let shard = "diffusion_pytorch_model-00002-of-00002.safetensors";
    for (all, words) in [
        (
            Vec::new(),
            vec![
                "unet/config.json is missing. unet/diffusion_pytorch_model.safetensors is missing. vae/config.json is missing. ",
            ],
        ),
        (without(sd1.clone(), |name| name == "vocab.json"), vec!["tokenizer/vocab.json is missing. "]),
        (
            without(sd1.clone(), |name| name == "scheduler_config.json"),
            vec!["scheduler/scheduler_config.json is missing. "],
        ),
        (without(sd1.clone(), |name| name == "model.safetensors"), vec!["text_encoder/model.safetensors is missing. "]),
        (
            with(sd1.clone(), "other.safetensors", unet.clone()),
            vec![" and other.safetensors are both unet/diffusion_pytorch_model.safetensors. "],
        ),
        (
            with(sd1.clone(), "config (9).json", [&config[..], b"\n"].concat()),
            vec![" and config (9).json are both unet/config.json. "],
        ),
        (
            with(sd1.clone(), "merges (1).txt", *b"#version"),
            vec!["merges.txt and merges (1).txt are both tokenizer/merges.txt. "],
        ),
        (
            with(sd1.clone(), "ink.safetensors", tensor("lora_unet_conv.lora_up.weight")),
            vec!["ink.safetensors belongs nowhere. "],
        ),
        (
            with(sd1.clone(), "old.safetensors", tensor("down_blocks.0.processor.to_q_lora.down.weight")),
            vec!["old.safetensors belongs nowhere. "],
        ),
        (with(sd1.clone(), "model.ckpt", *b"PK"), vec!["model.ckpt belongs nowhere. "]),
        (with(sd1.clone(), "package.json", *b"{}"), vec!["package.json belongs nowhere. "]),
        (
            with(sd1.clone(), "all.safetensors", tensor("model.diffusion_model.out.weight")),
            vec!["all.safetensors is a whole model in one file", "diffusers layout"],
        ),
        (with(sd1.clone(), "config.json", *b"{\"_class"), vec!["config.json: it is no JSON from byte 8 on."]),
        (
            with(sd1.clone(), "tokenizer_config.json", *b"[3"),
            vec!["tokenizer_config.json: it is no JSON from byte 2 on."],
        ),
        (
            with(sd1.clone(), "huge.safetensors", huge),
            vec!["huge.safetensors is no safetensors file: its header is longer than can be. "],
        ),
        (
            with(sd1.clone(), "empty.safetensors", *b""),
            vec!["empty.safetensors is no safetensors file: it is too short."],
        ),
        (with(sd1.clone(), "long.json", vec![b' '; (16 << 20) + 1]), vec!["long.json is larger than 16 MiB"]),
        (lost("00002-of"), vec!["unet/", shard, " is missing. "]),
        (lost("index"), vec!["unet/diffusion_pytorch_model.safetensors.index.json is missing. Choose all"]),
    ] {
        let why = refused(&all);
        assert!(words.iter().all(|words| why.contains(words)) && why.ends_with(end), "{words:?} in {why}");
    }
    // All that is wrong stands in one message.
    let all = with(with(without(sd1.clone(), |name| name == "vocab.json"), "a.bin", *b""), "b.json", *b"?");
    assert_eq!(
        refused(&all),
        format!("a.bin belongs nowhere. b.json: it is no JSON from byte 0 on. tokenizer/vocab.json is missing. {end}")
    );
    let many: All = (0..10_000).map(|number| (number.to_string(), Vec::new())).collect();
    assert_eq!(refused(&many), "These are 10000 files; at most 100 are looked at. Choose only the model's own.");
}

#[test]
fn what_stands_beside_a_checkpoint_is_passed_over() {
    let (all, expected) = (of("sd1"), of("sd1"));
    let checker = tensor_file::file(&[
        Entry { name: "concept_embeds".into(), dtype: "F32".into(), shape: vec![1], bytes: vec![0; 4] },
        Entry {
            name: "vision_model.vision_model.embeddings.x".into(),
            dtype: "F32".into(),
            shape: vec![1],
            bytes: vec![0; 4],
        },
    ]);
    let all = with(all, "safety_checker/model.safetensors", checker);
    let all = with(all, "safety_checker/config.json", *br#"{"architectures": ["StableDiffusionSafetyChecker"]}"#);
    let all = with(all, "feature_extractor/preprocessor_config.json", *br#"{"crop_size": 224}"#);
    let all = with(all, "README.md", *b"# A model");
    // The same text twice is as good as once.
    let again = bytes_of(&all, "tokenizer/vocab.json").to_vec();
    let all = with(all, "again/vocab.json", again);
    placed(&flat(&all, RENAMED[0]), &expected);
}

/// Two files of one name have come out of two folders.
#[test]
fn files_of_one_name_are_told_apart() {
    let mut names = of("xl");
    names.iter_mut().for_each(|(path, _)| *path = path.rsplit('/').next().unwrap().to_owned());
    pollster::block_on(async {
        let expected = picture(Rc::new(fixtures::files("xl", |_, _| None))).await;
        let files = sorted(kept(&names)).await.unwrap();
        assert!(picture(files).await == expected);
    });
    names.push(("config.json".into(), b"{}".to_vec()));
    let why = refused(&names);
    assert!(why.starts_with(&format!("{}/config.json belongs nowhere. ", names.len() - 1)), "{why}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_end_in_places_or_in_words(which in any::<u32>(), edits in prop::collection::vec((any::<u32>(), any::<u8>()), 1..4), list in "(\\[(\"[a-z./]{0,9}\",?){0,4}\\]?|.{0,20})") {
        let mut all = flat(&of("flow"), RENAMED[0]);
        let place = which as usize % all.len();
        let bytes = &mut all[place].1;
        let most = bytes.len().min(2000);
        edits.iter().for_each(|&(at, byte)| bytes[at as usize % most] = byte);
        if let Err(why) = pollster::block_on(sorted(kept(&all))) {
            prop_assert!(!why.message().is_empty());
        }
        let mut files = MemoryFiles::default();
        files.insert("loose.json", list.into_bytes());
        prop_assert!(pollster::block_on(sorted(Rc::new(files))).is_err());
        let mut files = MemoryFiles::default();
        files.insert("loose.json", br#"["loose.json", "loose.json"]"#.as_slice());
        prop_assert!(pollster::block_on(sorted(Rc::new(files))).is_err(), "a list is none of its files");
    }
}
