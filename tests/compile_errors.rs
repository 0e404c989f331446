//! The errors that an author sees who wires what does not fit.
#![cfg(not(target_arch = "wasm32"))]

#[test]
fn wrong_wiring_is_a_readable_compile_error() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
