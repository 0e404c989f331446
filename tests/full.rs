//! A queue that is full: what it refuses, and when that is tried again.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/world.rs"]
mod world;

use gradus::prelude::*;
use world::World;

/// Takes a second of virtual time.
async fn slow(text: String, ctx: Context) -> String {
    world::sleep(&ctx, 1000).await;
    text
}

/// A button that runs it, behind which one may wait.
fn go(ui: &Ui) {
    let text = ui.add(Textbox::new().label("Text"));
    let out = ui.add(Textbox::new().label("Out"));
    ui.add(Button::new("Go")).click(slow, text, out).max_size(1);
}

#[test]
fn a_full_queue_refuses_with_its_size_and_tries_again_when_asked() {
    let world = World::new(go);
    for _ in 0..3 {
        world.click("Go");
        world.pass(10);
    }
    let toast = world.toasts().pop().unwrap();
    assert!(toast.text.contains("1 wait and 1 may"), "{}", toast.text);
    assert_eq!(world.states(), [("running", 1), ("waiting", 1)], "refused, and the queue goes on");
    world.runtime.retry_when_free(toast.retry.unwrap());
    world.pass(5_000);
    assert_eq!(world.states(), [("done", 3)]);
}

/// Beside a full lane jobs end all the time: that is no room in it, and nothing more is said of it.
#[test]
fn what_waits_for_room_is_tried_only_where_there_is_room() {
    let world = World::new(|ui| {
        go(ui);
        ui.add(Button::new("Beside")).click(|| (), (), ()).queue(false);
        let long = async |ctx: Context| world::sleep(&ctx, 60_000).await;
        ui.add(Button::new("Long")).click(long, (), ());
    });
    let full = || {
        (0..3).for_each(|_| world.click("Go"));
        world.toasts().pop().unwrap().retry.unwrap()
    };
    world.runtime.retry_when_free(full());
    (0..5).for_each(|_| world.click("Beside"));
    assert_eq!(world.toasts(), []);
    world.pass(5_000);
    assert_eq!((world.toasts(), world.states()), (vec![], vec![("done", 8)]));
    // It is asked for when there is room again, while something else runs.
    let listener = full();
    world.click("Long");
    world.pass(5_000);
    world.runtime.retry_when_free(listener);
    assert_eq!(world.states(), [("done", 10), ("running", 1), ("waiting", 1)], "at once");
}

#[test]
fn the_whole_app_may_have_a_size() {
    let world = World::new(|ui| {
        ui.max_size(2);
        let text = ui.add(Textbox::new().label("Text"));
        let out = ui.add(Textbox::new().label("Out"));
        ui.add(Button::new("One")).click(slow, text, out);
        ui.add(Button::new("Two")).click(slow, text, out);
    });
    for button in ["One", "Two", "One", "Two", "One"] {
        world.click(button);
        world.pass(10);
    }
    assert_eq!(world.states(), [("running", 2), ("waiting", 2)]);
    assert!(world.toasts()[0].text.contains("2 wait and 2 may"));
}
