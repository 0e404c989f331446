//! Figures, one JSON line each.

use crate::run::{command, root, run};
use crate::{dist, sizes, tools};

pub fn bench() -> Result<(), String> {
    tools::for_testing()?;
    let examples = dist::examples();
    for example in std::iter::once(None).chain(examples.iter().map(|name| Some(name.as_str()))) {
        dist::dist(example)?;
        let size = sizes::measure(example)?;
        let name = example.unwrap_or("demo");
        println!("{{\"name\":\"gzipped_{name}\",\"value\":{},\"unit\":\"B\"}}", size.gzipped);
    }
    run(command("", "cargo", &["bench", "--quiet", "--bench", "queue"]))?;
    let entries = std::fs::read_dir(root().join("tests/e2e/bench")).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.sort();
    for file in files {
        run(command("", "node", &[&file.to_string_lossy()]))?;
    }
    Ok(())
}
