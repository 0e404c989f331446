use super::{Buffer, Kernel};

/// One run of a kernel over its items.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// What runs.
    pub kernel: &'static Kernel,
    /// How many items, 0 included.
    pub items: u32,
    /// The work of one item, in any unit that is the same for all dispatches of the kernel: engines foresee by it how
    /// long a span takes.
    pub cost: f32,
    /// The parameters' bytes, laid out as the shader's uniform struct; at most 4096.
    pub params: Vec<u8>,
    /// The storage buffers, from binding 2 on; no buffer twice.
    pub buffers: Vec<Buffer>,
}

/// One step of a recording.
#[derive(Clone, Debug)]
pub enum Command {
    /// Writes words into a buffer, from this word on.
    Write(Buffer, usize, Vec<u32>),
    /// Sets every word of a buffer to 0.
    Clear(Buffer),
    /// Runs a kernel.
    Dispatch(Dispatch),
}

impl Command {
    /// What it reads or writes.
    #[must_use]
    pub fn buffers(&self) -> &[Buffer] {
        match self {
            Self::Write(buffer, ..) | Self::Clear(buffer) => std::slice::from_ref(buffer),
            Self::Dispatch(dispatch) => &dispatch.buffers,
        }
    }
}

/// Commands for an engine to run in order; each sees what the ones before it wrote.
///
/// ```
/// use gradus::kernels::Recording;
/// let recording = Recording::new();
/// assert!(recording.commands().is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Recording {
    commands: Vec<Command>,
}

impl Recording {
    /// An empty recording.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends: write `words` into the beginning of `buffer`.
    pub fn write<T: bytemuck::NoUninit>(&mut self, buffer: &Buffer, words: &[T]) {
        self.write_at(buffer, 0, words);
    }

    /// Appends: write `words` into `buffer`, from its word `first` on.
    pub fn write_at<T: bytemuck::NoUninit>(&mut self, buffer: &Buffer, first: usize, words: &[T]) {
        self.commands.push(Command::Write(buffer.clone(), first, to_words(bytemuck::cast_slice(words))));
    }

    /// Appends a dispatch.
    pub fn push(&mut self, dispatch: Dispatch) {
        self.commands.push(Command::Dispatch(dispatch));
    }

    /// Appends: set `buffer` to 0.
    pub fn clear(&mut self, buffer: &Buffer) {
        self.commands.push(Command::Clear(buffer.clone()));
    }

    /// Appends: run `kernel` over `items` with `params` and `buffers` (bindings 2 and up).
    pub fn dispatch<P: bytemuck::NoUninit>(
        &mut self,
        kernel: &'static Kernel,
        items: u32,
        params: &P,
        buffers: &[&Buffer],
    ) {
        self.dispatch_bytes(kernel, items, bytemuck::bytes_of(params), buffers);
    }

    /// The same, with the parameters as bytes.
    pub fn dispatch_bytes(&mut self, kernel: &'static Kernel, items: u32, params: &[u8], buffers: &[&Buffer]) {
        self.commands.push(Command::Dispatch(Dispatch {
            kernel,
            items,
            cost: 1.0,
            params: params.to_vec(),
            buffers: buffers.iter().map(|&buffer| buffer.clone()).collect(),
        }));
    }

    /// The commands in order.
    #[must_use]
    pub fn commands(&self) -> &[Command] {
        &self.commands
    }
}

/// Bytes as 32-bit words, the last filled up with zeros.
fn to_words(bytes: &[u8]) -> Vec<u32> {
    let mut words = vec![0u32; bytes.len().div_ceil(4)];
    bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
    words
}
