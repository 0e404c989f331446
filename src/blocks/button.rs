//! The component that is pressed.

use super::component::{Asking, ComponentSpec, Kind, Variant};
use super::components::Component;
use crate::value::Value;

/// Something to press; its text is its label.
///
/// ```
/// use gradus::prelude::*;
/// let generate = Button::new("Generate Image").variant(Variant::Primary);
/// ```
#[derive(Clone, Debug)]
pub struct Button(ComponentSpec);

impl Button {
    /// A button with this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let mut spec = ComponentSpec::new::<Self>(Kind::Button { variant: Variant::default() }, Value::Null);
        spec.label = text.into();
        Self(spec)
    }

    /// How it looks; secondary unless set.
    #[must_use]
    pub fn variant(mut self, variant: Variant) -> Self {
        self.0.kind = Kind::Button { variant };
        self
    }

    /// A question that the visitor is asked at each press; a press counts only after a yes. For what cannot be undone.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// let delete = Button::new("Delete").variant(Variant::Stop).confirm("Delete all pictures?");
    /// ```
    #[must_use]
    pub fn confirm(mut self, question: impl Into<String>) -> Self {
        self.0.confirm = question.into();
        self.0.draw_as::<Asking>();
        self
    }

    /// Whether it is drawn.
    #[must_use]
    pub fn visible(mut self, visible: bool) -> Self {
        self.0.visible = visible;
        self
    }

    /// Whether it can be pressed.
    #[must_use]
    pub fn interactive(mut self, interactive: bool) -> Self {
        self.0.interactive = Some(interactive);
        self
    }
}

impl Component for Button {
    fn into_spec(self) -> ComponentSpec {
        self.0
    }
}
