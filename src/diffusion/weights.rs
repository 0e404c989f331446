//! What weights a graph wants, and how they come from a checkpoint's files into an engine's buffers.

use std::collections::BinaryHeap;

use gradus_cpu::nn::conv::COLUMNS;

use super::safetensors::{Tensor, Tensors};
use crate::kernels::nn::half;
use crate::kernels::{Buffer, Control, Engine, EngineKind, Recording};
use crate::ports::{Files, Observer};
use crate::value::{Error, Progress, decimal};

/// The place of a padding row or column: it is filled with zeros.
pub(super) const NOTHING: u32 = u32::MAX;

/// What goes through the engine at once: wasm's memory never holds more of a checkpoint.
const PIECE: usize = 1 << 20;

/// One matrix of a packed weight: [outer, inner, kernel height, kernel width], or [outer, inner].
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The tensor's name.
    pub name: String,
    /// Whether there is a bias beside it.
    pub bias: bool,
    /// Rows of the matrix: channels of the result.
    pub outer: usize,
}

/// A weight that a graph wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    /// Matrices as panels of 8 columns; see [`gradus_cpu::nn::conv`].
    Packed {
        /// The matrices whose rows become columns.
        parts: Vec<Part>,
        /// Columns of each matrix: channels of the source.
        inner: usize,
        /// Kernel height × width.
        taps: usize,
        /// For each packed row of a tap the channel of the source, or `NOTHING`.
        rows: Vec<u32>,
        /// For each packed column the row, counted through all parts, or `NOTHING`.
        columns: Vec<u32>,
    },
    /// The scales and shifts of a norm, each filled up to this width.
    Affine {
        /// The norm's name.
        name: String,
        /// Channels.
        channels: usize,
        /// Floats of a row.
        width: usize,
    },
}

impl Spec {
    /// Numbers of the packed weight.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Packed { taps, rows, columns, .. } => columns.len() * (taps * rows.len() + 1),
            Self::Affine { width, .. } => width * 2,
        }
    }
}

/// A weight in an engine.
#[derive(Clone, Debug)]
pub struct Weight {
    /// The packed numbers.
    pub buffer: Buffer,
    /// Whether they are halves, two in a word.
    pub halves: bool,
}

/// Other names under which checkpoints have the same tensor.
pub(super) fn find<'a>(tensors: &'a Tensors, name: &str) -> Option<&'a Tensor> {
    tensors
        .get(name)
        .or_else(|| {
            // Transformers wrote the prefix until version 4.
            tensors.get(&["text_model.", name].concat())
        })
        .or_else(|| {
            let (stem, ending) = name.rsplit_once('.')?;
            // The autoencoder's attention before diffusers 0.17.
            let old = [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")];
            let (now, then) = old.iter().find(|(now, _)| stem.ends_with(now))?;
            tensors.get(&[stem.strip_suffix(now)?, then, ".", ending].concat())
        })
}

/// Tells an observer how much of all weights is loaded.
pub struct Meter<'a> {
    observer: &'a dyn Observer,
    done: usize,
    total: usize,
    bytes: u64,
}

impl<'a> Meter<'a> {
    /// A meter up to so many numbers, which take so many bytes in the checkpoint's files.
    #[must_use]
    pub fn new(observer: &'a dyn Observer, total: usize, bytes: u64) -> Self {
        Self { observer, done: 0, total, bytes }
    }

    fn add(&mut self, count: usize) {
        self.done += count;
        let share = self.done as f32 / self.total.max(1) as f32;
        let of = self.bytes as f64 / 1e6;
        let words =
            ["Loading the model, ", &decimal(of * f64::from(share), 1), " of ", &decimal(of, 1), " MB"].concat();
        self.observer.progress(Progress::fraction_of(share).describe(words));
    }
}

struct Loader<'a> {
    tensors: &'a Tensors,
    files: &'a dyn Files,
}

impl Loader<'_> {
    fn find(&self, name: &str, shape: &[usize]) -> Result<&Tensor, Error> {
        let tensor = find(self.tensors, name);
        let tensor = tensor.ok_or_else(|| Error::new(format!("The checkpoint has no tensor {name}.")))?;
        // A 1×1 convolution and a linear layer are the same numbers.
        let trim = |shape: &[usize]| {
            let ones = shape.iter().rev().take_while(|&&size| size == 1).count();
            shape[..shape.len() - ones].to_vec()
        };
        if trim(&tensor.shape) == trim(shape) {
            return Ok(tensor);
        }
        let words = |shape: &[usize]| shape.iter().map(|size| format!("{size}")).collect::<Vec<_>>().join("×");
        Err(Error::new(format!(
            "The tensor {name} is {}; the configuration asks for {}.",
            words(&tensor.shape),
            words(shape)
        )))
    }

    async fn affine(&self, name: &str, channels: usize, width: usize) -> Result<Vec<f32>, Error> {
        let mut all = vec![0.0; width * 2];
        for (to, ending) in all.chunks_exact_mut(width).zip([".weight", ".bias"]) {
            let tensor = self.find(&[name, ending].concat(), &[channels])?;
            let values = self.tensors.read_part(self.files, tensor, 0, channels).await?;
            to[..channels].copy_from_slice(&values);
        }
        Ok(all)
    }

    /// The panels of some columns, packed.
    async fn panels(
        &self,
        parts: &[(&Tensor, Option<Vec<f32>>)],
        (inner, taps): (usize, usize),
        rows: &[u32],
        columns: &[u32],
    ) -> Result<Vec<f32>, Error> {
        let depth = taps * rows.len() + 1;
        let mut packed = vec![0.0f32; columns.len() * depth];
        let mut first = 0;
        for (tensor, bias) in parts {
            let outer = tensor.shape.first().copied().unwrap_or(0);
            // The rows of this part that are wanted, in their order in the file, so that neighbours are read at once.
            let wanted: Vec<(usize, usize)> = columns
                .iter()
                .enumerate()
                .filter_map(|(place, &row)| Some(((row as usize).checked_sub(first)?, place)))
                .filter(|&(row, _)| row < outer)
                .collect();
            let wanted = BinaryHeap::from(wanted).into_sorted_vec();
            let mut rest = wanted.as_slice();
            while let Some(&(start, _)) = rest.first() {
                let run = rest.iter().enumerate().take_while(|&(n, &(row, _))| row == start + n).count();
                let (now, later) = rest.split_at(run);
                let values =
                    self.tensors.read_part(self.files, tensor, start * inner * taps, run * inner * taps).await?;
                for (&(row, place), values) in now.iter().zip(values.chunks_exact(inner * taps)) {
                    let at = place / COLUMNS * depth * COLUMNS + place % COLUMNS;
                    packed[at] = bias.as_ref().and_then(|bias| bias.get(row).copied()).unwrap_or(0.0);
                    scatter(&mut packed[at..], values, rows, taps);
                }
                rest = later;
            }
            first += outer;
        }
        Ok(packed)
    }
}

/// Puts a matrix's row into its column of a panel.
fn scatter(panel: &mut [f32], values: &[f32], rows: &[u32], taps: usize) {
    for tap in 0..taps {
        for (step, &channel) in rows.iter().enumerate() {
            if channel != NOTHING {
                panel[(1 + tap * rows.len() + step) * COLUMNS] = values[channel as usize * taps + tap];
            }
        }
    }
}

/// Brings all weights into the engine, in pieces. On a GPU what the checkpoint keeps as halves stays so.
///
/// # Errors
/// When a tensor is missing or has another shape, and what files and engine refuse.
pub async fn load(
    specs: &[Spec],
    tensors: &Tensors,
    files: &dyn Files,
    engine: &dyn Engine,
    control: &dyn Control,
    meter: &mut Meter<'_>,
) -> Result<Vec<Weight>, Error> {
    let loader = Loader { tensors, files };
    let gpu = engine.info().kind == EngineKind::Gpu;
    let mut writes = Writes { recording: Recording::new(), words: 0, engine, control };
    let mut weights = Vec::with_capacity(specs.len());
    for spec in specs {
        match spec {
            Spec::Affine { name, channels, width } => {
                let values = loader.affine(name, *channels, *width).await?;
                let buffer = engine.buffer(name, values.len())?;
                writes.add(&buffer, 0, &values).await?;
                meter.add(values.len());
                weights.push(Weight { buffer, halves: false });
            }
            Spec::Packed { parts, inner, taps, rows, columns } => {
                let mut found = Vec::new();
                for part in parts {
                    let kernel = (1..=*taps).find(|side| side * side == *taps).unwrap_or(1);
                    let name = [&part.name, ".weight"].concat();
                    let tensor = loader.find(&name, &[part.outer, *inner, kernel, kernel])?;
                    let bias = if part.bias {
                        let bias = loader.find(&[&part.name, ".bias"].concat(), &[part.outer])?;
                        Some(tensors.read_part(files, bias, 0, part.outer).await?)
                    } else {
                        None
                    };
                    found.push((tensor, bias));
                }
                let halves = gpu && found.iter().all(|(tensor, _)| tensor.halves());
                let words = if halves { spec.count() / 2 } else { spec.count() };
                let buffer = engine.buffer(parts.first().map_or("weight", |part| &part.name), words)?;
                let panel = COLUMNS * (taps * rows.len() + 1);
                let columns_at_once = (PIECE / 4 / panel).max(1) * COLUMNS;
                let mut at = 0;
                for columns in columns.chunks(columns_at_once) {
                    let values = loader.panels(&found, (*inner, *taps), rows, columns).await?;
                    if halves {
                        let (twos, _) = values.as_chunks::<2>();
                        let packed: Vec<u32> = twos.iter().map(|&[low, high]| half::pack(low, high)).collect();
                        writes.add(&buffer, at, &packed).await?;
                        at += packed.len();
                    } else {
                        writes.add(&buffer, at, &values).await?;
                        at += values.len();
                    }
                    meter.add(values.len());
                }
                weights.push(Weight { buffer, halves });
            }
        }
    }
    writes.flush().await?;
    Ok(weights)
}

/// Writes that wait until they are worth a submit.
struct Writes<'a> {
    recording: Recording,
    words: usize,
    engine: &'a dyn Engine,
    control: &'a dyn Control,
}

impl Writes<'_> {
    async fn add<T: bytemuck::NoUninit>(&mut self, buffer: &Buffer, first: usize, words: &[T]) -> Result<(), Error> {
        self.recording.write_at(buffer, first, words);
        self.words += words.len();
        if self.words * 4 >= PIECE { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), Error> {
        self.words = 0;
        let recording = std::mem::take(&mut self.recording);
        self.engine.run(&recording, self.control).await?;
        self.control.checkpoint().await;
        Ok(())
    }
}
