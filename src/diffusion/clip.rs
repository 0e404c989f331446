//! `CLIPTextModel`: what turns tokens into the states that steer the network.

use gradus_cpu::nn::math::Activation;
use gradus_cpu::nn::norm;

use super::blocks::at;
use super::config::Config;
use super::graph::{Conv, Graph};
use super::json::Json;
use super::safetensors::Tensors;
use super::unet::digit;
use super::weights::find;
use crate::ports::Files;
use crate::value::Error;

/// All fields that are read, or that say nothing about what is computed.
const KNOWN: &[&str] = &[
    "architectures",
    "attention_dropout",
    "bos_token_id",
    "dropout",
    "dtype",
    "eos_token_id",
    "hidden_act",
    "hidden_size",
    "initializer_factor",
    "initializer_range",
    "intermediate_size",
    "layer_norm_eps",
    "max_position_embeddings",
    "model_type",
    "num_attention_heads",
    "num_hidden_layers",
    "pad_token_id",
    "projection_dim",
    "torch_dtype",
    "transformers_version",
    "vocab_size",
];

/// A text encoder's configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// Channels of a state.
    pub channels: usize,
    inner: usize,
    layers: usize,
    heads: usize,
    epsilon: f32,
    activation: Activation,
    /// Tokens of a text at the most.
    pub tokens: usize,
    vocabulary: usize,
    /// Channels of the projected text of a `CLIPTextModelWithProjection`.
    pub projection: usize,
    /// The token that ends a text; 2 in old configurations, where the highest id was meant.
    pub end: usize,
}

impl Clip {
    /// Reads `text_encoder/config.json`.
    ///
    /// # Errors
    /// Names the field that is not supported.
    pub fn new(config: &Config) -> Result<Self, Error> {
        config.known(KNOWN)?;
        config.only("model_type", &["clip_text_model"])?;
        if let Some(Json::List(list)) = config.get("architectures")
            && !list.iter().all(|class| class.text().is_some_and(|class| class.starts_with("CLIPTextModel")))
        {
            return Err(config.refuse("architectures", "CLIPTextModel, CLIPTextModelWithProjection"));
        }
        let activation = match config.only("hidden_act", &["quick_gelu", "gelu"])? {
            0 => Activation::QuickGelu,
            _ => Activation::Gelu,
        };
        let bounded = |key: &str, otherwise: usize, most: usize| match config.count(key, otherwise)? {
            count if (1..=most).contains(&count) => Ok(count),
            _ => Err(config.refuse(key, "a number above 0, of a size that is usual")),
        };
        let clip = Self {
            channels: bounded("hidden_size", 512, 8192)?,
            inner: bounded("intermediate_size", 2048, 65_536)?,
            layers: bounded("num_hidden_layers", 12, 32)?,
            heads: bounded("num_attention_heads", 8, 256)?,
            epsilon: config.float("layer_norm_eps", 1e-5)? as f32,
            activation,
            tokens: bounded("max_position_embeddings", 77, 4096)?,
            vocabulary: bounded("vocab_size", 49_408, 1 << 20)?,
            projection: config.count("projection_dim", 512)?.clamp(1, 8192),
            end: config.count("eos_token_id", 49_407)?,
        };
        if !clip.channels.is_multiple_of(clip.heads) {
            return Err(config.refuse("num_attention_heads", "a divisor of hidden_size"));
        }
        Ok(clip)
    }

    /// How many layers there are.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.layers
    }

    /// The network for so many texts of so many tokens. Input: embeddings of [`Clip::embed`]. Outputs: the last state behind the final
    /// norm, then each layer's input and the last layer's output.
    ///
    /// # Errors
    /// When it cannot be of this size.
    pub fn graph(&self, texts: usize, tokens: usize) -> Result<Graph, Error> {
        let mut g = Graph::default();
        if tokens > self.tokens {
            g.fail("a text has more tokens than the text encoder has places");
        }
        let mut h = g.input_text(texts, tokens, self.channels);
        let mut states = vec![h];
        let head = self.channels / self.heads;
        for layer in 0..self.layers {
            let path = at("encoder.layers.", &[digit(layer)]);
            let normed = g.layer_norm(h, &at(&path, &[".layer_norm1"]), self.epsilon);
            let name = |which: &str| at(&path, &[".self_attn.", which]);
            let queries = g.heads(normed, &[name("q_proj")], self.channels, head, true);
            let pairs = g.heads(normed, &[name("k_proj"), name("v_proj")], self.channels, head, true);
            let mixed = g.attention(queries, pairs, true);
            h = g.conv(mixed, &Conv { add: Some(h), ..Conv::linear(&name("out_proj"), self.channels) });
            let normed = g.layer_norm(h, &at(&path, &[".layer_norm2"]), self.epsilon);
            let first = at(&path, &[".mlp.fc1"]);
            let hidden = g.conv(normed, &Conv { activation: self.activation, ..Conv::linear(&first, self.inner) });
            h = g.conv(hidden, &Conv { add: Some(h), ..Conv::linear(&at(&path, &[".mlp.fc2"]), self.channels) });
            states.push(h);
        }
        let last = g.layer_norm(h, "final_layer_norm", self.epsilon);
        g.output(last);
        states.into_iter().for_each(|state| g.output(state));
        g.finish()
    }

    /// Normalises rows of states as the end of the network does, for those that end before it.
    pub(super) async fn norm(&self, states: &mut [f32], tensors: &Tensors, files: &dyn Files) -> Result<(), Error> {
        let mut affine = Vec::new();
        for ending in ["weight", "bias"] {
            let name = ["final_layer_norm.", ending].concat();
            let tensor = find(tensors, &name).filter(|tensor| tensor.shape == [self.channels]);
            let tensor = tensor.ok_or_else(|| Error::new(["The text encoder has no ", &name].concat()))?;
            affine.extend(tensors.read_part(files, tensor, 0, self.channels).await?);
        }
        let (source, rows) = (states.to_vec(), (states.len() / self.channels) as u32);
        norm::layer_norm(0..rows, self.channels, self.channels, self.epsilon, &source, &affine, states);
        Ok(())
    }

    /// The place of the state that stands for a whole text: its first end token's, or in old configurations the
    /// highest token's.
    #[must_use]
    pub fn pooled(&self, ids: &[u32]) -> usize {
        if self.end == 2 {
            let best = ids.iter().enumerate().max_by_key(|&(n, id)| (*id, usize::MAX - n));
            return best.map_or(0, |(n, _)| n);
        }
        ids.iter().position(|&id| id as usize == self.end).unwrap_or(0)
    }

    /// The embeddings of texts of so many tokens each, and of the tokens' places: rows of the tables are read from the file one by one, as the whole
    /// table is the largest tensor of a checkpoint.
    ///
    /// # Errors
    /// When a token is beyond the vocabulary, or the tables are not as configured.
    pub async fn embed(
        &self,
        ids: &[u32],
        tokens: usize,
        tensors: &Tensors,
        files: &dyn Files,
    ) -> Result<Vec<f32>, Error> {
        let table = |which: &str, rows: usize| {
            let name = ["embeddings.", which, "_embedding.weight"].concat();
            let tensor = tensors.get(&name).or_else(|| tensors.get(&["text_model.", &name].concat()));
            tensor.filter(|tensor| tensor.shape == [rows, self.channels]).ok_or_else(|| {
                Error::new(["The checkpoint's text encoder has no table ", &name, " of its configured size."].concat())
            })
        };
        let (words, places) = (table("token", self.vocabulary)?, table("position", self.tokens)?);
        let mut rows = Vec::with_capacity(ids.len() * self.channels);
        let positions = tensors.read_part(files, places, 0, places.count()).await?;
        let mut last = None;
        for (n, &id) in ids.iter().enumerate() {
            if id as usize >= self.vocabulary {
                return Err(Error::new(
                    "The tokenizer knows more words than the text encoder. They do not belong together.",
                ));
            }
            let place = n % tokens.clamp(1, self.tokens) * self.channels;
            // The padding is one token again and again.
            let row = match last.take() {
                Some((known, row)) if known == id => row,
                _ => tensors.read_part(files, words, id as usize * self.channels, self.channels).await?,
            };
            rows.extend(row.iter().zip(&positions[place..]).map(|(word, place)| word + place));
            last = Some((id, row));
        }
        Ok(rows)
    }
}
