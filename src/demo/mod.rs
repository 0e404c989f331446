//! The page that shows what Gradus does: the queueing guide's two examples, a studio, and a
//! diffusion network.

mod checkpoints;
mod guide;
mod models;
mod network;
mod speed;
mod studio;

use gradus::prelude::*;

/// The app.
pub fn app() -> Blocks {
    Blocks::named("Gradus", |ui| {
        ui.tabs(|ui| {
            ui.tab("Queue guide", guide::tab);
            let offered = ui.tab("Studio", studio::tab);
            ui.tab("Models", |ui| models::tab(ui, offered));
            ui.tab("Network", network::tab);
        });
    })
}
