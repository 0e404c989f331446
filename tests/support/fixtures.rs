//! The golden folders as files in memory, so that browsers have them, too.

use gradus::ports::memory::MemoryFiles;

#[path = "../fixtures/diffusion/files.rs"]
mod list;

/// A fixture's files; `change` may give other bytes for a path. Those of "levels" lie over those of "xl".
pub fn files(fixture: &str, change: impl Fn(&str, &[u8]) -> Option<Vec<u8>>) -> MemoryFiles {
    let mut files = MemoryFiles::default();
    let below = if fixture == "levels" { "xl" } else { fixture };
    let of = |fixture| list::FILES.iter().filter(move |(name, ..)| *name == fixture);
    for (_, path, bytes) in of(below).chain(of(fixture)) {
        match change(path, bytes) {
            Some(changed) => files.insert(path, changed),
            None => files.insert(path, *bytes),
        }
    }
    files
}
