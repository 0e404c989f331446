//! What a visitor downloads, and how much it may be.

use std::path::{Path, PathBuf};

use crate::dist;
use crate::run::ask;

/// The most that wasm and JavaScript may be, gzipped, in bytes: of what opens the page, and with what the workers add.
/// The budget of hello is 150,000: the folder that it is built in changes the order of its functions, and with it 0.2 %.
const LIMITS: [(&str, u64, u64); 3] =
    [("demo", 211_000, 522_000), ("hello", 150_400, 150_400), ("queue_guide", 187_500, 320_000)];

/// Sizes of an app's wasm and JavaScript.
#[derive(Default)]
pub struct Size {
    pub raw: u64,
    pub gzipped: u64,
    /// Gzipped, of what is loaded before a visitor can begin; the workers' module comes after that.
    pub opening: u64,
}

/// Measures a static folder.
pub fn measure(example: Option<&str>) -> Result<Size, String> {
    let folder = dist::folder(example);
    let text = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let is = |path: &PathBuf, kind: &str| path.extension().is_some_and(|extension| extension == kind);
    let page = text(&folder.join("index.html"));
    let named: String = page.lines().filter(|line| !line.contains("gradus-workers")).collect();
    let glue = files(&folder).into_iter().filter(|path| is(path, "js") && named.contains(&name(path)));
    let opening = glue.fold(named.clone(), |all, path| all + &text(&path));
    let mut size = Size::default();
    let wasm = |path: &PathBuf| is(path, "wasm") && opening.contains(&name(path));
    if !files(&folder).iter().any(wasm) {
        return Err(format!("{} has no page. Run `cargo xtask dist` first.", folder.display()));
    }
    for file in files(&folder).into_iter().filter(|path| is(path, "wasm") || is(path, "js")) {
        size.raw += file.metadata().map_err(|error| error.to_string())?.len();
        // Node is there for the browser tests, and has the zlib that servers have.
        let script = "const z=require('zlib'),f=require('fs');console.log(z.gzipSync(f.readFileSync(process.argv[1]),{level:9}).length)";
        let gzipped = ask("node", &["-e", script, &file.to_string_lossy()]).and_then(|text| text.parse::<u64>().ok());
        let gzipped = gzipped.ok_or_else(|| format!("node could not gzip {}", file.display()))?;
        size.gzipped += gzipped;
        size.opening += if opening.contains(&name(&file)) { gzipped } else { 0 };
    }
    Ok(size)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Prints the sizes of a static folder.
pub fn print(example: Option<&str>) -> Result<(), String> {
    let size = measure(example)?;
    println!(
        "{}: wasm and JavaScript {} bytes, gzipped {}; {} of them until the page can be used",
        dist::folder(example).display(),
        size.raw,
        size.gzipped,
        size.opening
    );
    Ok(())
}

/// Holds all static folders to their limits; what each came to.
pub fn check() -> Vec<Result<String, String>> {
    let one = |(name, opening, whole): (&str, u64, u64)| {
        let size = measure((name != "demo").then_some(name))?;
        let words = format!(
            "{name}: {} of {opening} bytes gzipped until the page can be used, {} of {whole} in all",
            size.opening, size.gzipped
        );
        if size.opening <= opening && size.gzipped <= whole { Ok(words) } else { Err(words) }
    };
    LIMITS.into_iter().map(one).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.flat_map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] }).collect()
}
