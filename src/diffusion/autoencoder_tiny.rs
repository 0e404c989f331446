//! `AutoencoderTiny` (TAESD, Ole-Ingar Bøer Madsen): a small coder between pictures and latents.

use gradus_cpu::nn::math::Activation;

use super::blocks::at;
use super::config::Config;
use super::graph::{Conv, Graph, Node};
use crate::value::Error;

/// All fields that are read, or that say nothing about what is computed.
const KNOWN: &[&str] = &[
    "act_fn",
    "block_out_channels",
    "decoder_block_out_channels",
    "encoder_block_out_channels",
    "force_upcast",
    "in_channels",
    "latent_channels",
    "latent_magnitude",
    "latent_shift",
    "num_decoder_blocks",
    "num_encoder_blocks",
    "out_channels",
    "sample_size",
    "scaling_factor",
    "shift_factor",
    "upsample_fn",
    "upsampling_scaling_factor",
];

/// Its configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Tiny {
    channels: usize,
    encoder: Vec<usize>,
    decoder: Vec<usize>,
    latent: usize,
    limit: f32,
}

impl Tiny {
    /// Reads a configuration of the class `AutoencoderTiny`.
    ///
    /// # Errors
    /// Names the field that is not supported.
    pub fn new(config: &Config) -> Result<Self, Error> {
        config.known(KNOWN)?;
        config.only("act_fn", &["relu"])?;
        config.only("upsample_fn", &["nearest"])?;
        config.neutral(&[
            ("in_channels", 3.0),
            ("out_channels", 3.0),
            ("upsampling_scaling_factor", 2.0),
            ("latent_magnitude", 3.0),
            ("latent_shift", 0.5),
        ])?;
        let blocks = |key: &str, otherwise: [usize; 4]| match config.get(key).and_then(|list| list.list()) {
            None => Ok(otherwise.to_vec()),
            Some(list) if (1..=8).contains(&list.len()) => config.counts(key, list.len(), 0),
            Some(_) => Err(config.refuse(key, "1 to 8 levels")),
        };
        let (encoder, decoder) =
            (blocks("num_encoder_blocks", [1, 3, 3, 3])?, blocks("num_decoder_blocks", [3, 3, 3, 1])?);
        let mut all = config.counts("decoder_block_out_channels", decoder.len(), 64)?;
        all.extend(config.counts("encoder_block_out_channels", encoder.len(), 64)?);
        let channels = all[0];
        if channels == 0 || channels > 4096 || all.iter().any(|&other| other != channels) {
            return Err(config.refuse("decoder_block_out_channels", "the same number on every level, up to 4096"));
        }
        if encoder.len() != decoder.len() || encoder.iter().chain(&decoder).any(|&blocks| blocks > 16) {
            return Err(config.refuse("num_decoder_blocks", "as many levels as the encoder, of at most 16 blocks"));
        }
        let latent = config.count("latent_channels", 4)?.clamp(1, 4096);
        Ok(Self { channels, encoder, decoder, latent, limit: 3.0 })
    }

    /// Channels of a latent.
    #[must_use]
    pub fn latent_channels(&self) -> usize {
        self.latent
    }

    /// Pixels of a picture for each of a latent, to each side.
    #[must_use]
    pub fn scale(&self) -> usize {
        1 << (self.decoder.len() - 1)
    }

    /// From latents to pictures; output: x, where a picture of −1..1 is 2x − 1.
    ///
    /// # Errors
    /// When it cannot be of this size.
    pub fn decoder(&self, pictures: usize, size: [usize; 2]) -> Result<Graph, Error> {
        self.levels(self.decoder.len(), pictures, size)
    }

    /// The decoder's first levels, and the convolution to a picture.
    fn levels(&self, levels: usize, pictures: usize, size: [usize; 2]) -> Result<Graph, Error> {
        let mut g = Graph::default();
        let latent = g.input(pictures, size, self.latent);
        let squashed = g.squash(latent, self.limit);
        let mut layers = Layers { g: &mut g, path: "decoder.layers.", next: 0 };
        let mut h = layers.conv(squashed, |how| how.activation = Activation::Relu, self.channels);
        layers.next += 1;
        for (level, &blocks) in self.decoder.iter().enumerate().take(levels) {
            for _ in 0..blocks {
                h = layers.block(h);
            }
            if level + 1 < levels {
                // The doubling is a layer of its own there, and part of the convolution here.
                layers.next += 1;
                let grow = Some([h.height * 2, h.width * 2]);
                h = layers.conv(h, |how| (how.grow, how.bias) = (grow, false), self.channels);
            } else {
                h = layers.conv(h, |_| {}, 3);
            }
        }
        g.output(h);
        g.finish()
    }

    /// As [`super::autoencoder::Autoencoder::small_decoder`].
    pub(super) fn small_decoder(&self, pictures: usize, size: [usize; 2]) -> Result<Option<(Graph, usize)>, Error> {
        match self.decoder.as_slice() {
            [before @ .., _, 0] => {
                self.levels(before.len() + 1, pictures, size).map(|graph| Some((graph, self.channels)))
            }
            _ => Ok(None),
        }
    }

    /// From pictures of 0..1 to latents.
    ///
    /// # Errors
    /// When it cannot be of this size.
    pub fn encoder(&self, pictures: usize, size: [usize; 2]) -> Result<Graph, Error> {
        let mut g = Graph::default();
        let mut h = g.input(pictures, size, 3);
        let mut layers = Layers { g: &mut g, path: "encoder.layers.", next: 0 };
        for (level, &blocks) in self.encoder.iter().enumerate() {
            let first = level == 0;
            h = layers.conv(h, |how| (how.stride, how.bias) = (if first { 1 } else { 2 }, first), self.channels);
            for _ in 0..blocks {
                h = layers.block(h);
            }
        }
        h = layers.conv(h, |_| {}, self.latent);
        g.output(h);
        g.finish()
    }
}

/// The layers of a `Sequential`, numbered as they come.
struct Layers<'a> {
    g: &'a mut Graph,
    path: &'static str,
    next: usize,
}

impl Layers<'_> {
    fn name(&mut self) -> String {
        let name = format!("{}{}", self.path, self.next);
        self.next += 1;
        name
    }

    fn conv(&mut self, source: Node, change: impl FnOnce(&mut Conv<'_>), channels: usize) -> Node {
        let name = self.name();
        let mut how = Conv::square(&name, channels);
        change(&mut how);
        self.g.conv(source, &how)
    }

    /// Three convolutions and the source, each followed by ReLU.
    fn block(&mut self, source: Node) -> Node {
        let path = self.name();
        let mut h = source;
        for (number, add) in [(".conv.0", None), (".conv.2", None), (".conv.4", Some(source))] {
            let name = at(&path, &[number]);
            h = self.g.conv(h, &Conv { activation: Activation::Relu, add, ..Conv::square(&name, source.channels) });
        }
        h
    }
}
