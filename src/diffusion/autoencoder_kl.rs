//! `AutoencoderKL`: the coder that Stable Diffusion was trained with.

use super::blocks::{at, attend, resnet};
use super::config::Config;
use super::graph::{Conv, Graph, Node};
use super::unet::digit;
use crate::kernels::nn::WIDEST_HEAD;
use crate::value::Error;

/// Its configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Kl {
    channels: Vec<usize>,
    layers: usize,
    groups: usize,
    latent: usize,
    attention: bool,
    quant: [bool; 2],
}

/// What diffusers gives its norms.
const EPSILON: f32 = 1e-6;

const KNOWN: &[&str] = &[
    "in_channels",
    "out_channels",
    "down_block_types",
    "up_block_types",
    "block_out_channels",
    "layers_per_block",
    "act_fn",
    "latent_channels",
    "norm_num_groups",
    "sample_size",
    "scaling_factor",
    "shift_factor",
    "latents_mean",
    "latents_std",
    "force_upcast",
    "use_quant_conv",
    "use_post_quant_conv",
    "mid_block_add_attention",
];

impl Kl {
    /// Reads a configuration of the class `AutoencoderKL`.
    ///
    /// # Errors
    /// Names the field that is not supported.
    pub fn new(config: &Config) -> Result<Self, Error> {
        config.known(KNOWN)?;
        config.neutral(&[("in_channels", 3.0), ("out_channels", 3.0)])?;
        config.only("act_fn", &["silu", "swish"])?;
        let down = config.texts("down_block_types")?;
        if down.iter().any(|kind| *kind != "DownEncoderBlock2D") {
            return Err(config.refuse("down_block_types", "DownEncoderBlock2D"));
        }
        let up = config.texts("up_block_types")?;
        if up.iter().any(|kind| *kind != "UpDecoderBlock2D") || up.len() != down.len() || up.len() > 8 {
            return Err(config.refuse("up_block_types", "UpDecoderBlock2D, up to 8 and as many as down_block_types"));
        }
        let channels = config.counts("block_out_channels", down.len(), 64)?;
        let groups = config.count("norm_num_groups", 32)?;
        if groups == 0 || channels.iter().any(|&c| c == 0 || c > 8192 || !c.is_multiple_of(groups)) {
            return Err(config.refuse("norm_num_groups", "a divisor of each of block_out_channels"));
        }
        let attention = config.flag("mid_block_add_attention", true)?;
        if attention && channels.last().is_some_and(|&last| last > WIDEST_HEAD) {
            return Err(config.refuse("block_out_channels", "up to 512 in the last, whose attention has one head"));
        }
        let layers = config.count("layers_per_block", 1)?;
        if !(1..=8).contains(&layers) {
            return Err(config.refuse("layers_per_block", "1 to 8"));
        }
        Ok(Self {
            channels,
            layers,
            groups,
            latent: config.count("latent_channels", 4)?.clamp(1, 4096),
            attention,
            quant: [config.flag("use_quant_conv", true)?, config.flag("use_post_quant_conv", true)?],
        })
    }

    /// Channels of a latent.
    #[must_use]
    pub fn latent_channels(&self) -> usize {
        self.latent
    }

    /// Pixels of a picture for each of a latent, to each side.
    #[must_use]
    pub fn scale(&self) -> usize {
        1 << (self.channels.len() - 1)
    }

    fn deepest(&self) -> usize {
        self.channels.last().copied().unwrap_or(1)
    }

    fn norm(&self) -> (usize, f32) {
        (self.groups, EPSILON)
    }

    fn middle(&self, g: &mut Graph, source: Node, path: &str) -> Node {
        let channels = self.deepest();
        let mut h = resnet(g, source, None, &at(path, &[".resnets.0"]), channels, self.norm(), None);
        if self.attention {
            let name = at(path, &[".attentions.0"]);
            let normed = g.group_norm(h, None, &at(&name, &[".group_norm"]), self.norm(), false);
            h = attend(g, normed, normed, h, &name, channels, true);
        }
        resnet(g, h, None, &at(path, &[".resnets.1"]), channels, self.norm(), None)
    }

    /// From latents to pictures of −1..1.
    ///
    /// # Errors
    /// When it cannot be of this size.
    pub fn decoder(&self, pictures: usize, size: [usize; 2]) -> Result<Graph, Error> {
        let mut g = Graph::default();
        let mut h = g.input(pictures, size, self.latent);
        if self.quant[1] {
            h = g.conv(h, &Conv::linear("post_quant_conv", self.latent));
        }
        h = g.conv(h, &Conv::square("decoder.conv_in", self.deepest()));
        h = self.middle(&mut g, h, "decoder.mid_block");
        let last = self.channels.len() - 1;
        for (n, &channels) in self.channels.iter().rev().enumerate() {
            let path = ["decoder.up_blocks.", digit(n)].concat();
            for layer in 0..=self.layers {
                h = resnet(&mut g, h, None, &at(&path, &[".resnets.", digit(layer)]), channels, self.norm(), None);
            }
            if n < last {
                let grow = Some([h.height * 2, h.width * 2]);
                h = g.conv(h, &Conv { grow, ..Conv::square(&at(&path, &[".upsamplers.0.conv"]), channels) });
            }
        }
        h = g.group_norm(h, None, "decoder.conv_norm_out", self.norm(), true);
        h = g.conv(h, &Conv::square("decoder.conv_out", 3));
        g.output(h);
        g.finish()
    }

    /// From pictures of −1..1 to means and log variances, one behind the other in the channels.
    ///
    /// # Errors
    /// When it cannot be of this size.
    pub fn encoder(&self, pictures: usize, size: [usize; 2]) -> Result<Graph, Error> {
        let mut g = Graph::default();
        let mut h = g.input(pictures, size, 3);
        h = g.conv(h, &Conv::square("encoder.conv_in", self.channels[0]));
        let last = self.channels.len() - 1;
        for (n, &channels) in self.channels.iter().enumerate() {
            let path = ["encoder.down_blocks.", digit(n)].concat();
            for layer in 0..self.layers {
                h = resnet(&mut g, h, None, &at(&path, &[".resnets.", digit(layer)]), channels, self.norm(), None);
            }
            if n < last {
                // Here the padding is to the right and below alone.
                let name = at(&path, &[".downsamplers.0.conv"]);
                h = g.conv(h, &Conv { stride: 2, padding: 0, ..Conv::square(&name, channels) });
            }
        }
        h = self.middle(&mut g, h, "encoder.mid_block");
        h = g.group_norm(h, None, "encoder.conv_norm_out", self.norm(), true);
        h = g.conv(h, &Conv::square("encoder.conv_out", self.latent * 2));
        if self.quant[0] {
            h = g.conv(h, &Conv::linear("quant_conv", self.latent * 2));
        }
        g.output(h);
        g.finish()
    }
}
