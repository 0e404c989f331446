//! What the networks have in common: residual blocks and transformers.

use gradus_cpu::nn::math::Activation;

use super::graph::{Conv, Graph, Node};
use super::unet::digit;

/// A path with more behind it.
pub(super) fn at(path: &str, rest: &[&str]) -> String {
    let mut name = path.to_owned();
    rest.iter().for_each(|part| name.push_str(part));
    name
}

/// `ResnetBlock2D`: norm, SiLU, convolution, plus the time; norm, SiLU, convolution, plus the source.
pub fn resnet(
    g: &mut Graph,
    source: Node,
    skip: Option<Node>,
    path: &str,
    channels: usize,
    norm: (usize, f32),
    time: Option<Node>,
) -> Node {
    let normed = g.group_norm(source, skip, &at(path, &[".norm1"]), norm, true);
    let add = time.map(|time| g.conv(time, &Conv::linear(&at(path, &[".time_emb_proj"]), channels)));
    let hidden = g.conv(normed, &Conv { add, ..Conv::square(&at(path, &[".conv1"]), channels) });
    let normed = g.group_norm(hidden, None, &at(path, &[".norm2"]), norm, true);
    let residual = if skip.is_some() || source.channels != channels {
        g.conv_of(source, skip, &Conv::linear(&at(path, &[".conv_shortcut"]), channels))
    } else {
        source
    };
    g.conv(normed, &Conv { add: Some(residual), ..Conv::square(&at(path, &[".conv2"]), channels) })
}

/// The shape of a transformer.
pub struct Attention {
    /// Heads; each has its share of the channels.
    pub heads: usize,
    /// How many blocks stand one behind the other.
    pub depth: usize,
    /// Groups of the norm before them.
    pub groups: usize,
}

/// What diffusers gives its transformers' norms.
const GROUP_EPSILON: f32 = 1e-6;
const LAYER_EPSILON: f32 = 1e-5;

/// `Transformer2DModel`: self-attention, attention over the text and a gated layer, `depth` times.
pub fn attention_block(g: &mut Graph, source: Node, context: Node, path: &str, how: &Attention) -> Node {
    let channels = source.channels;
    let head = channels / how.heads.max(1);
    let mut h = g.group_norm(source, None, &at(path, &[".norm"]), (how.groups, GROUP_EPSILON), false);
    let name = at(path, &[".proj_in"]);
    h = g.conv(h, &Conv::linear(&name, channels));
    g.name(&name, h);
    for layer in 0..how.depth {
        let block = at(path, &[".transformer_blocks.", digit(layer)]);
        let normed = g.layer_norm(h, &at(&block, &[".norm1"]), LAYER_EPSILON);
        h = attend(g, normed, normed, h, &at(&block, &[".attn1"]), head, false);
        let normed = g.layer_norm(h, &at(&block, &[".norm2"]), LAYER_EPSILON);
        h = attend(g, normed, context, h, &at(&block, &[".attn2"]), head, false);
        let normed = g.layer_norm(h, &at(&block, &[".norm3"]), LAYER_EPSILON);
        let name = at(&block, &[".ff.net.0.proj"]);
        let gated = Conv { activation: Activation::Geglu, ..Conv::linear(&name, channels * 8) };
        let gated = g.conv(normed, &gated);
        h = g.conv(gated, &Conv { add: Some(h), ..Conv::linear(&at(&block, &[".ff.net.2"]), channels) });
        g.name(&block, h);
    }
    g.conv(h, &Conv { add: Some(source), ..Conv::linear(&at(path, &[".proj_out"]), channels) })
}

/// diffusers' `Attention`: queries of one tensor, keys and values of another, a projection, plus the residual.
pub fn attend(g: &mut Graph, source: Node, context: Node, residual: Node, path: &str, head: usize, bias: bool) -> Node {
    let channels = source.channels;
    let queries = g.heads(source, &[at(path, &[".to_q"])], channels, head, bias);
    let pairs = g.heads(context, &[at(path, &[".to_k"]), at(path, &[".to_v"])], channels, head, bias);
    let mixed = g.attention(queries, pairs, false);
    g.conv(mixed, &Conv { add: Some(residual), ..Conv::linear(&at(path, &[".to_out.0"]), channels) })
}
