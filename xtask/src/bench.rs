//! Figures, one JSON line each.

use crate::run::{command, root, run, tee};
use crate::{dist, sizes, tools};

pub fn bench() -> Result<(), String> {
    tools::for_testing()?;
    let examples = dist::examples();
    for example in std::iter::once(None).chain(examples.iter().map(|name| Some(name.as_str()))) {
        dist::dist(example)?;
        let size = sizes::measure(example)?;
        let name = example.unwrap_or("demo");
        println!("{{\"name\":\"gzipped_{name}\",\"value\":{},\"unit\":\"B\"}}", size.gzipped);
        println!("{{\"name\":\"gzipped_opening_{name}\",\"value\":{},\"unit\":\"B\"}}", size.opening);
    }
    run(command("", "cargo", &["bench", "--quiet", "--bench", "queue"]))?;
    in_wasm()?;
    // Where there is a real GPU; else it says so.
    run(command("", "cargo", &["run", "--quiet", "--profile", "bench", "--package", "gradus-tools", "--", "bench"]))?;
    let entries = std::fs::read_dir(root().join("tests/e2e/bench")).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending == "mjs")).collect();
    files.sort();
    // All are told, also where one finds a figure over its bound.
    let ran: Vec<_> = files.iter().map(|file| run(command("", "node", &[&file.to_string_lossy()]))).collect();
    ran.into_iter().collect()
}

/// The queue's figure in a browser: a test for release that says it on the console.
fn in_wasm() -> Result<(), String> {
    let mut cargo = command(
        "",
        "cargo",
        &["test", "--release", "--target", "wasm32-unknown-unknown", "--test", "browser_bench", "--", "--nocapture"],
    );
    cargo.env("CHROMEDRIVER", "/usr/bin/chromedriver");
    let (succeeded, lines) = tee(cargo)?;
    if succeeded && lines.iter().any(|line| line.contains("queue_cycles_wasm")) {
        return Ok(());
    }
    Err("the queue's figure in wasm could not be taken".into())
}
