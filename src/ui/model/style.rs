//! The style sheets, bundled into the program so that an author's page needs no other file.

/// What every page has.
pub const BASE: &str = concat!(
    include_str!("../../../style/tokens.css"),
    include_str!("../../../style/base.css"),
    include_str!("../../../style/layout.css"),
    include_str!("../../../style/controls.css"),
    include_str!("../../../style/panel.css"),
);

/// Of Tabs.
pub const TABS: &str = include_str!("../../../style/tabs.css");
/// Of Checkbox and Slider.
pub const CHOICE: &str = include_str!("../../../style/choice.css");
/// Of Image and Gallery.
pub const PICTURE: &str = include_str!("../../../style/picture.css");
/// Of Markdown.
pub const MARKDOWN: &str = include_str!("../../../style/markdown.css");
