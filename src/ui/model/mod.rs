//! Decisions of the page that need no page.

pub mod arrange;
pub mod markdown;
pub mod pace;
pub mod places;
pub mod style;
pub mod tabs;
pub mod words;
