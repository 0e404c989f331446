//! Diffusion against diffusers itself in a dedicated worker of headless Chromium: the golden folders, and what
//! its tests publish of single layers, on the processor's engine, compiled for wasm's vectors, and on WebGPU.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/fixtures.rs"]
mod fixtures;
#[path = "support/golden.rs"]
mod golden;
#[path = "support/published.rs"]
mod published;
mod support;

use std::rc::Rc;

use golden::Golden;
use gradus::browser::{BrowserClock, BrowserTimer, hasten};
use gradus::diffusion::Precision;
use gradus::gpu;
use gradus::kernels::{Engine, cpu::CpuEngine};
use gradus_cpu::nn::conv;
use gradus_cpu::nn::relaxed::MODULE;
use js_sys::{Function, Object, Reflect, Uint8Array, Uint32Array, WebAssembly};
use support::RealTime;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

async fn all_pass(fixture: &str, engine: &dyn Engine) {
    pass(fixture, Precision::AsStored, engine).await;
    if fixture == "eight" {
        pass(fixture, Precision::EightBit, engine).await;
    }
}

fn control() -> RealTime {
    RealTime { clock: Rc::new(BrowserClock::default()), timer: Rc::new(BrowserTimer::default()) }
}

async fn pass(fixture: &str, precision: Precision, engine: &dyn Engine) {
    let control = control();
    let files = fixtures::files(fixture, |_, _| None);
    let mut golden = Golden::open(&files, engine, &control).await.unwrap();
    golden.precision = precision;
    // Halves are no blocks, and are rounded to them.
    let exact = |kind: &str| precision == Precision::AsStored || kind != "unet_f16_weights";
    let outcomes = golden.run(exact).await;
    assert!(outcomes.len() >= 3, "only {} cases", outcomes.len());
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.pass).collect();
    assert!(failed.is_empty(), "{} of {} cases: {failed:?}", failed.len(), outcomes.len());
}

/// (1 + 2^-12)² - 1, whose last part is lost where the product is rounded by itself: so a multiply-add computes, or not.
fn sum_of_products() -> f32 {
    let shape = conv::Shape {
        rows: 1,
        panels: 1,
        width: 8,
        source: [1, 1],
        result: [1, 1],
        kernel: [1, 1],
        stride: 1,
        channels: [4, 0],
        ..conv::Shape::default()
    };
    let near_one = 1.0 + 2f32.powi(-12);
    let (bias, steps) = ([0.0; 8], [[-1.0; 8], [near_one; 8], [0.0; 8], [0.0; 8]]);
    let numbers = [&[bias], &steps[..]].concat();
    let weights = conv::Packed { first: 0, numbers: numbers.as_flattened() };
    let mut result = [0.0; 8];
    conv::conv(0..1, &shape, [&[1.0, near_one, 0.0, 0.0], &[]], weights, &[], &mut result);
    result[0]
}

/// A list of one product in a memory of its own: nothing but the sums may change there, as the app's memory has no place
/// for data or a stack of the module.
#[wasm_bindgen_test]
fn relaxed_simd_writes_sums_and_nothing_else() {
    const PAGES: u32 = 32;
    let field = |object: &Object, name: &str, value: &JsValue| Reflect::set(object, &name.into(), value).unwrap();
    let (size, env, imports) = (Object::new(), Object::new(), Object::new());
    field(&size, "initial", &PAGES.into());
    let memory = WebAssembly::Memory::new(&size).unwrap();
    field(&env, "memory", &memory);
    field(&imports, "env", &env);
    let words = Uint32Array::new(&memory.buffer());
    words.fill(0x4000_0000, 0, words.length());
    // The panel and the rows lie anywhere: all numbers are 2.
    let (sums, steps) = (4096, 5);
    words.set(&Uint32Array::from(&[16384, 20480, 24576, 28672, 32768, sums * 4, steps][..]), 0);
    let module = WebAssembly::Module::new(&Uint8Array::from(MODULE).into()).unwrap();
    let instance = WebAssembly::Instance::new(&module, &imports).unwrap();
    let mut expected = words.to_vec();
    expected[sums as usize..sums as usize + 32].fill((2.0 + 5.0 * 4.0f32).to_bits());
    let products: Function = Reflect::get(&instance.exports(), &"products".into()).unwrap().unchecked_into();
    products.call2(&JsValue::NULL, &0.into(), &1.into()).unwrap();
    assert!(words.to_vec() == expected, "something else was written");
}

/// As natively: the examples of the functions, whose tables are others here.
#[wasm_bindgen_test]
fn the_browsers_tables_say_what_the_crates_say() {
    assert_eq!(gradus_unicode::composed("cafe\u{301}"), "café");
    assert_eq!(gradus_unicode::outlined("Año Ⅷ: हि!"), "aaa 0: a\u{93f}!");
    assert_eq!(gradus_unicode::lowered("ÉTÉ 2Σ İ"), "été 2σ i\u{307}");
    let words: Vec<String> = gradus_unicode::words("a red-hot cafe\u{301}, 2×हिन्दी ❤\u{fe0f}!").collect();
    assert_eq!(words, ["a", "red", "hot", "café", "2", "हिन्दी"]);
}

const FIXTURES: [&str; 12] =
    ["flow", "sd1", "odd", "lcm", "blocks", "eight", "fill", "lora", "rules", "sgm", "words", "deep"];

/// One test, as relaxed SIMD stays once it is there.
#[wasm_bindgen_test]
async fn cpu_engine_agrees_with_diffusers_without_relaxed_simd_and_with_it() {
    let plain = sum_of_products();
    published::layers(&CpuEngine::new("test"), &control()).await;
    for fixture in FIXTURES {
        all_pass(fixture, &CpuEngine::new("test")).await;
    }
    assert_eq!(CpuEngine::new("test").info().tier, "simd128");
    assert!(hasten(), "this Chromium has relaxed SIMD");
    assert_eq!(CpuEngine::new("test").info().tier, "relaxed-simd");
    published::layers(&CpuEngine::new("test"), &control()).await;
    for fixture in FIXTURES {
        all_pass(fixture, &CpuEngine::new("test")).await;
    }
    assert_eq!([plain, sum_of_products()], [2f32.powi(-11), 2f32.powi(-11) + 2f32.powi(-24)]);
}

#[wasm_bindgen_test]
async fn webgpu_agrees_with_diffusers() {
    let engine = gpu::probe().await.unwrap().open().await.unwrap();
    for fixture in FIXTURES {
        all_pass(fixture, &engine).await;
    }
}

#[wasm_bindgen_test]
async fn layers_of_webgpu_give_what_diffusers_publishes() {
    let engine = gpu::probe().await.unwrap().open().await.unwrap();
    published::layers(&engine, &control()).await;
}
