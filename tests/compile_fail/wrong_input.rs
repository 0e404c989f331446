use gradus::prelude::*;

async fn double(number: i32) -> f64 {
    f64::from(number) * 2.0
}

fn main() {
    let _ = Blocks::named("wrong input", |ui| {
        let text = ui.add(Textbox::new());
        let number = ui.add(Number::new());
        ui.add(Button::new("Double")).click(double, text, number);
    });
}
