//! Runs other programs: with our tools first on PATH, and one target folder for all packages.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Where our own tools are installed.
pub fn tools_bin() -> PathBuf {
    root().join("target/tools/bin")
}

/// A program, started in `folder` of the repository.
pub fn command(folder: &str, program: &str, arguments: &[&str]) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let ours = [tools_bin(), root().join("node_modules/.bin")];
    let all = ours.into_iter().chain(std::env::split_paths(&path));
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root().join(folder));
    // Examples are packages of their own; with one target folder what they share is built once.
    command.env("CARGO_TARGET_DIR", root().join("target"));
    // The vectors that `.cargo/config.toml` asks for, which cargo does not find from an app elsewhere: without them the
    // processor's engine computes one number at a time.
    if is_elsewhere(folder) {
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-C target-feature=+simd128");
    }
    if let Ok(all) = std::env::join_paths(all) {
        command.env("PATH", all);
    }
    command
}

/// Whether a folder, given from the repository's root on, is outside of it.
fn is_elsewhere(folder: &str) -> bool {
    let whole = |path: PathBuf| path.canonicalize().unwrap_or(path);
    !whole(root().join(folder)).starts_with(whole(root()))
}

/// Runs to the end, showing what it says.
pub fn run(mut command: Command) -> Result<(), String> {
    let shown = format!("{} {}", name(&command), arguments(&command));
    let status = command.status().map_err(|error| format!("`{shown}` could not be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{shown}` failed ({status})")) }
}

/// Runs to the end, showing and keeping what it says on both streams; whether it succeeded comes first.
pub fn tee(mut command: Command) -> Result<(bool, Vec<String>), String> {
    let shown = name(&command);
    let refuse = |error: std::io::Error| format!("`{shown}` could not be run: {error}");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(refuse)?;
    let stdout = child.stdout.take().map(|stream| std::thread::spawn(move || copy(stream)));
    let stderr = child.stderr.take().map(|stream| std::thread::spawn(move || copy(stream)));
    let mut lines = Vec::new();
    for reader in [stdout, stderr].into_iter().flatten() {
        lines.extend(reader.join().map_err(|_| format!("the output of `{shown}` could not be read"))?);
    }
    Ok((child.wait().map_err(refuse)?.success(), lines))
}

fn copy(stream: impl std::io::Read) -> Vec<String> {
    let mut kept = Vec::new();
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        println!("{line}");
        kept.push(line);
    }
    kept
}

/// What a program says on its standard output; `None` when it is not there or fails.
pub fn ask(program: &str, arguments: &[&str]) -> Option<String> {
    ask_in("", program, arguments)
}

/// The same of a program started in `folder` of the repository.
pub fn ask_in(folder: &str, program: &str, arguments: &[&str]) -> Option<String> {
    let output = command(folder, program, arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn arguments(command: &Command) -> String {
    command.get_args().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn an_app_elsewhere_is_built_with_vectors_and_ours_by_their_own_configuration() {
        let told = |folder: &str| {
            let command = command(folder, "cargo", &[]);
            let mut all = command.get_envs().filter_map(|(key, value)| Some((key.to_str()?, value?.to_str()?)));
            all.find(|(key, _)| key.ends_with("RUSTFLAGS")).map(|(_, value)| value.to_owned())
        };
        let parts = told("..").unwrap_or_default();
        let ours = include_str!("../../.cargo/config.toml");
        assert!(!parts.is_empty() && parts.split(' ').all(|part| ours.contains(&format!("{part:?}"))), "{parts}");
        assert_eq!([told(""), told("examples/hello")], [None, None]);
    }
}
