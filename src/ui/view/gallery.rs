use leptos::prelude::*;

use super::Page;
use super::canvas::{canvas, download};
use super::component::{error, status};
use crate::blocks::ComponentSpec;
use crate::ids::ComponentId;
use crate::value::{Picture, Value};

pub(super) fn gallery(page: Page, id: ComponentId, spec: &ComponentSpec, columns: u32) -> AnyView {
    let view = page.component(id);
    let pictures = Memo::new(move |_| match view.with(|view| view.value.clone()) {
        Value::Gallery(pictures) => pictures,
        _ => Vec::new(),
    });
    let large: RwSignal<Option<usize>> = RwSignal::new(None);
    let dialog: NodeRef<leptos::html::Dialog> = NodeRef::new();
    let shown = Memo::new(move |_| large.get().and_then(|index| pictures.with(|all| all.get(index).cloned())));
    let name = format!("{}.png", page.app().name());
    let open = move |index: usize| {
        large.set(Some(index));
        if let Some(dialog) = dialog.get_untracked()
            && dialog.show_modal().is_err()
        {
            // Already open: it shows the other picture.
            large.set(Some(index));
        }
    };
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    let (label, name_of_figure) = (spec.label.clone(), spec.label.clone());
    let count = Memo::new(move |_| pictures.with(Vec::len));
    let grid = format!("gallery-grid columns-{}", columns.min(6));
    view! {
        <figure class="picture gallery" aria-label=name_of_figure>
            <figcaption>{label}</figcaption>
            {move || (count.get() == 0).then(|| view! { <p class="empty">"No pictures yet"</p> })}
            <div class=grid>
                <For each=move || 0..count.get() key=|index| *index children=move |index| {
                    let picture = Memo::new(move |_| pictures.with(|all| all.get(index).cloned()));
                    let label = format!("Picture {}", index + 1);
                    let open_label = format!("Open {label}");
                    view! {
                        <button type="button" class="thumb" aria-label=open_label on:click=move |_| open(index)>
                            {canvas(picture, label, "canvas")}
                        </button>
                    }
                }/>
            </div>
            {error(page, id)}
            {status(page, id)}
            <dialog node_ref=dialog class="large" aria-label="Picture">
                {move || shown.with(Option::is_some).then(|| canvas(shown, "Picture".into(), "canvas"))}
                <div class="large-buttons">
                    {move || shown.get().map(|picture| save(picture, name.clone()))}
                    <button type="button" class="quiet" on:click=close>"Close"</button>
                </div>
            </dialog>
        </figure>
    }
    .into_any()
}

fn save(picture: Picture, name: String) -> AnyView {
    view! { <button type="button" class="quiet" on:click=move |_| download(&picture, &name)>"Download PNG"</button> }
        .into_any()
}
