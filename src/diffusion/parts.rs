//! What a checkpoint is made of, as its configurations say.

use super::autoencoder::Autoencoder;
use super::clip::Clip;
use super::config::Config;
use super::json::Json;
use super::plan::Cost;
use super::schedule::Sampler;
use super::unet::Unet;
use crate::ports::Files;
use crate::value::Error;

/// The configurations of a checkpoint, read before anything large is.
pub struct Parts {
    /// The text encoders: one, or two for SDXL.
    pub clips: Vec<Clip>,
    /// Whether an empty negative prompt means zeros instead of the states of no words (SDXL).
    pub zeros: bool,
    /// Whether it is a pipeline of consistency models: with a picture to begin from it takes all steps that are asked for,
    /// spread over as much of the training's schedule as the strength says.
    pub consistency: bool,
    /// The network.
    pub unet: Unet,
    /// The coder.
    pub autoencoder: Autoencoder,
    /// The sampler's configuration.
    pub sampler: Config,
}

/// What a pipeline is made of, by its names in `model_index.json`, and the classes that each may be of; none: any.
const COMPONENTS: [(&str, &[&str]); 9] = [
    ("unet", &["UNet2DConditionModel"]),
    ("vae", &["AutoencoderKL", "AutoencoderTiny"]),
    ("text_encoder", ENCODERS),
    ("text_encoder_2", ENCODERS),
    ("tokenizer", TOKENIZERS),
    ("tokenizer_2", TOKENIZERS),
    // Its own configuration tells its class.
    ("scheduler", &[]),
    // They look at pictures, and change none that this engine makes.
    ("safety_checker", &[]),
    ("feature_extractor", &[]),
];
const ENCODERS: &[&str] = &["CLIPTextModel", "CLIPTextModelWithProjection"];
const TOKENIZERS: &[&str] = &["CLIPTokenizer", "CLIPTokenizerFast"];
/// The pipelines, from a text, from a picture, and with a mask.
const PIPELINES: &str = "StableDiffusionPipeline, StableDiffusionXLPipeline, LatentConsistencyModelPipeline, and those of \
                         the same names with Img2Img and Inpaint";

/// Whether a class of pipelines is one that is made here.
fn is_known(class: &str) -> bool {
    ["StableDiffusionXL", "StableDiffusion", "LatentConsistencyModel"].iter().any(|family| {
        let rest = class.strip_prefix(family).unwrap_or_default();
        ["Pipeline", "Img2Img", "Inpaint"].iter().any(|kind| rest.starts_with(kind))
    })
}

/// Checks `model_index.json`.
fn check(index: &Config) -> Result<(), Error> {
    if !index.get("_class_name").and_then(Json::text).is_none_or(is_known) {
        return Err(index.refuse("_class_name", PIPELINES));
    }
    for (name, of) in index.entries() {
        let missing = of.list().is_some_and(|of| of.iter().all(|of| *of == Json::Null));
        if let (Some(of), false) = (of.list(), missing) {
            let Some((_, classes)) = COMPONENTS.iter().find(|(known, _)| *known == name) else {
                return Err(index.refuse(name, &COMPONENTS.map(|(name, _)| name).join(", ")));
            };
            let class = of.last().and_then(Json::text).unwrap_or_default();
            if !classes.is_empty() && !classes.contains(&class) {
                return Err(index.refuse(name, &classes.join(", ")));
            }
        }
        if !matches!(of, Json::List(_) | Json::Null | Json::Bool(false))
            && !name.starts_with('_')
            && !["requires_safety_checker", "force_zeros_for_empty_prompt"].contains(&name)
        {
            let refines = name == "requires_aesthetics_score";
            return Err(index.refuse(name, if refines { "checkpoints that do not refine" } else { "leave it out" }));
        }
    }
    Ok(())
}

/// A sampler's configuration as diffusers' pipelines of this class take it: those of Stable Diffusion have their own mind
/// about two fields, for old checkpoints whose files lack them.
fn as_run_by(class: &str, sampler: Config) -> Result<Config, Error> {
    if !class.starts_with("StableDiffusion") || class.starts_with("StableDiffusionXL") {
        return Ok(sampler);
    }
    let clips = sampler.flag("clip_sample", true)?;
    let sampler = sampler.with("steps_offset", Json::Number(1.0));
    Ok(if clips && !class.contains("Inpaint") { sampler.with("clip_sample", Json::Bool(false)) } else { sampler })
}

impl Parts {
    /// Reads and checks all configurations.
    ///
    /// # Errors
    /// Names what is missing or not supported.
    pub async fn read(files: &dyn Files) -> Result<Self, Error> {
        // The index first: what another kind of pipeline lacks is not what its visitor should hear of.
        let index = match files.size("model_index.json").await? {
            Some(_) => Some(Config::read(files, "model_index.json").await?),
            None if files.size("unet/config.json").await?.is_none() => {
                return Err(Error::new(
                    "There is no model here: neither model_index.json nor unet/config.json. Name the folder in which \
                     they lie, in the layout of diffusers.",
                ));
            }
            None => None,
        };
        index.as_ref().map_or(Ok(()), check)?;
        let mut clips = vec![Clip::new(&Config::read(files, "text_encoder/config.json").await?)?];
        let unet = Unet::new(&Config::read(files, "unet/config.json").await?)?;
        let mut autoencoder = Autoencoder::new(&Config::read(files, "vae/config.json").await?)?;
        let sampler = Config::read(files, "scheduler/scheduler_config.json").await?;
        Sampler::new(&sampler, None)?;
        let class = index.as_ref().and_then(|index| index.get("_class_name")).and_then(Json::text).unwrap_or_default();
        let sampler = as_run_by(class, sampler)?;
        if unet.addition.is_none() {
            // SDXL's pipelines alone heed them.
            autoencoder.levels.clear();
        } else {
            clips.push(Clip::new(&Config::read(files, "text_encoder_2/config.json").await?)?);
        }
        if clips.iter().map(|clip| clip.channels).sum::<usize>() != unet.context_channels {
            return Err(Error::new("The text encoders' hidden_size is not the UNet's cross_attention_dim."));
        }
        if let (Some((numbers, all)), Some(clip)) = (unet.addition, clips.get(1))
            && all != clip.projection + 6 * numbers
        {
            return Err(Error::new(
                "The UNet's projection_class_embeddings_input_dim is not the second text encoder's projection_dim and \
                 six of addition_time_embed_dim.",
            ));
        }
        // Their states are set side by side, token by token.
        if clips.iter().any(|clip| clip.tokens != clips[0].tokens) {
            return Err(Error::new("The two text encoders' max_position_embeddings differ, which is not supported."));
        }
        let latent = autoencoder.latent_channels();
        // A network that paints into a picture reads a mask and the latent of what is kept as well.
        if unet.out_channels != latent || ![latent, 2 * latent + 1].contains(&unet.in_channels) {
            return Err(Error::new(
                "The UNet's in_channels and out_channels are not the autoencoder's latent_channels (in_channels may also \
                 be twice as many and one, for a mask and a picture).",
            ));
        }
        let (mut zeros, mut consistency) = (unet.addition.is_some(), false);
        if let Some(index) = &index {
            zeros = index.flag("force_zeros_for_empty_prompt", zeros)?;
            consistency = class.starts_with("LatentConsistencyModel");
        }
        Ok(Self { clips, zeros, consistency, unet, autoencoder, sampler })
    }

    /// Tokens of a prompt.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.clips.first().map_or(0, |clip| clip.tokens)
    }

    /// What text encoders, network and decoder cost, in this order, for a picture of this height and width; with `pair`, as guidance
    /// asks for it. So it can be told before anything large is loaded whether a model fits.
    ///
    /// # Errors
    /// When the model cannot make a picture of this size.
    pub fn costs(&self, size: [u32; 2], pair: bool) -> Result<Vec<Cost>, Error> {
        let latent = size.map(|side| side as usize / self.autoencoder.scale());
        let batch = if pair { 2 } else { 1 };
        let mut costs = Vec::new();
        for clip in &self.clips {
            costs.push(Cost::of(&clip.graph(batch, clip.tokens)?));
        }
        costs.push(Cost::of(&self.unet.graph(batch, latent, self.tokens())?));
        costs.push(Cost::of(&self.autoencoder.decoder(1, latent)?));
        Ok(costs)
    }
}
