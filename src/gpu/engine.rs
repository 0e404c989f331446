use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use futures_channel::oneshot;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use super::lost::Watch;
use super::pipelines::{FIRST_STORAGE, Pipeline, Pipelines};
use super::submit::{Load, Piece, Speeds};
use crate::kernels::nn::TileChoices;
use crate::kernels::{
    Buffer, BufferId, Command, Control, Dispatch, Engine, EngineError, EngineInfo, Kernel, Recording,
};
use crate::value::SortedMap;

/// Room for the spans and parameters of one submit.
const UNIFORMS: u64 = 256 << 10;

/// Workgroups in a row of the grid.
const ROW: u32 = 65535;

/// What a bind group is made of: a kernel's sources, by their address, the bytes of its parameters, the buffers.
type Bound = (usize, usize, Vec<BufferId>);

#[derive(Default)]
struct Memory {
    buffers: RefCell<SortedMap<BufferId, wgpu::Buffer>>,
    /// Made once for a plan, which is run at each step; forgotten when one of its buffers is freed. In the order in which
    /// they were made, which is the order in which they are wanted: a list needs less code than a map.
    groups: RefCell<Vec<(Bound, wgpu::BindGroup)>>,
    /// How many were made, those that are forgotten too.
    made: Cell<usize>,
    /// The place behind the last that was wanted.
    next: Cell<usize>,
    /// Buffers of which it is not known yet whether there is room, or known that there is none.
    allocating: RefCell<Vec<(BufferId, OutOfMemory)>>,
}

/// The bytes that there was no room for.
type OutOfMemory = LocalBoxFuture<'static, Option<u64>>;

/// Runs recordings on a wgpu device.
pub struct GpuEngine {
    info: EngineInfo,
    device: wgpu::Device,
    queue: wgpu::Queue,
    watch: Watch,
    choices: Cell<TileChoices>,
    memory: Rc<Memory>,
    next: Cell<u64>,
    pipelines: Pipelines,
    speeds: Speeds,
    uniforms: wgpu::Buffer,
    align: u64,
}

/// A submit in the making.
struct Batch {
    /// One for all dispatches that follow one another: with one for each, small ones took 1.4 times as long (measured).
    /// Ended before the encoder does anything else.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: wgpu::CommandEncoder,
    load: Load,
    uniforms: Vec<u8>,
    names: Vec<&'static str>,
    scope: wgpu::ErrorScopeGuard,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::NoUninit)]
struct Span {
    first: u32,
    count: u32,
    row: u32,
    unused: u32,
}

impl GpuEngine {
    pub(super) fn new(device: wgpu::Device, queue: wgpu::Queue, info: EngineInfo) -> Self {
        let watch = Watch::over(&device);
        // What no scope catches is told when the next command fails; it must not end the process.
        device.on_uncaptured_error(Arc::new(|_| {}));
        let align = u64::from(device.limits().min_uniform_buffer_offset_alignment).max(16);
        let uniforms = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("spans and parameters"),
            size: UNIFORMS,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self {
            info,
            device,
            queue,
            watch,
            choices: Cell::default(),
            memory: Rc::default(),
            next: Cell::new(0),
            pipelines: Pipelines::default(),
            speeds: Speeds::default(),
            uniforms,
            align,
        }
    }

    /// Loses the device: for tests, and to give back all its memory at once.
    pub fn lose(&self) {
        self.device.destroy();
        self.make_progress();
    }

    /// How large the subgroups are by which kernels add up here, from the smallest to the largest; none where they do not.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn subgroups(&self) -> Option<std::ops::RangeInclusive<u32>> {
        let info = self.device.adapter_info();
        let there = self.device.features().contains(wgpu::Features::SUBGROUP);
        there.then_some(info.subgroup_min_size..=info.subgroup_max_size)
    }

    /// The shader that this engine compiles for a kernel.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn shader(&self, kernel: &Kernel) -> String {
        super::pipelines::shader(&self.device, kernel)
    }

    /// How many bind groups were made so far.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn bind_groups(&self) -> usize {
        self.memory.made.get()
    }

    /// Natively nothing calls back unless the device is polled; in the browser this does nothing.
    fn make_progress(&self) {
        // A failed poll means a lost device, which its callback tells.
        let _ = self.device.poll(wgpu::PollType::wait_indefinitely());
    }

    fn find(&self, buffer: &Buffer, what: &str) -> Result<wgpu::Buffer, EngineError> {
        self.memory.buffers.borrow().get(&buffer.id()).cloned().ok_or_else(|| EngineError::Refused {
            kernel: what.to_owned(),
            why: "the buffer is another engine's".to_owned(),
        })
    }

    fn batch(&self) -> Batch {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        Batch {
            pass: None,
            encoder: self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default()),
            load: Load::default(),
            uniforms: Vec::new(),
            names: Vec::new(),
            scope,
        }
    }

    /// Submits, waits until it has been computed, and learns how long that took.
    async fn submit(&self, batch: Batch, control: &dyn Control) -> Result<(), EngineError> {
        if !batch.uniforms.is_empty() {
            self.queue.write_buffer(&self.uniforms, 0, &batch.uniforms);
        }
        drop(batch.pass);
        let began = control.now();
        self.queue.submit([batch.encoder.finish()]);
        let error = batch.scope.pop();
        self.done().await?;
        if let Some(error) = error.await {
            self.watch.check()?;
            return Err(EngineError::Refused { kernel: batch.names.join(", "), why: error.to_string() });
        }
        self.speeds.learn(&batch.load, control.now().since(began));
        control.checkpoint().await;
        Ok(())
    }

    /// Resolves when all that was submitted has been computed.
    async fn done(&self) -> Result<(), EngineError> {
        self.watch.check()?;
        let (tell, done) = oneshot::channel();
        self.queue.on_submitted_work_done(move || {
            // The one who waited may have been cancelled.
            let _ = tell.send(());
        });
        self.make_progress();
        self.watch.unless_lost(done).await
    }

    async fn record(&self, recording: &Recording, control: &dyn Control) -> Result<(), EngineError> {
        self.watch.check()?;
        for buffer in recording.commands().iter().flat_map(Command::buffers) {
            self.allocated(buffer.id()).await?;
        }
        // Error scopes of different jobs must not overlap, so pipelines are made before a batch is opened.
        let mut pipelines = Vec::new();
        for command in recording.commands() {
            pipelines.push(match command {
                Command::Dispatch(dispatch) => Some(self.check(dispatch).await?),
                _ => None,
            });
        }
        let mut batch = self.batch();
        for (command, pipeline) in recording.commands().iter().zip(pipelines) {
            match (command, pipeline) {
                (Command::Write(buffer, first, words), _) => {
                    // A write takes effect at the next submit, before all of its commands.
                    if !batch.load.is_empty() {
                        self.submit(batch, control).await?;
                        batch = self.batch();
                    }
                    let to = self.find(buffer, "write")?;
                    if first + words.len() > buffer.words() {
                        let why = format!("{} words do not fit into {}", first + words.len(), buffer.words());
                        return Err(EngineError::Refused { kernel: "write".to_owned(), why });
                    }
                    self.queue.write_buffer(&to, *first as u64 * 4, bytemuck::cast_slice(words));
                }
                (Command::Clear(buffer), _) => {
                    batch.pass = None;
                    batch.encoder.clear_buffer(&self.find(buffer, "clear")?, 0, None);
                }
                (Command::Dispatch(dispatch), Some(pipeline)) => {
                    batch = self.dispatch(dispatch, &pipeline, batch, control).await?;
                }
                (Command::Dispatch(_), None) => {}
            }
        }
        self.submit(batch, control).await
    }

    /// Fails for a buffer that there was no room for: each job learns it of its own.
    async fn allocated(&self, id: BufferId) -> Result<(), EngineError> {
        let allocation = {
            let mut all = self.memory.allocating.borrow_mut();
            all.iter().position(|(of, _)| *of == id).map(|place| all.swap_remove(place).1)
        };
        let Some(allocation) = allocation else { return Ok(()) };
        let Some(asked) = allocation.await else { return Ok(()) };
        let known = std::future::ready(Some(asked)).boxed_local();
        self.memory.allocating.borrow_mut().push((id, known));
        Err(EngineError::Memory { asked, most: 0 })
    }

    async fn check(&self, dispatch: &Dispatch) -> Result<Pipeline, EngineError> {
        let pipeline = self.pipelines.get(&self.device, dispatch.kernel).await?;
        let refuse = |why: String| Err(EngineError::Refused { kernel: dispatch.kernel.name.to_owned(), why });
        if pipeline.storage != dispatch.buffers.len() {
            let declared = pipeline.storage;
            return refuse(format!("it declares {declared} buffers and was given {}", dispatch.buffers.len()));
        }
        if pipeline.has_params == dispatch.params.is_empty() {
            return refuse("its parameters (binding 1) and those it was given do not fit".to_owned());
        }
        let twice =
            |(place, buffer): (usize, &Buffer)| dispatch.buffers[..place].iter().any(|other| other.id() == buffer.id());
        if dispatch.buffers.iter().enumerate().any(twice) {
            return refuse("a buffer is bound twice".to_owned());
        }
        Ok(pipeline)
    }

    async fn dispatch(
        &self,
        dispatch: &Dispatch,
        pipeline: &Pipeline,
        mut batch: Batch,
        control: &dyn Control,
    ) -> Result<Batch, EngineError> {
        let kernel = dispatch.kernel;
        let bind_group = self.bound(dispatch, pipeline)?;
        let size = self.slot(16) + self.slot(dispatch.params.len() as u64);
        let most = kernel.workgroup.saturating_mul(ROW);
        let piece = Piece { kernel: kernel.name, workgroup: kernel.workgroup, cost: dispatch.cost.into(), most };
        let mut first = 0;
        while first < dispatch.items {
            let room = batch.uniforms.len() as u64 + size <= UNIFORMS;
            let span = if room { self.speeds.next_span(&mut batch.load, &piece, first..dispatch.items) } else { None };
            let Some(span) = span else {
                self.submit(batch, control).await?;
                batch = self.batch();
                continue;
            };
            first = span.end;
            batch.names.push(kernel.name);
            self.encode(dispatch, pipeline, &bind_group, &mut batch, span);
        }
        Ok(batch)
    }

    fn encode(
        &self,
        dispatch: &Dispatch,
        pipeline: &Pipeline,
        bind_group: &wgpu::BindGroup,
        batch: &mut Batch,
        span: Range<u32>,
    ) {
        let workgroup = dispatch.kernel.workgroup.max(1);
        let count = span.end - span.start;
        let groups = count.div_ceil(workgroup);
        let span = Span { first: span.start, count, row: ROW.saturating_mul(workgroup), unused: 0 };
        let mut offsets = vec![self.put(&mut batch.uniforms, bytemuck::bytes_of(&span))];
        if pipeline.has_params {
            offsets.push(self.put(&mut batch.uniforms, &dispatch.params));
        }
        let encoder = &mut batch.encoder;
        let begin = || encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()).forget_lifetime();
        let pass = batch.pass.get_or_insert_with(begin);
        pass.set_pipeline(&pipeline.pipeline);
        pass.set_bind_group(0, bind_group, &offsets);
        pass.dispatch_workgroups(groups.min(ROW), groups.div_ceil(ROW), 1);
    }

    fn bound(&self, dispatch: &Dispatch, pipeline: &Pipeline) -> Result<wgpu::BindGroup, EngineError> {
        let kernel = dispatch.kernel;
        let ids = dispatch.buffers.iter().map(Buffer::id).collect();
        let key = (kernel.sources.as_ptr() as usize, dispatch.params.len(), ids);
        let mut groups = self.memory.groups.borrow_mut();
        let (done, rest) = groups.split_at(self.memory.next.get().min(groups.len()));
        let mut places = (done.len()..).zip(rest).chain((0..).zip(done));
        if let Some((place, (_, made))) = places.find(|(_, (known, _))| *known == key) {
            self.memory.next.set(place + 1);
            return Ok(made.clone());
        }
        let buffers: Result<Vec<wgpu::Buffer>, EngineError> =
            dispatch.buffers.iter().map(|buffer| self.find(buffer, kernel.name)).collect();
        let made = self.bind(pipeline, &buffers?, dispatch.params.len() as u64);
        groups.push((key, made.clone()));
        self.memory.made.set(self.memory.made.get() + 1);
        Ok(made)
    }

    fn bind(&self, pipeline: &Pipeline, buffers: &[wgpu::Buffer], params: u64) -> wgpu::BindGroup {
        let uniform = |size: u64| {
            let size = std::num::NonZeroU64::new(size.next_multiple_of(16));
            wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: &self.uniforms, offset: 0, size })
        };
        let mut entries = vec![wgpu::BindGroupEntry { binding: 0, resource: uniform(16) }];
        if pipeline.has_params {
            entries.push(wgpu::BindGroupEntry { binding: 1, resource: uniform(params) });
        }
        entries.extend(
            (FIRST_STORAGE..)
                .zip(buffers)
                .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() }),
        );
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.layout,
            entries: &entries,
        })
    }

    /// The room that so many bytes take among the uniforms.
    fn slot(&self, bytes: u64) -> u64 {
        bytes.next_multiple_of(self.align)
    }

    fn put(&self, uniforms: &mut Vec<u8>, bytes: &[u8]) -> u32 {
        let offset = uniforms.len();
        uniforms.extend_from_slice(bytes);
        let end = self.slot(uniforms.len() as u64) as usize;
        uniforms.resize(end, 0);
        // Under UNIFORMS by the check before.
        offset as u32
    }
}

impl Engine for GpuEngine {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn choices(&self) -> TileChoices {
        self.choices.get()
    }

    fn choose(&self, choices: TileChoices) {
        // What was remembered may be of a browser that allowed more.
        self.choices.set(if self.info.halves() { choices } else { choices.in_floats() });
    }

    fn is_ready(&self, kernel: &'static Kernel) -> bool {
        self.pipelines.has(kernel)
    }

    fn prepare<'a>(&'a self, kernel: &'static Kernel) -> LocalBoxFuture<'a, Result<(), EngineError>> {
        async move {
            self.watch.check()?;
            self.pipelines.get(&self.device, kernel).await.map(drop)
        }
        .boxed_local()
    }

    fn buffer(&self, label: &str, words: usize) -> Result<Buffer, EngineError> {
        self.watch.check()?;
        let words = words.max(1);
        let asked = words as u64 * 4;
        let limits = self.device.limits();
        let most = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
        if asked > most {
            return Err(EngineError::Memory { asked, most });
        }
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: asked,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let id = BufferId(self.next.replace(self.next.get() + 1));
        let short = scope.pop().map(move |error| error.map(|_| asked));
        self.memory.allocating.borrow_mut().push((id, short.boxed_local()));
        self.memory.buffers.borrow_mut().insert(id, made);
        let all = Rc::downgrade(&self.memory);
        Ok(Buffer::new(id, words, move |id| {
            let Some(all) = all.upgrade() else { return };
            // Only those that name it: a preview's small buffer goes at each step, and a plan's groups are for all steps.
            all.groups.borrow_mut().retain(|((_, _, ids), _)| !ids.contains(&id));
            all.allocating.borrow_mut().retain(|(of, _)| *of != id);
            let gone = all.buffers.borrow_mut().remove(&id);
            if let Some(buffer) = gone {
                // In the browser a drop frees nothing.
                buffer.destroy();
            }
        }))
    }

    fn run<'a>(
        &'a self,
        recording: &'a Recording,
        control: &'a dyn Control,
    ) -> LocalBoxFuture<'a, Result<(), EngineError>> {
        self.record(recording, control).boxed_local()
    }

    fn read<'a>(&'a self, buffer: &'a Buffer) -> LocalBoxFuture<'a, Result<Vec<u32>, EngineError>> {
        async move {
            self.watch.check()?;
            self.allocated(buffer.id()).await?;
            let from = self.find(buffer, "read")?;
            let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("read"),
                size: from.size(),
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.copy_buffer_to_buffer(&from, 0, &staging, 0, from.size());
            self.queue.submit([encoder.finish()]);
            let (tell, mapped) = oneshot::channel();
            staging.map_async(wgpu::MapMode::Read, .., move |result| {
                // The one who waited may have been cancelled.
                let _ = tell.send(result);
            });
            self.make_progress();
            let refuse = |why: String| EngineError::Refused { kernel: "read".to_owned(), why };
            let outcome = self.watch.unless_lost(mapped).await;
            self.watch.check()?;
            outcome?.map_err(|error| refuse(error.to_string()))?;
            let words = {
                let view = staging.get_mapped_range(..).map_err(|error| refuse(error.to_string()))?;
                bytemuck::pod_collect_to_vec(&view)
            };
            staging.destroy();
            Ok(words)
        }
        .boxed_local()
    }

    fn idle(&self) -> LocalBoxFuture<'_, ()> {
        // A lost device computes nothing, so an error is as good.
        self.done().map(|_| ()).boxed_local()
    }
}

impl Drop for GpuEngine {
    fn drop(&mut self) {
        self.device.destroy();
    }
}
