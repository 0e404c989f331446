//! Workgroups that add up by subgroups: the norms are their twins' for each size of them, the engine says whether it is so, and
//! it is so.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::process::Command;
use std::time::Duration;

use gradus::gpu::{self, GpuEngine};
use gradus::kernels::nn::{GROUP_NORM, LAYER_NORM};
use gradus::kernels::{self, Engine as _, Kernel, Recording};
use support::twin::Case;
use support::{Ticking, cases, twin};

/// By which Mesa's software adapter is told how many bits its vectors have; a subgroup is one vector of floats.
const BITS: &str = "LP_NATIVE_VECTOR_WIDTH";

fn control() -> Ticking {
    Ticking::by(Duration::from_millis(5))
}

/// An engine of the adapter as it is, and one that leaves its subgroups out.
async fn engines() -> [GpuEngine; 2] {
    let with = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
    let without = gpu::probe().await.unwrap().without_subgroups().open().await.unwrap();
    println!("{{\"adapter\":{:?},\"subgroups\":{:?}}}", with.info().name, with.subgroups());
    if with.info().name.contains("llvmpipe") {
        let sizes = with.subgroups().expect("llvmpipe has subgroups");
        if let Ok(bits) = std::env::var(BITS) {
            assert_eq!(sizes, bits.parse::<u32>().unwrap() / 32..=bits.parse::<u32>().unwrap() / 32);
        }
    }
    assert_eq!(without.subgroups(), None);
    [with, without]
}

/// The cases of a kernel: sizes that fill no workgroup, several groups, sums over two sources.
fn of(kernel: &'static Kernel) -> Vec<Case> {
    cases::all().into_iter().filter(|case| std::ptr::eq(case.kernel, kernel)).collect()
}

async fn result(case: &Case, engine: &GpuEngine) -> Vec<u32> {
    let mut recording = Recording::new();
    let buffers: Vec<_> = case.buffers.iter().map(|words| engine.buffer("test", words.len()).unwrap()).collect();
    buffers.iter().zip(&case.buffers).for_each(|(buffer, words)| recording.write(buffer, words));
    recording.dispatch_bytes(case.kernel, case.items, &case.params, &buffers.iter().collect::<Vec<_>>());
    engine.run(&recording, &control()).await.unwrap();
    engine.read(buffers.last().unwrap()).await.unwrap()
}

#[test]
fn norms_are_their_twins_with_subgroups_and_without() {
    pollster::block_on(async {
        for engine in engines().await {
            for kernel in [&GROUP_NORM, &LAYER_NORM] {
                assert!(of(kernel).len() > 5, "{kernel:?}");
                twin::compare_all(of(kernel), &engine, &control()).await;
            }
        }
    });
}

#[test]
fn the_size_of_a_subgroup_does_not_matter() {
    for bits in ["128", "256", "512"] {
        let mut again = Command::new(std::env::current_exe().unwrap());
        // Mesa keeps what it has compiled, and would give it to an adapter of another size, too.
        again.env(BITS, bits).env("MESA_SHADER_CACHE_DISABLE", "true");
        again.args(["--exact", "norms_are_their_twins_with_subgroups_and_without"]);
        let output = again.output().unwrap();
        let told = [output.stdout, output.stderr].map(|told| String::from_utf8_lossy(&told).into_owned()).concat();
        assert!(output.status.success() && told.contains("1 passed"), "{bits} bits: {told}");
    }
}

#[test]
fn an_engine_compiles_what_it_says() {
    pollster::block_on(async {
        for engine in engines().await {
            for kernel in kernels::ALL {
                let adds_up = [&GROUP_NORM, &LAYER_NORM].iter().any(|norm| std::ptr::eq(*norm, *kernel));
                let by_subgroups = engine.shader(kernel).contains("subgroupAdd(");
                assert_eq!(by_subgroups, adds_up && engine.subgroups().is_some(), "{kernel:?}");
                assert_eq!(engine.shader(kernel) == kernel.wgsl(), !by_subgroups, "{kernel:?}");
            }
        }
    });
}

#[test]
fn sums_are_taken_in_another_order_and_always_in_the_same() {
    pollster::block_on(async {
        let [with, without] = engines().await;
        for kernel in [&GROUP_NORM, &LAYER_NORM] {
            let mut differ = 0;
            for case in of(kernel) {
                let first = result(&case, &with).await;
                assert_eq!(first, result(&case, &with).await, "{kernel:?}: the same bits again");
                let other = result(&case, &without).await;
                differ += first.iter().zip(&other).filter(|(a, b)| a != b).count();
            }
            println!("{{\"kernel\":{:?},\"words_that_differ\":{differ}}}", kernel.name);
            // One subgroup that is a whole workgroup may have its own order, which may be that of the other shader.
            if with.subgroups().is_some_and(|sizes| *sizes.end() < kernel.workgroup) {
                assert!(differ > 0, "{kernel:?}: what is compiled does not add up by subgroups");
            }
        }
    });
}
