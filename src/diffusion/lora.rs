//! LoRA files: small changes of a checkpoint's weights, merged as the weights are read.
//!
//! A changed weight is W + weight · alpha / rank · up · down (Hu et al. 2021; for convolutions as LoCon of LyCORIS). The
//! tensors are named as kohya's scripts do (`lora_unet_down_blocks_…_to_q.lora_down.weight`, `.lora_up.weight`,
//! `.alpha`; for SDXL `lora_unet_input_blocks_…`, see `sgm`) or as diffusers does (`unet.down_blocks.….to_q.lora_A.weight` and `.lora_B.weight`, before that
//! `.lora.down.weight` and `.lora.up.weight`).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;

use super::json::Json;
use super::safetensors::{Patch, Tensor, Tensors};
use super::sgm;
use crate::ports::Files;
use crate::value::{Error, SortedMap, cut, holds};

/// The most that the rank may be.
const MOST_RANK: usize = 1024;
/// The most numbers of a layer's `down`, which is held whole while the layer is merged.
const MOST_DOWN: usize = 8 << 20;

/// What a tensor of a LoRA is, by the ending of its name.
const ENDINGS: [(&str, usize); 9] = [
    (".lora_down.weight", DOWN),
    (".lora_up.weight", UP),
    (".lora_A.weight", DOWN),
    (".lora_B.weight", UP),
    (".lora.down.weight", DOWN),
    (".lora.up.weight", UP),
    (".lora_linear_layer.down.weight", DOWN),
    (".lora_linear_layer.up.weight", UP),
    (".alpha", ALPHA),
];
const DOWN: usize = 0;
const UP: usize = 1;
const ALPHA: usize = 2;

/// What marks a file of another kind.
const OTHERS: [(&str, &str); 5] = [
    (".hada_", "LoHa"),
    (".lokr_", "LoKr"),
    (".dora_scale", "DoRA"),
    (".lora_magnitude_vector", "DoRA"),
    (".oft_", "OFT"),
];

/// How names begin, and the component that is meant.
const COMPONENTS: [(&str, &str); 7] = [
    ("lora_unet_", "unet"),
    ("lora_te_", "text_encoder"),
    ("lora_te1_", "text_encoder"),
    ("lora_te2_", "text_encoder_2"),
    ("unet.", "unet"),
    ("text_encoder.", "text_encoder"),
    ("text_encoder_2.", "text_encoder_2"),
];

/// What is merged into a checkpoint's weights. See [`Lora`], which is one; it is a trait so that a page that merges
/// nothing does not carry how.
pub trait Merge {
    /// Has a component's tensors read with their changes.
    ///
    /// # Errors
    /// When a change does not fit its tensor.
    fn merge<'a>(self: Rc<Self>, component: &'a str, tensors: &'a mut Tensors)
    -> LocalBoxFuture<'a, Result<(), Error>>;

    /// Refuses what no component took.
    ///
    /// # Errors
    /// Names it.
    fn all_used(&self) -> Result<(), Error>;
}

/// A LoRA file, and how strongly it counts.
pub struct Lora {
    files: Rc<dyn Files>,
    path: String,
    tensors: Tensors,
    weight: f32,
    /// By component and layer.
    layers: SortedMap<String, Layer>,
    /// The `down` that was read last, with its start: a weight is read in many parts.
    last: RefCell<(u64, Rc<[f32]>)>,
}

/// A layer's `down`, `up` and `alpha`.
#[derive(Default)]
struct Layer {
    key: String,
    tensors: [Option<Tensor>; 3],
    used: Cell<bool>,
}

/// What a LoRA adds to one tensor.
struct Change {
    lora: Rc<Lora>,
    down: Tensor,
    up: Tensor,
    rank: usize,
    factor: f32,
}

/// A tensor's name as diffusers writes it today: with peft's name of the adapter it may have `.default`, and before 0.20
/// the matrices were the attention's processor's.
fn current(name: &str) -> String {
    let mut name = name.to_owned();
    if let Some((layer, part)) = cut(&name, ".default.") {
        name = [layer, ".", part].concat();
    }
    let Some((layer, part)) = cut(&name, "_lora.") else { return name };
    let Some((path, matrix)) = layer.rsplit_once(".to_") else { return name };
    if let Some(rest) = path.strip_suffix(".processor") {
        let unet = if path.starts_with("unet.") { "" } else { "unet." };
        let place = if matrix == "out" { ".0" } else { "" };
        return [unet, rest, ".to_", matrix, place, ".lora.", part].concat();
    }
    [path, ".", matrix, "_proj.lora.", part].concat()
}

/// A layer's name in any of the spellings: with underscores, and without what transformers wrote until version 4.
fn plain(name: &str) -> String {
    let name = name.replace('.', "_");
    name.strip_prefix("text_model_").map(str::to_owned).unwrap_or(name)
}

impl Lora {
    /// Opens a LoRA file, a safetensors file; its matrices are read when they are merged.
    ///
    /// # Errors
    /// When it is no such file, or has a tensor that is no part of a LoRA, which is named.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use gradus::diffusion::{Lora, Pipeline, Precision};
    /// use gradus::kernels::{Control, Engine};
    /// use gradus::ports::{Files, Observer};
    ///
    /// async fn load(
    ///     checkpoint: Rc<dyn Files>,
    ///     loras: Rc<dyn Files>,
    ///     engine: &dyn Engine,
    ///     control: &dyn Control,
    ///     observer: &dyn Observer,
    /// ) -> Result<Pipeline, gradus::Error> {
    ///     let ink = Lora::open(loras, "ink.safetensors", 0.8).await?;
    ///     Pipeline::load_with(checkpoint, &[Rc::new(ink)], Precision::AsStored, engine, control, observer).await
    /// }
    /// ```
    pub async fn open(files: Rc<dyn Files>, path: &str, weight: f32) -> Result<Self, Error> {
        if !weight.is_finite() {
            return Err(Error::new("A LoRA's weight is no number. Choose one from -2 to 2."));
        }
        let tensors = Tensors::open_file(&*files, path).await?;
        let mut layers = SortedMap::<String, Layer>::default();
        for name in tensors.names() {
            let now = current(name);
            let found = ENDINGS.iter().find_map(|(ending, part)| Some((now.strip_suffix(ending)?, *part)));
            let known = found.and_then(|(layer, part)| {
                let (rest, component) =
                    COMPONENTS.iter().find_map(|(start, component)| Some((layer.strip_prefix(start)?, *component)))?;
                Some(([component, "/", &plain(rest)].concat(), part))
            });
            if let Some((_, kind)) = OTHERS.iter().find(|(mark, _)| holds(name, mark)) {
                return Err(refuse(path, name, &["it is of a ", kind, ", which is not supported"].concat()));
            }
            let Some((layer, part)) = known else {
                return Err(refuse(path, name, "it is named like none"));
            };
            let layer = layers.get_or_insert_with(layer, Layer::default);
            name.clone_into(&mut layer.key);
            layer.tensors[part] = tensors.get(name).cloned();
        }
        Ok(Self { files, path: path.to_owned(), tensors, weight, layers, last: RefCell::default() })
    }

    /// Has a component's tensors read with what this LoRA adds to them.
    ///
    /// # Errors
    /// When a matrix does not fit its tensor.
    pub async fn attach(self: &Rc<Self>, component: &str, tensors: &mut Tensors) -> Result<(), Error> {
        let names: Vec<String> = tensors.names().map(str::to_owned).collect();
        let others = (component == "unet").then(|| sgm::Names::of(tensors));
        for name in names {
            let Some(stem) = name.strip_suffix(".weight") else { continue };
            let find = |layer: &str| self.layers.get(&[component, "/", layer].concat());
            let other = || find(&others.as_ref()?.name(stem)?);
            let Some(layer) = find(&plain(stem)).or_else(other) else { continue };
            let refuse = |why| refuse(&self.path, &layer.key, why);
            let [Some(down), Some(up), alpha] = &layer.tensors else {
                return Err(refuse("the other matrix of the layer is missing"));
            };
            let Some(base) = tensors.get(&name) else { continue };
            // A 1×1 convolution and a linear layer are the same numbers.
            let rest = |shape: &[usize]| {
                let ones = shape.iter().skip(1).rev().take_while(|&&size| size == 1).count();
                shape[1.min(shape.len())..shape.len() - ones].to_vec()
            };
            let rank = down.shape.first().copied().unwrap_or(0);
            if rank == 0 || rank > MOST_RANK || down.count() > MOST_DOWN {
                return Err(refuse("it is too large, or empty"));
            }
            let outer = base.shape.first();
            if rest(&down.shape) != rest(&base.shape)
                || up.shape.first() != outer
                || up.count() != outer.unwrap_or(&0) * rank
            {
                return Err(refuse("its shape does not fit the checkpoint's layer"));
            }
            let share = match alpha {
                Some(alpha) if alpha.count() == 1 => {
                    let alpha = self.tensors.read_plain(&*self.files, alpha, 0, 1).await?;
                    alpha.first().map(|alpha| alpha / rank as f32)
                }
                Some(_) => None,
                None => self.told_share(component, stem, rank),
            };
            let share = share.filter(|share| share.is_finite()).ok_or_else(|| refuse("its alpha is not supported"))?;
            layer.used.set(true);
            let factor = self.weight * share;
            let patch = Change { lora: Rc::clone(self), down: down.clone(), up: up.clone(), rank, factor };
            tensors.patch(&name, Rc::new(patch));
        }
        Ok(())
    }

    /// Alpha / rank of a layer where no tensor says alpha: 1, unless diffusers wrote otherwise into the header. As peft has
    /// it, a pattern of `alpha_pattern` is about the layers whose path ends with it, and `use_rslora` divides by the rank's
    /// square root (Kalajdzievski 2023).
    fn told_share(&self, component: &str, layer: &str, rank: usize) -> Option<f32> {
        let told = self.tensors.told.as_ref().and_then(|told| told.get("lora_adapter_metadata")?.text());
        let Some(told) = told else { return Some(1.0) };
        let told = Json::parse(told.as_bytes()).ok()?;
        let of = |key: &str| told.get(&[component, ".", key].concat());
        let is = |key: &str| of(key) == Some(&Json::Bool(true));
        if is("use_dora") {
            return None;
        }
        // Text encoders' layers are named with and without it.
        let path = [".text_model.", layer].concat();
        let is_about = |pattern: &str| path.strip_suffix(pattern).is_some_and(|before| before.ends_with('.'));
        let patterns = of("alpha_pattern").and_then(Json::map).unwrap_or_default();
        // peft reads them as regular expressions; what is more than a name is not understood here.
        if patterns
            .iter()
            .any(|(pattern, _)| pattern.contains(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')))
        {
            return None;
        }
        let pattern = patterns.iter().find(|(pattern, _)| is_about(pattern)).map(|(_, alpha)| alpha);
        let rank = rank as f32;
        let alpha = pattern.or_else(|| of("lora_alpha")).map_or(Some(rank), |alpha| Some(alpha.number()? as f32))?;
        Some(alpha / if is("use_rslora") { rank.sqrt() } else { rank })
    }
}

fn refuse(path: &str, key: &str, why: &str) -> Error {
    Error::new(format!(
        "{path}: {key} cannot be merged: {why}. Supported are LoRA files of kohya and diffusers for linear layers and \
         convolutions of this checkpoint."
    ))
}

impl Merge for Lora {
    fn merge<'a>(
        self: Rc<Self>,
        component: &'a str,
        tensors: &'a mut Tensors,
    ) -> LocalBoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.attach(component, tensors).await })
    }

    fn all_used(&self) -> Result<(), Error> {
        match self.layers.values().find(|layer| !layer.used.get()) {
            None => Ok(()),
            Some(layer) => Err(refuse(&self.path, &layer.key, "the checkpoint has no such layer")),
        }
    }
}

impl Patch for Change {
    fn add<'a>(&'a self, first: usize, row: usize, numbers: &'a mut [f32]) -> LocalBoxFuture<'a, Result<(), Error>> {
        Box::pin(self.add_to(first, row, numbers))
    }
}

impl Change {
    async fn add_to(&self, first: usize, row: usize, numbers: &mut [f32]) -> Result<(), Error> {
        let down = self.down().await?;
        let end = first + numbers.len();
        let (from, to) = (first / row, end.div_ceil(row));
        let (lora, rank) = (&*self.lora, self.rank);
        let up = lora.tensors.read_plain(&*lora.files, &self.up, from * rank, (to - from) * rank).await?;
        for (place, up) in (from..to).zip(up.chunks_exact(rank)) {
            // The part of this row that is asked for.
            let (start, stop) = ((place * row).max(first), ((place + 1) * row).min(end));
            let numbers = &mut numbers[start - first..stop - first];
            for (up, down) in up.iter().zip(down.chunks_exact(row)) {
                let factor = up * self.factor;
                let down = &down[start - place * row..];
                numbers.iter_mut().zip(down).for_each(|(number, down)| *number += factor * down);
            }
        }
        Ok(())
    }

    async fn down(&self) -> Result<Rc<[f32]>, Error> {
        let lora = &*self.lora;
        let (start, known) = lora.last.borrow().clone();
        if start == self.down.start && !known.is_empty() {
            return Ok(known);
        }
        let down: Rc<[f32]> = lora.tensors.read_plain(&*lora.files, &self.down, 0, self.down.count()).await?.into();
        lora.last.replace((self.down.start, Rc::clone(&down)));
        Ok(down)
    }
}
