use std::time::Duration;

use leptos::prelude::*;

use super::Page;
use super::el::{each, el, nothing};
use crate::value::NoteLevel;

/// How long an info stays; a warning stays until it is dismissed.
const READ: Duration = Duration::from_secs(12);

pub(super) fn toasts(page: Page) -> AnyView {
    let numbers = Memo::new(move |_| page.toasts.with(|all| all.iter().map(|(number, _)| *number).collect()));
    let toast = move |number: u64| {
        let find = |all: &Vec<(u64, crate::runtime::view::Toast)>| {
            all.iter().find(|(each, _)| *each == number).map(|(_, toast)| toast.clone())
        };
        let Some(toast) = page.toasts.with_untracked(find) else { return nothing() };
        let remove = move || page.toasts.update(|all| all.retain(|(each, _)| *each != number));
        if toast.level == NoteLevel::Info {
            set_timeout(remove, READ);
        }
        let class = match toast.level {
            NoteLevel::Info => "toast",
            NoteLevel::Warning => "toast toast-warning",
        };
        let dismiss = el("button", "quiet")
            .attr("type", "button")
            .attr("aria-label", "Dismiss")
            .text("×")
            .on("click", move |_| remove());
        el("div", class).child(el("p", "").text(&toast.text)).child(dismiss).into()
    };
    el("div", "toasts").attr("role", "status").attr("aria-live", "polite").child(each(numbers, toast)).into()
}
