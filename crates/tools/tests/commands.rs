//! `golden` and `generate` as they are typed: what they print, what they write, and how they end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "../../../tests/support/tensor_file.rs"]
mod tensor_file;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gradus::diffusion::json::Json;
use gradus::value::Picture;
use tensor_file::Entry;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/diffusion");

fn run(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gradus-tools")).args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// What `golden` says of a folder on the processor: whether it ended well, the lines of the cases that failed, and the last.
fn golden(folder: &Path) -> (bool, Vec<String>, String) {
    let output = run(&["golden", folder.to_str().unwrap(), "--engine", "cpu"]);
    let mut lines: Vec<String> = text(&output.stdout).lines().map(str::to_owned).collect();
    let last = lines.pop().unwrap_or_else(|| text(&output.stderr));
    lines.retain(|line| Json::parse(line.as_bytes()).unwrap().get("pass") != Some(&Json::Bool(true)));
    (output.status.success(), lines, last)
}

#[test]
fn golden_ends_well_where_all_agrees_and_names_what_does_not() {
    let flow = Path::new(FIXTURES).join("flow");
    let json = Json::parse(&fs::read(flow.join("golden.json")).unwrap()).unwrap();
    let count = json.get("cases").and_then(Json::list).unwrap().len();
    assert_eq!(golden(&flow), (true, vec![], format!("{count} passed, 0 failed, 0 skipped")));

    let changed = folder("golden-changed");
    copy(&flow, &changed);
    let file = fs::read(flow.join("golden.safetensors")).unwrap();
    for (tensor, case, part) in [
        ("unet/0/at/mid_block", "unet/0/out", "mid_block"),
        ("unet/1/out", "unet/1/out", "out"),
        ("pipeline/flow_match/8/noise_pred", "flow_match 8 steps", "noise_pred"),
        ("text/0/hidden/1", "text/0/out", "text/0/hidden/1"),
    ] {
        let one = |entry: &mut Entry| {
            if entry.name == tensor {
                let first: [u8; 4] = entry.bytes[..4].try_into().unwrap();
                entry.bytes[..4].copy_from_slice(&(f32::from_le_bytes(first) + 0.5).to_le_bytes());
            }
        };
        fs::write(changed.join("golden.safetensors"), tensor_file::changed(&file, one)).unwrap();
        let (well, failed, last) = golden(&changed);
        assert!(!well && failed.len() == 1, "{tensor}: {failed:?}");
        let named = [format!("\"case\":\"{case}\""), format!("\"reason\":\"{part}: ")];
        assert!(named.iter().all(|named| failed[0].contains(named)), "{tensor}: {failed:?}");
        assert_eq!(last, format!("{} passed, 1 failed, 0 skipped", count - 1));
    }

    let empty = folder("golden-empty");
    let output = run(&["golden", empty.to_str().unwrap()]);
    assert!(!output.status.success() && text(&output.stderr).contains("no golden.json"), "{output:?}");
}

/// What diffusers made a picture of, in the words of `generate`.
const BURGER: [(&str, &str); 8] = [
    ("--prompt", "a painting of a burger"),
    ("--negative", "a ball"),
    ("--seed", "77"),
    ("--steps", "5"),
    ("--guidance", "3"),
    ("--scheduler", "ddim"),
    ("--size", "16x16"),
    ("--engine", "cpu"),
];

/// Runs `generate` with that, but for one option, and with more words behind.
fn generate(model: &Path, (option, value): (&str, &str), more: &[&str], out: &Path) -> Output {
    let mut words = vec!["generate", "--model", model.to_str().unwrap(), "-o", out.to_str().unwrap()];
    words.extend(BURGER.iter().flat_map(|&(of, usual)| [of, if of == option { value } else { usual }]));
    words.extend(more);
    run(&words)
}

/// Width and height as a PNG file says them behind its signature.
fn size(file: &[u8]) -> [u32; 2] {
    assert_eq!(&file[..16], b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    [16, 20].map(|at| u32::from_be_bytes(file[at..at + 4].try_into().unwrap()))
}

#[test]
fn generate_writes_the_picture_that_its_options_say() {
    let (model, out) = (Path::new(FIXTURES).join("sd1"), folder("generate").join("made.png"));
    let made = |option, value| {
        let _ = fs::remove_file(&out);
        let output = generate(&model, (option, value), &[], &out);
        assert!(output.status.success(), "{option} {value}: {}", text(&output.stderr));
        fs::read(&out).unwrap()
    };
    // A file tells also how long it took, which is never the same.
    let pixels = |file: &[u8]| Picture::from_png(file).unwrap().rgba().to_vec();
    let file = made("", "");
    assert_eq!(size(&file), [16, 16]);
    let usual = pixels(&file);

    let golden = tensor_file::entries(&fs::read(model.join("golden.safetensors")).unwrap());
    let expected = &golden.iter().find(|entry| entry.name == "pictures/0/out").unwrap().bytes;
    let expected: Vec<f32> =
        expected.chunks_exact(4).map(|number| f32::from_le_bytes(number.try_into().unwrap()) * 255.0).collect();
    assert_eq!(expected.len(), 3 * 16 * 16);
    for (place, wanted) in expected.iter().enumerate() {
        let byte = f32::from(usual[place % 256 * 4 + place / 256]);
        assert!((byte - wanted).abs() < 0.53, "diffusers has {wanted} where {byte} is, at {place}");
    }

    assert_eq!(size(&made("--size", "24x16")), [24, 16]);
    let mut seen = vec![usual.clone()];
    for (option, value) in [
        ("--seed", "78"),
        ("--prompt", "a ball"),
        ("--negative", "a burger"),
        ("--steps", "6"),
        ("--guidance", "5"),
        ("--scheduler", "dpm"),
    ] {
        let other = pixels(&made(option, value));
        assert!(!seen.contains(&other), "{option} {value} changes nothing");
        seen.push(other);
    }
    assert_eq!(pixels(&made("", "")), usual, "the same twice");
}

#[test]
fn generate_refuses_what_it_does_not_know_and_writes_nothing() {
    let (sd1, folder) = (Path::new(FIXTURES).join("sd1"), folder("refused"));
    let out = folder.join("never.png");
    let check = |output: Output, named: &str| {
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains(named) && !said.contains("panicked"), "{named}: {said}");
        assert!(!out.exists(), "{named}");
    };
    check(generate(&sd1, ("", ""), &["--colour", "red"], &out), "--colour");
    check(generate(&sd1, ("", ""), &["--lora"], &out), "--lora");
    check(generate(&sd1, ("--scheduler", "heun"), &[], &out), "heun");
    check(generate(&sd1, ("--steps", "many"), &[], &out), "--steps");
    check(generate(&sd1, ("--size", "16"), &[], &out), "16");
    check(generate(&folder.join("no-model"), ("", ""), &[], &out), "no-model");
    check(run(&["generate", "--prompt", "a ball", "-o", out.to_str().unwrap()]), "--model");
}
