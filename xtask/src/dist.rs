use std::path::PathBuf;

use crate::run::{command, root, run};

/// Makes the static folder of the demo, or of an example. The tools must be there.
pub fn dist(example: Option<&str>) -> Result<(), String> {
    let shown = example.unwrap_or("the demo");
    println!("Building {shown} for release (the first time 2 to 4 minutes) …");
    let folder = example.map_or_else(String::new, |name| format!("examples/{name}"));
    run(command(&folder, "trunk", &["build", "--release", "--offline"]))
}

/// Where the static folder is.
pub fn folder(example: Option<&str>) -> PathBuf {
    match example {
        Some(name) => root().join("examples").join(name).join("dist"),
        None => root().join("dist"),
    }
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
