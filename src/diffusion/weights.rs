//! What weights a graph wants, and how they come from a checkpoint's files into an engine's buffers.

use std::collections::BinaryHeap;

use gradus_cpu::nn::blocks;
use gradus_cpu::nn::conv::{self, COLUMNS};

use super::quantised::BLOCK;
use super::safetensors::{Tensor, Tensors};
use crate::kernels::nn::{Stored, half};
use crate::kernels::{Buffer, Control, Engine, EngineKind, Recording};
use crate::ports::{Files, Observer};
use crate::value::{Error, Progress, decimal};

/// What goes through the engine at once: wasm's memory never holds more of a checkpoint.
const PIECE: usize = 1 << 20;

/// How the weights of products and convolutions are kept on an engine.
///
/// ```
/// use gradus::diffusion::Precision;
/// assert_eq!(Precision::default(), Precision::AsStored);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// On a GPU as halves what the checkpoint keeps as halves, as bfloat16 or in 8-bit blocks, and all of a component whose
    /// files have over 256 MiB, but for matrices with numbers beyond a half's 65504; else as floats. On the processor
    /// all as floats.
    #[default]
    AsStored,
    /// As 8-bit numbers with a scale for each 32 of them: about half of the memory of halves, a quarter of the floats'. A
    /// checkpoint in such blocks gives the very same pictures; others are rounded as they are loaded. It is a little
    /// slower, as a kernel makes numbers of them each time: the processor brings a few panels of 8 columns to its floats
    /// just before it uses them. Matrices whose rows are no whole blocks (those of a latent's few channels) stay as they
    /// are.
    EightBit,
}

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

    /// How it is stored on an engine.
    pub(super) fn stored(&self, tensors: &Tensors, kind: EngineKind, precision: Precision) -> Stored {
        let Self::Packed { parts, inner, taps, rows, .. } = self else { return Stored::Floats };
        let in_order = *inner == rows.len() && rows.iter().zip(0..).all(|(&row, place)| row == place);
        if precision == Precision::EightBit && in_order && (inner * taps).is_multiple_of(BLOCK) {
            return Stored::Blocks;
        }
        let halves =
            |part: &Part| find(tensors, &[&part.name, ".weight"].concat()).is_some_and(|tensor| tensors.halves(tensor));
        if kind == EngineKind::Gpu && parts.iter().all(halves) { Stored::Halves } else { Stored::Floats }
    }

    /// Words of the weight where it is stored so.
    #[must_use]
    pub fn words(&self, stored: Stored) -> usize {
        match self {
            Self::Packed { taps, rows, columns, .. } => columns.len() / COLUMNS * stored.words(taps * rows.len()),
            Self::Affine { .. } => self.count(),
        }
    }
}

/// A weight in an engine.
#[derive(Clone, Debug)]
pub struct Weight {
    /// The packed numbers.
    pub buffer: Buffer,
    /// How they are stored there.
    pub stored: Stored,
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
        parts: &[Found<'_>],
        (inner, taps): (usize, usize),
        rows: &[u32],
        columns: &[u32],
    ) -> Result<Vec<f32>, Error> {
        let depth = taps * rows.len() + 1;
        let mut packed = vec![0.0f32; columns.len() * depth];
        for run in runs(parts, columns) {
            let (start, count) = (run.start * inner * taps, run.places.len() * inner * taps);
            let values = self.tensors.read_part(self.files, run.tensor, start, count).await?;
            for (n, values) in values.chunks_exact(inner * taps).enumerate() {
                conv::put(&mut packed[run.place(n, depth)..], run.bias(n), values, rows, taps);
            }
        }
        Ok(packed)
    }

    /// The same as halves, two in a word: those of the file as they are, without the way through floats. None where it has
    /// others, or a bias that no half can be.
    async fn halves(
        &self,
        parts: &[Found<'_>],
        (inner, taps): (usize, usize),
        rows: &[u32],
        columns: &[u32],
    ) -> Result<Option<Vec<u32>>, Error> {
        let depth = taps * rows.len() + 1;
        let mut words = vec![0u32; columns.len() * depth / 2];
        let packed: &mut [u16] = bytemuck::cast_slice_mut(&mut words);
        for run in runs(parts, columns) {
            let (start, count) = (run.start * inner * taps, run.places.len() * inner * taps);
            let Some(bytes) = self.tensors.read_halves(self.files, run.tensor, start, count).await? else {
                return Ok(None);
            };
            for (n, values) in bytes.as_chunks::<2>().0.chunks_exact(inner * taps).enumerate() {
                let bias = run.bias(n);
                if bias.is_finite() && bias.abs() >= half::LIMIT {
                    return Ok(None);
                }
                conv::put_halves(&mut packed[run.place(n, depth)..], half::from_f32(bias), values, rows, taps);
            }
        }
        Ok(Some(words))
    }

    /// The same in 8-bit blocks, as words.
    async fn blocks(
        &self,
        parts: &[Found<'_>],
        (inner, taps): (usize, usize),
        columns: &[u32],
    ) -> Result<Vec<u32>, Error> {
        let row = inner * taps;
        let words = blocks::words(row);
        let mut packed = vec![0; columns.len() / COLUMNS * words];
        for run in runs(parts, columns) {
            let (start, count) = (run.start * row, run.places.len() * row);
            let (numbers, scales) = self.tensors.read_blocks(self.files, run.tensor, start, count).await?;
            for (n, (numbers, scales)) in numbers.chunks_exact(row).zip(scales.chunks_exact(row / BLOCK)).enumerate() {
                let place = run.places[n];
                if let Some(panel) = packed.get_mut(place / COLUMNS * words..).and_then(|rest| rest.get_mut(..words)) {
                    blocks::put(panel, place % COLUMNS, taps, half::from_f32(run.bias(n)), numbers, scales);
                }
            }
        }
        Ok(packed)
    }
}

/// Rows of a matrix that follow one another in the file, and the columns that they become.
struct Run<'a> {
    tensor: &'a Tensor,
    biases: Option<&'a [f32]>,
    start: usize,
    places: Vec<usize>,
}

impl Run<'_> {
    /// Where the column of a row begins in panels of so many steps.
    fn place(&self, n: usize, depth: usize) -> usize {
        self.places[n] / COLUMNS * depth * COLUMNS + self.places[n] % COLUMNS
    }

    fn bias(&self, n: usize) -> f32 {
        self.biases.and_then(|biases| biases.get(self.start + n).copied()).unwrap_or(0.0)
    }
}

/// The rows that are wanted for columns, in their order in the file, so that neighbours are read at once.
fn runs<'a>(parts: &'a [Found<'_>], columns: &[u32]) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    let mut first = 0;
    for (tensor, biases) in parts {
        let outer = tensor.shape.first().copied().unwrap_or(0);
        let wanted: Vec<(usize, usize)> = columns
            .iter()
            .enumerate()
            .filter_map(|(place, &row)| Some(((row as usize).checked_sub(first)?, place)))
            .filter(|&(row, _)| row < outer)
            .collect();
        let begun = runs.len();
        for (row, place) in BinaryHeap::from(wanted).into_sorted_vec() {
            match runs.get_mut(begun..).and_then(<[_]>::last_mut) {
                Some(run) if run.start + run.places.len() == row => run.places.push(place),
                _ => runs.push(Run { tensor, biases: biases.as_deref(), start: row, places: vec![place] }),
            }
        }
        first += outer;
    }
    runs
}

/// Each part's tensor and its biases.
type Found<'a> = (&'a Tensor, Option<Vec<f32>>);

/// Brings all weights into the engine, in pieces.
///
/// # Errors
/// When a tensor is missing or has another shape, and what files and engine refuse.
pub async fn load(
    specs: &[Spec],
    tensors: &Tensors,
    precision: Precision,
    files: &dyn Files,
    engine: &dyn Engine,
    control: &dyn Control,
    meter: &mut Meter<'_>,
) -> Result<Vec<Weight>, Error> {
    let loader = Loader { tensors, files };
    let mut writes = Writes { recording: Recording::new(), words: 0, engine, control };
    let mut weights = Vec::with_capacity(specs.len());
    for spec in specs {
        match spec {
            Spec::Affine { name, channels, width } => {
                let values = loader.affine(name, *channels, *width).await?;
                let buffer = engine.buffer(name, values.len())?;
                writes.add(&buffer, 0, &values).await?;
                meter.add(values.len());
                weights.push(Weight { buffer, stored: Stored::Floats });
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
                let mut stored = spec.stored(tensors, engine.info().kind, precision);
                let name = parts.first().map_or("weight", |part| &part.name);
                let mut buffer = engine.buffer(name, spec.words(stored))?;
                let panel = COLUMNS * (taps * rows.len() + 1);
                let columns_at_once = (PIECE / 4 / panel).max(1) * COLUMNS;
                let (parts, size) = (found.as_slice(), (*inner, *taps));
                let (mut at, mut done) = (0, 0);
                while done < columns.len() {
                    let some = &columns[done..columns.len().min(done + columns_at_once)];
                    let halves =
                        if stored == Stored::Halves { loader.halves(parts, size, rows, some).await? } else { None };
                    at += if stored == Stored::Blocks {
                        writes.add(&buffer, at, &loader.blocks(parts, size, some).await?).await?
                    } else if let Some(packed) = halves {
                        writes.add(&buffer, at, &packed).await?
                    } else {
                        let values = loader.panels(parts, size, rows, some).await?;
                        if stored == Stored::Floats {
                            writes.add(&buffer, at, &values).await?
                        } else if let Some(packed) = half::packed(&values) {
                            writes.add(&buffer, at, &packed).await?
                        } else {
                            // From the beginning, as what it was before it was rounded.
                            stored = Stored::Floats;
                            buffer = engine.buffer(name, spec.words(stored))?;
                            (at, done) = (0, 0);
                            continue;
                        }
                    };
                    done += some.len();
                    meter.add(some.len() * panel / COLUMNS);
                }
                weights.push(Weight { buffer, stored });
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
    /// How many words they are.
    async fn add<T: bytemuck::NoUninit>(&mut self, buffer: &Buffer, first: usize, words: &[T]) -> Result<usize, Error> {
        self.recording.write_at(buffer, first, words);
        self.words += words.len();
        if self.words * 4 >= PIECE {
            self.flush().await?;
        }
        Ok(words.len())
    }

    async fn flush(&mut self) -> Result<(), Error> {
        self.words = 0;
        let recording = std::mem::take(&mut self.recording);
        self.engine.run(&recording, self.control).await?;
        self.control.checkpoint().await;
        Ok(())
    }
}
