use std::fmt;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::Duration;

use super::batch::BatchSpec;
use super::component::{ComponentSpec, Draw};
use super::handler::{ErasedHandler, Runs};
use super::options::Pace;
use crate::ids::{ComponentId, LaneId, ListenerId};
use crate::value::ChainLink;

/// What sets a listener off.
///
/// ```
/// use gradus::prelude::*;
/// let app = Blocks::named("doc", |ui| {
///     let name = ui.add(Textbox::new().label("Name"));
///     let go = ui.add(Button::new("Go"));
///     let told = ui.add(Textbox::new().label("Told"));
///     // Several events of one listener.
///     ui.on([go.on(Event::Click), name.on(Event::Submit)], |name: String| name, name, told);
/// }).build().unwrap();
/// assert_eq!(app.listeners()[0].triggers.len(), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A press.
    Click,
    /// Enter in a Textbox.
    Submit,
    /// The visitor changed the value.
    Input,
    /// The value changed, whoever changed it.
    Change,
    /// A Slider was let go, or a file was taken by an Image.
    Release,
    /// The page opened.
    Load,
    /// A Timer's time is over.
    Tick,
}

/// What an event does while an earlier run of its listener has not ended.
///
/// ```
/// use gradus::prelude::*;
/// let app = Blocks::named("doc", |ui| {
///     let text = ui.add(Textbox::new().label("Text"));
///     let saved = ui.add(Textbox::new().label("Saved"));
///     // A second press while it saves does nothing.
///     ui.add(Button::new("Save")).click(|text: String| text, text, saved).trigger_mode(TriggerMode::Once);
/// });
/// assert!(app.build().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TriggerMode {
    /// Nothing.
    Once,
    /// Queues another run.
    Multiple,
    /// One more run follows, however many events there were, with the inputs as they are then.
    AlwaysLast,
}

/// How much of a run its outputs show.
///
/// ```
/// use gradus::prelude::*;
/// let app = Blocks::named("doc", |ui| {
///     let text = ui.add(Textbox::new().label("Text"));
///     let length = ui.add(Textbox::new().label("Length"));
///     // At each key: a status that comes and goes would only flicker.
///     text.input(|text: String| text.len().to_string(), text, length).show_progress(ShowProgress::Hidden);
/// });
/// assert!(app.build().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ShowProgress {
    /// Words and a bar.
    #[default]
    Full,
    /// Words.
    Minimal,
    /// Nothing but failures.
    Hidden,
}

impl Event {
    /// The method that an author wires it with.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::Submit => "submit",
            Self::Input => "input",
            Self::Change => "change",
            Self::Release => "release",
            Self::Load => "load",
            Self::Tick => "tick",
        }
    }
}

/// A listener's name over builds: what is stored and what JavaScript calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListenerKey {
    /// The function's name, made unique in the app.
    pub api_name: String,
    /// A hash of the types of its inputs and outputs.
    pub types: u64,
}

/// Trigger, handler, inputs, outputs and options of one listener.
#[derive(Clone)]
pub struct ListenerSpec {
    /// The name over builds.
    pub key: ListenerKey,
    /// What sets it off: components and their events; `None` stands for the page. Empty for a link of a chain.
    pub triggers: Vec<(Option<ComponentId>, Event)>,
    /// The listener whose jobs' ends set it off, and which ends.
    pub after: Option<(ListenerId, ChainLink)>,
    /// The listeners whose jobs its events cancel.
    pub cancels: Vec<ListenerId>,
    /// What an event does while an earlier run has not ended.
    pub mode: TriggerMode,
    /// Higher starts first.
    pub priority: i32,
    /// How long an attempt may take.
    pub time_limit: Option<Duration>,
    /// Attempts after a failure that is nobody's fault.
    pub retries: u32,
    /// How events are thinned out.
    pub pace: Pace,
    /// What of a run the outputs show.
    pub show: ShowProgress,
    /// What it reads, in the order of the handler's arguments.
    pub inputs: Vec<ComponentId>,
    /// What it writes, in the order of the handler's results.
    pub outputs: Vec<ComponentId>,
    /// Where its jobs wait.
    pub lane: LaneId,
    /// Where its handler runs.
    pub runs: Runs,
    /// The handler.
    pub handler: Rc<ErasedHandler>,
    /// How its jobs are put together, where the handler takes several at once.
    pub batch: Option<BatchSpec>,
}

/// The queue and the slots of one `concurrency_id`, or of one listener without an id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LaneSpec {
    /// The `concurrency_id`, or the listener's name.
    pub name: String,
    /// How many jobs may run at once; `None` is no limit.
    pub count: Option<NonZeroUsize>,
    /// Whether it was named by a `concurrency_id`.
    pub shared: bool,
    /// How many jobs may wait in it.
    pub max_size: Option<usize>,
    /// Its jobs run at once, beside the lanes.
    pub beside: bool,
}

/// How children stand together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Below each other.
    Column,
    /// Beside each other, below each other where the window is narrow.
    Row,
    /// A frame around what belongs together; a named region for assistive technology.
    Group,
    /// Children are `Tab`s, one shown at a time.
    Tabs,
    /// One of `Tabs`.
    Tab,
    /// Children that can be folded away.
    Accordion {
        /// Whether it is open at first.
        open: bool,
    },
}

/// The page as a tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// A component.
    Component(ComponentId),
    /// Children under a layout.
    Branch {
        /// How the children stand together.
        layout: Layout,
        /// The name of a Group, Tab or Accordion; empty for the others.
        label: String,
        /// The children in order.
        children: Vec<Node>,
    },
}

/// A built app: everything was checked, nothing changes any more.
pub struct App {
    pub(super) name: String,
    pub(super) components: Vec<ComponentSpec>,
    pub(super) listeners: Vec<ListenerSpec>,
    pub(super) lanes: Vec<LaneSpec>,
    pub(super) root: Node,
    pub(super) warnings: Vec<String>,
    pub(super) most_waiting: Option<usize>,
    pub(super) tabs: Draw,
    pub(super) hash: u64,
}

impl App {
    /// The app's name: keys its storage, and is the page's title.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All components; a [`ComponentId`] is the index.
    #[must_use]
    pub fn components(&self) -> &[ComponentSpec] {
        &self.components
    }

    /// All listeners; a [`ListenerId`] is the index.
    #[must_use]
    pub fn listeners(&self) -> &[ListenerSpec] {
        &self.listeners
    }

    /// All lanes; a [`LaneId`] is the index.
    #[must_use]
    pub fn lanes(&self) -> &[LaneSpec] {
        &self.lanes
    }

    /// The layout: a Column with all that was added at the top.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// How its Tabs are drawn, where it has any.
    #[must_use]
    pub fn tabs(&self) -> Draw {
        self.tabs
    }

    /// How many jobs may wait in all lanes together.
    #[must_use]
    pub fn max_size(&self) -> Option<usize> {
        self.most_waiting
    }

    /// What works but may not be what was meant.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// A hash of the app's shape; page and worker compare theirs before they work together.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The component with this id.
    #[must_use]
    pub fn component(&self, id: ComponentId) -> Option<&ComponentSpec> {
        self.components.get(id.0 as usize)
    }

    /// The listener with this id.
    #[must_use]
    pub fn listener(&self, id: ListenerId) -> Option<&ListenerSpec> {
        self.listeners.get(id.0 as usize)
    }

    /// The listeners that an event of a component (or of the page: `None`) sets off, in the order they were added.
    pub fn listeners_of(&self, source: Option<ComponentId>, event: Event) -> impl Iterator<Item = ListenerId> + '_ {
        self.listeners
            .iter()
            .zip(0u32..)
            .filter(move |(listener, _)| listener.triggers.contains(&(source, event)))
            .map(|(_, index)| ListenerId(index))
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "App({:?}, {} components, {} listeners, {} lanes)",
            self.name,
            self.components.len(),
            self.listeners.len(),
            self.lanes.len()
        )
    }
}

/// What is wrong with an app, all of it; each line names the listener or component and says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildErrors(pub Vec<String>);

impl fmt::Display for BuildErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the app cannot be built: {}", self.0.join("; "))
    }
}

impl std::error::Error for BuildErrors {}
