//! The golden folders as files in memory, so that browsers have them, too.

use gradus::ports::memory::MemoryFiles;

#[path = "../fixtures/diffusion/files.rs"]
mod list;

/// A fixture's files; `change` may give other bytes for a path.
pub fn files(fixture: &str, change: impl Fn(&str, &[u8]) -> Option<Vec<u8>>) -> MemoryFiles {
    let mut files = MemoryFiles::default();
    for (_, path, bytes) in list::FILES.iter().filter(|(name, ..)| *name == fixture) {
        match change(path, bytes) {
            Some(changed) => files.insert(path, changed),
            None => files.insert(path, *bytes),
        }
    }
    files
}
