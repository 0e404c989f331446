//! The components an author adds. Each is a builder over a [`ComponentSpec`].

use std::rc::Rc;

use super::builder::Handle;
use super::component::{Check, ComponentSpec, Kind, LooseFiles, Range};
use crate::value::{Picture, Value};

/// Something that can be added to a page.
pub trait Component {
    /// What the page draws it from.
    fn into_spec(self) -> ComponentSpec;
}

macro_rules! component {
    ($(#[$doc:meta])* $name:ident, $kind:expr, $value:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(ComponentSpec);

        impl $name {
            /// The component with nothing set.
            #[must_use]
            #[allow(clippy::new_without_default, reason = "Default is given beside the label")]
            pub fn new() -> Self {
                Self(ComponentSpec::new::<Self>($kind, $value))
            }

            /// A sentence of help.
            #[must_use]
            pub fn info(mut self, info: impl Into<String>) -> Self {
                self.0.info = info.into();
                self
            }

            /// Whether it is drawn; it is unless this says no.
            #[must_use]
            pub fn visible(mut self, visible: bool) -> Self {
                self.0.visible = visible;
                self
            }

            /// Whether the visitor can change it. Unless said, a component can be changed if no listener writes it,
            /// or if one reads it.
            #[must_use]
            pub fn interactive(mut self, interactive: bool) -> Self {
                self.0.interactive = Some(interactive);
                self
            }
        }

        impl Component for $name {
            fn into_spec(self) -> ComponentSpec {
                self.0
            }
        }
    };
}

macro_rules! labelled {
    ($($name:ident)*) => {$(
        impl $name {
            /// The name that visitors see and assistive technology reads; the component's kind unless set.
            #[must_use]
            pub fn label(mut self, label: impl Into<String>) -> Self {
                self.0.label = label.into();
                self
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }
    )*};
}

component!(
    /// Text. Enter submits, Shift+Enter breaks the line; with [`Textbox::max_lines`] of 1 it submits too.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// let prompt = Textbox::new().label("Prompt").lines(3).placeholder("a red cube").required("Write a prompt first.");
    /// ```
    Textbox,
    Kind::Textbox { lines: 1, max_lines: 20, placeholder: String::new(), max_length: None, required: None },
    Value::Text(String::new())
);
component!(
    /// A picture: shown large when a listener writes it, chosen from a file when one reads it.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// let photo = Image::new().label("Photo").max_side(1024).interactive(true);
    /// ```
    Image, Kind::Image { max_side: Picture::MAX_SIDE }, Value::Null
);
component!(
    /// Several pictures in a grid.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// let results = Gallery::new().label("Results").columns(4);
    /// ```
    Gallery, Kind::Gallery { columns: 3 }, Value::Gallery(Vec::new())
);
component!(
    /// A number, typed.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// let width = Number::new().label("Width").value(512.0).range(64.0, 2048.0).whole();
    /// ```
    Number, Kind::Number(Range::ANY), Value::Null
);
component!(
    /// A number, chosen by sliding. [`Slider::between`] says from where to where.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// let strength = Slider::between(0.0, 1.0).step(0.05).value(0.6).label("Strength");
    /// ```
    Slider, Kind::Slider(Range::ANY), Value::Null
);
component!(
    /// Yes or no.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// let fixed = Checkbox::new().label("Fixed seed").value(true).info("The same seed makes the same picture.");
    /// ```
    Checkbox, Kind::Checkbox, Value::Bool(false)
);
component!(
    /// One of some choices; the first unless a value is set. [`Dropdown::of`] says which.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// let model = Dropdown::of(["small", "large"]).label("Model");
    /// ```
    Dropdown, Kind::Dropdown { choices: Vec::new() }, Value::Null
);
component!(
    /// A folder of files that the visitor chooses from the disk. The files are copied into what the browser keeps for the
    /// page, and the value is the address at which [`Context::files`](super::Context::files) reads them, so a handler
    /// cannot tell it from a folder of the network.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// use gradus::models::Model;
    /// let app = Blocks::named("doc", |ui| {
    ///     let folder = ui.add(Folder::new().label("Model folder"));
    ///     let told = ui.add(Textbox::new().label("What it is"));
    ///     folder.change(async |address: String, ctx: Context| -> Result<String, Error> {
    ///         let (report, _) = Model::at(&address).report(&ctx).await?;
    ///         Ok(format!("{} MB", report.bytes() / 1_000_000))
    ///     }, folder, told);
    /// });
    /// ```
    Folder, Kind::Folder, Value::Text(String::new())
);
labelled!(Textbox Image Gallery Number Checkbox Folder);

impl Folder {
    /// Lets the visitor choose files instead, several at once, for browsers that choose no folders, as on phones. What is in
    /// them tells where each belongs: [`Model::loose`](crate::models::Model::loose) finds it out.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// let files = Folder::new().files().label("Model files");
    /// ```
    #[must_use]
    pub fn files(mut self) -> Self {
        self.0.draw_as::<LooseFiles>();
        self
    }
}

impl Textbox {
    /// The text when the page opens.
    #[must_use]
    pub fn value(mut self, text: impl Into<String>) -> Self {
        self.0.value = Value::Text(text.into());
        self
    }

    /// Lines shown at first; 1 unless set.
    #[must_use]
    pub fn lines(mut self, shown: u32) -> Self {
        if let Kind::Textbox { lines, max_lines, .. } = &mut self.0.kind {
            *lines = shown.max(1);
            *max_lines = (*max_lines).max(*lines);
        }
        self
    }

    /// Lines it grows to; 20 unless set.
    #[must_use]
    pub fn max_lines(mut self, most: u32) -> Self {
        if let Kind::Textbox { lines, max_lines, .. } = &mut self.0.kind {
            *max_lines = most.max(*lines);
        }
        self
    }

    /// Grey words in the empty box.
    #[must_use]
    pub fn placeholder(mut self, words: impl Into<String>) -> Self {
        if let Kind::Textbox { placeholder, .. } = &mut self.0.kind {
            *placeholder = words.into();
        }
        self
    }

    /// Refuses more characters than this, with a message; nothing is cut off.
    #[must_use]
    pub fn max_length(mut self, most: usize) -> Self {
        if let Kind::Textbox { max_length, .. } = &mut self.0.kind {
            *max_length = Some(most);
        }
        self
    }

    /// Refuses an empty text with this message.
    #[must_use]
    pub fn required(mut self, message: impl Into<String>) -> Self {
        if let Kind::Textbox { required, .. } = &mut self.0.kind {
            *required = Some(message.into());
        }
        self
    }

    /// Refuses texts by a test of the author's; its `Err` is shown at the box.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// let seed = Textbox::new().label("Seed").check(|text| match text.parse::<u64>() {
    ///     Ok(_) => Ok(()),
    ///     Err(_) => Err("Type a whole number below 2^64.".into()),
    /// });
    /// ```
    #[must_use]
    pub fn check(mut self, test: impl Fn(&str) -> Result<(), String> + 'static) -> Self {
        self.0.check = Some(Check(Rc::new(move |value| match value {
            Value::Text(text) => test(text),
            _ => Ok(()),
        })));
        self
    }
}

impl Image {
    /// The picture when the page opens.
    #[must_use]
    pub fn value(mut self, picture: Picture) -> Self {
        self.0.value = Value::Picture(picture);
        self
    }

    /// The longest side in pixels of what the visitor chooses; a larger picture is reduced, as photographs mostly are
    /// larger than any network looks at. [`Picture::MAX_SIDE`] unless set.
    #[must_use]
    pub fn max_side(mut self, pixels: u32) -> Self {
        self.0.kind = Kind::Image { max_side: pixels.clamp(1, Picture::MAX_SIDE) };
        self
    }

    /// Lets the visitor paint this picture over another one, as a mask: white where it was painted, black elsewhere, of
    /// the other's size. A file can be chosen as well. It is empty again when the other picture changes.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// let app = Blocks::named("doc", |ui| {
    ///     let photo = ui.add(Image::new().label("Photo").max_side(1024));
    ///     let mask = ui.add(Image::new().label("Mask").paint_over(photo));
    ///     let told = ui.add(Textbox::new().label("Painted"));
    ///     mask.change(|mask: Option<Picture>| mask.map_or(0, |mask| mask.width()).to_string(), mask, told);
    /// });
    /// assert!(app.build().is_ok());
    /// ```
    #[must_use]
    pub fn paint_over(mut self, picture: Handle<'_, Image>) -> Self {
        self.0.over = Some(picture.wire());
        self
    }
}

impl Gallery {
    /// Pictures side by side; 3 unless set.
    #[must_use]
    pub fn columns(mut self, side_by_side: u32) -> Self {
        self.0.kind = Kind::Gallery { columns: side_by_side.max(1) };
        self
    }

    /// The pictures when the page opens.
    #[must_use]
    pub fn value(mut self, pictures: Vec<Picture>) -> Self {
        self.0.value = Value::Gallery(pictures);
        self
    }
}

impl Number {
    /// The number when the page opens.
    #[must_use]
    pub fn value(mut self, number: f64) -> Self {
        self.0.value = Value::Number(number);
        self
    }

    /// The least and the greatest number that are accepted.
    #[must_use]
    pub fn range(mut self, minimum: f64, maximum: f64) -> Self {
        self.edit(|range| (range.minimum, range.maximum) = (Some(minimum), Some(maximum)));
        self
    }

    /// Accepts whole numbers only.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.edit(|range| range.whole = true);
        self
    }

    fn edit(&mut self, change: impl FnOnce(&mut Range)) {
        if let Kind::Number(range) = &mut self.0.kind {
            change(range);
        }
    }
}

impl Slider {
    /// A slider from `minimum` to `maximum`, standing at `minimum` unless a value is set.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// let steps = Slider::between(1.0, 50.0).step(1.0).value(20.0).label("Steps");
    /// ```
    #[must_use]
    pub fn between(minimum: f64, maximum: f64) -> Self {
        let mut slider = Self::new();
        slider.0.kind =
            Kind::Slider(Range { minimum: Some(minimum), maximum: Some(maximum), step: None, whole: false });
        slider.0.value = Value::Number(minimum);
        slider
    }

    /// The step between neighbours; a hundredth of the way unless set.
    #[must_use]
    pub fn step(mut self, step: f64) -> Self {
        if let Kind::Slider(range) = &mut self.0.kind {
            range.step = Some(step);
        }
        self
    }

    /// Where it stands when the page opens.
    #[must_use]
    pub fn value(mut self, number: f64) -> Self {
        self.0.value = Value::Number(number);
        self
    }

    /// The name that visitors see and assistive technology reads.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.0.label = label.into();
        self
    }
}

impl Default for Slider {
    fn default() -> Self {
        Self::between(0.0, 100.0)
    }
}

impl Checkbox {
    /// Whether it is ticked when the page opens.
    #[must_use]
    pub fn value(mut self, ticked: bool) -> Self {
        self.0.value = Value::Bool(ticked);
        self
    }
}

impl Dropdown {
    /// A dropdown of these choices, standing at the first unless a value is set.
    ///
    /// ```
    /// use gradus::prelude::*;
    /// let quality = Dropdown::of(["low", "middle", "high"]).value("middle").label("Quality");
    /// ```
    #[must_use]
    pub fn of<T: Into<String>>(choices: impl IntoIterator<Item = T>) -> Self {
        let choices: Vec<String> = choices.into_iter().map(Into::into).collect();
        let mut dropdown = Self::new();
        dropdown.0.value = choices.first().map_or(Value::Null, |first| Value::Text(first.clone()));
        dropdown.0.kind = Kind::Dropdown { choices };
        dropdown
    }

    /// The choice when the page opens.
    #[must_use]
    pub fn value(mut self, choice: impl Into<String>) -> Self {
        self.0.value = Value::Text(choice.into());
        self
    }

    /// The name that visitors see and assistive technology reads.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.0.label = label.into();
        self
    }
}

/// Text with Markdown's formatting. It is rendered to nodes; raw HTML in it is shown as text and never run.
///
/// ```
/// use gradus::prelude::*;
/// let note = Markdown::new("Pictures are made **on your own machine**.");
/// ```
#[derive(Clone, Debug)]
pub struct Markdown(ComponentSpec);

impl Markdown {
    /// A text in Markdown.
    #[must_use]
    pub fn new(source: impl Into<String>) -> Self {
        Self(ComponentSpec::new::<Self>(Kind::Markdown, Value::Text(source.into())))
    }

    /// Whether it is drawn.
    #[must_use]
    pub fn visible(mut self, visible: bool) -> Self {
        self.0.visible = visible;
        self
    }
}

impl Component for Markdown {
    fn into_spec(self) -> ComponentSpec {
        self.0
    }
}
