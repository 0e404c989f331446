use std::path::{Path, PathBuf};

use crate::run::{ask_in, command, root, run};

/// Makes the static folder of the demo, or of an example. The tools must be there.
pub fn dist(example: Option<&str>) -> Result<(), String> {
    let shown = example.unwrap_or("the demo");
    let folder = folder(example);
    if is_apart(example)? {
        println!("Building {shown} for release, its page and its workers (the first time 3 to 5 minutes) …");
        build_apart(example, &folder)?;
    } else {
        println!("Building {shown} for release (the first time 2 to 4 minutes) …");
        build(example, None, &folder)?;
        shrink(&folder)?;
    }
    shrink_models(&folder)?;
    run(command("", "node", &["xtask/sums.mjs", &folder.to_string_lossy()]))
}

/// The roles of an app that is built as two modules; each is a feature of gradus.
pub const ROLES: [&str; 2] = ["page", "worker"];

/// Two modules, so that a visitor has the page before the engines have come.
fn build_apart(example: Option<&str>, folder: &Path) -> Result<(), String> {
    // An app elsewhere may be given by a path that ends in dots.
    let package = root().join(package(example)).canonicalize().map_err(|error| format!("the app's folder: {error}"))?;
    let workers = root().join("target/workers").join(package.file_name().unwrap_or_default());
    build(example, Some(ROLES[0]), folder)?;
    // The one is made small while the other compiles, as neither keeps two cores busy.
    std::thread::scope(|scope| {
        let page = scope.spawn(|| shrink(folder));
        build(example, Some(ROLES[1]), &workers)?;
        shrink(&workers)?;
        page.join().map_err(|_| "the page could not be made small".to_owned())?
    })?;
    run(command("", "node", &["xtask/shrink/join.mjs", &folder.to_string_lossy(), &workers.to_string_lossy()]))
}

fn build(example: Option<&str>, role: Option<&str>, folder: &Path) -> Result<(), String> {
    let folder = folder.to_string_lossy();
    let mut arguments = vec!["build", "--release", "--offline", "--dist", &folder];
    // The demo is gradus' own package.
    let feature = role.map(|role| if example.is_none() { role.to_owned() } else { format!("gradus/{role}") });
    arguments.extend(feature.iter().flat_map(|feature| ["--features", feature]));
    run(command(&package(example), "trunk", &arguments))
}

fn shrink(folder: &Path) -> Result<(), String> {
    run(command("", "node", &["xtask/shrink/main.mjs", &folder.to_string_lossy()]))
}

/// Whether an app's workers are worth a module of their own: they are where it has engines. The tests' app stays whole,
/// so that both ways are tested.
fn is_apart(example: Option<&str>) -> Result<bool, String> {
    let arguments = ["tree", "--package", "gradus", "--depth", "0", "--format", "{f}"];
    let features = ask_in(&package(example), "cargo", &arguments)
        .ok_or("`cargo tree --package gradus` fails in the app's folder; run it there to see why. The app needs the dependency under this name")?;
    Ok(example != Some(FIXTURE) && features.split(',').any(|feature| feature.trim() == "pictures"))
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
