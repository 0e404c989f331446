//! What an author writes: [`Blocks`] describes components, layout and listeners, and freezes into an [`App`].
//!
//! PURE. May name `kernels`, `ports`, `value` and `ids`. Here live the description and the typed handlers; how the
//! page draws components is in `ui`, how jobs wait is in `queue`, how handlers are driven is in `worker`.

mod app;
mod batch;
mod builder;
mod button;
mod component;
mod components;
mod context;
mod freeze;
mod handler;
mod hidden;
mod options;
mod payload;
mod roles;
mod wires;

pub use app::{App, BuildErrors, Event, LaneSpec, Layout, ListenerKey, ListenerSpec, Node, ShowProgress, TriggerMode};
pub use batch::{BatchCall, BatchSpec, Batched, Each, ErasedBatch, batch};
pub use builder::{Blocks, Handle, Listener, Ui};
pub use button::Button;
pub use component::{Asking, Check, ComponentSpec, Draw, Drawn, Kind, LooseFiles, Range, Tabs, Variant};
pub use components::{Checkbox, Component, Dropdown, Folder, Gallery, Image, Markdown, Number, Slider, Textbox};
pub use context::{Context, Job, fit};
pub use handler::{Call, ErasedHandler, Handler, Outcome, Returns, Runs, Yields};
pub use hidden::{BrowserState, State, Timer};
pub use options::Pace;
pub use payload::{Choices, Payload, Payloads};
pub use wires::{Holds, TriggerWire, Wire, Wired, Wires};
