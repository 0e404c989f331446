//! Compiles `relaxed/products.rs` into a module of its own, which the app for wasm carries as bytes.
#![allow(clippy::expect_used, reason = "a build ends with the reason")]

use std::env;
use std::path::Path;
use std::process::Command;

const SOURCE: &str = "relaxed/products.rs";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        let out = env::var("OUT_DIR").expect("cargo names a folder");
        compile(&Path::new(&out).join("relaxed.wasm"));
    }
}

fn compile(module: &Path) {
    let rustc = env::var("RUSTC").expect("cargo names its compiler");
    let compiled = Command::new(rustc)
        .args(["--edition", "2024", "--crate-type", "cdylib", "--target", "wasm32-unknown-unknown", SOURCE])
        .args(["-C", "target-feature=+simd128,+relaxed-simd", "-C", "link-arg=--import-memory"])
        // Without this pass the distance of a step is a part of its load, and not an addition.
        .args(["-C", "llvm-args=-disable-lsr"])
        .args(["-C", "opt-level=3", "-C", "panic=abort", "-C", "strip=symbols", "-o"])
        .arg(module)
        .status();
    assert!(compiled.as_ref().is_ok_and(std::process::ExitStatus::success), "{SOURCE} was not compiled: {compiled:?}");
}
