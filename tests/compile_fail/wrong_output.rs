use gradus::prelude::*;

async fn shout(text: String) -> String {
    text.to_uppercase()
}

fn main() {
    let _ = Blocks::named("wrong output", |ui| {
        let text = ui.add(Textbox::new());
        let image = ui.add(Image::new());
        ui.add(Button::new("Shout")).click(shout, text, image);
    });
}
