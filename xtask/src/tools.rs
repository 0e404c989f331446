//! Installs what is missing, into target/tools and node_modules; never over the user's own.

use std::path::Path;
use std::process::Command;

use crate::run::{ask, command, root, run};

/// The newest that builds with the pinned compiler.
const TRUNK: &str = "0.21.14";

/// What the tests need of the system, as Debian names it, and a file by which one sees that it is there.
const SYSTEM: [(&str, &str); 7] = [
    ("chromium", "/usr/bin/chromium"),
    ("chromium-driver", "/usr/bin/chromedriver"),
    ("mesa-vulkan-drivers", "/usr/share/vulkan/icd.d"),
    ("libvulkan1", "/usr/share/doc/libvulkan1"),
    ("fonts-liberation", "/usr/share/fonts/truetype/liberation"),
    ("fonts-noto-color-emoji", "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"),
    ("fonts-noto-core", "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf"),
];

/// What a build needs: the wasm target, trunk, wasm-bindgen and wasm-opt.
pub fn for_building() -> Result<(), String> {
    let wanted = locked("wasm-bindgen")?;
    if !ask("rustup", &["target", "list", "--installed"]).is_none_or(|list| list.contains("wasm32-unknown-unknown")) {
        println!("Installing the wasm32-unknown-unknown target …");
        run(command("", "rustup", &["target", "add", "wasm32-unknown-unknown"]))?;
    }
    install("wasm-bindgen-cli", "wasm-bindgen", &wanted, "half a minute to 3 minutes")?;
    install("trunk", "trunk", TRUNK, "1.5 to 4 minutes")?;
    let (lock, installed) = (root().join("package-lock.json"), root().join("node_modules/.package-lock.json"));
    if !is_newer(&installed, &lock) {
        println!("Installing wasm-opt and the browser tests' driver (npm ci, some seconds) …");
        run(command("", "npm", &["ci", "--no-audit", "--no-fund"]))?;
    }
    Ok(())
}

/// What the tests need beyond that: a browser, its driver, a Vulkan adapter and fonts.
pub fn for_testing() -> Result<(), String> {
    for_building()?;
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let missing: Vec<&str> =
        SYSTEM.iter().filter(|(_, file)| !Path::new(file).exists()).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    let root_user = ask("id", &["-u"]).as_deref() == Some("0");
    if !root_user || ask("apt-get", &["--version"]).is_none() {
        return Err(format!("the tests need these packages of your system: {list}. Install them and run again."));
    }
    println!("Installing {list} (apt, about a minute) …");
    run(apt(&["update", "-qq"]))?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(missing);
    run(apt(&arguments))
}

fn apt(arguments: &[&str]) -> Command {
    let mut apt = command("", "apt-get", arguments);
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

/// The version of a package in Cargo.lock.
fn locked(package: &str) -> Result<String, String> {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).map_err(|error| format!("Cargo.lock: {error}"))?;
    let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{package}\"\n")));
    let version = entry.and_then(|entry| entry.split("version = \"").nth(1)?.split('"').next());
    version.map(str::to_owned).ok_or_else(|| format!("Cargo.lock names no {package}. Run `cargo generate-lockfile`."))
}

fn install(package: &str, program: &str, version: &str, time: &str) -> Result<(), String> {
    if ask(program, &["--version"]).is_some_and(|said| said.split_whitespace().any(|word| word == version)) {
        return Ok(());
    }
    let folder = root().join("target/tools");
    let folder = folder.to_string_lossy();
    if ask("cargo-binstall", &["-V"]).is_some() {
        println!("Fetching {package} {version} with cargo-binstall …");
        let arguments = ["binstall", "--no-confirm", "--root", &folder, "--version", version, package];
        if run(command("", "cargo", &arguments)).is_ok() {
            return Ok(());
        }
    }
    println!("Compiling {package} {version} into target/tools (once, about {time}) …");
    let cargo_install = |locked: &[&str]| {
        let mut arguments = vec!["install", "--root", &folder, "--version", version, package];
        arguments.extend(locked);
        let mut install = command("", "cargo", &arguments);
        // They run for moments at a time, so it is their compile that costs.
        install.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0");
        install.env("CARGO_PROFILE_RELEASE_LTO", "off");
        install.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256");
        install.env("CARGO_TARGET_DIR", root().join("target/tools/build"));
        run(install)
    };
    cargo_install(&["--locked"]).or_else(|_| {
        // The usual cause is a dependency that was withdrawn since the lock file was written.
        println!("That failed. Once more without the lock file that {package} comes with …");
        cargo_install(&[])
    })
}

fn is_newer(file: &Path, than: &Path) -> bool {
    let time = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    match (time(file), time(than)) {
        (Some(file), Some(than)) => file >= than,
        _ => false,
    }
}
