//! Every kernel: its shader is valid, its GPU results are its twin's, and whole pictures agree.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::collections::BTreeSet;
use std::future::Future as _;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{LocalBoxFuture, join};
use gradus::gpu;
use gradus::imagegen::{Preset, flame, reaction, scene};
use gradus::kernels::{self, Control, Kernel, cpu::CpuEngine};
use gradus::value::{Picture, Time};
use naga::proc::Layouter;
use naga::valid::{
    Capabilities, FunctionInfo, ModuleInfo, ShaderStages, SubgroupOperationSet, ValidationError, ValidationFlags,
    Validator,
};
use naga::{AddressSpace, Module, WithSpan};
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

/// What shaders may need. `unpack2x16float` is part of every WebGPU; naga counts it apart for old OpenGL.
const ALL: Capabilities =
    Capabilities::SHADER_FLOAT16_IN_FLOAT32.union(Capabilities::SHADER_FLOAT16).union(Capabilities::SUBGROUP);

fn parsed(kernel: &Kernel, source: &str) -> Module {
    naga::front::wgsl::parse_str(source).unwrap_or_else(|error| panic!("{kernel:?}: {}", error.emit_to_string(source)))
}

fn validated(module: &Module, capabilities: Capabilities) -> Result<ModuleInfo, Box<WithSpan<ValidationError>>> {
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    validator.subgroup_stages(ShaderStages::COMPUTE).subgroup_operations(SubgroupOperationSet::all());
    validator.validate(module).map_err(Box::new)
}

fn valid(kernel: &Kernel, source: &str, by_subgroups: bool) {
    let module = parsed(kernel, source);
    // What an engine without halves or subgroups is never to compile is known by its kernel.
    for (without, needed) in
        [(Capabilities::SHADER_FLOAT16, kernel.needs_halves()), (Capabilities::SUBGROUP, by_subgroups)]
    {
        assert_eq!(validated(&module, ALL - without).is_err(), needed, "{kernel:?}: whether it needs {without:?}");
    }
    validated(&module, ALL).unwrap_or_else(|error| panic!("{kernel:?}: {error:?}"));
    let entry = module.entry_points.iter().find(|entry| entry.name == "main").expect("an entry point `main`");
    assert_eq!(entry.workgroup_size, [kernel.workgroup, 1, 1], "{kernel:?}: the workgroup size");
}

/// Bytes of workgroup memory that each entry point takes, as WebGPU counts them: each variable that it uses, in whole 16 bytes.
fn workgroup_memory(kernel: &Kernel, source: &str) -> Vec<u32> {
    let module = parsed(kernel, source);
    let info = validated(&module, ALL).unwrap_or_else(|error| panic!("{kernel:?}: {error:?}"));
    let mut layouts = Layouter::default();
    layouts.update(module.to_ctx()).unwrap();
    let entries = (0..module.entry_points.len()).map(|entry| info.get_entry_point(entry));
    let of_entry = |uses: &FunctionInfo| {
        let variables = module.global_variables.iter();
        let used = variables
            .filter(|(handle, variable)| variable.space == AddressSpace::WorkGroup && !uses[*handle].is_empty());
        used.map(|(_, variable)| layouts[variable.ty].size.next_multiple_of(16)).sum()
    };
    entries.map(of_entry).collect()
}

/// What every WebGPU has: `maxComputeWorkgroupStorageSize`, unless more is asked for.
const WORKGROUP_MEMORY: u32 = 16384;

#[test]
fn no_workgroup_takes_more_memory_than_every_webgpu_has() {
    // A vec3 of an array takes the room of a vec4; what is not used takes none.
    let known = Kernel::new(
        "known",
        &["var<workgroup> one: array<vec3<f32>, 3>; var<workgroup> two: array<vec4<f16>, 3>; var<workgroup> none: u32;
           @compute @workgroup_size(1) fn main() { one[0].x = f32(two[0].x); }"],
    );
    assert_eq!(workgroup_memory(&known, &["enable f16;", known.sources[0]].concat()), [48 + 32]);
    let mut most = 0;
    for kernel in kernels::ALL {
        for source in [kernel.wgsl(), kernel.wgsl_by_subgroups()] {
            for bytes in workgroup_memory(kernel, &source) {
                assert!(bytes <= WORKGROUP_MEMORY, "{kernel:?} takes {bytes} bytes of workgroup memory");
                most = most.max(bytes);
            }
        }
    }
    assert!(most > WORKGROUP_MEMORY / 2, "no kernel takes more than {most} bytes: the tiles were not measured");
}

/// The shaders of the tools' bench, which are no kernels of the library.
#[test]
fn every_shader_of_the_tools_is_valid() {
    const PEAK: &str = include_str!("../crates/tools/src/bench/peak.wgsl");
    let all: [&'static [&'static str]; 4] = [
        &[include_str!("../crates/tools/src/bench/copy.wgsl")],
        &[include_str!("../crates/tools/src/bench/fill.wgsl")],
        &["alias T = f32;", PEAK],
        &["enable f16;", "alias T = f16;", PEAK],
    ];
    for sources in all {
        let kernel = Kernel::new("a shader of the tools", sources);
        valid(&kernel, &kernel.wgsl(), false);
    }
    let files = walkdir::WalkDir::new("crates").into_iter().flatten();
    let count = files.filter(|file| file.path().extension().is_some_and(|kind| kind == "wgsl")).count();
    assert_eq!(count, 3, "a shader that is not in this test");
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

/// A turn of an event loop, in which other jobs go on.
struct Turns(Ticking);

impl Control for Turns {
    fn now(&self) -> Time {
        self.0.now()
    }

    fn checkpoint(&self) -> LocalBoxFuture<'_, ()> {
        let mut turned = false;
        let turn = std::future::poll_fn(move |context| {
            context.waker().wake_by_ref();
            if std::mem::replace(&mut turned, true) { Poll::Ready(()) } else { Poll::Pending }
        });
        Box::pin(turn)
    }
}

#[test]
fn jobs_that_share_a_gpu_make_the_pictures_that_they_make_alone() {
    pollster::block_on(async {
        let shared = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
        let control = Turns(Ticking::by(Duration::from_micros(500)));
        let requests =
            ["two red balls on grass", "a glass cube", "blue swirl", "green maze"].map(|p| request(p, 96, 80));
        let watcher = Watcher::default();
        let (one, two) = (&requests[0], &requests[1]);
        let scenes =
            join(scene::generate(one, &shared, &control, &watcher), scene::generate(two, &shared, &control, &watcher));
        let others = join(
            flame::generate(&requests[2], &shared, &control, &watcher),
            reaction::generate(&requests[3], &shared, &control, &watcher),
        );
        // One more is cancelled on the way: its future is dropped.
        let large = request("a cone on wood", 256, 256);
        let mut cancelled = Box::pin(scene::generate(&large, &shared, &control, &watcher));
        let mut left = 3;
        let cancelled = std::future::poll_fn(move |context| {
            left -= 1;
            assert!(cancelled.as_mut().poll(context).is_pending(), "it was through before it was cancelled");
            context.waker().wake_by_ref();
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        });
        let ((scenes, others), ()) = join(join(scenes, others), cancelled).await;
        let together = [scenes.0, scenes.1, others.0, others.1].map(Result::unwrap);
        for ((model, request), together) in ["scene", "scene", "flame", "reaction"].iter().zip(&requests).zip(together)
        {
            let own = gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap();
            let alone = make(model, request, &own).await.0;
            assert!(alone.rgba() == together.rgba(), "{model} {:?} is another beside others", request.prompt);
        }
    });
}

#[test]
fn the_longest_sides_are_made() {
    pollster::block_on(async {
        let (cpu, gpu) = (CpuEngine::new("test"), gpu::probe().await.expect("a Vulkan adapter").open().await.unwrap());
        for (width, height) in [(2048, 64), (64, 2048)] {
            for model in ["scene", "flame", "reaction"] {
                let request = request("a red ball on grass", width, height);
                for picture in [make(model, &request, &cpu).await.0, make(model, &request, &gpu).await.0] {
                    assert_eq!((picture.width(), picture.height()), (width, height));
                    assert!(picture.rgba().chunks_exact(4).all(|pixel| pixel[3] == 255), "{model}: opaque");
                    // Both ends are drawn, not the beginning alone.
                    let (first, last) = picture.rgba().split_at(picture.rgba().len() / 2);
                    for half in [first, last] {
                        let colours: BTreeSet<&[u8]> = half.chunks_exact(4).collect();
                        assert!(colours.len() > 100, "{model} {width}×{height}: only {} colours", colours.len());
                    }
                }
            }
        }
    });
}
