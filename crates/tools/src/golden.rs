//! `golden`: reference results of diffusers, folder by folder.

#[path = "../../../tests/support/golden.rs"]
mod runner;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use gradus::kernels::Engine;
use runner::{Golden, IN_HALVES_BY_SUBGROUPS};

use crate::world::{Clock, Folder, cpu, gpu};

/// Runs all folders under `folder` that have a golden.json.
pub fn run(folder: &str, rest: &[&str]) -> Result<(), String> {
    let mut engines: Vec<(&str, Rc<dyn Engine>)> = Vec::new();
    let (wanted, variant) = match rest {
        [] => ("all", None),
        ["--engine", wanted @ ("cpu" | "gpu" | "all")] => (*wanted, None),
        ["--engine", "gpu", "--variant", variant] => ("gpu", Some(*variant)),
        _ => return Err("The engines are: --engine cpu, gpu or all; behind gpu --variant N or timed.".to_owned()),
    };
    if wanted != "gpu" {
        engines.push(("cpu", cpu()));
    }
    let mut skipped = 0;
    if wanted != "cpu" {
        match gpu(variant) {
            Ok(engine) => engines.push(("gpu", engine)),
            Err(why) if wanted == "all" => {
                eprintln!("No GPU: {why}");
                skipped += 1;
            }
            Err(why) => return Err(why),
        }
    }
    let mut folders = Vec::new();
    find(Path::new(folder), &mut folders).map_err(|error| format!("{folder} could not be read: {error}"))?;
    folders.sort();
    if folders.is_empty() {
        return Err(format!("There is no golden.json under {folder}."));
    }
    let control = Clock(Instant::now());
    let (mut passed, mut failed) = (0, 0);
    for folder in folders {
        let files = Folder(folder.clone());
        for (name, engine) in &engines {
            let opened = pollster::block_on(Golden::open(&files, &**engine, &control));
            let mut golden = opened.map_err(|error| format!("{}: {error}", folder.display()))?;
            golden.pipelines_in_halves = IN_HALVES_BY_SUBGROUPS;
            for outcome in pollster::block_on(golden.run(|_| true)) {
                let reason = if outcome.why.is_empty() {
                    String::new()
                } else {
                    format!(",\"reason\":{}", quoted(&outcome.why))
                };
                println!(
                    "{{\"fixture\":{},\"kind\":{},\"case\":{},\"engine\":\"{name}\",\"max_abs\":{},\"limit\":{},\"range\":{},\"pass\":{}{reason}}}",
                    quoted(&golden.fixture),
                    quoted(&outcome.kind),
                    quoted(&outcome.case),
                    number(outcome.max_abs),
                    number(outcome.limit),
                    number(outcome.range),
                    outcome.pass
                );
                *(if outcome.pass { &mut passed } else { &mut failed }) += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { Ok(()) } else { Err(format!("{failed} cases failed")) }
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if folder.join("golden.json").is_file() {
        found.push(folder.to_owned());
    }
    for entry in std::fs::read_dir(folder)?.flatten().filter(|entry| entry.path().is_dir()) {
        find(&entry.path(), found)?;
    }
    Ok(())
}

/// JSON has no infinity.
fn number(x: f64) -> String {
    if x.is_finite() { format!("{x:e}") } else { "null".to_owned() }
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter < ' ' => quoted.push(' '),
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}
