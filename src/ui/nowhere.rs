//! What is not drawn in this build: natively nothing is, as there is no page, and without pictures what shows them.

use crate::blocks::{Draw, Drawn, Folder, Gallery, Image, LooseFiles};

macro_rules! nowhere {
    ($($name:ident)*) => {$(
        impl Drawn for $name {
            const DRAW: Draw = &();
        }
    )*};
}

nowhere!(Folder Gallery Image LooseFiles);

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use super::{Draw, Drawn};
    use crate::blocks::{Asking, Button, Checkbox, Dropdown, Markdown, Number, Slider, Tabs, Textbox};

    nowhere!(Asking Button Checkbox Dropdown Markdown Number Slider Tabs Textbox);
}
