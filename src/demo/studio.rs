//! One picture after another, with every setting.

use std::cell::RefCell;

use gradus::blocks::Handle;
use gradus::diffusion::{Precision, Start};
use gradus::imagegen::{Request, flame, reaction, scene};
use gradus::prelude::*;

use super::checkpoints::{self, KNOWN, OWN};
use super::guide::with_facts;
use super::network::{self, EXAMPLES, SAMPLERS, Settings, Strip};
use super::speed::{self, PRESETS};

/// What makes pictures without a network.
const GENERATORS: [&str; 3] = ["scene", "flame", "reaction"];

/// How weights are kept on the engine.
const WEIGHTS: [&str; 2] = ["as they are", "8 bit"];

const OWN_SIZE: &str = "the model's own";
const SIZES: [&str; 6] = [OWN_SIZE, "128 × 128", "256 × 256", "512 × 512", "768 × 512", "512 × 768"];

/// All that can be chosen now.
pub fn choices(ctx: &Context) -> Choices {
    Choices::of(checkpoints::names(ctx).into_iter().chain(GENERATORS.map(str::to_owned)))
}

pub fn tab(ui: &Ui) -> Handle<'_, Dropdown> {
    let prompt = ui.add(
        Textbox::new()
            .label("Prompt")
            .lines(3)
            .value(EXAMPLES[0].1)
            .max_length(Request::PROMPT_CHARS)
            .info(["Ctrl+Enter generates. An empty prompt gives a surprise. ", network::LANGUAGE].concat()),
    );
    let examples = ui.row(|ui| EXAMPLES.map(|(name, text)| (ui.add(Button::new(name)), text)));
    let generate = ui.add(Button::new("Generate").variant(Variant::Primary));
    let own = KNOWN[..OWN].iter().map(|known| known.name);
    let model = ui.add(Dropdown::of(own.chain(GENERATORS)).label("Model").info(
        "network: our own diffusion model, 256 × 256, fetched once, or distilled to 4 steps; scene: a ray-marched 3-D \
         scene; flame: a fractal flame; reaction: a growing pattern. The tab Models has more.",
    ));
    let seed = ui.add(seed());
    let images = ui.add(Slider::between(1.0, 8.0).step(1.0).label("Number of images"));
    let (steps, guidance, sampler, negative, emphasis, skip, size, weights) =
        ui.accordion("Settings of the network", |ui| {
            let usual = Settings::usual();
            let steps = Slider::between(1.0, 50.0).step(1.0).value(usual.steps.into()).label("Steps");
            let guidance = Slider::between(1.0, 15.0).step(0.5).value(usual.guidance.into()).label("Guidance");
            let info = "How closely it follows the words; 1 is half the work.";
            let steps = ui.add(steps.info("More take longer and are more exact."));
            let guidance = ui.add(guidance.info(info));
            let sampler = ui.add(Dropdown::of(SAMPLERS.map(|(name, _)| name)).label("Sampler"));
            let negative = Textbox::new().label("Negative prompt").max_lines(3).max_length(Request::PROMPT_CHARS);
            let negative = ui.add(negative.info("What is not to be seen. Needs a guidance above 1."));
            let emphasis = Checkbox::new().label("Weighted and long prompts");
            let emphasis = ui.add(
                emphasis.info("(word:1.2) weighs a word more, [word] less; beyond 77 tokens it is read in chunks."),
            );
            let skip = Slider::between(0.0, 4.0).step(1.0).label("Clip skip");
            let skip = ui.add(skip.info("Last layers of the text encoder that are left out."));
            let size = ui.add(Dropdown::of(SIZES).label("Size"));
            let weights = Dropdown::of(WEIGHTS).label("Weights");
            let weights =
                ui.add(weights.info("8 bit is half of the memory or less, nearly as exact, and a little slower."));
            (steps, guidance, sampler, negative, emphasis, skip, size, weights)
        });
    let (start, again, strength, mask) = ui.accordion("Begin from a picture", |ui| {
        // No network that a browser can hold looks at more.
        let start = ui.add(Image::new().label("Picture to begin from").max_side(1024));
        let again = ui.add(Button::new("Begin from the result"));
        let strength = Slider::between(0.0, 1.0).step(0.05).value(0.6).label("Strength");
        let strength = ui.add(strength.info("How much of it may change."));
        let mask = Image::new().label("Mask").paint_over(start);
        let mask = ui.add(
            mask.info("What is painted is made anew, the rest stays nearly as it is. As a file: what is white in it."),
        );
        (start, again, strength, mask)
    });
    let (width, height, quality, chosen) = ui.accordion("Settings of scene, flame and reaction", |ui| {
        let side = |name: &str| Number::new().label(name).value(SIDE).whole().range(64.0, 2048.0);
        let (width, height) = ui.row(|ui| (ui.add(side("Width")), ui.add(side("Height"))));
        let quality = Dropdown::of(PRESETS.map(|(name, _)| name)).value(QUALITY).label("Quality");
        (width, height, ui.add(quality), ui.add(Markdown::new("")))
    });
    // It is read too, and yet for looking at.
    let result = ui.add(Image::new().label("Result").interactive(false));
    let all = ui.add(Gallery::new().label("Images").columns(4));
    let strip = ui.add(Gallery::new().label("How it arose").columns(4));
    let inputs = (
        prompt, model, steps, guidance, sampler, negative, emphasis, skip, size, weights, start, strength, mask, width,
        height, quality, seed, images,
    );
    generate.click(paint, inputs, (result, all, strip)).concurrency_id("studio");
    for (button, text) in examples {
        let chosen = button.click(async move || (text.to_owned(), KNOWN[0].name.to_owned()), (), (prompt, model));
        let painting = chosen.api_name("example").queue(false).success(paint, inputs, (result, all, strip));
        painting.concurrency_id("studio");
    }
    again.click(last, (result, start), start).api_name("again").queue(false);
    model.change(usual, (model, steps, guidance), (steps, guidance)).queue(false).show_progress(ShowProgress::Hidden);
    ui.load(suit, (width, height, quality), (width, height, quality, chosen));
    ui.load(async |ctx: Context| choices(&ctx), (), model).api_name("models").queue(false);
    model
}

/// The result, to begin from; where there is none, what was there before.
fn last(result: Option<Picture>, before: Option<Picture>, ctx: Context) -> Option<Picture> {
    if result.is_none() {
        ctx.info("There is no result yet: generate one.");
    }
    result.or(before)
}

/// The steps and the guidance that a model was made for; as they are where that is not known.
async fn usual(model: String, steps: f64, guidance: f64) -> (f64, f64) {
    checkpoints::usual(&model).map_or((steps, guidance), |(steps, guidance)| (steps.into(), guidance.into()))
}

/// Where a seed is typed.
pub fn seed() -> Textbox {
    let typed = Textbox::new().label("Seed").placeholder("random").check(check_seed).max_lines(1);
    typed.info("The same one gives the same picture. Of a large one, networks use the low 32 bits, as PyTorch does.")
}

fn check_seed(text: &str) -> Result<(), String> {
    match text.trim() {
        "" => Ok(()),
        text => text.parse::<u64>().map(|_| ()).map_err(|_| {
            "A seed is a whole number from 0 to 18446744073709551615. Leave it empty for a random one.".to_owned()
        }),
    }
}

/// The seed that was typed, or one that is easily read and typed.
pub fn seed_of(text: &str, ctx: &Context) -> Result<u64, Error> {
    match text.trim() {
        "" => Ok(ctx.random() % 1_000_000),
        text => text.parse().map_err(|_| Error::new("The seed is no whole number below 2^64.")),
    }
}

/// What stands in the settings until they are found out.
const SIDE: f64 = 512.0;
const QUALITY: &str = "middle";

/// Settings that suit this machine, when the page opens; what a visitor set before a reload stays.
async fn suit(width: f64, height: f64, quality: String, ctx: Context) -> Result<(f64, f64, String, String), Error> {
    let (side, preset) = speed::suited(&ctx).await?;
    let name = speed::name(preset);
    let words = format!("Size and quality ({side}×{side}, {name}) were chosen by timing this machine once.");
    Ok(if (width, height, quality.as_str()) == (SIDE, SIDE, QUALITY) {
        (side.into(), side.into(), name.into(), words)
    } else {
        (width, height, quality, words)
    })
}

/// The result, all images so far, and how the last of them arose.
type Shown = (Picture, Vec<Picture>, Vec<Picture>);

#[allow(clippy::too_many_arguments, reason = "a handler takes an argument for each input")]
async fn paint(
    prompt: String,
    model: String,
    steps: u32,
    guidance: f32,
    sampler: String,
    negative: String,
    emphasis: bool,
    clip_skip: u32,
    size: String,
    weights: String,
    start: Option<Picture>,
    strength: f32,
    mask: Option<Picture>,
    width: u32,
    height: u32,
    quality: String,
    seed: String,
    images: u32,
    ctx: Context,
) -> Result<Shown, Error> {
    let preset = PRESETS.iter().find(|(name, _)| *name == quality).map(|(_, preset)| *preset);
    let preset = preset.ok_or_else(|| Error::new("Choose a quality of the list."))?;
    let first = seed_of(&seed, &ctx)?;
    let sampler = SAMPLERS.iter().find(|(name, _)| *name == sampler).and_then(|(_, kind)| *kind);
    let start = start.map(|picture| Start { picture, strength, mask });
    let generator = GENERATORS.contains(&model.as_str());
    if generator && (start.is_some() || !negative.trim().is_empty()) {
        ctx.info(format!("{model} knows no picture to begin from and no negative prompt: only networks do."));
    }
    // The distilled network has steps of its own.
    let asked = (steps, guidance);
    let (steps, guidance) = if model == KNOWN[1].name { KNOWN[1].usual } else { asked };
    if (steps, guidance) != asked {
        ctx.info(format!("{model} takes {steps} steps without guidance, whatever is set: it was trained for these."));
    }
    if !generator && !negative.trim().is_empty() && guidance <= 1.0 {
        ctx.info("The negative prompt does nothing here: it needs a guidance above 1.");
    }
    let precision = if weights == WEIGHTS[1] { Precision::EightBit } else { Precision::AsStored };
    let (name, size) = (model.clone(), sides(&size));
    let settings =
        Settings { model: name, steps, guidance, negative, emphasis, clip_skip, sampler, size, start, precision };
    let (mut pictures, mut steps_seen) = (Vec::new(), Vec::new());
    for number in 0..u64::from(images.max(1)) {
        let seed = first.wrapping_add(number);
        let picture = if generator {
            let engine = ctx.engine().await?;
            let request = Request { prompt: prompt.clone(), width, height, seed, preset };
            let picture = match model.as_str() {
                "flame" => flame::generate(&request, &*engine, &ctx, &ctx).await?,
                "reaction" => reaction::generate(&request, &*engine, &ctx, &ctx).await?,
                _ => scene::generate(&request, &*engine, &ctx, &ctx).await?,
            };
            with_facts(picture, &request, &model)
        } else {
            let show = |now: &Picture, seen: &[Picture]| ctx.partial((now.clone(), pictures.clone(), seen.to_vec()));
            let strip = Strip { ctx: &ctx, show: &show, seen: RefCell::default() };
            let picture = network::picture(prompt.clone(), settings.clone(), seed, &ctx, &strip).await?;
            steps_seen = strip.with_last(picture.clone());
            picture
        };
        pictures.push(picture.clone());
        ctx.partial((picture, pictures.clone(), steps_seen.clone()))?;
    }
    let last = pictures.last().cloned().ok_or_else(|| Error::new("No picture was asked for."))?;
    Ok((last, pictures, steps_seen))
}

/// Width and height of a choice; none for the model's own.
fn sides(size: &str) -> Option<[u32; 2]> {
    let (width, height) = size.split_once('×')?;
    Some([width.trim().parse().ok()?, height.trim().parse().ok()?])
}
