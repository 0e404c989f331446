use std::time::Duration;

use leptos::prelude::*;

use super::Page;
use super::component::reach;
use super::el::{Child, each, el, nothing};
use crate::value::NoteLevel;

/// How long an info stays; a warning stays until it is dismissed.
const READ: Duration = Duration::from_secs(12);

pub(super) fn toasts(page: Page) -> Child {
    let numbers = Memo::new(move |_| page.toasts.with(|all| all.iter().map(|(number, _)| *number).collect()));
    let toast = move |number: u64| {
        let find = |all: &Vec<(u64, crate::runtime::view::Toast)>| {
            all.iter().find(|(each, _)| *each == number).map(|(_, toast)| toast.clone())
        };
        let Some(toast) = page.toasts.with_untracked(find) else { return nothing() };
        let remove = move || page.toasts.update(|all| all.retain(|(each, _)| *each != number));
        if matches!(toast.level, NoteLevel::Info | NoteLevel::Success) {
            set_timeout(remove, READ);
        }
        let class = match toast.level {
            NoteLevel::Info => "toast",
            NoteLevel::Success => "toast toast-success",
            NoteLevel::Warning => "toast toast-warning",
            NoteLevel::Error => "toast toast-error",
        };
        let dismiss = el("button", "quiet").attr("type", "button").attr("aria-label", "Dismiss").text("×").on(
            "click",
            move |_| {
                leave();
                remove();
            },
        );
        let retry = toast.retry.map_or_else(nothing, |listener| {
            let again = el("button", "quiet toast-retry").attr("type", "button").text("Retry when free");
            again
                .on("click", move |_| {
                    page.with_runtime(|runtime| runtime.retry_when_free(listener));
                    leave();
                    remove();
                })
                .into()
        });
        el("div", class).child(el("p", "").text(&toast.text)).child(retry).child(dismiss).into()
    };
    el("div", "toasts").attr("role", "status").attr("aria-live", "polite").child(each(numbers, toast)).into()
}

/// What was pressed goes away with its toast: who is there by keyboard goes on at another one, or in the page.
fn leave() {
    let first = |selector: &str| document().query_selector(selector).ok().flatten();
    let next = first(".toast:not(:focus-within) > :last-child").or_else(|| first("main"));
    if let Some(next) = next {
        reach(&next);
    }
}
