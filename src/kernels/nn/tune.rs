//! Which variant of the product is the fastest on an engine, for each class of shapes: timed once, then remembered.

use std::fmt;
use std::time::Duration;

use gradus_cpu::hash;
use gradus_cpu::nn::conv::Shape;

use super::conv::{CONV, conv};
use crate::kernels::{Buffer, Control, Engine, EngineError, Recording};

/// The variant of [`CONV`] for each class of shapes. By default it is everywhere the one without a barrier.
///
/// ```
/// use gradus::kernels::nn::Choices;
/// let tiles = Choices::all(1);
/// assert_eq!(Choices::parse(&tiles.to_string()), Some(tiles));
/// assert_eq!(Choices::parse("of an older build"), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choices([u8; 4]);

/// The classes.
const PRODUCT: usize = 0;
const CONVOLUTION: usize = 1;
const FEW: usize = 2;
const NARROW: usize = 3;

/// Fewer of the largest tiles than this leave units of a GPU without work (ONNX Runtime's bound for its smaller tiles).
const FILLING: usize = 128;

/// A result of so few panels is narrower than half of any tile.
const FEWEST_PANELS: usize = 2;

/// A variant is chosen when it takes less than this share of the time of the one without a barrier.
const WINS: f64 = 0.9;

/// What is measured takes so long: browsers' clocks stand still for up to a millisecond.
const TELLING: Duration = Duration::from_millis(16);

/// After so long no other class is timed: what was the best so far is taken.
const LONG: Duration = Duration::from_millis(1500);

impl Choices {
    /// One variant for everything.
    #[must_use]
    pub fn all(variant: usize) -> Self {
        Self([(variant % CONV.len()) as u8; 4])
    }

    /// The variant for a shape.
    #[must_use]
    pub fn variant(&self, shape: &Shape) -> usize {
        let large = shape.rows.div_ceil(64) * shape.panels.div_ceil(8);
        let class = if shape.panels <= FEWEST_PANELS {
            NARROW
        } else if large < FILLING {
            FEW
        } else if shape.kernel == [1, 1] {
            PRODUCT
        } else {
            CONVOLUTION
        };
        self.0[class].into()
    }

    /// Reads what was written as a text by the same build.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let found = u32::from_str_radix(text.strip_prefix(&build())?, 8).ok()?;
        Some(Self([9, 6, 3, 0].map(|shift| (found >> shift & 7) as u8)))
    }
}

impl fmt::Display for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&build())?;
        self.0.iter().try_for_each(|variant| write!(f, "{variant}"))
    }
}

/// Tells builds apart whose shaders differ.
fn build() -> String {
    let sources = CONV.iter().flat_map(|variant| variant.kernels[0].sources).flat_map(|source| source.bytes());
    format!("{:x} ", sources.fold(0, |state, byte| hash(state ^ u32::from(byte))))
}

/// What stands for a class: a product of many rows over a short inner dimension, a 3×3 convolution, one of a small map.
fn samples() -> [Shape; 3] {
    let shape = |side: usize, kernel: usize, channels: usize, panels: usize| Shape {
        rows: side * side,
        panels,
        width: panels * 8,
        source: [side; 2],
        result: [side; 2],
        kernel: [kernel; 2],
        stride: 1,
        padding: [kernel / 2; 2],
        channels: [channels, 0],
        ..Shape::default()
    };
    [shape(64, 1, 320, 40), shape(64, 3, 64, 40), shape(12, 3, 256, 64)]
}

/// Times every variant; about a second on a GPU.
///
/// # Errors
/// When the engine is lost or has no memory for it.
pub async fn tune(engine: &dyn Engine, control: &dyn Control) -> Result<Choices, EngineError> {
    let mut choices = Choices::default();
    let began = control.now();
    let mut best = 0;
    for (choice, shape) in choices.0.iter_mut().zip(samples()) {
        if control.now().since(began) > LONG {
            *choice = best as u8;
            continue;
        }
        let sample = Sample::new(shape, engine, control).await?;
        let mut shortest = f64::INFINITY;
        // The one without a barrier comes last, as it is seldom the fastest: then it is soon done with.
        for variant in (0..CONV.len()).rev() {
            let took = sample.time(variant, shortest * 2.0).await?;
            if took < if variant == 0 { shortest / WINS } else { shortest } {
                (best, shortest) = (variant, took);
            }
        }
        if best > 0 && !sample.agrees(best).await? {
            best = 0;
        }
        *choice = best as u8;
    }
    Ok(choices)
}

/// A product to be timed, of halves: so checkpoints for GPUs have their weights.
struct Sample<'a> {
    shape: Shape,
    buffers: Vec<Buffer>,
    engine: &'a dyn Engine,
    control: &'a dyn Control,
}

impl<'a> Sample<'a> {
    async fn new(shape: Shape, engine: &'a dyn Engine, control: &'a dyn Control) -> Result<Self, EngineError> {
        let (source, weights) = (shape.rows * shape.channels[0], shape.panels * (shape.depth() + 1) * 4);
        let mut buffers = Vec::new();
        for words in [source, 4, weights, 4, shape.rows * shape.width] {
            buffers.push(engine.buffer("timing", words)?);
        }
        // Some numbers from ±1/8 to ±1/4, as floats and as halves.
        let numbers = |count: usize, first: u32, mask: u32| -> Vec<u32> {
            (0..count as u32).map(|n| first | hash(n) & mask).collect()
        };
        let mut recording = Recording::new();
        recording.write(&buffers[0], &numbers(source, 0x3e00_0000, 0x807f_ffff));
        recording.write(&buffers[2], &numbers(weights, 0x3000_3000, 0x83ff_83ff));
        engine.run(&recording, control).await?;
        Ok(Self { shape, buffers, engine, control })
    }

    async fn run(&self, variant: usize, times: usize) -> Result<f64, EngineError> {
        let mut recording = Recording::new();
        for _ in 0..times {
            recording.push(conv(&self.shape, true, variant).on(self.buffers.clone()));
        }
        let began = self.control.now();
        self.engine.run(&recording, self.control).await?;
        Ok(self.control.now().since(began).as_secs_f64())
    }

    /// Seconds of one product, infinite for what the device refuses; less exact beyond `most`.
    async fn time(&self, variant: usize, most: f64) -> Result<f64, EngineError> {
        // The first run makes the pipeline; the engine learns from run to run how much it can submit at once.
        match self.run(variant, 1).await {
            Err(EngineError::Refused { .. }) => return Ok(f64::INFINITY),
            other => other?,
        };
        let mut times = 1;
        loop {
            let took = self.run(variant, times).await?;
            let share = took / TELLING.as_secs_f64();
            if share > 0.3 && took > most * times as f64 {
                return Ok(took / times as f64);
            }
            if share >= 1.0 || times >= 512 {
                return Ok(took.min(self.run(variant, times).await?) / times as f64);
            }
            times *= if share > 0.5 { 2 } else { 4 };
        }
    }

    /// Whether a variant's results are those of the one without a barrier, as far as rounding goes.
    async fn agrees(&self, variant: usize) -> Result<bool, EngineError> {
        let mut results = Vec::new();
        for variant in [0, variant] {
            self.run(variant, 1).await?;
            results.push(self.engine.read(&self.buffers[4]).await?);
        }
        let near = |(&one, &other): (&u32, &u32)| (f32::from_bits(one) - f32::from_bits(other)).abs() < 1e-3;
        Ok(results[0].iter().zip(&results[1]).all(near))
    }
}
