//! The README's listings are those that are compiled elsewhere, word by word.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

/// The code of a text's blocks in a language, without what stands before each line.
fn blocks(text: &str, fence: &str, before: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut lines = text.lines().map(|line| line.strip_prefix(before).unwrap_or(line));
    while lines.any(|line| line.trim() == fence) {
        let block: Vec<&str> = lines.by_ref().map(str::trim).take_while(|line| *line != "```").collect();
        all.push(block.join("\n"));
    }
    all
}

/// A line's code: what stands behind it is for who reads it here.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default().trim()
}

#[test]
fn the_readmes_listings_are_compiled() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let all = blocks(&readme, "```rust", "");
    let (apps, listings): (Vec<&String>, Vec<&String>) = all.iter().partition(|block| block.contains("fn main()"));
    assert_eq!((apps.len(), listings.len()), (1, 2), "a listing that this test does not know");
    // The author's first app is the example of the crate's documentation, which is compiled with the tests.
    let documented = blocks(&std::fs::read_to_string("src/lib.rs").unwrap(), "```no_run", "//!");
    assert_eq!(documented, [apps[0].clone()]);
    // The guide's listings are the example's lines.
    let example = std::fs::read_to_string("examples/queue_guide/src/main.rs").unwrap();
    let lines: Vec<&str> = example.lines().map(code).collect();
    for line in listings.iter().flat_map(|block| block.lines()).map(code).filter(|line| !line.is_empty()) {
        // Each of the listings is an app of its own, with a name.
        assert!(lines.contains(&line) || line.starts_with("Blocks::named("), "not in the example: {line}");
    }
}
