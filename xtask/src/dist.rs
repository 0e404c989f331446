use std::path::{Path, PathBuf};

use crate::run::{command, root, run};

/// Makes the static folder of the demo, or of an example. The tools must be there.
pub fn dist(example: Option<&str>) -> Result<(), String> {
    let shown = example.unwrap_or("the demo");
    println!("Building {shown} for release (the first time 2 to 4 minutes) …");
    run(command(&package(example), "trunk", &["build", "--release", "--offline"]))?;
    run(command("", "node", &["xtask/shrink/main.mjs", &folder(example).to_string_lossy()]))?;
    shrink_models(&folder(example))?;
    run(command("", "node", &["xtask/sums.mjs", &folder(example).to_string_lossy()]))
}

/// Checkpoints travel as 8-bit blocks: half of the bytes of f16.
fn shrink_models(folder: &Path) -> Result<(), String> {
    let entries = std::fs::read_dir(folder.join("models")).into_iter().flatten().flatten();
    for model in entries.map(|entry| entry.path()).filter(|model| model.join("model_index.json").exists()) {
        let model = model.to_string_lossy();
        // In the tests' profile, so that the suites build it once.
        let arguments =
            ["run", "--quiet", "--profile", "test", "--package", "gradus-tools", "--", "blocks", &model, &model];
        run(command("", "cargo", &arguments))?;
    }
    Ok(())
}

/// The app that the end-to-end tests alone use; it is built like an example.
pub const FIXTURE: &str = "fixture";

/// The folder of the demo's package, of an example's, or of an app elsewhere, given by its path.
pub fn package(example: Option<&str>) -> String {
    match example {
        Some(path) if path.contains('/') => path.to_owned(),
        Some(FIXTURE) => format!("tests/{FIXTURE}"),
        Some(name) => format!("examples/{name}"),
        None => String::new(),
    }
}

/// Refuses a folder in which there is no app.
pub fn check(example: Option<&str>) -> Result<(), String> {
    let folder = root().join(package(example));
    if folder.join("Cargo.toml").is_file() {
        return Ok(());
    }
    Err(format!(
        "there is no Cargo.toml in {}; the examples are {}, and an app elsewhere is given by a path such as ../my-app",
        folder.display(),
        examples().join(" and ")
    ))
}

/// Where the static folder is.
pub fn folder(example: Option<&str>) -> PathBuf {
    root().join(package(example)).join("dist")
}

/// The examples there are.
pub fn examples() -> Vec<String> {
    let folder = root().join("examples");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
