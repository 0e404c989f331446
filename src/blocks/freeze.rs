//! From a description to a built app: every rule about lanes, names and wiring.

use std::hash::{Hash as _, Hasher};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::Duration;

use super::app::{
    App, BuildErrors, Event, LaneSpec, Layout, ListenerKey, ListenerSpec, Node, ShowProgress, TriggerMode,
};
use super::batch::{BatchSpec, ErasedBatch};
use super::builder::Draft;
use super::component::{ComponentSpec, Kind};
use super::handler::{ErasedHandler, Runs};
use super::options::Pace;
use super::wires::Wire;
use crate::ids::{ComponentId, LaneId, ListenerId};
use crate::value::{ChainLink, SortedMap, SortedSet, Value};

/// What an author said about a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// Nothing.
    Default,
    /// No limit.
    None,
    /// A number.
    Count(usize),
}

/// A listener as it was described.
pub(super) struct Listening {
    pub(super) name: String,
    pub(super) types: u64,
    pub(super) triggers: Vec<(Option<Wire>, Event)>,
    /// The listener it follows (of which app), and on which ends.
    pub(super) after: Option<((usize, usize), ChainLink)>,
    /// The listeners whose jobs it cancels, and of which app.
    pub(super) cancels: Vec<(usize, usize)>,
    pub(super) mode: Option<TriggerMode>,
    pub(super) options: Options,
    pub(super) inputs: Vec<Wire>,
    pub(super) outputs: Vec<Wire>,
    pub(super) limit: Limit,
    pub(super) lane: Option<String>,
    pub(super) runs: Runs,
    pub(super) handler: Rc<ErasedHandler>,
    pub(super) batch: Option<Batching>,
}

/// A batch as it was described.
pub(super) struct Batching {
    pub(super) most: usize,
    pub(super) wait: Duration,
    pub(super) call: Rc<ErasedBatch>,
}

/// What is said of a listener and needs no other to be checked.
pub(super) struct Options {
    pub(super) max_size: Option<usize>,
    pub(super) beside: bool,
    pub(super) time_limit: Option<Duration>,
    pub(super) retries: u32,
    pub(super) priority: i32,
    pub(super) pace: Pace,
    pub(super) show: ShowProgress,
}

impl Default for Options {
    fn default() -> Self {
        let (pace, show) = (Pace::default(), ShowProgress::default());
        Self { max_size: None, beside: false, time_limit: None, retries: 1, priority: 0, pace, show }
    }
}

impl Batching {
    fn spec(&self) -> Option<BatchSpec> {
        Some(BatchSpec { most: NonZeroUsize::new(self.most)?, wait: self.wait, call: Rc::clone(&self.call) })
    }
}

impl Listening {
    fn mode(&self) -> TriggerMode {
        let default = match self.triggers.first() {
            Some((_, Event::Change | Event::Input)) => TriggerMode::AlwaysLast,
            Some((_, Event::Tick)) => TriggerMode::Once,
            _ => TriggerMode::Multiple,
        };
        self.mode.unwrap_or(default)
    }
}

pub(super) fn freeze(mut draft: Draft) -> Result<App, BuildErrors> {
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    if draft.name.trim().is_empty() {
        errors.push("the app's name is empty. Name it: Blocks::named(\"my-app\", ..)".to_owned());
    }
    check_tabs(
        &Node::Branch { layout: Layout::Column, label: String::new(), children: draft.children.clone() },
        &mut errors,
    );
    check_components(&draft, &mut errors);
    let names = unique_names(&draft);
    for (listening, name) in draft.listeners.iter().zip(&names) {
        check_listener(&draft, listening, name, &mut errors);
    }
    let (lanes, lane_of) = make_lanes(&draft, &names, &mut warnings);
    if !errors.is_empty() {
        return Err(BuildErrors(errors));
    }
    settle_components(&mut draft);
    let ids = |wires: &[Wire]| wires.iter().map(|wire| wire.component).collect::<Vec<ComponentId>>();
    let listeners: Vec<ListenerSpec> = draft
        .listeners
        .iter()
        .zip(names)
        .zip(lane_of)
        .map(|((listening, api_name), lane)| ListenerSpec {
            key: ListenerKey { api_name, types: listening.types },
            triggers: listening
                .triggers
                .iter()
                .map(|(wire, event)| (wire.map(|wire| wire.component), *event))
                .collect(),
            after: listening.after.map(|((_, index), link)| (listener_id(index), link)),
            cancels: listening.cancels.iter().map(|&(_, index)| listener_id(index)).collect(),
            mode: listening.mode(),
            priority: listening.options.priority,
            time_limit: listening.options.time_limit,
            retries: listening.options.retries,
            pace: listening.options.pace,
            show: listening.options.show,
            inputs: ids(&listening.inputs),
            outputs: ids(&listening.outputs),
            lane,
            runs: listening.runs,
            handler: Rc::clone(&listening.handler),
            batch: listening.batch.as_ref().and_then(Batching::spec),
        })
        .collect();
    let hash = shape_hash(&draft, &listeners, &lanes);
    let root = Node::Branch { layout: Layout::Column, label: String::new(), children: draft.children };
    let (name, components, most_waiting, tabs) = (draft.name, draft.components, draft.most_waiting, draft.tabs);
    Ok(App { name, components, listeners, lanes, root, warnings, most_waiting, tabs, hash })
}

fn listener_id(index: usize) -> ListenerId {
    ListenerId(u32::try_from(index).unwrap_or(u32::MAX))
}

fn check_tabs(node: &Node, errors: &mut Vec<String>) {
    let Node::Branch { layout, children, .. } = node else { return };
    for child in children {
        let (is_tab, label) = match child {
            Node::Branch { layout: Layout::Tab, label, .. } => (true, label.as_str()),
            _ => (false, ""),
        };
        let in_tabs = *layout == Layout::Tabs;
        if is_tab && !in_tabs {
            errors.push(format!("the tab \"{label}\" stands outside of tabs. Put it inside ui.tabs(|ui| ..)"));
        }
        if in_tabs && !is_tab {
            errors
                .push("something inside ui.tabs(..) is not a tab. Put it inside ui.tab(\"Name\", |ui| ..)".to_owned());
        }
        if is_tab && label.trim().is_empty() {
            errors.push("a tab has no name. Give it one: ui.tab(\"Name\", |ui| ..)".to_owned());
        }
        check_tabs(child, errors);
    }
}

fn check_components(draft: &Draft, errors: &mut Vec<String>) {
    for (spec, id) in draft.components.iter().zip(0u32..) {
        let name = draft.describe(Some(Wire { app: draft.app, component: ComponentId(id) }));
        if spec.over.is_some_and(|over| over.app != draft.app) {
            errors.push(format!(
                "{name} is painted over a picture of another app. Give paint_over(..) one that this app has"
            ));
        }
        let empty = matches!(spec.value, Value::Null) || matches!(&spec.value, Value::Text(text) if text.is_empty());
        match &spec.kind {
            Kind::Image { .. } | Kind::Gallery { .. } if cfg!(not(feature = "pictures")) => {
                errors.push(format!(
                    "{name} needs the feature `pictures` of gradus. Take `default-features = false` out of Cargo.toml"
                ));
            }
            Kind::Dropdown { choices } if choices.is_empty() => {
                errors.push(format!("{name} has no choices. Give it some: Dropdown::of([..])"));
            }
            Kind::Slider(range)
                if range
                    .minimum
                    .zip(range.maximum)
                    .is_none_or(|(low, high)| low.is_nan() || high.is_nan() || low >= high) =>
            {
                errors.push(format!(
                    "{name} has no way to slide. Give it two ends: Slider::between(low, high) with low < high"
                ));
            }
            Kind::Button { .. } if spec.label.trim().is_empty() => {
                errors.push("a Button has no text. Give it one: Button::new(\"Generate\")".to_owned());
            }
            Kind::Textbox { .. } | Kind::Image { .. } | Kind::Number(_) if empty => {}
            _ => {
                if let Err(why) = spec.accept(&spec.value) {
                    errors.push(format!("{name} does not accept its own first value. {why}"));
                }
            }
        }
    }
}

fn check_listener(draft: &Draft, listening: &Listening, name: &str, errors: &mut Vec<String>) {
    let listener = match listening.triggers.first() {
        Some((wire, event)) => format!("the listener \"{name}\" ({} of {})", event.name(), draft.describe(*wire)),
        None => format!("the listener \"{name}\" (a link of a chain)"),
    };
    let sources = listening.triggers.iter().filter_map(|(wire, _)| wire.as_ref());
    let mut wires = sources.chain(&listening.inputs).chain(&listening.outputs);
    let others = listening.cancels.iter().chain(listening.after.iter().map(|(wire, _)| wire));
    if others.into_iter().any(|(app, _)| *app != draft.app) {
        errors.push(format!("{listener} refers to a listener of another app. Use listeners made with the same `ui`"));
    }
    for (wire, event) in &listening.triggers {
        let kind = wire.and_then(|wire| draft.components.get(wire.component.0 as usize)).map(|spec| &spec.kind);
        if kind.is_some_and(|kind| !kind.events().contains(event)) {
            errors.push(format!("{listener} waits for an event that {} does not have", draft.describe(*wire)));
        }
    }
    if listening.options.max_size == Some(0) {
        errors.push(format!("{listener} has a max_size of 0, so nothing could wait. Give at least 1, or leave it out"));
    }
    if listening.options.beside && (listening.lane.is_some() || listening.limit != Limit::Default) {
        errors.push(format!(
            "{listener} has queue(false) and runs beside the lanes, so it takes no concurrency_id or count"
        ));
    }
    if wires.any(|wire| wire.app != draft.app) {
        errors
            .push(format!("{listener} is wired to a component of another app. Wire components added by the same `ui`"));
    }
    if listening.limit == Limit::Count(0) {
        errors.push(format!(
            "{listener} has a concurrency_count of 0, so it would never run. Give at least 1, or None for no limit"
        ));
    }
    if listening.lane.as_ref().is_some_and(|id| id.trim().is_empty()) {
        errors.push(format!("{listener} has an empty concurrency_id. Give it a name, or leave it out"));
    }
    if listening.batch.as_ref().is_some_and(|batch| batch.most == 0) {
        errors.push(format!("{listener} has a batch of 0 jobs, so it would never run. Give at least 1"));
    }
    let mut seen = SortedSet::default();
    if !listening.outputs.iter().all(|wire| seen.insert(wire.component)) {
        errors.push(format!("{listener} writes one component twice. Name each output once"));
    }
}

/// Function names, `name_1`, `name_2` … where they repeat.
fn unique_names(draft: &Draft) -> Vec<String> {
    let mut taken = SortedSet::default();
    draft.listeners.iter().map(|listening| unique(&listening.name, &mut taken)).collect()
}

fn unique(wanted: &str, taken: &mut SortedSet<String>) -> String {
    let mut name = wanted.to_owned();
    let mut number = 1;
    while !taken.insert(name.clone()) {
        name = format!("{wanted}_{number}");
        number += 1;
    }
    name
}

/// A lane for each `concurrency_id`, and one for each listener without.
///
/// The lowest explicit number of an id wins; a listener that gives none never lowers a sibling's; no limit loses to
/// any number.
fn make_lanes(draft: &Draft, names: &[String], warnings: &mut Vec<String>) -> (Vec<LaneSpec>, Vec<LaneId>) {
    let mut members: SortedMap<&str, Vec<usize>> = SortedMap::default();
    for (index, listening) in draft.listeners.iter().enumerate() {
        if let Some(id) = &listening.lane {
            members.get_or_insert_with(id, Vec::new).push(index);
        }
    }
    let mut taken: SortedSet<String> = members.keys().map(|&id| id.to_owned()).collect();
    let mut lanes: Vec<LaneSpec> = Vec::new();
    let mut lane_of_id: SortedMap<&str, LaneId> = SortedMap::default();
    let mut lane_of = Vec::new();
    for (index, listening) in draft.listeners.iter().enumerate() {
        let (max_size, beside) = (listening.options.max_size, listening.options.beside);
        let next = LaneId(u32::try_from(lanes.len()).unwrap_or(u32::MAX));
        let lane = match &listening.lane {
            None => {
                let count = if beside { None } else { count_of(listening.limit, draft.default_limit) };
                let name = unique(&names[index], &mut taken);
                lanes.push(LaneSpec { name, count, shared: false, max_size, beside });
                next
            }
            Some(id) => *lane_of_id.get_or_insert_with(id, || {
                let siblings = members.get(id.as_str()).map_or(&[][..], Vec::as_slice);
                warn_of_differing(draft, names, id, siblings, warnings);
                let count =
                    shared_count(siblings.iter().map(|&sibling| draft.listeners[sibling].limit), draft.default_limit);
                let sizes = siblings.iter().filter_map(|&sibling| draft.listeners[sibling].options.max_size);
                let max_size = sizes.min();
                lanes.push(LaneSpec { name: id.clone(), count, shared: true, max_size, beside: false });
                next
            }),
        };
        lane_of.push(lane);
    }
    (lanes, lane_of)
}

fn shared_count(limits: impl Iterator<Item = Limit> + Clone, default: Limit) -> Option<NonZeroUsize> {
    let lowest = limits.clone().filter_map(|limit| match limit {
        Limit::Count(count) => Some(count),
        _ => None,
    });
    match lowest.min() {
        Some(count) => NonZeroUsize::new(count),
        None if limits.clone().any(|limit| limit == Limit::None) => None,
        None => count_of(Limit::Default, default),
    }
}

fn count_of(limit: Limit, default: Limit) -> Option<NonZeroUsize> {
    match (limit, default) {
        (Limit::Count(count), _) | (Limit::Default, Limit::Count(count)) => NonZeroUsize::new(count),
        (Limit::None, _) | (Limit::Default, Limit::None) => None,
        (Limit::Default, Limit::Default) => Some(NonZeroUsize::MIN),
    }
}

fn warn_of_differing(draft: &Draft, names: &[String], id: &str, siblings: &[usize], warnings: &mut Vec<String>) {
    let given: Vec<(usize, Limit)> = siblings
        .iter()
        .map(|&sibling| (sibling, draft.listeners[sibling].limit))
        .filter(|(_, limit)| *limit != Limit::Default)
        .collect();
    if given.iter().any(|(_, limit)| *limit != given[0].1) {
        let all: Vec<String> = given
            .iter()
            .map(|&(sibling, limit)| match limit {
                Limit::Count(count) => format!("{} asks for {count}", names[sibling]),
                _ => format!("{} asks for no limit", names[sibling]),
            })
            .collect();
        warnings.push(format!(
            "the listeners of concurrency_id \"{id}\" give differing counts ({}); the lowest number counts. Give one of them only",
            all.join(", ")
        ));
    }
}

/// Labels for those without, and who can be changed by the visitor.
fn settle_components(draft: &mut Draft) {
    let ids = |wires: fn(&Listening) -> &Vec<Wire>| -> SortedSet<ComponentId> {
        draft.listeners.iter().flat_map(wires).map(|wire| wire.component).collect()
    };
    let (read, written) = (ids(|listening| &listening.inputs), ids(|listening| &listening.outputs));
    let painted: SortedSet<ComponentId> = draft.components.iter().filter_map(ComponentSpec::over).collect();
    for (spec, id) in draft.components.iter_mut().zip((0u32..).map(ComponentId)) {
        if spec.label.trim().is_empty() {
            spec.label = spec.kind.name().to_owned();
        }
        // A picture that nobody reads or paints over is for looking at; anything else that nobody writes is for the visitor.
        let picture = matches!(spec.kind, Kind::Image { .. } | Kind::Gallery { .. });
        let free = read.contains(&id) || (!written.contains(&id) && (!picture || painted.contains(&id)));
        spec.interactive.get_or_insert(free);
    }
}

/// All that page and worker must agree on, hashed.
fn shape_hash(draft: &Draft, listeners: &[ListenerSpec], lanes: &[LaneSpec]) -> u64 {
    let mut hasher = Fnv::default();
    (&draft.name, &draft.children, lanes).hash(&mut hasher);
    for spec in &draft.components {
        (&spec.kind, &spec.label).hash(&mut hasher);
    }
    for spec in listeners {
        (&spec.key, &spec.triggers, spec.after, &spec.inputs, &spec.outputs).hash(&mut hasher);
    }
    hasher.finish()
}

/// The FNV-1a hash (Fowler, Noll & Vo): short, and the same in every role and build.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    }
}

/// The hash of a text.
pub(super) fn fnv(text: &str) -> u64 {
    let mut hasher = Fnv::default();
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// The function's own name out of its path; closures are called by what they are in.
pub(super) fn function_name(path: &str) -> String {
    let plain = path.split('<').next().unwrap_or(path);
    plain.rsplit(':').find(|part| !part.is_empty() && !part.starts_with('{')).unwrap_or("listener").to_owned()
}
