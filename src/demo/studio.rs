//! One picture after another, with every setting.

use gradus::imagegen::{Request, flame, reaction, scene};
use gradus::prelude::*;

use super::guide::with_facts;
use super::speed::{self, PRESETS};

const MODELS: [&str; 3] = ["scene", "flame", "reaction"];

pub fn tab(ui: &Ui) {
    let prompt = ui.add(
        Textbox::new()
            .label("Prompt")
            .lines(3)
            .value("a large glass sphere on a blue cylinder, right of three small gold cubes on water at sunset")
            .max_length(Request::PROMPT_CHARS)
            .info("Ctrl+Enter generates. An empty prompt gives a surprise."),
    );
    let model = ui.add(
        Dropdown::of(MODELS)
            .label("Model")
            .info("scene: a ray-marched 3-D scene; flame: a fractal flame; reaction: a growing pattern."),
    );
    let (width, height) = ui.row(|ui| {
        let side = |name: &str| Number::new().label(name).value(512.0).whole().range(64.0, 2048.0);
        (ui.add(side("Width")), ui.add(side("Height")))
    });
    let quality = ui.add(Dropdown::of(PRESETS.map(|(name, _)| name)).value("middle").label("Quality"));
    let seed = ui.add(Textbox::new().label("Seed").placeholder("random").check(check_seed).max_lines(1));
    let images = ui.add(Slider::between(1.0, 8.0).step(1.0).label("Number of images"));
    let generate = ui.add(Button::new("Generate").variant(Variant::Primary));
    let chosen = ui.add(Markdown::new(""));
    let result = ui.add(Image::new().label("Result"));
    let all = ui.add(Gallery::new().label("Images").columns(4));
    generate.click(paint, (prompt, model, width, height, quality, seed, images), (result, all));
    ui.load(suit, (), (width, height, quality, chosen));
}

pub fn check_seed(text: &str) -> Result<(), String> {
    match text.trim() {
        "" => Ok(()),
        text => text.parse::<u64>().map(|_| ()).map_err(|_| {
            "A seed is a whole number from 0 to 18446744073709551615. Leave it empty for a random one.".to_owned()
        }),
    }
}

/// Settings that suit this machine, when the page opens.
async fn suit(ctx: Context) -> Result<(f64, f64, String, String), Error> {
    let (side, preset) = speed::suited(&ctx).await?;
    let name = speed::name(preset);
    let words = format!("Size and quality ({side}×{side}, {name}) were chosen by timing this machine once.");
    Ok((side.into(), side.into(), name.into(), words))
}

#[allow(clippy::too_many_arguments, reason = "a handler takes an argument for each input")]
async fn paint(
    prompt: String,
    model: String,
    width: u32,
    height: u32,
    quality: String,
    seed: String,
    images: u32,
    ctx: Context,
) -> Result<(Picture, Vec<Picture>), Error> {
    let preset = PRESETS.iter().find(|(name, _)| *name == quality).map(|(_, preset)| *preset);
    let preset = preset.ok_or_else(|| Error::new("Choose a quality of the list."))?;
    let first: u64 = match seed.trim() {
        "" => ctx.random() % 1_000_000,
        text => text.parse().map_err(|_| Error::new("The seed is no whole number below 2^64."))?,
    };
    let engine = ctx.engine().await?;
    let mut pictures = Vec::new();
    for number in 0..u64::from(images.max(1)) {
        let seed = first.wrapping_add(number);
        let request = Request { prompt: prompt.clone(), width, height, seed, preset };
        let picture = match model.as_str() {
            "flame" => flame::generate(&request, &*engine, &ctx, &ctx).await?,
            "reaction" => reaction::generate(&request, &*engine, &ctx, &ctx).await?,
            _ => scene::generate(&request, &*engine, &ctx, &ctx).await?,
        };
        let picture = with_facts(picture, &request, &model);
        pictures.push(picture.clone());
        ctx.partial((picture, pictures.clone()))?;
    }
    let last = pictures.last().cloned().ok_or_else(|| Error::new("No picture was asked for."))?;
    Ok((last, pictures))
}
