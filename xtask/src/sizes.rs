//! What a visitor downloads, and how much it may be.

use std::path::{Path, PathBuf};

use crate::dist;
use crate::run::ask;

/// The most that wasm and JavaScript together may be, gzipped, in bytes.
const LIMITS: [(&str, u64); 3] = [("demo", 463_000), ("hello", 149_000), ("queue_guide", 277_500)];

/// Sizes of what is loaded to show the page.
pub struct Size {
    pub raw: u64,
    pub gzipped: u64,
}

/// Measures a static folder.
pub fn measure(example: Option<&str>) -> Result<Size, String> {
    let mut size = Size { raw: 0, gzipped: 0 };
    for file in files(&dist::folder(example)) {
        if file.extension().is_some_and(|kind| kind == "wasm" || kind == "js") {
            size.raw += file.metadata().map_err(|error| error.to_string())?.len();
            // Node is there for the browser tests, and has the zlib that servers have.
            let script = "const z=require('zlib'),f=require('fs');console.log(z.gzipSync(f.readFileSync(process.argv[1]),{level:9}).length)";
            let gzipped = ask("node", &["-e", script, &file.to_string_lossy()]).and_then(|text| text.parse().ok());
            size.gzipped += gzipped.unwrap_or(0u64);
        }
    }
    if size.gzipped == 0 {
        return Err(format!("{} has no page. Run `cargo xtask dist` first.", dist::folder(example).display()));
    }
    Ok(size)
}

/// Prints the sizes of a static folder.
pub fn print(example: Option<&str>) -> Result<(), String> {
    let size = measure(example)?;
    println!("{}: wasm and JavaScript {} bytes, gzipped {}", dist::folder(example).display(), size.raw, size.gzipped);
    Ok(())
}

/// Holds all static folders to their limits; what each came to.
pub fn check() -> Vec<Result<String, String>> {
    let one = |(name, limit): (&str, u64)| {
        let size = measure((name != "demo").then_some(name))?;
        let words = format!("{name}: {} of {limit} bytes gzipped", size.gzipped);
        if size.gzipped <= limit { Ok(words) } else { Err(words) }
    };
    LIMITS.into_iter().map(one).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.flat_map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] }).collect()
}
