//! What a checkpoint is made of, as its configurations say.

use super::autoencoder::Autoencoder;
use super::clip::Clip;
use super::config::Config;
use super::plan::Cost;
use super::schedule::Sampler;
use super::unet::Unet;
use crate::ports::Files;
use crate::value::Error;

/// The configurations of a checkpoint, read before anything large is.
pub struct Parts {
    /// The text encoder.
    pub clip: Clip,
    /// The network.
    pub unet: Unet,
    /// The coder.
    pub autoencoder: Autoencoder,
    /// The sampler's configuration.
    pub sampler: Config,
}

impl Parts {
    /// Reads and checks all configurations.
    ///
    /// # Errors
    /// Names what is missing or not supported.
    pub async fn read(files: &dyn Files) -> Result<Self, Error> {
        let clip = Clip::new(&Config::read(files, "text_encoder/config.json").await?)?;
        let unet = Unet::new(&Config::read(files, "unet/config.json").await?)?;
        let autoencoder = Autoencoder::new(&Config::read(files, "vae/config.json").await?)?;
        let sampler = Config::read(files, "scheduler/scheduler_config.json").await?;
        Sampler::new(&sampler, None)?;
        if clip.channels != unet.context_channels {
            return Err(Error::new("The text encoder's hidden_size is not the UNet's cross_attention_dim."));
        }
        if unet.in_channels != autoencoder.latent_channels() || unet.out_channels != unet.in_channels {
            return Err(Error::new(
                "The UNet's in_channels and out_channels are not the autoencoder's latent_channels.",
            ));
        }
        if unet.addition.is_some() {
            return Err(Error::new(
                "unet/config.json: `addition_embed_type` (two text encoders) is not supported yet.",
            ));
        }
        Ok(Self { clip, unet, autoencoder, sampler })
    }

    /// What text encoder, network and decoder cost for a picture of this height and width; with `pair`, as guidance
    /// asks for it. So it can be told before anything large is loaded whether a model fits.
    ///
    /// # Errors
    /// When the model cannot make a picture of this size.
    pub fn costs(&self, size: [u32; 2], pair: bool) -> Result<[Cost; 3], Error> {
        let latent = size.map(|side| side as usize / self.autoencoder.scale());
        let batch = if pair { 2 } else { 1 };
        Ok([
            Cost::of(&self.clip.graph(batch)?),
            Cost::of(&self.unet.graph(batch, latent, self.clip.tokens)?),
            Cost::of(&self.autoencoder.decoder(1, latent)?),
        ])
    }
}
