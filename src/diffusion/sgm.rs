//! The names of a UNet's layers in kohya's LoRA files for SDXL, whose UNet is Stability's (`sgm`): input, middle and output
//! blocks are counted through, and a layer's parts are numbered.

use super::safetensors::Tensors;
use crate::value::cut;

/// What stands outside of the blocks.
const WHOLE: [(&str, &str); 6] = [
    ("conv_in", "input_blocks_0_0"),
    ("conv_out", "out_2"),
    ("time_embedding.linear_1", "time_embed_0"),
    ("time_embedding.linear_2", "time_embed_2"),
    ("add_embedding.linear_1", "label_emb_0_0"),
    ("add_embedding.linear_2", "label_emb_0_2"),
];

/// The parts of a resnet.
const PARTS: [(&str, &str); 4] = [
    ("conv1", "in_layers_2"),
    ("conv2", "out_layers_3"),
    ("time_emb_proj", "emb_layers_1"),
    ("conv_shortcut", "skip_connection"),
];

/// How a UNet is built, as far as names tell it.
pub(super) struct Names {
    /// Input blocks of a down block; a down block has one for each layer and one that makes it smaller.
    layers: usize,
    /// Up blocks with attention, where what enlarges is the third part.
    attended: Vec<String>,
}

impl Names {
    pub(super) fn of(tensors: &Tensors) -> Self {
        let first = |name: &&str| name.starts_with("down_blocks.0.resnets.") && name.ends_with(".conv1.weight");
        let block = |name: &str| cut(name, ".attentions.").map(|(block, _)| block.to_owned());
        Self {
            layers: tensors.names().filter(first).count() + 1,
            attended: tensors.names().filter_map(block).collect(),
        }
    }

    /// The name of a layer of diffusers', with underscores.
    pub(super) fn name(&self, layer: &str) -> Option<String> {
        if let Some((_, name)) = WHOLE.iter().find(|(known, _)| *known == layer) {
            return Some((*name).to_owned());
        }
        let parts: Vec<&str> = layer.splitn(5, '.').collect();
        let number = |place: usize| parts.get(place)?.parse::<u16>().ok().map(usize::from);
        let rest = |from: usize| {
            let rest = parts.get(from..)?.join(".");
            let part = PARTS.iter().find(|(known, _)| *known == rest).map(|(_, part)| (*part).to_owned());
            Some(part.unwrap_or_else(|| rest.replace('.', "_")))
        };
        let is_attention = |kind: &str| usize::from(kind == "attentions");
        Some(match parts.as_slice() {
            ["mid_block", "attentions", ..] => format!("middle_block_1_{}", rest(3)?),
            ["mid_block", ..] => format!("middle_block_{}_{}", number(2)? * 2, rest(3)?),
            ["down_blocks", _, "downsamplers", ..] => format!("input_blocks_{}_0_op", (number(1)? + 1) * self.layers),
            ["down_blocks", _, kind, ..] => {
                let block = 1 + number(1)? * self.layers + number(3)?;
                format!("input_blocks_{block}_{}_{}", is_attention(kind), rest(4)?)
            }
            ["up_blocks", block, "upsamplers", ..] => {
                let block = ["up_blocks.", *block].concat();
                let part = if self.attended.contains(&block) { 2 } else { 1 };
                format!("output_blocks_{}_{part}_conv", (number(1)? + 1) * self.layers - 1)
            }
            ["up_blocks", _, kind, ..] => {
                let block = number(1)? * self.layers + number(3)?;
                format!("output_blocks_{block}_{}_{}", is_attention(kind), rest(4)?)
            }
            _ => return None,
        })
    }
}
