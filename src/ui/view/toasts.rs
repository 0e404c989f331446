use leptos::prelude::*;

use super::Page;
use crate::value::NoteLevel;

pub(super) fn toasts(page: Page) -> AnyView {
    let dismiss = move |gone: usize| page.toasts.update(|all| all.retain(|(number, _)| *number != gone));
    view! {
        <div class="toasts" role="status" aria-live="polite">
            <For each=move || page.toasts.get() key=|(number, _)| *number children=move |(number, toast)| {
                let class = match toast.level {
                    NoteLevel::Info => "toast",
                    NoteLevel::Warning => "toast toast-warning",
                };
                view! {
                    <div class=class>
                        <p>{toast.text}</p>
                        <button type="button" class="quiet" aria-label="Dismiss" on:click=move |_| dismiss(number)>"×"</button>
                    </div>
                }
            }/>
        </div>
    }
    .into_any()
}
