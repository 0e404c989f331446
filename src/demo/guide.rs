//! The two listings of Gradio's queueing guide, live.

use gradus::imagegen::{Request, flame, reaction};
use gradus::prelude::*;

use super::network::{self, Settings};
use super::speed;

pub fn tab(ui: &Ui) {
    ui.add(Markdown::new(
        "Describe a picture, and this machine makes it; nothing leaves it. **Press a button several times**: as many \
         pictures are made at once as its queue has places, the others wait in the panel.",
    ));
    ui.group("Example 1", |ui| {
        ui.add(Markdown::new("`concurrency_count(5)`: five at once, the others wait."));
        let prompt = ui.add(prompt("a red sphere left of a white sphere on wood by day").info(network::LANGUAGE));
        let image = ui.add(Image::new().label("Image"));
        let generate = ui.add(Button::new("Generate Image").variant(Variant::Primary));
        generate.click(image_gen, prompt, image).concurrency_count(5);
    });
    ui.group("Example 2", |ui| {
        ui.add(Markdown::new("`concurrency_id(\"gpu_queue\")`: three models, one queue with two slots. Model 1 is the diffusion network, 2 a fractal flame, 3 a growing pattern."));
        let prompt = ui.add(prompt("a large purple cone on a checkerboard by day"));
        let image = ui.add(Image::new().label("Image"));
        let one = ui.add(Button::new("Generate Image via model 1").variant(Variant::Primary));
        let two = ui.add(Button::new("Generate Image via model 2").variant(Variant::Primary));
        let three = ui.add(Button::new("Generate Image via model 3").variant(Variant::Primary));
        one.click(image_gen_1, prompt, image).concurrency_count(2).concurrency_id("gpu_queue");
        two.click(image_gen_2, prompt, image).concurrency_id("gpu_queue");
        three.click(image_gen_3, prompt, image).concurrency_id("gpu_queue");
    });
}

fn prompt(text: &str) -> Textbox {
    Textbox::new()
        .label("Prompt")
        .lines(2)
        .value(text)
        .max_length(Request::PROMPT_CHARS)
        .required("Write a prompt first.")
}

async fn image_gen(prompt: String, ctx: Context) -> Result<Picture, Error> {
    let seed = ctx.random() % 1_000_000;
    network::picture(prompt, Settings::usual(), seed, &ctx, &ctx).await
}

async fn image_gen_1(prompt: String, ctx: Context) -> Result<Picture, Error> {
    image_gen(prompt, ctx).await
}

async fn image_gen_2(prompt: String, ctx: Context) -> Result<Picture, Error> {
    let engine = ctx.engine().await?;
    let request = request(prompt, &ctx).await?;
    let picture = flame::generate(&request, &*engine, &ctx, &ctx).await?;
    Ok(with_facts(picture, &request, "flame"))
}

async fn image_gen_3(prompt: String, ctx: Context) -> Result<Picture, Error> {
    let engine = ctx.engine().await?;
    let request = request(prompt, &ctx).await?;
    let picture = reaction::generate(&request, &*engine, &ctx, &ctx).await?;
    Ok(with_facts(picture, &request, "reaction"))
}

/// A request of the size and preset that suit this machine, with a seed of its own.
async fn request(prompt: String, ctx: &Context) -> Result<Request, Error> {
    let (side, preset) = speed::suited(ctx).await?;
    // Seeds that one can read and type.
    let seed = ctx.random() % 1_000_000;
    Ok(Request { prompt, width: side, height: side, seed, preset })
}

/// What made the picture, shown with it and kept in its file.
pub fn with_facts(picture: Picture, request: &Request, model: &str) -> Picture {
    picture
        .with_fact("Model", model)
        .with_fact("Seed", request.seed.to_string())
        .with_fact("Quality", speed::name(request.preset))
        .with_fact("Prompt", request.prompt.clone())
}
