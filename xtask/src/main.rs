//! `cargo xtask <command>`: everything one does with this repository. Depends on nothing of ours, and on std alone.

mod bench;
mod dist;
mod run;
mod serve;
mod sizes;
mod suites;
mod tools;

use std::process::ExitCode;

const HELP: &str = "cargo xtask <command>

  serve [--release] [--example NAME]  install what is missing, build, serve on 127.0.0.1:8080, rebuild on save
  test [SUITE ..]                     install what is missing, run all suites (or those named), count
  dist [--example NAME]               make the static folder dist/ (or examples/NAME/dist/), print its sizes; weights in
                                      its models/ become 8-bit blocks;
                                      NAME may be the path of an app elsewhere, such as ../my-app or ./my-app
  bench                               print one JSON line for each figure
  golden DIR [--engine cpu|gpu|all] [--variant N|timed]
                                      run the golden folders under DIR: reference results of diffusers; with one of the
                                      GPU's products everywhere, or the fastest
  generate --model DIR --prompt TEXT [..] -o FILE.png
                                      make a picture with a checkpoint (without options: tells them)
  sim [--steps N] [--seed N]          lives of the queue by chance, 100 million steps unless said; replays one by its seed
  soak                                the property tests at 20 times the cases, 200 reloads and 50 killed renderers, and the
                                      end-to-end tests five times
";

/// The word after an option.
fn after<'a>(words: &[&'a str], option: &str) -> Option<&'a str> {
    words.windows(2).find(|pair| pair[0] == option).map(|pair| pair[1])
}

/// A word that `serve` or `dist` would pass over, such as an example's name without its option.
fn stray<'a>(words: &[&'a str]) -> Option<&'a str> {
    let (command, rest) = words.split_first()?;
    let mut rest = rest.iter();
    while let Some(&word) = rest.next().filter(|_| ["serve", "dist"].contains(command)) {
        match word {
            "--example" => drop(rest.next()),
            "--release" if *command == "serve" => {}
            _ => return Some(word),
        }
    }
    None
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if words.iter().any(|&word| word == "--help" || word == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let example = after(&words, "--example");
    if let Some(word) = stray(&words) {
        eprintln!("xtask: {word} is not understood here\n\n{HELP}");
        return ExitCode::FAILURE;
    }
    let result = match words.split_first() {
        Some((&("serve" | "dist"), rest)) if rest.last() == Some(&"--example") => {
            Err("--example lacks the name of an example, or the path of an app".to_owned())
        }
        Some((&"serve", rest)) => {
            dist::check(example).and_then(|()| serve::serve(rest.contains(&"--release"), example))
        }
        Some((&"dist", _)) => dist::check(example)
            .and_then(|()| tools::for_building())
            .and_then(|()| dist::dist(example))
            .and_then(|()| sizes::print(example)),
        Some((&"test", suites)) => return suites::test(suites),
        Some((&"bench", _)) => bench::bench(),
        Some((&"sim", _)) => suites::simulate(after(&words, "--steps"), after(&words, "--seed")),
        Some((&"soak", _)) => suites::soak(),
        Some((&("golden" | "generate"), _)) => {
            let mut all = vec!["run", "--quiet", "--package", "gradus-tools", "--"];
            all.extend_from_slice(&words);
            let here = std::env::current_dir().map_err(|error| format!("there is no working folder: {error}"));
            here.and_then(|here| {
                let mut cargo = run::command("", "cargo", &all);
                cargo.current_dir(here);
                run::run(cargo)
            })
        }
        _ => Err(format!("no such command\n\n{HELP}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
