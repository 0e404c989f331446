//! The demo page. It sees only what any author sees.

mod demo;

fn main() {
    gradus::launch(demo::app);
}
