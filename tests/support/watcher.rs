//! An observer that keeps what it was told.

use std::cell::RefCell;

use gradus::ports::Observer;
use gradus::value::{NoteLevel, Picture, Progress};

#[derive(Default)]
pub struct Watcher {
    pub notes: RefCell<Vec<String>>,
    pub previews: RefCell<Vec<Picture>>,
    pub progress: RefCell<Vec<Progress>>,
    /// Whether it asks for previews.
    pub curious: bool,
}

impl Observer for Watcher {
    fn progress(&self, progress: Progress) {
        self.progress.borrow_mut().push(progress);
    }

    fn wants_preview(&self) -> bool {
        self.curious
    }

    fn preview(&self, picture: Picture) {
        self.previews.borrow_mut().push(picture);
    }

    fn note(&self, _: NoteLevel, text: String) {
        self.notes.borrow_mut().push(text);
    }
}
