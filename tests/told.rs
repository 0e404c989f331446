//! What the page tells of a job's end, and what it calls a job. Page and worker together on a virtual clock.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/world.rs"]
mod world;

use gradus::prelude::*;
use world::World;

#[test]
fn why_a_job_failed_stands_at_the_first_output_that_is_seen() {
    async fn fails() -> Result<(f64, String, String), Error> {
        Err(Error::new("There is no paper left. Bring some."))
    }
    let world = World::new(|ui| {
        let go = ui.add(Button::new("Go"));
        let kept = ui.add(State::new(0.0));
        let outputs = ["First", "Second"].map(|label| ui.add(Textbox::new().label(label).interactive(false)));
        go.click(fails, (), (kept, outputs[0], outputs[1]));
    });
    world.click("Go");
    world.pass(1_000);
    let said = ["First", "Second"].map(|label| world.runtime.component(world.find(label)).status.unwrap().text);
    assert_eq!(said, ["There is no paper left. Bring some.", "failed"]);
}

#[test]
fn what_follows_a_chain_is_called_after_what_began_it() {
    async fn nothing() {}
    let world = World::new(|ui| {
        let go = ui.add(Button::new("Go"));
        go.click(nothing, (), ()).then(nothing, (), ()).success(nothing, (), ());
    });
    world.click("Go");
    world.pass(1_000);
    let called: Vec<String> = world.runtime.panel(9).ended.into_iter().map(|row| row.listener).collect();
    assert_eq!(called, ["after Go", "after Go", "Go"]);
}
