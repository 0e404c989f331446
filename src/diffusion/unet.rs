//! `UNet2DConditionModel`: the network that predicts noise, velocity or flow.

use gradus_cpu::elementary::{cos, sin};
use gradus_cpu::nn::math::Activation;

use super::blocks::{Attention, at, attention_block, resnet};
use super::config::Config;
use super::graph::{Conv, Graph, Node};
use super::json::Json;
use crate::kernels::nn::WIDEST_HEAD;
use crate::value::Error;

/// One level of the network.
#[derive(Clone, Debug, PartialEq)]
struct Level {
    channels: usize,
    layers: usize,
    /// Depth of the transformer behind each residual block, if the level going down, and the one going up, have any.
    down: Option<Vec<usize>>,
    up: Option<Vec<usize>>,
    heads: usize,
}

/// What is in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Middle {
    /// Two residual blocks around a transformer of this depth.
    Crossing(usize),
    /// One residual block.
    Plain,
    /// Nothing: the way up begins with what the way down ended with, as source and as skip.
    Nothing,
}

/// A UNet's configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Unet {
    levels: Vec<Level>,
    middle: Middle,
    norm: (usize, f32),
    kernels: [usize; 2],
    flip_sin_to_cos: bool,
    freq_shift: f64,
    /// Channels of the latent that comes in.
    pub in_channels: usize,
    /// Channels of the prediction.
    pub out_channels: usize,
    /// Channels of the text's states.
    pub context_channels: usize,
    /// The latent's side that it was trained for.
    pub sample_size: usize,
    /// Channels of the guidance embedding that a distilled model takes; 0: it takes none.
    pub guidance_channels: usize,
    /// What SDXL adds to the time: channels of each of six numbers' embedding, and of all with the pooled text.
    pub addition: Option<(usize, usize)>,
}

const MIDDLES: [&str; 2] = ["UNetMidBlock2DCrossAttn", "UNetMidBlock2D"];

/// Channels of the levels where a configuration does not say them.
const USUAL_CHANNELS: [usize; 4] = [320, 640, 1280, 1280];

/// No network has more; a hostile file shall not make tables for them.
const MOST_CHANNELS: usize = 8192;

const KNOWN: &[&str] = &[
    "sample_size",
    "in_channels",
    "out_channels",
    "center_input_sample",
    "flip_sin_to_cos",
    "freq_shift",
    "down_block_types",
    "mid_block_type",
    "up_block_types",
    "only_cross_attention",
    "block_out_channels",
    "layers_per_block",
    "downsample_padding",
    "mid_block_scale_factor",
    "dropout",
    "act_fn",
    "norm_num_groups",
    "norm_eps",
    "cross_attention_dim",
    "reverse_transformer_layers_per_block",
    "transformer_layers_per_block",
    "attention_head_dim",
    "num_attention_heads",
    "use_linear_projection",
    "upcast_attention",
    "resnet_time_scale_shift",
    "resnet_out_scale_factor",
    "time_embedding_type",
    "time_cond_proj_dim",
    "conv_in_kernel",
    "conv_out_kernel",
    "attention_type",
    "addition_embed_type",
    "addition_embed_type_num_heads",
    "addition_time_embed_dim",
    "projection_class_embeddings_input_dim",
];

/// For each level the depths of its transformers.
type Depths = Vec<Vec<usize>>;

/// The depths on the way down and on the way up, where each level has one more.
fn depths(config: &Config, layers: &[usize]) -> Result<(Depths, Depths), Error> {
    let read = |key: &str, lengths: &[usize]| -> Result<Depths, Error> {
        let wrong = || config.refuse(key, "a number, one for each block, or a list for each block");
        let all = match config.get(key) {
            Some(Json::List(all)) if all.len() == lengths.len() => all,
            Some(Json::List(_)) => return Err(wrong()),
            _ => {
                return Ok(lengths
                    .iter()
                    .zip(config.counts(key, lengths.len(), 1)?)
                    .map(|(&n, depth)| vec![depth; n])
                    .collect());
            }
        };
        let level = |(of, &length): (&Json, &usize)| match of {
            Json::List(list) if list.len() == length => list.iter().map(|depth| config.as_count(key, depth)).collect(),
            Json::List(_) => Err(wrong()),
            depth => Ok(vec![config.as_count(key, depth)?; length]),
        };
        all.iter().zip(lengths).map(level).collect()
    };
    let (key, back) = ("transformer_layers_per_block", "reverse_transformer_layers_per_block");
    let down = read(key, layers)?;
    let nested = config.get(key).and_then(Json::list).is_some_and(|all| all.iter().any(|of| of.list().is_some()));
    let up = if config.get(back).is_some() {
        let lengths: Vec<usize> = layers.iter().rev().map(|layers| layers + 1).collect();
        let mut up = read(back, &lengths)?;
        up.reverse();
        up
    } else if nested {
        return Err(config.refuse(back, "the depths of the way up, as those of the way down are lists"));
    } else {
        down.iter().map(|depths| vec![depths.first().copied().unwrap_or(1); depths.len() + 1]).collect()
    };
    Ok((down, up))
}

fn depth_of(depths: &Option<Vec<usize>>, layer: usize) -> Option<usize> {
    depths.as_ref()?.get(layer).copied()
}

impl Unet {
    /// Reads `unet/config.json`.
    ///
    /// # Errors
    /// Names the field that is not supported.
    pub fn new(config: &Config) -> Result<Self, Error> {
        config.known(KNOWN)?;
        config.neutral(&[
            ("downsample_padding", 1.0),
            ("mid_block_scale_factor", 1.0),
            ("resnet_out_scale_factor", 1.0),
            ("center_input_sample", 0.0),
            ("only_cross_attention", 0.0),
        ])?;
        config.only("_class_name", &["UNet2DConditionModel"])?;
        // Projections are stored as linear layers or as 1×1 convolutions: the same numbers.
        config.flag("use_linear_projection", false)?;
        config.only("act_fn", &["silu", "swish"])?;
        config.only("resnet_time_scale_shift", &["default"])?;
        config.only("time_embedding_type", &["positional"])?;
        config.only("attention_type", &["default"])?;
        config.only("addition_embed_type", &["text_time"])?;
        let addition = if config.get("addition_embed_type").is_some() {
            Some((
                config.count("addition_time_embed_dim", 256)?,
                config.count("projection_class_embeddings_input_dim", 0)?,
            ))
        } else {
            None
        };
        let down = config.texts("down_block_types")?;
        let count = down.len();
        let mut up = config.texts("up_block_types")?;
        up.reverse();
        let channels = match config.get("block_out_channels") {
            None if count == USUAL_CHANNELS.len() => USUAL_CHANNELS.to_vec(),
            // Of other numbers of levels there is no usual one: zeros are refused below.
            _ => config.counts("block_out_channels", count, 0)?,
        };
        let layers = config.counts("layers_per_block", count, 2)?;
        if layers.iter().any(|layers| !(1..=16).contains(layers)) {
            return Err(config.refuse("layers_per_block", "1 to 16 layers"));
        }
        let (down_depths, up_depths) = depths(config, &layers)?;
        // The field was misnamed once and for all: it is the number of heads.
        let heads_field =
            if config.get("num_attention_heads").is_some() { "num_attention_heads" } else { "attention_head_dim" };
        let heads = config.counts(heads_field, count, 8)?;
        if up.len() != count {
            return Err(config.refuse("up_block_types", "as many blocks as down_block_types"));
        }
        let kind = |name: &str, plain: &str, crossing: &str, field: &str| match name {
            name if name == plain => Ok(false),
            name if name == crossing => Ok(true),
            _ => Err(config.refuse(field, &[plain, ", ", crossing].concat())),
        };
        // Null means nothing, and a field that is missing the usual block.
        let middle = match (config.says("mid_block_type"), config.only("mid_block_type", &MIDDLES)?) {
            (true, _) if config.get("mid_block_type").is_none() => Middle::Nothing,
            (_, 1) => Middle::Plain,
            _ => Middle::Crossing(down_depths.last().and_then(|last| last.first()).copied().unwrap_or(1)),
        };
        let mut levels = Vec::new();
        for n in 0..count {
            let crosses_down = kind(down[n], "DownBlock2D", "CrossAttnDownBlock2D", "down_block_types")?;
            let crosses_up = kind(up[n], "UpBlock2D", "CrossAttnUpBlock2D", "up_block_types")?;
            let (layers, channels, heads) = (layers[n], channels[n], heads[n]);
            if channels == 0 || channels > MOST_CHANNELS {
                return Err(config.refuse("block_out_channels", "1 to 8192 channels for each block"));
            }
            // What a level without attention says of it is not read.
            let in_middle = n + 1 == count && matches!(middle, Middle::Crossing(_));
            if crosses_down || crosses_up || in_middle {
                if heads == 0 || !channels.is_multiple_of(heads) || channels / heads > WIDEST_HEAD {
                    return Err(
                        config.refuse(heads_field, "heads that divide block_out_channels, of up to 512 channels")
                    );
                }
                let said = |crosses: bool, of: &[usize]| !crosses || of.iter().all(|depth| (1..=32).contains(depth));
                let in_middle = if in_middle { &down_depths[n][..1] } else { &[] };
                if !said(true, in_middle) || !said(crosses_down, &down_depths[n]) || !said(crosses_up, &up_depths[n]) {
                    return Err(
                        config.refuse("transformer_layers_per_block", "1 to 32 layers where there is attention")
                    );
                }
            }
            let down = crosses_down.then(|| down_depths[n].clone());
            let up = crosses_up.then(|| up_depths[n].clone());
            levels.push(Level { channels, layers, down, up, heads });
        }
        let groups = config.count("norm_num_groups", 32)?;
        if channels.iter().any(|channels| !channels.is_multiple_of(groups.max(1))) || groups == 0 {
            return Err(config.refuse("norm_num_groups", "a divisor of each of block_out_channels"));
        }
        let kernel = |key: &str| match config.count(key, 3)? {
            side if side % 2 == 1 && side <= 9 => Ok(side),
            _ => Err(config.refuse(key, "1, 3, 5, 7 or 9")),
        };
        let kernels = [kernel("conv_in_kernel")?, kernel("conv_out_kernel")?];
        let positive = |key: &str, otherwise| match config.count(key, otherwise)? {
            count if (1..=MOST_CHANNELS).contains(&count) => Ok(count),
            _ => Err(config.refuse(key, "1 to 8192")),
        };
        Ok(Self {
            levels,
            middle,
            norm: (groups, config.float("norm_eps", 1e-5)? as f32),
            kernels,
            flip_sin_to_cos: config.flag("flip_sin_to_cos", true)?,
            freq_shift: config.float("freq_shift", 0.0)?,
            in_channels: positive("in_channels", 4)?,
            out_channels: positive("out_channels", 4)?,
            context_channels: positive("cross_attention_dim", 1280)?,
            sample_size: positive("sample_size", 64)?,
            guidance_channels: config.count("time_cond_proj_dim", 0)?.min(MOST_CHANNELS),
            addition,
        })
    }

    /// Channels that the network reads beside the latent and does not predict; those that paint into a picture have them.
    #[must_use]
    pub fn given(&self) -> usize {
        self.in_channels.saturating_sub(self.out_channels)
    }

    /// Whether the time's embedding differs from picture to picture.
    fn time_rows(&self, pictures: usize) -> usize {
        if self.guidance_channels > 0 || self.addition.is_some() { pictures } else { 1 }
    }

    /// The sinusoids of a time, as input 1 of the graph takes them.
    #[must_use]
    pub fn time_input(&self, t: f32, pictures: usize) -> Vec<f32> {
        let channels = self.levels[0].channels;
        sinusoids(t, channels, self.flip_sin_to_cos, self.freq_shift).repeat(self.time_rows(pictures))
    }

    /// The sinusoids of a number, as this network's are.
    #[must_use]
    pub fn sinusoids(&self, x: f32, channels: usize) -> Vec<f32> {
        sinusoids(x, channels, self.flip_sin_to_cos, self.freq_shift)
    }

    /// The network for so many pictures, a latent's size, and so many tokens of text.
    ///
    /// Inputs: latent (pictures × channels × height × width), sinusoids of the time, context (pictures × tokens ×
    /// channels); then the guidance embedding (pictures × channels) where the model takes one, for SDXL the addition
    /// (pictures × channels), and last what is [`given`](Self::given) beside the latent. Output: the prediction.
    ///
    /// # Errors
    /// When it cannot be of this size.
    pub fn graph(&self, pictures: usize, size: [usize; 2], tokens: usize) -> Result<Graph, Error> {
        let mut g = Graph::default();
        let first = self.levels[0].channels;
        let sample = g.input(pictures, size, self.in_channels - self.given());
        let sinusoids = g.input(self.time_rows(pictures), [1, 1], first);
        let context = g.input_text(pictures, tokens, self.context_channels);
        g.name("time_proj", sinusoids);
        let time = self.time(&mut g, sinusoids, pictures);
        let padding = self.kernels[0] / 2;
        let conv_in =
            Conv { kernel: self.kernels[0], padding, padding_after: padding, ..Conv::linear("conv_in", first) };
        let given = self.given();
        let given = (given > 0).then(|| g.input(pictures, size, given));
        let mut h = g.conv_of(sample, given, &conv_in);
        g.name("conv_in", h);
        let mut skips = vec![h];
        let last = self.levels.len() - 1;
        for (n, level) in self.levels.iter().enumerate() {
            let path = ["down_blocks.", digit(n)].concat();
            for layer in 0..level.layers {
                let name = at(&path, &[".resnets.", digit(layer)]);
                h = resnet(&mut g, h, None, &name, level.channels, self.norm, Some(time));
                h = self.crossing(&mut g, h, context, &path, layer, depth_of(&level.down, layer), level.heads);
                skips.push(h);
            }
            if n < last {
                let name = at(&path, &[".downsamplers.0"]);
                h = g.conv(h, &Conv { stride: 2, ..Conv::square(&at(&name, &[".conv"]), level.channels) });
                g.name(&name, h);
                skips.push(h);
            }
            g.name(&path, h);
        }
        let deepest = &self.levels[last];
        h = match self.middle {
            Middle::Nothing => g.copy(h),
            _ => resnet(&mut g, h, None, "mid_block.resnets.0", deepest.channels, self.norm, Some(time)),
        };
        if let Middle::Crossing(depth) = self.middle {
            h = self.crossing(&mut g, h, context, "mid_block", 0, Some(depth), deepest.heads);
            h = resnet(&mut g, h, None, "mid_block.resnets.1", deepest.channels, self.norm, Some(time));
        }
        g.name("mid_block", h);
        for (n, level) in self.levels.iter().rev().enumerate() {
            let path = ["up_blocks.", digit(n)].concat();
            for layer in 0..=level.layers {
                let skip = skips.pop();
                let name = at(&path, &[".resnets.", digit(layer)]);
                h = resnet(&mut g, h, skip, &name, level.channels, self.norm, Some(time));
                h = self.crossing(&mut g, h, context, &path, layer, depth_of(&level.up, layer), level.heads);
            }
            if let (true, Some(next)) = (n < last, skips.last()) {
                let name = at(&path, &[".upsamplers.0"]);
                let grow = Some([next.height, next.width]);
                h = g.conv(h, &Conv { grow, ..Conv::square(&at(&name, &[".conv"]), level.channels) });
                g.name(&name, h);
            }
            g.name(&path, h);
        }
        h = g.group_norm(h, None, "conv_norm_out", self.norm, true);
        g.name("conv_act", h);
        let padding = self.kernels[1] / 2;
        let conv_out = Conv::linear("conv_out", self.out_channels);
        h = g.conv(h, &Conv { kernel: self.kernels[1], padding, padding_after: padding, ..conv_out });
        g.name("conv_out", h);
        g.output(h);
        g.finish()
    }

    /// The time's embedding, after the SiLU that all its users begin with.
    fn time(&self, g: &mut Graph, sinusoids: Node, pictures: usize) -> Node {
        let (first, channels) = (self.levels[0].channels, self.levels[0].channels * 4);
        let mut input = sinusoids;
        if self.guidance_channels > 0 {
            let guidance = g.input(pictures, [1, 1], self.guidance_channels);
            let how = Conv { bias: false, add: Some(sinusoids), ..Conv::linear("time_embedding.cond_proj", first) };
            input = g.conv(guidance, &how);
        }
        let silu = |name, add| Conv { activation: Activation::Silu, add, ..Conv::linear(name, channels) };
        let hidden = g.conv(input, &silu("time_embedding.linear_1", None));
        let addition = self.addition.map(|(_, all)| {
            let input = g.input(pictures, [1, 1], all);
            let hidden = g.conv(input, &silu("add_embedding.linear_1", None));
            g.conv(hidden, &Conv::linear("add_embedding.linear_2", channels))
        });
        let time = g.conv(hidden, &silu("time_embedding.linear_2", addition));
        if addition.is_none() {
            g.name("silu(time_embedding)", time);
        }
        time
    }

    #[allow(clippy::too_many_arguments, reason = "one place for what down, middle and up have in common")]
    fn crossing(
        &self,
        g: &mut Graph,
        h: Node,
        context: Node,
        path: &str,
        layer: usize,
        depth: Option<usize>,
        heads: usize,
    ) -> Node {
        let name = at(path, &[".resnets.", digit(layer)]);
        g.name(&name, h);
        let Some(depth) = depth else { return h };
        let name = at(path, &[".attentions.", digit(layer)]);
        let how = Attention { heads, depth, groups: self.norm.0 };
        let h = attention_block(g, h, context, &name, &how);
        g.name(&name, h);
        h
    }
}

/// The number of a block or a layer as a word; there are at most 17.
pub(super) fn digit(n: usize) -> &'static str {
    const WORDS: [&str; 33] = [
        "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19",
        "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32",
    ];
    WORDS[n.min(32)]
}

/// Sinusoids of a number at `channels` / 2 frequencies from 1 down to 1/10000: sines and then cosines, or the other
/// way round. Source: Vaswani et al., 2017; diffusers' `get_timestep_embedding`.
#[must_use]
pub fn sinusoids(t: f32, channels: usize, cosines_first: bool, shift: f64) -> Vec<f32> {
    let half = channels / 2;
    let angle = |n: usize| {
        let exponent = -(10_000f32.ln()) * n as f32 / (half as f64 - shift) as f32;
        t * exponent.exp()
    };
    let mut all: Vec<f32> = (0..half).map(|n| sin(angle(n))).chain((0..half).map(|n| cos(angle(n)))).collect();
    if cosines_first {
        all.rotate_left(half);
    }
    all.resize(channels, 0.0);
    all
}

/// The embedding of the guidance that a distilled model takes (Luo et al., 2023); `scale` is the guidance less 1.
#[must_use]
pub fn guidance_embedding(scale: f32, channels: usize) -> Vec<f32> {
    let half = channels / 2;
    let angle = |n: usize| {
        let exponent = -(10_000f32.ln()) / (half.max(2) - 1) as f32 * n as f32;
        scale * 1000.0 * exponent.exp()
    };
    let mut all: Vec<f32> = (0..half).map(|n| sin(angle(n))).chain((0..half).map(|n| cos(angle(n)))).collect();
    all.resize(channels, 0.0);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sinusoids_are_those_of_diffusers() {
        // diffusers' own test: times 0 to 127, 64 channels.
        let check = |cosines_first: bool, shift: f64, expected: [f32; 9]| {
            let row = |t: usize| sinusoids(t as f32, 64, cosines_first, shift);
            let found: Vec<f32> = (23..26).flat_map(|t| row(t)[47..50].to_vec()).collect();
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-3, "{found} for {expected}");
            }
        };
        check(false, 1.0, [0.9646, 0.9804, 0.9892, 0.9615, 0.9787, 0.9882, 0.9582, 0.9769, 0.9872]);
        check(true, 0.0, [0.3019, 0.2280, 0.1716, 0.3146, 0.2377, 0.1790, 0.3272, 0.2474, 0.1864]);
    }
}
