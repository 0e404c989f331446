//! Gradus puts a Gradio-style app wholly into the visitor's browser.
//!
//! An author describes an app with [`Blocks`](blocks::Blocks) and calls [`launch`]. The page shows the components; a
//! queue in the page gives each event listener its slots (one unless
//! [`concurrency_count`](blocks::Listener::concurrency_count) says otherwise, shared by
//! [`concurrency_id`](blocks::Listener::concurrency_id)); handlers run in workers and compute on the visitor's own GPU,
//! or on the processor where there is no WebGPU.
//!
//! ```no_run
//! use gradus::prelude::*;
//!
//! async fn greet(name: String, ctx: Context) -> Result<String, Error> {
//!     ctx.progress(Progress::step(1, 2));
//!     ctx.checkpoint().await;        // here a cancel gets through
//!     Ok(format!("Hello, {name}!"))
//! }
//!
//! fn app() -> Blocks {
//!     Blocks::named("my-app", |ui| {
//!         let name = ui.add(Textbox::new().label("Name"));
//!         let greeting = ui.add(Textbox::new().label("Greeting"));
//!         ui.add(Button::new("Greet")).click(greet, name, greeting);
//!     })
//! }
//!
//! fn main() {
//!     gradus::launch(app);
//! }
//! ```
//!
//! # A shader of one's own
//!
//! A handler runs any WGSL on the engine. Without WebGPU such a handler fails with "this handler needs WebGPU", unless
//! its kernel has a CPU twin.
//!
//! ```
//! use gradus::kernels::{Kernel, Recording};
//! use gradus::prelude::*;
//!
//! static SQUARE: Kernel = Kernel::new("square", &["
//!     @group(0) @binding(2) var<storage, read_write> data: array<f32>;
//!
//!     @compute @workgroup_size(64)
//!     fn main(@builtin(global_invocation_id) id: vec3<u32>) {
//!         let item = span_item(id);
//!         if item < span_end() { data[item] *= data[item]; }
//!     }
//! "]);
//!
//! async fn square(number: f32, ctx: Context) -> Result<f32, Error> {
//!     let engine = ctx.engine().await?;
//!     let data = engine.buffer("data", 1)?;
//!     let mut recording = Recording::new();
//!     recording.write(&data, &[number]);
//!     recording.dispatch(&SQUARE, 1, &(), &[&data]);
//!     engine.run(&recording, &ctx).await?;
//!     Ok(f32::from_bits(engine.read(&data).await?[0]))
//! }
//! ```
//!
//! # Apps without pictures
//!
//! The engines, the generators, Image and Gallery are the feature `pictures`, which is on unless an app says
//! `default-features = false`; its visitors then download about a third less.
//!
//! # Page and workers
//!
//! [`launch`] has two roles: in the page it shows the app, in a worker it runs its handlers. `cargo xtask dist` builds an
//! app with pictures once for each (the features `page` and `worker`), so that the page opens before the engines have
//! come; otherwise one module has both. The app is described in each, and neither sees what the other's closures hold.
//!
//! # The map of this crate
//!
//! | module | what lives in it | may name |
//! |---|---|---|
//! | [`value`], [`ids`] | payloads, errors, ids | nothing of ours |
//! | [`ports`] | the world as traits | `value`, `ids` |
//! | [`wire`] | messages between page and worker | `value`, `ids` |
//! | [`queue`] | lanes, slots, jobs, attempts; no clock, no I/O | `value`, `ids` |
//! | [`kernels`] | compute as data, shaders, the CPU engine | `value`, `gradus-cpu` |
//! | [`gpu`] | the only wgpu code | `kernels`, `value` |
//! | [`imagegen`] | scene, flame, reaction | `kernels`, `ports`, `value`, `gradus-cpu` (what it is given), `gradus-unicode` |
//! | [`diffusion`] | checkpoints in diffusers' layout | `kernels`, `ports`, `value`, `gradus-cpu` (what it is given), `gradus-unicode` |
//! | [`blocks`] | what an author writes | `kernels`, `ports`, `value`, `ids` |
//! | [`models`] | checkpoints that handlers use by their address | `blocks`, `diffusion`, `kernels`, `ports`, `value` |
//! | [`runtime`] | drives queue and workers from the page | `blocks`, `queue`, `wire`, `ports`, `value`, `ids` |
//! | [`worker`] | drives handlers in a worker | `blocks`, `kernels`, `wire`, `ports`, `value`, `ids` |
//! | `browser` | the ports over `web_sys` | `ports`, `wire`, `value`, `ids` |
//! | [`ui`] | the views | `runtime`, `blocks`, `value`, `ids` |
//! | `launch` | puts both roles together | all of these |
//!
//! A test (`tests/law.rs`) reads every path in the source and holds it to this table.

pub mod blocks;
#[cfg(target_arch = "wasm32")]
pub mod browser;
#[cfg(feature = "pictures")]
pub mod diffusion;
#[cfg(feature = "pictures")]
pub mod gpu;
pub mod ids;
#[cfg(feature = "pictures")]
pub mod imagegen;
pub mod kernels;
mod launch;
#[cfg(feature = "pictures")]
pub mod models;
pub mod ports;
pub mod queue;
pub mod runtime;
pub mod ui;
pub mod value;
pub mod wire;
pub mod worker;

pub use launch::launch;
pub use value::{Error, Picture};

/// What an app's source needs, in one `use`.
pub mod prelude {
    pub use crate::blocks::{
        Blocks, BrowserState, Button, Checkbox, Choices, Context, Dropdown, Event, Folder, Gallery, Image, Markdown,
        Number, ShowProgress, Slider, State, Textbox, Timer, TriggerMode, Ui, Variant, batch,
    };
    pub use crate::value::{Error, Picture, Progress, Value};
}
