//! Native commands over the library. Each is a module; the first argument names it.

mod generate;
mod golden;
mod world;

use std::process::ExitCode;

const USAGE: &str = "\
gradus-tools golden DIR [--engine cpu|gpu|all]
    Runs every golden folder under DIR and prints a line of JSON for each case.

gradus-tools generate --model DIR --prompt TEXT [--negative TEXT] [--seed N] [--steps K] [--guidance G]
    [--scheduler euler|euler_a|ddim|lcm|dpm|pndm|flow] [--size WxH] [--engine cpu|gpu] -o FILE.png
    Makes a picture with a checkpoint in diffusers' layout.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["golden", folder, rest @ ..] => golden::run(folder, rest),
        ["generate", rest @ ..] => generate::run(rest),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
