//! Runs the suites and adds up what they counted.

use std::process::ExitCode;
use std::time::Instant;

use crate::run::{command, tee};
use crate::{dist, sizes, tools};

#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Count {
    fn add(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.skipped += more.skipped;
    }
}

type Suite = (&'static str, fn() -> Result<Count, String>);

const SUITES: [Suite; 9] = [
    ("fmt", fmt),
    ("clippy", || {
        gate(&["clippy", "--workspace", "--features", "gradus/faults", "--all-targets", "--", "-D", "warnings"])
    }),
    ("clippy-wasm", clippy_wasm),
    ("clippy-apps", clippy_apps),
    ("native", || counted(&["test", "--workspace", "--features", "gradus/faults", "--no-fail-fast"])),
    ("browser", browser),
    ("dist", build_all),
    ("sizes", size_limits),
    ("e2e", end_to_end),
];

/// Runs all suites, or those named; fails when anything failed. Whatever came of it, the last line is the count.
pub fn test(wanted: &[&str]) -> ExitCode {
    if let Some(unknown) = wanted.iter().find(|name| !SUITES.iter().any(|(suite, _)| suite == *name)) {
        let known: Vec<&str> = SUITES.iter().map(|(name, _)| *name).collect();
        eprintln!("xtask: no suite is called {unknown:?}. There are: {}", known.join(", "));
        return ExitCode::FAILURE;
    }
    let mut total = Count::default();
    let mut report = Vec::new();
    let mut run = |name: &str, suite: &dyn Fn() -> Result<Count, String>| {
        println!("\n=== {name}");
        let began = Instant::now();
        let count = suite().unwrap_or_else(|why| {
            println!("{name} broke: {why}");
            Count { failed: 1, ..Count::default() }
        });
        let seconds = began.elapsed().as_secs();
        report.push(format!(
            "{name:<12} {:>4} passed {:>3} failed {:>3} skipped {seconds:>5} s",
            count.passed, count.failed, count.skipped
        ));
        let succeeded = count.failed == 0;
        total.add(count);
        succeeded
    };
    if run("install", &|| tools::for_testing().map(|()| Count::default())) {
        for (name, suite) in SUITES.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)) {
            run(name, suite);
        }
    }
    println!("\n{}", report.join("\n"));
    println!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Lives of the queue alone, then of whole pages in several tabs, by chance.
pub fn simulate(steps: Option<&str>, seed: Option<&str>) -> Result<(), String> {
    let whole: u64 = steps.unwrap_or("100000000").parse().map_err(|_| "--steps takes a number")?;
    // A step of whole pages takes as long as some dozens of the queue alone.
    for (suite, name, prefix, steps) in [
        ("simulator", "lives_keep_every_promise", "GRADUS_SIM", whole),
        ("tabs_life", "tabs_keep_every_promise", "GRADUS_TABS", whole / 25),
    ] {
        let arguments = ["test", "--features", "faults", "--test", suite, name, "--", "--nocapture"];
        let mut lives = command("", "cargo", &arguments);
        lives.env(format!("{prefix}_STEPS"), steps.max(1).to_string());
        if let Some(seed) = seed {
            lives.env(format!("{prefix}_SEED"), seed);
        }
        crate::run::run(lives)?;
    }
    Ok(())
}

/// What takes too long for every run.
pub fn soak() -> Result<(), String> {
    tools::for_testing()?;
    let mut properties = command("", "cargo", &["test", "--test", "queue_model"]);
    properties.env("GRADUS_CASES", "2000000");
    crate::run::run(properties)?;
    build_all()?;
    let mut reloads = command("", "node", &["--test", "tests/e2e/queue.test.mjs"]);
    reloads.envs([("GRADUS_RELOADS", "200"), ("GRADUS_KILLS", "50")]);
    crate::run::run(reloads)?;
    for round in 1..=5 {
        println!("end-to-end, round {round} of 5");
        let count = end_to_end()?;
        if count.failed > 0 {
            return Err(format!("{} end-to-end tests failed", count.failed));
        }
    }
    Ok(())
}

/// A check that passes or fails as a whole.
fn gate(arguments: &[&str]) -> Result<Count, String> {
    gate_in("", arguments)
}

fn gate_in(folder: &str, arguments: &[&str]) -> Result<Count, String> {
    let mut cargo = command(folder, "cargo", arguments);
    // As in the workspace, so that what a package has in common with it is checked once.
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    let (passed, _) = tee(cargo)?;
    Ok(Count { passed: passed.into(), failed: (!passed).into(), skipped: 0 })
}

/// The workspace, and the packages outside of it.
fn fmt() -> Result<Count, String> {
    let mut count = gate(&["fmt", "--all", "--check"])?;
    for package in apps().into_iter().chain([FUZZ, BENCH_APP].map(str::to_owned)) {
        count.add(gate_in(&package, &["fmt", "--check"])?);
    }
    Ok(count)
}

/// The packages outside of the workspace that an author could have written.
fn apps() -> Vec<String> {
    dist::examples().into_iter().chain([dist::FIXTURE.to_owned()]).map(|name| dist::package(Some(&name))).collect()
}

/// Packages outside of the workspace that no test builds.
const FUZZ: &str = "fuzz";
const BENCH_APP: &str = "tests/e2e/bench/onnx/app";

/// With both roles in one module, and each by itself.
fn clippy_wasm() -> Result<Count, String> {
    let (start, end) = (["clippy", "--target", "wasm32-unknown-unknown"], ["--", "-D", "warnings"]);
    let mut count = gate(&[&start[..], &["--all-targets"], &end].concat())?;
    for role in dist::ROLES {
        count.add(gate(&[&start[..], &["--features", role], &end].concat())?);
    }
    Ok(count)
}

fn clippy_apps() -> Result<Count, String> {
    let mut count = gate_in(FUZZ, &["clippy", "--all-targets", "--", "-D", "warnings"])?;
    for package in apps().into_iter().chain([BENCH_APP.to_owned()]) {
        let arguments = ["clippy", "--all-targets", "--target", "wasm32-unknown-unknown", "--", "-D", "warnings"];
        count.add(gate_in(&package, &arguments)?);
    }
    Ok(count)
}

/// A suite of libtest's.
fn counted(arguments: &[&str]) -> Result<Count, String> {
    let mut cargo = command("", "cargo", arguments);
    cargo.env("CHROMEDRIVER", "/usr/bin/chromedriver");
    // WebGPU in software takes its time over the golden folders; the usual limit is 20 seconds.
    cargo.env("WASM_BINDGEN_TEST_TIMEOUT", "300");
    let (succeeded, lines) = tee(cargo)?;
    for line in lines.iter().filter(|line| line.contains("... ignored")) {
        println!("skipped: {line}");
    }
    settle(of_libtest(&lines), succeeded)
}

/// What libtest says of each binary: "test result: ok. 3 passed; 0 failed; 0 ignored; …".
fn of_libtest(lines: &[String]) -> Count {
    let mut count = Count::default();
    for line in lines.iter().filter_map(|line| line.trim().strip_prefix("test result: ")) {
        let number = |word: &str| -> u64 {
            let before = line.split(word).next().unwrap_or_default();
            before.split_whitespace().last().and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        count.passed += number("passed");
        count.failed += number("failed");
        count.skipped += number("ignored");
    }
    count
}

fn browser() -> Result<Count, String> {
    counted(&[
        "test",
        "--target",
        "wasm32-unknown-unknown",
        "--no-fail-fast",
        "--test",
        "browser_page",
        "--test",
        "browser_worker",
        "--test",
        "browser_diffusion",
        "--test",
        "browser_pictures",
        "--test",
        "browser_scenes",
        "--test",
        "browser_memory",
        "--test",
        "diffusion_plans",
    ])
}

fn build_all() -> Result<Count, String> {
    let mut examples = dist::examples();
    examples.push(dist::FIXTURE.to_owned());
    let all = std::iter::once(None).chain(examples.iter().map(|name| Some(name.as_str())));
    let mut count = Count::default();
    for example in all {
        match dist::dist(example) {
            Ok(()) => count.passed += 1,
            Err(why) => {
                println!("{why}");
                count.failed += 1;
            }
        }
    }
    Ok(count)
}

fn size_limits() -> Result<Count, String> {
    let mut count = Count::default();
    for result in sizes::check() {
        let (passed, words) = result.map_or_else(|why| (false, why), |words| (true, words));
        println!("{} {words}", if passed { "ok    " } else { "FAILED" });
        count.passed += u64::from(passed);
        count.failed += u64::from(!passed);
    }
    Ok(count)
}

fn end_to_end() -> Result<Count, String> {
    let mut files: Vec<String> = std::fs::read_dir(crate::run::root().join("tests/e2e"))
        .map_err(|error| format!("tests/e2e: {error}"))?
        .flatten()
        .map(|entry| format!("tests/e2e/{}", entry.file_name().to_string_lossy()))
        .filter(|name| name.ends_with(".test.mjs"))
        .collect();
    files.sort();
    // One file after another: they measure times, and share two cores with their browsers.
    let mut arguments =
        vec!["--test", "--test-concurrency=1", "--test-force-exit", "--test-timeout=300000", "--test-reporter=tap"];
    arguments.extend(files.iter().map(String::as_str));
    let (succeeded, lines) = tee(command("", "node", &arguments))?;
    for line in lines.iter().filter(|line| line.contains("# SKIP")) {
        println!("skipped: {}", line.trim());
    }
    settle(of_node(&lines), succeeded)
}

/// What node says at its end: "# pass 3", and so on.
fn of_node(lines: &[String]) -> Count {
    let total = |word: &str| -> u64 {
        let found = lines.iter().rev().find_map(|line| line.strip_prefix(&format!("# {word} ")));
        found.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    };
    // One that ran out of time is cancelled, as node says.
    Count { passed: total("pass"), failed: total("fail") + total("cancelled"), skipped: total("skipped") }
}

/// A suite that broke without counting a failure has failed all the same.
fn settle(mut count: Count, succeeded: bool) -> Result<Count, String> {
    if !succeeded && count.failed == 0 {
        count.failed = 1;
    }
    if count.passed + count.failed == 0 {
        return Err("it counted no test".into());
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    const fn count(passed: u64, failed: u64, skipped: u64) -> Count {
        Count { passed, failed, skipped }
    }

    #[test]
    fn what_all_binaries_say_is_added_up() {
        let said = "     Running tests/a.rs
test one ... ok
test two ... ignored, no GPU
test result: ok. 11 passed; 0 failed; 2 ignored; 0 measured; 3 filtered out; finished in 0.10s
    test result: FAILED. 4 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s";
        assert_eq!(of_libtest(&lines(said)), count(15, 3, 2));
    }

    #[test]
    fn the_last_that_node_says_counts_and_a_cancelled_test_has_failed() {
        let said = "# pass 1
ok 1 - a picture # SKIP
# tests 14
# pass 9
# fail 1
# cancelled 2
# skipped 2";
        assert_eq!(of_node(&lines(said)), count(9, 3, 2));
    }

    #[test]
    fn a_suite_that_broke_or_counted_nothing_has_failed() {
        assert_eq!(settle(count(5, 0, 1), true), Ok(count(5, 0, 1)));
        assert_eq!(settle(count(5, 0, 1), false), Ok(count(5, 1, 1)));
        assert_eq!(settle(count(5, 2, 1), false), Ok(count(5, 2, 1)));
        assert_eq!(settle(count(0, 0, 0), false), Ok(count(0, 1, 0)));
        assert!(settle(count(0, 0, 7), true).is_err());
    }
}
