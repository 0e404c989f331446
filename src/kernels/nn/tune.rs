//! Which variant of the product is the fastest on an engine, for each class of shapes: timed once, then remembered.

use std::time::Duration;

use gradus_cpu::hash;
use gradus_cpu::nn::conv::Shape;

use super::conv::{CONV, FLOATS, Stored, conv, variants};
use crate::kernels::{Buffer, Control, Engine, EngineError, Recording};

/// The variant of [`CONV`] for each class of shapes. By default it is everywhere the one without a barrier.
///
/// ```
/// use gradus::kernels::nn::TileChoices;
/// let tiles = TileChoices::all(1);
/// assert_eq!(TileChoices::parse(&tiles.text()), Some(tiles));
/// assert_eq!(TileChoices::parse("of an older build"), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TileChoices([u8; CLASSES]);

/// The classes.
const CLASSES: usize = 5;
const PRODUCT: usize = 0;
const CONVOLUTION: usize = 1;
const MIDDLE: usize = 2;
const FEW: usize = 3;
const NARROW: usize = 4;

/// Fewer of the largest tiles than this leave units of a GPU without work, the more the fewer there are: where the next
/// smaller tiles began to win on an NVIDIA H200, which has 132 units.
const FILLING: usize = 256;
const HALF_EMPTY: usize = 64;

/// A result of so few panels is narrower than half of any tile.
const FEWEST_PANELS: usize = 2;

/// Tiles are chosen when they take less than this share of the time of the variant without a barrier, and halves when they
/// take less than this share of the time of the best in floats.
const WINS: f64 = 0.9;

/// How far sums of the samples may be from those of the variant without a barrier: in floats, and in halves, where each of
/// up to 4608 products is up to 2^-16 off.
const NEAR: [f32; 2] = [1e-3, 0.1];

/// What is measured takes so long: browsers' clocks stand still for up to a millisecond.
const TELLING: Duration = Duration::from_millis(16);

/// After so long no other class is timed: what was the best so far is taken.
const LONG: Duration = Duration::from_millis(1500);

impl TileChoices {
    /// One variant for everything.
    #[must_use]
    pub fn all(variant: usize) -> Self {
        Self([(variant % CONV.len()) as u8; CLASSES])
    }

    /// The variant for a shape.
    #[must_use]
    pub fn variant(&self, shape: &Shape) -> usize {
        let large = shape.rows.div_ceil(64) * shape.panels.div_ceil(8);
        let class = if shape.panels <= FEWEST_PANELS {
            NARROW
        } else if large < HALF_EMPTY {
            FEW
        } else if large < FILLING {
            MIDDLE
        } else if shape.kernel == [1, 1] {
            PRODUCT
        } else {
            CONVOLUTION
        };
        self.0[class].into()
    }

    /// Whether workgroups that share memory are the faster ones here.
    #[must_use]
    pub fn tiles(&self) -> bool {
        self.0[PRODUCT] > 0
    }

    /// Whether anything is computed in halves.
    #[must_use]
    pub fn halves(&self) -> bool {
        self.0.iter().any(|&variant| usize::from(variant) >= FLOATS)
    }

    /// The same with each tile in floats.
    #[must_use]
    pub fn in_floats(&self) -> Self {
        let below = |variant: u8| if usize::from(variant) < FLOATS { variant } else { variant - FLOATS as u8 + 1 };
        Self(self.0.map(below))
    }

    /// As a text to be remembered.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.iter().fold(build(), |all, &variant| all << 3 | u64::from(variant)).to_string()
    }

    /// Reads a text of the same build.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let all: u64 = text.parse().ok()?;
        (all >> (CLASSES * 3) == build()).then(|| Self([12, 9, 6, 3, 0].map(|shift| (all >> shift & 7) as u8)))
    }
}

// Three bits are a variant.
const _: () = assert!(CONV.len() <= 8);

/// Tells builds apart whose shaders differ.
fn build() -> u64 {
    let sources = CONV.iter().flat_map(|variant| variant.kernels[0].sources).flat_map(|source| source.bytes());
    sources.fold(0, |state, byte| hash(state ^ u32::from(byte))).into()
}

/// What stands for a class: a product of many rows over a short inner dimension, a 3×3 convolution, one of a middle and one
/// of a small map.
const SAMPLES: [Shape; 4] =
    [sample(64, 1, 320, 40), sample(64, 3, 64, 40), sample(32, 3, 64, 40), sample(8, 3, 512, 80)];

const fn sample(side: usize, kernel: usize, channels: usize, panels: usize) -> Shape {
    Shape {
        rows: side * side,
        panels,
        width: panels * 8,
        source: [side; 2],
        result: [side; 2],
        kernel: [kernel; 2],
        stride: 1,
        padding: [kernel / 2; 2],
        upsample: 0,
        channels: [channels, 0],
        activation: 0,
        add_rows: 0,
    }
}

/// Times every variant; under a second on a GPU, and its pipelines are made.
///
/// # Errors
/// When the engine is lost or has no memory for it.
pub async fn tune(engine: &dyn Engine, control: &dyn Control) -> Result<TileChoices, EngineError> {
    let mut choices = TileChoices::default();
    let began = control.now();
    let mut best = 0;
    for (choice, shape) in choices.0.iter_mut().zip(&SAMPLES) {
        if control.now().since(began) > LONG {
            *choice = best as u8;
            continue;
        }
        let mut filling = Recording::new();
        let sample = Sample { shape, buffers: buffers(shape, engine, &mut filling)?, engine, control };
        engine.run(&filling, control).await?;
        let mut times = [f64::INFINITY; CONV.len()];
        let mut shortest = f64::INFINITY;
        // The one without a barrier comes last, as it is seldom the fastest: then it is soon done with.
        for variant in variants(engine.info()).rev() {
            times[variant] = sample.time(variant, shortest * 2.0).await?;
            shortest = shortest.min(times[variant]);
        }
        best = 0;
        for rivals in [1..FLOATS, FLOATS..CONV.len()] {
            let mut rival = rivals.start;
            for variant in rivals {
                rival = if times[variant] < times[rival] { variant } else { rival };
            }
            if times[rival] >= WINS * times[best] {
                continue;
            }
            // Its results must be those of the one without a barrier, as far as rounding goes.
            let mut results = [Vec::new(), Vec::new()];
            for (result, variant) in results.iter_mut().zip([0, rival]) {
                sample.run(variant, 1).await?;
                *result = engine.read(&sample.buffers[4]).await?;
            }
            let most = NEAR[usize::from(rival >= FLOATS)];
            let near = |(&one, &other): (&u32, &u32)| (f32::from_bits(one) - f32::from_bits(other)).abs() < most;
            if results[0].iter().zip(&results[1]).all(near) {
                best = rival;
            }
        }
        *choice = best as u8;
    }
    Ok(choices)
}

/// Buffers for a product of halves, as checkpoints for GPUs have them, and the writes that fill them.
fn buffers(shape: &Shape, engine: &dyn Engine, filling: &mut Recording) -> Result<Vec<Buffer>, EngineError> {
    // Sources as floats and weights as halves from ±1/8 to ±1/4.
    let source = (shape.rows * shape.channels[0], 0x3e00_0000, 0x807f_ffff);
    let weights = (shape.panels * (shape.depth() + 1) * 4, 0x3000_3000, 0x83ff_83ff);
    let nothing = (4, 0, 0);
    let mut buffers = Vec::new();
    for (words, first, mask) in [source, nothing, weights, nothing, (shape.rows * shape.width, 0, 0)] {
        let buffer = engine.buffer("timing", words)?;
        if mask != 0 {
            let numbers: Vec<u32> = (0..words as u32).map(|n| first | hash(n) & mask).collect();
            filling.write(&buffer, &numbers);
        }
        buffers.push(buffer);
    }
    Ok(buffers)
}

/// A product to be timed.
struct Sample<'a> {
    shape: &'a Shape,
    buffers: Vec<Buffer>,
    engine: &'a dyn Engine,
    control: &'a dyn Control,
}

impl Sample<'_> {
    async fn run(&self, variant: usize, times: usize) -> Result<f64, EngineError> {
        let mut recording = Recording::new();
        for _ in 0..times {
            recording.push(conv(self.shape, Stored::Halves, variant).on(self.buffers.clone()));
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
}
