//! What emphasis makes of a prompt's states, worked out from the states of the plain prompt: each token's times its weight,
//! and all of a prompt brought back to the mean that they had.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use super::clip::Clip;
use super::config::Config;
use super::pipeline::Run;
use super::text::Encoder;
use super::weights::{Meter, Precision};
use crate::kernels::Control;
use crate::kernels::cpu::CpuEngine;
use crate::ports::Observer;
use crate::ports::memory::MemoryFiles;
use crate::value::{NoteLevel, Picture, Progress, Time};

struct Nobody;

impl Control for Nobody {
    fn now(&self) -> Time {
        Time::ZERO
    }

    fn checkpoint(&self) -> LocalBoxFuture<'_, ()> {
        std::future::ready(()).boxed_local()
    }
}

impl Observer for Nobody {
    fn progress(&self, _: Progress) {}

    fn wants_preview(&self) -> bool {
        false
    }

    fn preview(&self, _: Picture) {}

    fn note(&self, _: NoteLevel, _: String) {}
}

/// Words that the fixture's vocabulary has whole: one token each.
const WORDS: [&str; 25] = [
    "red",
    "left",
    "of",
    "the",
    "green",
    "cone",
    "two",
    "small",
    "golden",
    "spheres",
    "large",
    "cube",
    "in",
    "rain",
    "painting",
    "squirrel",
    "eating",
    "grass",
    "sunset",
    "happy",
    "they",
    "photograph",
    "shows",
    "on",
    "it",
];
/// Tokens of a chunk, of which the first and the last are no words; and channels of each one's state.
const TOKENS: usize = 24;
const CHANNELS: usize = 16;

fn files() -> MemoryFiles {
    let mut files = MemoryFiles::default();
    macro_rules! file {
        ($($path:literal)+) => {$(
            files.insert($path, include_bytes!(concat!("../../tests/fixtures/diffusion/flow/", $path)).as_slice());
        )+};
    }
    file!("text_encoder/config.json" "text_encoder/model.safetensors" "tokenizer/vocab.json" "tokenizer/merges.txt"
        "tokenizer/tokenizer_config.json");
    files
}

/// Chunks of each prompt, and all states.
fn states(prompts: &[&str], emphasis: bool) -> (usize, Vec<f32>) {
    let (files, engine) = (files(), CpuEngine::new("test"));
    let run = async {
        let clip = Clip::new(&Config::read(&files, "text_encoder/config.json").await.unwrap()).unwrap();
        let encoder = Encoder::open(clip, ["text_encoder", "tokenizer"], false, &files, &[]).await.unwrap();
        assert_eq!((encoder.tokens(), encoder.clip.channels), (TOKENS, CHANNELS));
        let mut meter = Meter::new(&Nobody, 1, 0);
        let weights = encoder.stage.weights(Precision::AsStored, &files, &engine, &Nobody, &mut meter).await.unwrap();
        let marked = encoder.mark(prompts, emphasis, 1);
        let run = Run { engine: &engine, control: &Nobody, observer: &Nobody };
        let plan = encoder.plan(prompts.len() * marked.chunks, &weights, run).await.unwrap();
        let read = encoder.read(&marked, (0, 0), &plan, &files, &engine, &Nobody).await.unwrap();
        (marked.chunks, read.states)
    };
    // Nothing here has to be waited for.
    run.now_or_never().unwrap()
}

fn plain(prompt: &str) -> Vec<f32> {
    states(&[prompt], false).1
}

/// These words' states times their weights (1 for all other tokens), and the mean that they had before.
fn expected(plain: &[f32], weights: &[(usize, f64)]) -> Vec<f64> {
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
    let before: Vec<f64> = plain.iter().map(|&x| f64::from(x)).collect();
    let mut after = before.clone();
    for &(token, weight) in weights {
        after[token * CHANNELS..(token + 1) * CHANNELS].iter_mut().for_each(|x| *x *= weight);
    }
    let factor = mean(&before) / mean(&after);
    // Else a factor that is left out would not be seen.
    assert!(factor > 0.0 && (factor - 1.0).abs() > 1e-3, "{factor}");
    after.iter().map(|x| x * factor).collect()
}

fn same(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    let off = found.iter().zip(expected).map(|(&a, b)| (f64::from(a) - b).abs()).fold(0.0, f64::max);
    assert!(off <= 1e-5 * largest, "{off} of {largest}");
}

#[test]
fn tokens_count_as_strongly_as_their_brackets_say() {
    let read = plain("red cone cube two rain");
    let (chunks, found) = states(&["red (cone:4) [cube] ((two):0.5) rain"], true);
    assert_eq!(chunks, 1);
    // The first token is the start.
    same(&found, &expected(&read, &[(2, 4.0), (3, 1.0 / 1.1), (4, 0.55)]));
    // Weights of 1 change nothing, to the last bit.
    for prompt in ["red cone cube two rain", "red (cone:1.0) (cube two:1) rain"] {
        let (chunks, found) = states(&[prompt], true);
        assert!(chunks == 1 && found == read, "{prompt}");
    }
}

#[test]
fn a_long_prompt_is_read_in_chunks_one_behind_the_other() {
    let room = TOKENS - 2;
    let [first, second] = [WORDS[..room].join(" "), WORDS[room..].join(" ")];
    let read = [plain(&first), plain(&second)].concat();
    let long = WORDS.join(" ");
    let (chunks, found) = states(&[&long], true);
    assert!(chunks == 2 && found == read, "the words' order is the chunks'");
    // A short one beside it goes on with nothing, and its weights are no matter of the other's.
    let weighed = long.replace("cone", "(cone:3.5)").replace("shows on", "shows (on:0.2)");
    let (chunks, found) = states(&["red (cube:0.3)", &weighed], true);
    assert_eq!(chunks, 2);
    let (short, long) = found.split_at(2 * TOKENS * CHANNELS);
    let nothing = [plain("red cube"), plain("")].concat();
    same(short, &expected(&nothing, &[(2, 0.3)]));
    // One mean of both chunks.
    same(long, &expected(&read, &[(6, 3.5), (TOKENS + 2, 0.2)]));
}
