use gradus::imagegen::{Preset, Request, flame, reaction, scene};
use gradus::prelude::*;

fn app() -> Blocks {
    Blocks::named("queue-guide", |ui| {
        ui.group("Example 1", |ui| {
            let prompt = ui.add(Textbox::new().label("Prompt"));
            let image = ui.add(Image::new().label("Image"));
            let generate = ui.add(Button::new("Generate Image"));
            generate.click(image_gen, prompt, image).concurrency_count(5);
        });
        ui.group("Example 2", |ui| {
            let prompt = ui.add(Textbox::new().label("Prompt"));
            let image = ui.add(Image::new().label("Image"));
            let one = ui.add(Button::new("Generate Image via model 1"));
            let two = ui.add(Button::new("Generate Image via model 2"));
            let three = ui.add(Button::new("Generate Image via model 3"));
            one.click(image_gen_1, prompt, image).concurrency_count(2).concurrency_id("gpu_queue");
            two.click(image_gen_2, prompt, image).concurrency_id("gpu_queue");
            three.click(image_gen_3, prompt, image).concurrency_id("gpu_queue");
        });
    })
}

fn request(prompt: String, ctx: &Context) -> Request {
    Request { prompt, width: 256, height: 256, seed: ctx.random(), preset: Preset::Low }
}

async fn image_gen(prompt: String, ctx: Context) -> Result<Picture, Error> {
    image_gen_1(prompt, ctx).await
}

async fn image_gen_1(prompt: String, ctx: Context) -> Result<Picture, Error> {
    let engine = ctx.engine().await?;
    scene::generate(&request(prompt, &ctx), &*engine, &ctx, &ctx).await
}

async fn image_gen_2(prompt: String, ctx: Context) -> Result<Picture, Error> {
    let engine = ctx.engine().await?;
    flame::generate(&request(prompt, &ctx), &*engine, &ctx, &ctx).await
}

async fn image_gen_3(prompt: String, ctx: Context) -> Result<Picture, Error> {
    let engine = ctx.engine().await?;
    reaction::generate(&request(prompt, &ctx), &*engine, &ctx, &ctx).await
}

fn main() {
    gradus::launch(app);
}
