//! The coder between pictures and latents, of either class.

use super::autoencoder_kl::Kl;
use super::autoencoder_tiny::Tiny;
use super::config::Config;
use super::graph::Graph;
use super::json::Json;
use crate::value::Error;

/// A coder's configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Autoencoder {
    kind: Kind,
    /// What latents are multiplied by for the network.
    pub scaling: f64,
    /// Of each channel of a latent the mean and the deviation, where the configuration has both.
    pub(super) levels: Vec<[f64; 2]>,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Tiny(Tiny),
    Kl(Kl),
}

impl Autoencoder {
    /// Reads `vae/config.json`.
    ///
    /// # Errors
    /// Names the field that is not supported.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let tiny = config.only("_class_name", &["AutoencoderKL", "AutoencoderTiny"])? == 1;
        let scaling = config.float("scaling_factor", if tiny { 1.0 } else { 0.18215 })?;
        if scaling <= 0.0 {
            return Err(config.refuse("scaling_factor", "a number above 0"));
        }
        let kind = if tiny { Kind::Tiny(Tiny::new(config)?) } else { Kind::Kl(Kl::new(config)?) };
        let mut coder = Self { kind, scaling, levels: Vec::new() };
        let level = |key: &str| {
            let Some(value) = config.get(key) else { return Ok(None) };
            let level = value.list().and_then(|list| list.iter().map(Json::number).collect::<Option<Vec<f64>>>());
            let level = level.filter(|level| level.len() == coder.latent_channels());
            level.map(Some).ok_or_else(|| config.refuse(key, "a number for each of latent_channels"))
        };
        if let (Some(means), Some(deviations)) = (level("latents_mean")?, level("latents_std")?) {
            coder.levels = means.into_iter().zip(deviations).map(<[f64; 2]>::from).collect();
        }
        Ok(coder)
    }

    /// Brings latents, channels first and `plane` numbers to each, to what the network sees, or `back`; `levels` are those
    /// of the channels, if any.
    pub(super) fn bring(&self, latents: &mut [f32], plane: usize, levels: &[[f64; 2]], back: bool) {
        let levels = if levels.is_empty() { &[[0.0, 1.0]] } else { levels };
        for (numbers, [mean, deviation]) in latents.chunks_exact_mut(plane).zip(levels.iter().cycle()) {
            let factor = deviation / self.scaling;
            let (factor, more) = if back { (factor, *mean) } else { (1.0 / factor, -mean / factor) };
            numbers.iter_mut().for_each(|x| *x = (f64::from(*x) * factor + more) as f32);
        }
    }

    /// Whether this is the small and quick one, so that previews are made by it.
    #[must_use]
    pub fn quick(&self) -> bool {
        matches!(self.kind, Kind::Tiny(_))
    }

    /// Channels of a latent.
    #[must_use]
    pub fn latent_channels(&self) -> usize {
        match &self.kind {
            Kind::Tiny(tiny) => tiny.latent_channels(),
            Kind::Kl(kl) => kl.latent_channels(),
        }
    }

    /// Pixels of a picture for each of a latent, to each side.
    #[must_use]
    pub fn scale(&self) -> usize {
        match &self.kind {
            Kind::Tiny(tiny) => tiny.scale(),
            Kind::Kl(kl) => kl.scale(),
        }
    }

    /// The network from latents to pictures; its output is x, and the picture of 0..1 is
    /// x · [`Autoencoder::range`]\[0\] + \[1\].
    ///
    /// # Errors
    /// When it cannot be of this size.
    pub fn decoder(&self, pictures: usize, size: [usize; 2]) -> Result<Graph, Error> {
        match &self.kind {
            Kind::Tiny(tiny) => tiny.decoder(pictures, size),
            Kind::Kl(kl) => kl.decoder(pictures, size),
        }
    }

    /// The decoder without its last doubling, and its channels, where nothing but two convolutions stands behind that: the last
    /// weight is both of them, see `small`.
    ///
    /// # Errors
    /// When it cannot be of this size.
    pub(super) fn small_decoder(&self, pictures: usize, size: [usize; 2]) -> Result<Option<(Graph, usize)>, Error> {
        match &self.kind {
            Kind::Tiny(tiny) => tiny.small_decoder(pictures, size),
            Kind::Kl(_) => Ok(None),
        }
    }

    /// The network from pictures to latents (or, for `AutoencoderKL`, to their means and log variances); its input is
    /// (picture of 0..1 − \[1\]) / \[0\] of [`Autoencoder::range`].
    ///
    /// # Errors
    /// When it cannot be of this size.
    pub fn encoder(&self, pictures: usize, size: [usize; 2]) -> Result<Graph, Error> {
        match &self.kind {
            Kind::Tiny(tiny) => tiny.encoder(pictures, size),
            Kind::Kl(kl) => kl.encoder(pictures, size),
        }
    }

    /// How the networks' numbers become 0..1: multiplied by the first, plus the second.
    #[must_use]
    pub fn range(&self) -> [f32; 2] {
        if self.quick() { [1.0, 0.0] } else { [0.5, 0.5] }
    }
}
