//! Diffusion: real checkpoints in the layout of Hugging Face's diffusers, run on an engine.
//!
//! PURE. May name `kernels`, `ports`, `value` and `crates/unicode`. A checkpoint's configurations say which [`graph::Graph`]s to build;
//! a [`plan::Plan`] makes one ready on an engine; a [`schedule::Schedule`] says what happens between two runs of the
//! network; the [`pipeline::Pipeline`] puts it all together. Everything is checked against diffusers itself: see
//! `tests/fixtures/diffusion`.
//!
//! | for | modules |
//! |---|---|
//! | a checkpoint's files | `json`, `config`, `safetensors`, `parts`, `checkpoint`, `report`; its weights: `weights`, `quantised`, `lora`, `sgm` |
//! | prompts | `tokenizer`, `emphasis`, `clip`, `text`, `prompts` |
//! | networks | `graph`, `blocks`, `unet`, `autoencoder`, `autoencoder_kl`, `autoencoder_tiny`, `small`; on an engine: `plan`, `stage` |
//! | the sampler | `schedule`, `noise`, `sampling` |
//! | a picture | `request`, `beginning`, `scaled`, `preview`, `picturing`, and `pipeline`, which goes the whole way |
//!
//! What is sorted here is sorted by std's heap: `sort_unstable` is compiled anew for each type, at 3 kB of wasm.

pub mod autoencoder;
pub mod autoencoder_kl;
pub mod autoencoder_tiny;
mod beginning;
pub mod blocks;
mod checkpoint;
pub mod clip;
pub mod config;
mod emphasis;
pub mod graph;
pub mod json;
pub mod loose;
pub mod lora;
pub mod noise;
pub mod parts;
mod picturing;
pub mod pipeline;
pub mod plan;
mod preview;
mod prompts;
pub mod quantised;
pub mod report;
pub mod request;
pub mod safetensors;
pub mod sampling;
mod scaled;
pub mod schedule;
mod sgm;
mod small;
mod stage;
mod text;
pub mod tokenizer;
pub mod unet;
#[cfg(test)]
mod weighed;
pub mod weights;

pub use checkpoint::Needs;
pub use lora::{Lora, Merge};
pub use pipeline::Pipeline;
pub use report::Report;
pub use request::{Request, Start};
pub use weights::Precision;
