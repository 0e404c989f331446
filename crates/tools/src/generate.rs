//! `generate`: a picture with a checkpoint.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use gradus::diffusion::schedule::Kind;
use gradus::diffusion::{Lora, Merge, Pipeline, Precision};

use crate::world::{Clock, Folder, Lines, cpu, gpu};

/// Reads the options and makes the picture.
pub fn run(words: &[&str]) -> Result<(), String> {
    check(words)?;
    let value = |key: &str| words.windows(2).find(|pair| pair[0] == key).map(|pair| pair[1]);
    let need = |key: &str| value(key).ok_or_else(|| format!("{key} is missing.\n\n{}", crate::USAGE));
    let (model, prompt, out) = (need("--model")?, need("--prompt")?, need("-o")?);
    if !Path::new(model).is_dir() {
        return Err(format!("There is no folder {model}."));
    }
    let engine = match value("--engine") {
        None | Some("cpu") => cpu(),
        Some("gpu") => gpu(value("--variant"))?,
        Some(other) => return Err(format!("There is no engine {other}; there are cpu and gpu.")),
    };
    let precision = match value("--weights") {
        None => Precision::AsStored,
        Some("8bit") => Precision::EightBit,
        Some(other) => return Err(format!("There are no weights of {other}; there is 8bit.")),
    };
    let began = Instant::now();
    let (control, observer) = (Clock(began), Lines(began));
    let files = Rc::new(Folder(PathBuf::from(model)));
    let mut loras: Vec<Rc<dyn Merge>> = Vec::new();
    for pair in words.windows(2).filter(|pair| pair[0] == "--lora") {
        loras.push(Rc::new(lora(pair[1])?));
    }
    let loaded = pollster::block_on(Pipeline::load_with(files, &loras, precision, &*engine, &control, &observer));
    let pipeline = loaded.map_err(|error| error.to_string())?;
    eprintln!("{:7.2} s  loaded on {}", began.elapsed().as_secs_f64(), engine.info().name);
    let mut request = pipeline.usual_request();
    prompt.clone_into(&mut request.prompt);
    value("--negative").unwrap_or_default().clone_into(&mut request.negative);
    request.seed = number(value("--seed"), request.seed, "--seed")?;
    request.steps = number(value("--steps"), request.steps, "--steps")?;
    request.guidance = number(value("--guidance"), request.guidance, "--guidance")?;
    request.clip_skip = number(value("--clip-skip"), request.clip_skip, "--clip-skip")?;
    request.emphasis = words.contains(&"--emphasis");
    if let Some(size) = value("--size") {
        let (width, height) = size.split_once('x').ok_or_else(|| format!("{size} is no size; write 512x512."))?;
        request.width = number(Some(width), 0, "--size")?;
        request.height = number(Some(height), 0, "--size")?;
    }
    if let Some(name) = value("--scheduler") {
        let kind = KINDS.iter().find(|(known, _)| *known == name).map(|&(_, kind)| kind);
        request.sampler = Some(kind.ok_or_else(|| {
            let known: Vec<&str> = KINDS.iter().map(|(known, _)| *known).collect();
            format!("There is no scheduler {name}; there are {}.", known.join(", "))
        })?);
    }
    let made = pollster::block_on(pipeline.generate(&request, &*engine, &control, &observer));
    let pictures = made.map_err(|error| error.to_string())?;
    eprintln!("{:7.2} s  done", began.elapsed().as_secs_f64());
    let picture = pictures.first().ok_or("No picture was made.")?;
    let file = picture.to_png().map_err(|error| error.to_string())?;
    std::fs::write(out, file).map_err(|error| format!("{out} could not be written: {error}"))
}

/// Options that are followed by a value.
const VALUED: [&str; 14] = [
    "--model",
    "--prompt",
    "--negative",
    "--seed",
    "--steps",
    "--guidance",
    "--scheduler",
    "--size",
    "--engine",
    "--variant",
    "--lora",
    "--weights",
    "--clip-skip",
    "-o",
];

/// A word that is not known would else make another picture than was meant.
fn check(mut words: &[&str]) -> Result<(), String> {
    while let [option, rest @ ..] = words {
        words = match rest {
            _ if *option == "--emphasis" => rest,
            [_, rest @ ..] if VALUED.contains(option) => rest,
            [] if VALUED.contains(option) => return Err(format!("{option} lacks its value.\n\n{}", crate::USAGE)),
            _ => return Err(format!("There is no option {option}.\n\n{}", crate::USAGE)),
        };
    }
    Ok(())
}

/// A LoRA file, by its path and its weight.
fn lora(text: &str) -> Result<Lora, String> {
    let (path, weight) = text.rsplit_once(':').unwrap_or((text, "1"));
    let weight = number(Some(weight), 1.0, "--lora")?;
    let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
    let folder = Rc::new(Folder(PathBuf::from(if folder.is_empty() { "/" } else { folder })));
    pollster::block_on(Lora::open(folder, name, weight)).map_err(|error| error.to_string())
}

const KINDS: [(&str, Kind); 7] = [
    ("euler", Kind::Euler),
    ("euler_a", Kind::EulerAncestral),
    ("ddim", Kind::Ddim),
    ("lcm", Kind::Lcm),
    ("dpm", Kind::Dpm),
    ("pndm", Kind::Pndm),
    ("flow", Kind::Flow),
];

fn number<T: std::str::FromStr>(text: Option<&str>, otherwise: T, key: &str) -> Result<T, String> {
    match text {
        None => Ok(otherwise),
        Some(text) => text.parse().map_err(|_| format!("{key}: {text} is no number that fits.")),
    }
}
