//! The style sheet, bundled into the program so that an author's page needs no other file.

/// All sheets as one text.
pub const SHEET: &str = concat!(
    include_str!("../../../style/tokens.css"),
    include_str!("../../../style/base.css"),
    include_str!("../../../style/layout.css"),
    include_str!("../../../style/controls.css"),
    include_str!("../../../style/picture.css"),
    include_str!("../../../style/panel.css"),
);
