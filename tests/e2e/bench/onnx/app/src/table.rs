//! An engine that runs another one call by call and keeps the time of each kind of call.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use gradus::kernels::{Buffer, Command, Control, Dispatch, Engine, EngineError, EngineInfo, Recording};

#[derive(Default)]
struct Kind {
    calls: usize,
    micros: f64,
    operations: f64,
}

pub struct Timed {
    engine: Rc<dyn Engine>,
    kinds: RefCell<BTreeMap<String, Kind>>,
}

impl Timed {
    pub fn new(engine: Rc<dyn Engine>) -> Self {
        Self { engine, kinds: RefCell::default() }
    }

    /// The kinds, those that take the longest first.
    pub fn lines(&self) -> String {
        let kinds = self.kinds.borrow();
        let mut all: Vec<_> = kinds.iter().collect();
        all.sort_by(|(_, a), (_, b)| b.micros.total_cmp(&a.micros));
        let line = |(name, kind): &(&String, &Kind)| {
            let Kind { calls, micros, operations } = kind;
            format!("{:8.2} ms {:6.2} GFLOP/s {calls:4} × {name}", micros / 1e3, operations / micros.max(1.0) / 1e3)
        };
        let total: f64 = all.iter().map(|(_, kind)| kind.micros).sum();
        let mut lines: Vec<String> = all.iter().map(line).collect();
        lines.push(format!("{:8.2} ms in all", total / 1e3));
        lines.join("\n")
    }
}

/// A convolution's kind is its kernel's size, its depth, and its rows and columns.
fn name(dispatch: &Dispatch) -> String {
    let name = dispatch.kernel.name;
    let (words, _) = dispatch.params.as_chunks::<4>();
    let word = |place: usize| words.get(place).map_or(0, |word| u32::from_le_bytes(*word));
    if !name.starts_with("conv") {
        return name.to_owned();
    }
    let channels = (word(14) + word(15)) * 4;
    let (rows, columns, stride) = (word(0), word(2) * 8, word(10) + 10 * word(11));
    format!(
        "{name} {0}×{0} of {channels} to {columns}, {rows} rows, stride {stride}, activation {1}",
        word(8),
        word(16)
    )
}

impl Engine for Timed {
    fn info(&self) -> &EngineInfo {
        self.engine.info()
    }

    fn buffer(&self, label: &str, words: usize) -> Result<Buffer, EngineError> {
        self.engine.buffer(label, words)
    }

    fn run<'a>(
        &'a self,
        recording: &'a Recording,
        control: &'a dyn Control,
    ) -> LocalBoxFuture<'a, Result<(), EngineError>> {
        async move {
            for command in recording.commands() {
                let Command::Dispatch(dispatch) = command else { continue };
                let mut one = Recording::new();
                one.push(dispatch.clone());
                let began = control.now();
                self.engine.run(&one, control).await?;
                let took = control.now().since(began);
                let mut kinds = self.kinds.borrow_mut();
                let kind = kinds.entry(name(dispatch)).or_default();
                kind.calls += 1;
                kind.micros += took.as_secs_f64() * 1e6;
                kind.operations += f64::from(dispatch.cost) * f64::from(dispatch.items);
            }
            Ok(())
        }
        .boxed_local()
    }

    fn read<'a>(&'a self, buffer: &'a Buffer) -> LocalBoxFuture<'a, Result<Vec<u32>, EngineError>> {
        self.engine.read(buffer)
    }

    fn idle(&self) -> LocalBoxFuture<'_, ()> {
        self.engine.idle()
    }
}
