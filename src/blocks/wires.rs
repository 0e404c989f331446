//! Which components hold which types, and how a listener's inputs and outputs are wired.

use super::builder::Handle;
use super::components::{Checkbox, Dropdown, Folder, Gallery, Image, Markdown, Number, Slider, Textbox};
use super::hidden::{BrowserState, State, Timer};
use super::payload::Choices;
use crate::ids::ComponentId;
use crate::value::Picture;

/// A component that can hold a `T`.
#[diagnostic::on_unimplemented(
    message = "a {Self} does not hold a `{T}`",
    label = "the handler's type and the component's do not fit",
    note = "change the handler's signature, or wire another component"
)]
pub trait Holds<T> {}

macro_rules! holds {
    ($($component:ty: $($held:ty),+;)*) => {$($(
        impl Holds<$held> for $component {}
        impl Holds<Option<$held>> for $component {}
    )+)*};
}

holds! {
    Textbox: String;
    Dropdown: String, Choices;
    Folder: String;
    Markdown: String;
    Number: f64, f32, u8, u16, u32, i16, i32;
    Slider: f64, f32, u8, u16, u32, i16, i32;
    Checkbox: bool;
    Image: Picture;
    Gallery: Vec<Picture>;
    Timer: bool;
}

/// A component as a listener refers to it: which app's, and which one.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    pub(super) app: usize,
    pub(super) component: ComponentId,
}

/// One trigger of a listener: an event of a component.
#[derive(Clone, Copy, Debug)]
pub struct TriggerWire {
    pub(super) wire: Wire,
    pub(super) event: super::app::Event,
}

/// A handle, a tuple of up to eighteen handles, or `()`: what a listener reads or writes.
pub trait Wired {
    /// The components in order.
    fn wires(&self) -> Vec<Wire>;
}

/// Wiring whose components hold the tuple `V`.
#[diagnostic::on_unimplemented(
    message = "these components do not hold `{V}`",
    note = "inputs and outputs are a component's handle, a tuple of up to eighteen handles, or ()"
)]
pub trait Wires<V>: Wired {}

impl<C> Wired for Handle<'_, C> {
    fn wires(&self) -> Vec<Wire> {
        vec![self.wire()]
    }
}

impl<C: Holds<T>, T> Wires<(T,)> for Handle<'_, C> {}

impl Wired for () {
    fn wires(&self) -> Vec<Wire> {
        Vec::new()
    }
}

impl Wires<()> for () {}

impl<T> Holds<T> for State<T> {}
impl<T> Holds<T> for BrowserState<T> {}

macro_rules! tuples {
    ($($component:ident $held:ident $index:tt),+) => {
        impl<$($component),+> Wired for ($(Handle<'_, $component>,)+) {
            fn wires(&self) -> Vec<Wire> {
                vec![$(self.$index.wire()),+]
            }
        }

        impl<$($component: Holds<$held>, $held),+> Wires<($($held,)+)> for ($(Handle<'_, $component>,)+) {}
    };
}

tuples!(A TA 0);
tuples!(A TA 0, B TB 1);
tuples!(A TA 0, B TB 1, C TC 2);
tuples!(A TA 0, B TB 1, C TC 2, D TD 3);
tuples!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4);
tuples!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5);
tuples!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6);
tuples!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7);
tuples!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7, I TI 8);
tuples!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7, I TI 8, J TJ 9);
tuples!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7, I TI 8, J TJ 9, K TK 10);
tuples!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7, I TI 8, J TJ 9, K TK 10, L TL 11);
tuples!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7, I TI 8, J TJ 9, K TK 10, L TL 11, M TM 12);
tuples!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7, I TI 8, J TJ 9, K TK 10, L TL 11, M TM 12, N TN 13);
tuples!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7, I TI 8, J TJ 9, K TK 10, L TL 11, M TM 12, N TN 13, O TO 14);
tuples!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7, I TI 8, J TJ 9, K TK 10, L TL 11, M TM 12, N TN 13, O TO 14, P TP 15);
tuples!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7, I TI 8, J TJ 9, K TK 10, L TL 11, M TM 12, N TN 13, O TO 14, P TP 15, Q TQ 16);
tuples!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7, I TI 8, J TJ 9, K TK 10, L TL 11, M TM 12, N TN 13, O TO 14, P TP 15, Q TQ 16, R TR 17);
