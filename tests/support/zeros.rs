//! A network of real size without its numbers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::ops::Range;

use futures_util::future::LocalBoxFuture;
use gradus::Error;
use gradus::diffusion::config::Config;
use gradus::diffusion::unet::Unet;
use gradus::diffusion::weights::Spec;
use gradus::ports::Files;

/// One file of which only the header is there; its numbers are all zero.
pub struct Zeros {
    header: Vec<u8>,
    pub size: u64,
}

impl Files for Zeros {
    fn size<'a>(&'a self, path: &'a str) -> LocalBoxFuture<'a, Result<Option<u64>, Error>> {
        Box::pin(std::future::ready(Ok((path == "unet/model.safetensors").then_some(self.size))))
    }

    fn read<'a>(&'a self, _: &'a str, range: Range<u64>) -> LocalBoxFuture<'a, Result<Vec<u8>, Error>> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let header = self.header.get(range.start as usize..).unwrap_or_default();
        bytes.iter_mut().zip(header).for_each(|(to, from)| *to = *from);
        Box::pin(std::future::ready(Ok(bytes)))
    }
}

/// A file with all tensors of a network, as F32.
pub fn file(specs: &[Spec]) -> Zeros {
    let mut tensors: Vec<(String, Vec<usize>)> = Vec::new();
    for spec in specs {
        match spec {
            Spec::Packed { parts, inner, taps, .. } => {
                for part in parts {
                    let side = if *taps == 9 { 3 } else { 1 };
                    tensors.push((format!("{}.weight", part.name), vec![part.outer, *inner, side, side]));
                    if part.bias {
                        tensors.push((format!("{}.bias", part.name), vec![part.outer]));
                    }
                }
            }
            Spec::Affine { name, channels, .. } => {
                tensors.push((format!("{name}.weight"), vec![*channels]));
                tensors.push((format!("{name}.bias"), vec![*channels]));
            }
        }
    }
    let mut start = 0;
    let entry = |(name, shape): &(String, Vec<usize>)| {
        let from = start;
        start += shape.iter().product::<usize>() as u64 * 4;
        format!("{name:?}:{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{from},{start}]}}")
    };
    let text = format!("{{{}}}", tensors.iter().map(entry).collect::<Vec<_>>().join(","));
    let header = [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    Zeros { size: header.len() as u64 + start, header }
}

/// Stable Diffusion 1's, the largest that its readers know in floats.
const UNET: &str = r#"{"sample_size": 64, "in_channels": 4, "out_channels": 4,
    "block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2, "cross_attention_dim": 768,
    "attention_head_dim": 8, "norm_num_groups": 32,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]}"#;

/// What its network's weights are.
pub fn network() -> Vec<Spec> {
    let unet = Unet::new(&Config::parse("config.json", UNET.as_bytes()).unwrap()).unwrap();
    unet.graph(1, [64; 2], 77).unwrap().weights
}
