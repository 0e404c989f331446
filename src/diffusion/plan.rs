//! A graph made ready to run: which tensors share memory, and the recording that is run again and again.

use super::graph::{Bind, Graph, Node, Work};
use super::weights::Weight;
use crate::kernels::nn::{self, Call, Stored, TileChoices};
use crate::kernels::{Buffer, Command, Control, Engine, EngineKind, Kernel, Recording};
use crate::ports::Observer;
use crate::value::{Error, Progress};

/// Which memory each tensor lives in, found before anything is allocated.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// For each node the number of its slot; none for what is never bound.
    pub slots: Vec<Option<usize>>,
    /// Floats of each slot.
    pub sizes: Vec<usize>,
}

impl Layout {
    /// Gives each tensor the smallest free slot that holds it, from its first use to its last. Inputs and outputs, and
    /// those in `kept`, keep their slots.
    #[must_use]
    pub fn of(graph: &Graph, kept: &[Node]) -> Self {
        let mut last = vec![0; graph.nodes.len()];
        for (number, step) in graph.steps.iter().enumerate() {
            for bind in &step.bind {
                if let Bind::Node(id) = bind {
                    last[*id] = number;
                }
            }
        }
        for node in graph.inputs.iter().chain(&graph.outputs).chain(kept) {
            last[node.id] = usize::MAX;
        }
        let size = |id: usize| graph.nodes[id].rows() * graph.nodes[id].lanes();
        let (mut slots, mut sizes, mut free) = (vec![None; graph.nodes.len()], Vec::new(), Vec::<usize>::new());
        for node in &graph.inputs {
            slots[node.id] = Some(sizes.len());
            sizes.push(size(node.id));
        }
        for (number, step) in graph.steps.iter().enumerate() {
            if let Some(&Bind::Node(id)) = step.bind.last() {
                let need = size(id);
                // What grows least, then what is wasted least.
                let best = (0..free.len()).min_by_key(|&n| (need.saturating_sub(sizes[free[n]]), sizes[free[n]]));
                // A slot of its own is better than one that would have to double.
                let best = best.filter(|&n| sizes[free[n]] * 2 >= need && last[id] != usize::MAX);
                let slot = best.map_or(sizes.len(), |n| free.swap_remove(n));
                if slot == sizes.len() {
                    sizes.push(need);
                }
                sizes[slot] = sizes[slot].max(need);
                slots[id] = Some(slot);
            }
            for bind in &step.bind {
                if let Bind::Node(id) = bind
                    && last[*id] == number
                    && let Some(slot) = slots[*id]
                    && !free.contains(&slot)
                {
                    free.push(slot);
                }
            }
        }
        Self { slots, sizes }
    }
}

/// What a plan costs, for reports; known without weights or an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Floating-point operations.
    pub operations: f64,
    /// Dispatches.
    pub dispatches: usize,
    /// Different kernels.
    pub pipelines: usize,
    /// Bytes of the weights as 4-byte floats; half of that where the checkpoint keeps halves.
    pub weight_bytes: u64,
    /// Bytes of all tensors' slots.
    pub tensor_bytes: u64,
    /// Bytes of the largest of these slots.
    pub largest_bytes: u64,
    /// Bytes that the dispatches read and write, each tensor once a dispatch; weights of products as halves.
    pub moved_bytes: u64,
}

impl Cost {
    /// The cost of a graph.
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        let layout = Layout::of(graph, &[]);
        let mut kernels: Vec<&str> = Vec::new();
        for step in &graph.steps {
            let name = call_of(&step.work, Stored::Floats, TileChoices::default(), EngineKind::Cpu).kernel.name;
            if !kernels.contains(&name) {
                kernels.push(name);
            }
        }
        // Each is fewer than 2^32, their sums are not.
        let bytes = |floats: usize| floats as u64 * 4;
        let moved = |bind: &Bind| match bind {
            Bind::Node(id) => bytes(graph.nodes[*id].rows() * graph.nodes[*id].lanes()),
            Bind::Weight(id) => bytes(graph.weights[*id].words(Stored::Halves)),
            Bind::Nothing(_) => 0,
        };
        Self {
            operations: graph.operations(),
            dispatches: graph.steps.len(),
            pipelines: kernels.len(),
            weight_bytes: graph.weights.iter().map(|weight| bytes(weight.count())).sum(),
            tensor_bytes: layout.sizes.iter().copied().map(bytes).sum(),
            largest_bytes: layout.sizes.iter().copied().map(bytes).max().unwrap_or(0),
            moved_bytes: graph.steps.iter().flat_map(|step| &step.bind).map(moved).sum(),
        }
    }
}

fn call_of(work: &Work, stored: Stored, choices: TileChoices, kind: EngineKind) -> Call {
    match work {
        Work::Conv(shape) => nn::conv(shape, stored, choices.variant(shape)),
        // On a processor a workgroup that shares would be a longer slice than a cancel may wait for.
        Work::Attention(shape) => {
            nn::attention(shape, choices.tiles() || kind == EngineKind::Gpu && nn::too_long_alone(shape))
        }
        Work::Call(call) => call.clone(),
    }
}

/// So many words are zeroed between two turns of the event loop: some milliseconds.
const WORDS_A_TURN: usize = 4 << 20;

/// A graph on an engine: its memory and its recording.
pub struct Plan {
    recording: Recording,
    inputs: Vec<(Node, Buffer)>,
    outputs: Vec<(Node, Buffer)>,
    named: Vec<(String, Node, Buffer)>,
}

impl Plan {
    /// Allocates the tensors and records the graph; with `named`, tensors that modules made are kept to be read. Zeroing
    /// hundreds of megabytes takes a tenth of a second on the CPU's engine, so there are turns of the event loop between.
    ///
    /// # Errors
    /// When the engine has not enough memory, or the weights are another graph's.
    pub async fn new(
        graph: &Graph,
        engine: &dyn Engine,
        control: &dyn Control,
        weights: &[Weight],
        named: bool,
    ) -> Result<Self, Error> {
        let kept: Vec<Node> = if named { graph.names.iter().map(|(_, node)| *node).collect() } else { Vec::new() };
        let layout = Layout::of(graph, &kept);
        let (mut slots, mut since) = (Vec::new(), 0);
        for &size in &layout.sizes {
            since += size;
            if since > WORDS_A_TURN {
                control.checkpoint().await;
                since = size;
            }
            slots.push(engine.buffer("tensor", size)?);
        }
        // No call leaves more than four places open, and no buffer is bound twice.
        let nothing = (0..4).map(|_| engine.buffer("nothing", 4)).collect::<Result<Vec<_>, _>>()?;
        let wrong = || Error::new("The weights are not this model's. Load it again.");
        let slot = |id: usize| layout.slots.get(id).copied().flatten().and_then(|slot| slots.get(slot).cloned());
        let mut recording = Recording::new();
        for step in &graph.steps {
            let mut stored = Stored::Floats;
            let mut buffers = Vec::with_capacity(step.bind.len());
            for bind in &step.bind {
                buffers.push(match *bind {
                    Bind::Node(id) => slot(id).ok_or_else(wrong)?,
                    Bind::Weight(id) => {
                        let weight = weights.get(id).ok_or_else(wrong)?;
                        stored = weight.stored;
                        weight.buffer.clone()
                    }
                    Bind::Nothing(number) => nothing[number % nothing.len()].clone(),
                });
            }
            recording.push(call_of(&step.work, stored, engine.choices(), engine.info().kind).on(buffers));
        }
        let with_slot = |node: &Node| Some((*node, slot(node.id)?));
        let all = |nodes: &[Node]| nodes.iter().map(with_slot).collect::<Option<Vec<_>>>().ok_or_else(wrong);
        let named = if named {
            graph.names.iter().filter_map(|(name, node)| Some((name.clone(), *node, slot(node.id)?))).collect()
        } else {
            Vec::new()
        };
        Ok(Self { recording, inputs: all(&graph.inputs)?, outputs: all(&graph.outputs)?, named })
    }

    /// Has the engine compile what it has not yet, of the plan's kernels and these more: one after another, each told, with a
    /// turn of the event loop before it, at which a cancel gets through.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn prepare(
        &self,
        more: &[&'static Kernel],
        engine: &dyn Engine,
        control: &dyn Control,
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        let of_command = |command: &Command| match command {
            Command::Dispatch(dispatch) => Some(dispatch.kernel),
            _ => None,
        };
        let mut missing: Vec<&'static Kernel> = Vec::new();
        for kernel in self.recording.commands().iter().filter_map(of_command).chain(more.iter().copied()) {
            if !missing.iter().any(|known| std::ptr::eq(*known, kernel)) && !engine.is_ready(kernel) {
                missing.push(kernel);
            }
        }
        for (done, kernel) in missing.iter().enumerate() {
            let words = format!("Preparing the GPU: {} of {} kernels", done + 1, missing.len());
            observer.progress(Progress::doing(words));
            control.checkpoint().await;
            engine.prepare(kernel).await?;
        }
        Ok(())
    }

    /// An input's tensor and memory.
    #[must_use]
    pub fn input(&self, number: usize) -> Option<&(Node, Buffer)> {
        self.inputs.get(number)
    }

    /// An output's tensor and memory.
    #[must_use]
    pub fn output(&self, number: usize) -> Option<&(Node, Buffer)> {
        self.outputs.get(number)
    }

    /// Appends: write channels-first numbers (as PyTorch has them) into an input.
    ///
    /// # Errors
    /// When their number is not the input's.
    pub fn write(&self, recording: &mut Recording, number: usize, values: &[f32]) -> Result<(), Error> {
        let fits = self.inputs.get(number).filter(|(node, _)| values.len() == node.rows() * node.channels);
        let (node, buffer) = fits.ok_or_else(|| Error::new("A tensor has not the size that the model takes."))?;
        recording.write(buffer, &channels_last(node, values));
        Ok(())
    }

    /// Computes the outputs from the inputs as they stand.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn run(&self, engine: &dyn Engine, control: &dyn Control) -> Result<(), Error> {
        Ok(engine.run(&self.recording, control).await?)
    }

    /// An output as channels-first numbers.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn read(&self, engine: &dyn Engine, number: usize) -> Result<Vec<f32>, Error> {
        let (node, buffer) = self.outputs.get(number).ok_or_else(|| Error::new("There is no such output."))?;
        Ok(channels_first(node, bytemuck::cast_slice(&engine.read(buffer).await?)))
    }

    /// What the module of a path made, as channels-first numbers; none where it was not kept.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn read_named(&self, engine: &dyn Engine, path: &str) -> Result<Option<Vec<f32>>, Error> {
        let Some((_, node, buffer)) = self.named.iter().find(|(name, ..)| name == path) else { return Ok(None) };
        Ok(Some(channels_first(node, bytemuck::cast_slice(&engine.read(buffer).await?))))
    }
}

/// Channels-first numbers as rows of channels, filled up.
#[must_use]
pub fn channels_last(node: &Node, values: &[f32]) -> Vec<f32> {
    let (lanes, pixels) = (node.lanes(), node.height * node.width);
    let mut rows = vec![0.0; node.rows() * lanes];
    if node.text {
        for (to, from) in rows.chunks_exact_mut(lanes).zip(values.chunks_exact(node.channels)) {
            to[..node.channels].copy_from_slice(from);
        }
        return rows;
    }
    for (picture, values) in values.chunks_exact(pixels * node.channels).enumerate() {
        for (channel, values) in values.chunks_exact(pixels).enumerate() {
            for (pixel, &value) in values.iter().enumerate() {
                rows[(picture * pixels + pixel) * lanes + channel] = value;
            }
        }
    }
    rows
}

/// The opposite of [`channels_last`].
#[must_use]
pub fn channels_first(node: &Node, rows: &[f32]) -> Vec<f32> {
    let (lanes, pixels) = (node.lanes(), node.height * node.width);
    if node.text {
        return rows
            .chunks_exact(lanes)
            .flat_map(|row| &row[..node.channels])
            .copied()
            .take(node.rows() * node.channels)
            .collect();
    }
    let mut values = Vec::with_capacity(node.rows() * node.channels);
    for picture in 0..node.pictures {
        for channel in 0..node.channels {
            values.extend((0..pixels).map(|pixel| rows[(picture * pixels + pixel) * lanes + channel]));
        }
    }
    values
}
