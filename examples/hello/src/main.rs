use gradus::prelude::*;

async fn greet(name: String) -> String {
    format!("Hello, {name}!")
}

fn app() -> Blocks {
    Blocks::named("hello", |ui| {
        let name = ui.add(Textbox::new().label("Name"));
        let greeting = ui.add(Textbox::new().label("Greeting"));
        let go = ui.add(Button::new("Greet").variant(Variant::Primary));
        go.click(greet, name, greeting);
        name.submit(greet, name, greeting);
    })
}

fn main() {
    gradus::launch(app);
}
