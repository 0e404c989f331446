//! Every kernel: its shader is valid, its GPU results are its twin's, and whole pictures agree.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::time::Duration;

use gradus::gpu;
use gradus::imagegen::{Preset, flame, scene};
use gradus::kernels::{self, Kernel, cpu::CpuEngine};
use gradus::value::Picture;
use naga::valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};
use support::pictures::{self, make, request};
use support::watcher::Watcher;
use support::{Ticking, cases, twin};

#[test]
fn every_shader_is_valid() {
    for kernel in kernels::ALL {
        let source = kernel.wgsl();
        let adds_up = source.contains("fn total(");
        valid(kernel, &source, false);
        valid(kernel, &kernel.wgsl_by_subgroups(), adds_up);
        assert!(kernel.twin.is_some(), "{kernel:?} has no twin");
    }
}

fn valid(kernel: &Kernel, source: &str, by_subgroups: bool) {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|error| panic!("{kernel:?}: {}", error.emit_to_string(source)));
    // `unpack2x16float` is part of every WebGPU; naga counts it apart for old OpenGL.
    let all = Capabilities::SHADER_FLOAT16_IN_FLOAT32 | Capabilities::SHADER_FLOAT16 | Capabilities::SUBGROUP;
    let validate = |capabilities| {
        let mut validator = Validator::new(ValidationFlags::all(), capabilities);
        validator.subgroup_stages(ShaderStages::COMPUTE).subgroup_operations(SubgroupOperationSet::all());
        validator.validate(&module).map(drop).map_err(Box::new)
    };
    // What an engine without halves or subgroups is never to compile is known by its kernel.
    for (without, needed) in
        [(Capabilities::SHADER_FLOAT16, kernel.needs_halves()), (Capabilities::SUBGROUP, by_subgroups)]
    {
        assert_eq!(validate(all - without).is_err(), needed, "{kernel:?}: whether it needs {without:?}");
    }
    validate(all).unwrap_or_else(|error| panic!("{kernel:?}: {error:?}"));
    let entry = module.entry_points.iter().find(|entry| entry.name == "main").expect("an entry point `main`");
    assert_eq!(entry.workgroup_size, [kernel.workgroup, 1, 1], "{kernel:?}: the workgroup size");
}

#[test]
fn every_shader_file_is_part_of_a_kernel() {
    let all: String = kernels::ALL.iter().flat_map(|kernel| [kernel.wgsl(), kernel.wgsl_by_subgroups()]).collect();
    let files = walkdir::WalkDir::new("src").into_iter().flatten();
    for file in files.filter(|file| file.path().extension().is_some_and(|kind| kind == "wgsl")) {
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(all.contains(&text), "{} is used by no kernel of the table", file.path().display());
    }
}

#[test]
fn every_kernel_has_a_case() {
    for kernel in kernels::ALL {
        let covered = cases::all().iter().any(|case| std::ptr::eq(case.kernel, *kernel));
        assert!(covered, "{kernel:?} has no row in tests/support/cases.rs");
    }
}

#[test]
fn gpu_and_twin_agree_step_by_step() {
    pollster::block_on(async {
        let engine = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        let control = Ticking::by(Duration::from_millis(5));
        twin::compare_all(cases::all(), &engine, &control).await;
    });
}

#[test]
fn whole_pictures_agree_between_cpu_and_gpu() {
    pollster::block_on(async {
        let gpu = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        pictures::agree(&gpu, 96).await;
    });
}

#[test]
fn pictures_have_content_previews_and_are_the_same_twice() {
    pollster::block_on(async {
        let engine = CpuEngine::new("test");
        for model in ["scene", "flame", "reaction"] {
            for (prompt, width, height) in [("a red ball on grass", 128, 128), ("", 65, 97), ("🦄 مرحبا <b>", 97, 64)]
            {
                let request = request(prompt, width, height);
                let (picture, watcher) = make(model, &request, &engine).await;
                let again = make(model, &request, &engine).await.0;
                assert_eq!(picture.rgba(), again.rgba(), "{model} {prompt:?}: the same bytes");
                assert_eq!((picture.width(), picture.height()), (width, height));
                assert!(picture.rgba().chunks_exact(4).all(|pixel| pixel[3] == 255), "{model}: opaque");
                let mut colours: Vec<&[u8]> = picture.rgba().chunks_exact(4).collect();
                colours.sort_unstable();
                colours.dedup();
                assert!(colours.len() > 300, "{model} {prompt:?}: only {} colours", colours.len());
                assert!(!watcher.previews.borrow().is_empty(), "{model}: no preview");
                let shares: Vec<f32> = watcher.progress.borrow().iter().filter_map(|p| p.fraction()).collect();
                assert!(shares.is_sorted() && shares.last() == Some(&1.0), "{model}: {shares:?}");
            }
            let mut other = request("a red ball on grass", 128, 128);
            let first = make(model, &other, &engine).await.0;
            other.seed += 1;
            assert_ne!(first.rgba(), make(model, &other, &engine).await.0.rgba(), "{model}: another seed");
        }
    });
}

/// The mean colour of a square of the picture.
fn mean(picture: &Picture, [x, y]: [f32; 2], half: i32) -> [f32; 3] {
    let (width, height) = (picture.width() as i32, picture.height() as i32);
    let (cx, cy) = ((x * width as f32) as i32, (y * height as f32) as i32);
    let mut sum = [0.0; 3];
    let mut count = 0.0;
    for py in (cy - half).max(0)..(cy + half).min(height) {
        for px in (cx - half).max(0)..(cx + half).min(width) {
            let at = ((py * width + px) * 4) as usize;
            (0..3).for_each(|channel| sum[channel] += f32::from(picture.rgba()[at + channel]));
            count += 1.0;
        }
    }
    sum.map(|sum| sum / count)
}

#[test]
fn a_scene_shows_what_was_asked_for_where_it_should_be() {
    pollster::block_on(async {
        let engine = CpuEngine::new("test");
        let request = request("a matte red ball left of a matte blue cube on grass at day", 160, 120);
        let picture = make("scene", &request, &engine).await.0;
        let (scene, _) = scene::understand(&request);
        let at = |index: usize| scene.project(scene.objects[index].centre, 160.0 / 120.0);
        let [r, g, b] = mean(&picture, at(0), 4);
        assert!(r > 90.0 && r > 2.0 * g && r > 2.0 * b, "the ball is {r} {g} {b}");
        let [r, g, b] = mean(&picture, at(1), 4);
        assert!(b > 60.0 && b > 1.5 * r && b > 1.3 * g, "the cube is {r} {g} {b}");
        let [r, g, b] = mean(&picture, [0.5, 0.97], 3);
        assert!(g > r && g > b, "the grass is {r} {g} {b}");
        let [r, _, b] = mean(&picture, [0.5, 0.02], 3);
        assert!(b > r, "the sky is {r} .. {b}");
    });
}

#[test]
fn words_steer_colours() {
    pollster::block_on(async {
        let engine = CpuEngine::new("test");
        for model in ["flame", "reaction"] {
            let red = make(model, &request("red", 96, 96), &engine).await.0;
            let blue = make(model, &request("blue", 96, 96), &engine).await.0;
            let lean = |picture: &Picture| {
                let [r, _, b] = mean(picture, [0.5, 0.5], 48);
                r - b
            };
            assert!(lean(&red) > 5.0 && lean(&blue) < -5.0, "{model}: {} {}", lean(&red), lean(&blue));
        }
    });
}

#[test]
fn unknown_words_are_named_and_sizes_refused() {
    pollster::block_on(async {
        let engine = CpuEngine::new("test");
        let (_, watcher) = make("scene", &request("a quixotic ball <script>", 64, 64), &engine).await;
        let notes = watcher.notes.borrow().join(" ");
        assert!(notes.contains("quixotic") && notes.contains("script"), "{notes}");
        let control = Ticking::by(Duration::from_micros(500));
        for (width, height) in [(0, 64), (63, 64), (64, 2049), (u32::MAX, 64)] {
            let refused = scene::generate(&request("x", width, height), &engine, &control, &Watcher::default()).await;
            assert!(refused.unwrap_err().message().contains("64 to 2048"), "{width}×{height}");
        }
        let long = "x".repeat(100_000);
        let refused = flame::generate(&request(&long, 64, 64), &engine, &control, &Watcher::default()).await;
        assert!(refused.unwrap_err().message().contains("2000"));
    });
}

#[test]
fn the_middle_preset_walks_twenty_million_points() {
    assert!(flame::points(Preset::Middle) >= 20_000_000);
}
