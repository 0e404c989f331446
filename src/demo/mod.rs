//! The page that shows what Gradus does: the queueing guide's two examples, and a studio.

use gradus::prelude::*;

/// The app.
pub fn app() -> Blocks {
    Blocks::named("Gradus", |ui| {
        ui.tabs(|ui| {
            ui.tab("Queue guide", |ui| {
                ui.group("Example 1", |ui| {
                    let prompt = ui.add(Textbox::new().label("Prompt").value("two red spheres on grass at sunset"));
                    let image = ui.add(Image::new().label("Image"));
                    let generate = ui.add(Button::new("Generate Image").variant(Variant::Primary));
                    generate.click(image_gen, prompt, image).concurrency_count(5);
                });
            });
        });
    })
}

async fn image_gen(prompt: String, ctx: Context) -> Result<Picture, Error> {
    for step in 0..40 {
        ctx.progress(Progress::step(step, 40));
        for _ in 0..20 {
            ctx.checkpoint().await;
        }
        let shade = (step * 6) as u8;
        let pixels: Vec<u8> = (0..256u32 * 256).flat_map(|i| [shade, (i % 256) as u8, (i / 256) as u8, 255]).collect();
        ctx.partial((Picture::from_rgba(256, 256, pixels).map_err(|e| Error::new(e.to_string()))?,))?;
    }
    let pixels: Vec<u8> = (0..256u32 * 256).flat_map(|i| [200, (i % 256) as u8, (i / 256) as u8, 255]).collect();
    Ok(Picture::from_rgba(256, 256, pixels).map_err(|e| Error::new(e.to_string()))?.with_fact("Prompt", prompt))
}
