//! The engine that runs twins on the processor.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use super::{
    Buffer, BufferId, Command, Control, Dispatch, Engine, EngineError, EngineInfo, EngineKind, Recording, TwinArgs,
};
use crate::value::{SortedMap, Time};

/// After how long the event loop has its turn: with the error of the prediction this stays under the 16 ms that a cancel
/// may wait.
const TURN: Duration = Duration::from_millis(8);

/// A turn comes this much early rather than behind one more slice of next to nothing.
const EARLY: Duration = Duration::from_millis(1);

/// The words of a new buffer that are set to 0 at a time: a few milliseconds.
const PART: usize = 1 << 20;

/// What is known of a shape grows at most by this factor, as kernels cost differently from item to item.
const GROWTH: f64 = 3.0;

/// Shapes that are known at a time: a picture has about a hundred.
const MOST_SHAPES: usize = 2000;

/// The most that one buffer may have: a quarter of wasm's address space.
const MOST_WORDS: usize = 1 << 28;

/// A kernel's name, the bits of an item's cost, and the items: what tells how long a slice takes.
type Known = (&'static str, u32, u32);

type Memory = Rc<RefCell<SortedMap<BufferId, Vec<u32>>>>;

/// Runs each dispatch's twin over spans of items, with a checkpoint between two spans.
///
/// ```
/// use gradus::kernels::{Engine, cpu::CpuEngine};
/// let engine = CpuEngine::new("No WebGPU here.");
/// assert_eq!(engine.buffer("four words", 4)?.words(), 4);
/// # Ok::<(), gradus::kernels::EngineError>(())
/// ```
pub struct CpuEngine {
    info: EngineInfo,
    memory: Memory,
    next: Cell<u64>,
    /// The items of a whole turn, learned for each kernel and shape: what a product of one shape does in a millisecond
    /// says little of another's.
    slices: RefCell<Vec<(Known, f64)>>,
    /// When the event loop had its last turn.
    turned: Cell<Time>,
}

impl CpuEngine {
    /// An engine; `note` says in one line why the processor computes.
    #[must_use]
    pub fn new(note: impl Into<String>) -> Self {
        let tier = match (gradus_cpu::nn::relaxed::installed(), gradus_cpu::SIMD) {
            (true, _) => "relaxed-simd",
            (false, true) => "simd128",
            (false, false) => "scalar",
        };
        Self {
            info: EngineInfo {
                kind: EngineKind::Cpu,
                name: "CPU".into(),
                software: true,
                tier: tier.into(),
                largest_buffer: MOST_WORDS as u64 * 4,
                note: note.into(),
            },
            memory: Memory::default(),
            next: Cell::new(0),
            slices: RefCell::default(),
            turned: Cell::default(),
        }
    }

    async fn dispatch(&self, dispatch: &Dispatch, control: &dyn Control) -> Result<(), EngineError> {
        let kernel = dispatch.kernel;
        let Some(twin) = kernel.twin else { return Err(EngineError::NeedsGpu(kernel.name)) };
        // Parameters may be others at each step of a picture; cost and number of items are its shape.
        let shape = (kernel.name, dispatch.cost.to_bits(), dispatch.items);
        let known = self.slices.borrow().iter().find(|(of, _)| *of == shape).map(|(_, aim)| *aim);
        let mut aim = known.unwrap_or_default();
        let mut first = 0;
        while first < dispatch.items {
            let began = control.now();
            let left = TURN.saturating_sub(began.since(self.turned.get())).as_secs_f64() / TURN.as_secs_f64();
            let whole = ((aim * left) as u32 / kernel.workgroup).max(1).saturating_mul(kernel.workgroup);
            let count = whole.min(dispatch.items - first);
            self.with_buffers(dispatch, |buffers| {
                twin(TwinArgs { span: first..first + count, params: &dispatch.params, buffers });
            })?;
            let now = control.now();
            // A clock of the browser may stand still for 0.1 ms, so a slice is at least that long.
            let took = now.since(began).max(Duration::from_micros(100)).as_secs_f64();
            let fits = f64::from(count) * TURN.as_secs_f64() / took;
            // A short last slice says little: it may only lower the aim by what it took.
            aim = if count < whole { fits.min(aim) } else { fits.min(aim.max(f64::from(count)) * GROWTH) };
            first += count;
            self.turn(now, control).await;
        }
        let mut slices = self.slices.borrow_mut();
        if let Some((_, known)) = slices.iter_mut().find(|(of, _)| *of == shape) {
            *known = aim;
        } else {
            if slices.len() == MOST_SHAPES {
                slices.clear();
            }
            slices.push((shape, aim));
        }
        Ok(())
    }

    /// Gives the event loop its turn when that is due, counted over all that runs: a network has hundreds of short
    /// dispatches, and each turn costs time.
    async fn turn(&self, now: Time, control: &dyn Control) {
        if now.since(self.turned.get()) + EARLY >= TURN || now < self.turned.get() {
            control.checkpoint().await;
            self.turned.set(control.now());
        }
    }

    /// Sets a buffer's words to 0 before its first use, a part at a time: a hundred megabytes take tens of milliseconds.
    async fn make(&self, buffer: &Buffer, control: &dyn Control) {
        loop {
            match self.memory.borrow_mut().get_mut(&buffer.id()) {
                // What has no room for it is another engine's.
                Some(words) if words.len() < buffer.words() && words.capacity() >= buffer.words() => {
                    words.resize(buffer.words().min(words.len() + PART), 0);
                }
                _ => return,
            }
            self.turn(control.now(), control).await;
        }
    }

    /// The buffers are taken out of the memory while the twin has them, so that each can be borrowed mutably.
    fn with_buffers(&self, dispatch: &Dispatch, act: impl FnOnce(&mut [&mut [u32]])) -> Result<(), EngineError> {
        let mut taken: Vec<Vec<u32>> = Vec::with_capacity(dispatch.buffers.len());
        for buffer in &dispatch.buffers {
            match self.memory.borrow_mut().get_mut(&buffer.id()).map(std::mem::take) {
                Some(words) if words.len() == buffer.words() => taken.push(words),
                _ => break,
            }
        }
        let whole = taken.len() == dispatch.buffers.len();
        if whole {
            let mut slices: Vec<&mut [u32]> = taken.iter_mut().map(Vec::as_mut_slice).collect();
            act(&mut slices);
        }
        let mut memory = self.memory.borrow_mut();
        for (buffer, words) in dispatch.buffers.iter().zip(taken) {
            memory.insert(buffer.id(), words);
        }
        if whole {
            return Ok(());
        }
        let why = "a buffer is bound twice, or is another engine's".to_owned();
        Err(EngineError::Refused { kernel: dispatch.kernel.name.to_owned(), why })
    }
}

impl Engine for CpuEngine {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn buffer(&self, _: &str, words: usize) -> Result<Buffer, EngineError> {
        let words = words.max(1);
        let asked = words as u64 * 4;
        if words > MOST_WORDS {
            return Err(EngineError::Memory { asked, most: MOST_WORDS as u64 * 4 });
        }
        let mut memory = Vec::new();
        memory.try_reserve_exact(words).map_err(|_| EngineError::Memory { asked, most: 0 })?;
        let id = BufferId(self.next.replace(self.next.get() + 1));
        self.memory.borrow_mut().insert(id, memory);
        let all = Rc::downgrade(&self.memory);
        Ok(Buffer::new(id, words, move |id| {
            if let Some(all) = all.upgrade() {
                all.borrow_mut().remove(&id);
            }
        }))
    }

    fn run<'a>(
        &'a self,
        recording: &'a Recording,
        control: &'a dyn Control,
    ) -> LocalBoxFuture<'a, Result<(), EngineError>> {
        async move {
            for command in recording.commands() {
                for buffer in command.buffers() {
                    self.make(buffer, control).await;
                }
                match command {
                    Command::Write(buffer, first, words) => {
                        let mut memory = self.memory.borrow_mut();
                        let to = memory.get_mut(&buffer.id()).and_then(|all| all.get_mut(*first..first + words.len()));
                        match to {
                            Some(to) => to.copy_from_slice(words),
                            None => return Err(does_not_fit("write")),
                        }
                    }
                    Command::Clear(buffer) => match self.memory.borrow_mut().get_mut(&buffer.id()) {
                        Some(words) => words.fill(0),
                        None => return Err(does_not_fit("clear")),
                    },
                    Command::Dispatch(dispatch) => self.dispatch(dispatch, control).await?,
                }
            }
            Ok(())
        }
        .boxed_local()
    }

    fn read<'a>(&'a self, buffer: &'a Buffer) -> LocalBoxFuture<'a, Result<Vec<u32>, EngineError>> {
        let words = self.memory.borrow().get(&buffer.id()).cloned().map(|mut words| {
            words.resize(buffer.words(), 0);
            words
        });
        async move { words.ok_or_else(|| does_not_fit("read")) }.boxed_local()
    }

    fn idle(&self) -> LocalBoxFuture<'_, ()> {
        // A dropped run stands between two slices, so nothing goes on by itself.
        std::future::ready(()).boxed_local()
    }
}

fn does_not_fit(what: &str) -> EngineError {
    EngineError::Refused {
        kernel: what.to_owned(),
        why: "the buffer is another engine's, or has fewer words than are written".to_owned(),
    }
}
