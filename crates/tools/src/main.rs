//! Native commands over the library. Each is a module; the first argument names it.

mod bench;
mod blocks;
mod generate;
mod golden;
mod scenes;
mod world;

use std::process::ExitCode;

const USAGE: &str = "\
gradus-tools golden DIR [--engine cpu|gpu|all] [--variant N|timed]
    Runs every golden folder under DIR and prints a line of JSON for each case. A variant is one of the GPU's products,
    0 to 3, and 4 and 5 in halves where the GPU computes with them, used everywhere, or each where it is the fastest.

gradus-tools generate --model DIR --prompt TEXT [--negative TEXT] [--seed N] [--steps K] [--guidance G]
    [--scheduler euler|euler_a|ddim|lcm|dpm|pndm|flow] [--size WxH] [--engine cpu|gpu] [--variant N|timed]
    [--lora FILE:WEIGHT ..] [--weights 8bit] [--clip-skip N] [--emphasis] -o FILE.png
    Makes a picture with a checkpoint in diffusers' layout; with 8-bit weights in half of the memory. With emphasis,
    (word:1.2) weighs in the prompts, and long ones are read in chunks.

gradus-tools bench [--only turbo,tiny,kl,sd15] [--most GFLOP]
    Prints what the networks of Stable Diffusion and whole pictures are on paper (work, bytes, dispatches, memory, and how
    long four GPUs take at least, in how many submits), then measures the GPU and their kernels on it: a line of JSON for
    each figure. Work of more than so many GFLOP is left out, for slow adapters.

gradus-tools blocks MODEL_DIR OUT_DIR [--dequantised]
    Writes a checkpoint with its weights as 8-bit blocks, which Gradus reads, or as the f16 copy of the very same numbers,
    which diffusers reads, too. OUT_DIR may be MODEL_DIR. A checkpoint that is either form becomes exactly the other.

gradus-tools scenes CAPTIONS PICTURES [SIDE] [--engine cpu|gpu]
    Renders a picture for each line of CAPTIONS (seed, tab, caption; more columns are left alone) and appends it to
    PICTURES: SIDE × SIDE pixels (256), RGB bytes, rows from the top. Goes on where an earlier run ended.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["golden", folder, rest @ ..] => golden::run(folder, rest),
        ["generate", rest @ ..] => generate::run(rest),
        ["bench", rest @ ..] => bench::run(rest),
        ["blocks", model, out] => blocks::run(model, out, false),
        ["blocks", model, out, "--dequantised"] => blocks::run(model, out, true),
        ["scenes", captions, pictures, rest @ ..] => scenes::run(captions, pictures, rest),
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
