//! A picture by a diffusion network of our own, and the same prompt by the renderer that it learnt from.

use std::cell::RefCell;

use gradus::diffusion::schedule::Kind;
use gradus::diffusion::{Precision, Request, Start};
use gradus::imagegen::{self, Preset, scene};
use gradus::ports::Observer;
use gradus::prelude::*;
use gradus::value::NoteLevel;

use super::checkpoints::{self, KNOWN, Known, OWN};

/// Prompts that show it at its best.
pub const EXAMPLES: [(&str, &str); 4] = [
    ("Red ball", "a red sphere on grass by day"),
    ("Two objects", "a red sphere left of a white sphere on wood by day"),
    ("Night", "a large green sphere on wood at night"),
    ("Snow", "a large shiny green cone in the snow under an overcast sky"),
];

/// What the network knows, for a component's info.
pub const LANGUAGE: &str = "The network knows one or two spheres, cubes, cylinders and cones in eight colours, on six \
                            grounds under four skies.";

pub fn tab(ui: &Ui) {
    ui.add(Markdown::new(
        "A diffusion network of 12 million numbers, trained on pictures of the renderer. It knows spheres, cubes, \
         cylinders and cones in eight colours, one or two at a time, on six grounds under four skies. The first picture \
         fetches it (13 MB, kept on this machine).",
    ));
    let prompt = ui.add(
        Textbox::new()
            .label("Prompt")
            .lines(2)
            .value(EXAMPLES[0].1)
            .max_length(imagegen::Request::PROMPT_CHARS)
            .info("An empty prompt gives a surprise."),
    );
    let examples = ui.row(|ui| EXAMPLES.map(|(name, text)| (ui.add(Button::new(name)), text)));
    let steps = ui.add(Slider::between(1.0, 20.0).step(1.0).value(8.0).label("Steps"));
    let guidance = ui.add(Slider::between(1.0, 8.0).step(0.5).value(3.0).label("Guidance"));
    let seed = ui.add(super::studio::seed());
    let generate = ui.add(Button::new("Generate").variant(Variant::Primary));
    // It is read too, and yet for looking at.
    let picture = ui.add(Image::new().label("Picture").interactive(false));
    let rendered = ui.add(Image::new().label("The same, by the renderer"));
    let steps_seen = ui.add(Gallery::new().label("How it arose").columns(6));
    let inputs = (prompt, steps, guidance, seed);
    // One lane for all that paint and one for all that render, whichever button was pressed.
    let painting = generate.click(paint, inputs, (picture, steps_seen)).api_name("network").concurrency_id("network");
    painting.success(render, picture, rendered).concurrency_id("render");
    for (button, text) in examples {
        let chosen = button.click(async move || text.to_owned(), (), prompt).api_name("example").queue(false);
        let painting = chosen.success(paint, inputs, (picture, steps_seen)).concurrency_id("network");
        painting.success(render, picture, rendered).concurrency_id("render");
    }
}

async fn paint(
    prompt: String,
    steps: u32,
    guidance: f32,
    seed: String,
    ctx: Context,
) -> Result<(Picture, Vec<Picture>), Error> {
    let seed = super::studio::seed_of(&seed, &ctx)?;
    let show = |picture: &Picture, seen: &[Picture]| ctx.partial((picture.clone(), seen.to_vec()));
    let strip = Strip { ctx: &ctx, show: &show, seen: RefCell::default() };
    let picture = picture(prompt, Settings { steps, guidance, ..Settings::usual() }, seed, &ctx, &strip).await?;
    Ok((picture.clone(), strip.with_last(picture)))
}

/// The samplers by the names that visitors of other programs know.
pub const SAMPLERS: [(&str, Option<Kind>); 7] = [
    ("the model's own", None),
    ("Euler", Some(Kind::Euler)),
    ("Euler ancestral", Some(Kind::EulerAncestral)),
    ("DDIM", Some(Kind::Ddim)),
    ("DPM++ 2M", Some(Kind::Dpm)),
    ("LCM", Some(Kind::Lcm)),
    ("PNDM", Some(Kind::Pndm)),
];

/// How a checkpoint paints.
#[derive(Clone, Debug)]
pub struct Settings {
    /// By the name that the Studio offers.
    pub model: String,
    pub steps: u32,
    pub guidance: f32,
    pub negative: String,
    /// Brackets weigh, and a long prompt is read whole.
    pub emphasis: bool,
    /// Last layers of the text encoder that are left out.
    pub clip_skip: u32,
    pub sampler: Option<Kind>,
    /// Width and height; none for the checkpoint's own.
    pub size: Option<[u32; 2]>,
    pub start: Option<Start>,
    pub precision: Precision,
}

impl Settings {
    /// As the examination of our own network was made.
    pub fn usual() -> Self {
        Self::of(&KNOWN[0])
    }

    /// What was chosen beyond what each picture tells.
    fn chosen(&self) -> Vec<(&'static str, String)> {
        let sampler = SAMPLERS.iter().find(|(_, kind)| kind.is_some() && *kind == self.sampler);
        let words = |yes: bool, words: &str| yes.then(|| words.to_owned());
        let strength = self.start.as_ref().map(|start| gradus::value::decimal(start.strength.into(), 2));
        let all = [
            ("Negative prompt", words(!self.negative.is_empty() && self.guidance > 1.0, &self.negative)),
            ("Prompts", words(self.emphasis, "weighted, in chunks")),
            ("Clip skip", (self.clip_skip > 0).then(|| self.clip_skip.to_string())),
            ("Sampler", sampler.map(|(name, _)| (*name).to_owned())),
            ("Strength", strength),
            ("Weights", words(self.precision == Precision::EightBit, "8 bit")),
        ];
        all.into_iter().filter_map(|(name, choice)| choice.map(|choice| (name, choice))).collect()
    }

    fn of(known: &Known) -> Self {
        let (steps, guidance) = known.usual;
        let model = known.name.to_owned();
        let (negative, precision) = (String::new(), Precision::AsStored);
        Self {
            model,
            steps,
            guidance,
            negative,
            emphasis: false,
            clip_skip: 0,
            sampler: None,
            size: None,
            start: None,
            precision,
        }
    }
}

/// A picture by a checkpoint; to our own networks an empty prompt is one of their own.
pub async fn picture(
    prompt: String,
    settings: Settings,
    seed: u64,
    ctx: &Context,
    observer: &dyn Observer,
) -> Result<Picture, Error> {
    let own = KNOWN[..OWN].iter().any(|known| known.name == settings.model);
    let address = checkpoints::address_of(&settings.model, ctx);
    let address = address.ok_or_else(|| Error::new("This model is not here any more. Choose another one."))?;
    let model = checkpoints::at(&address, settings.precision).load(ctx).await?;
    let prompt = if own && prompt.trim().is_empty() { surprise(ctx) } else { prompt };
    let mut strange = if own { model.pipeline.strangers(&prompt) } else { Vec::new() };
    // The weights in brackets are no words.
    strange.retain(|word| !settings.emphasis || word.chars().any(|c| !c.is_ascii_digit()));
    if !strange.is_empty() {
        let shown: Vec<String> = strange.iter().take(8).map(|word| word.chars().take(24).collect()).collect();
        ctx.info(format!("The network has never seen these words: {}.", shown.join(", ")));
    }
    let chosen = settings.chosen();
    let Settings { model: name, steps, guidance, negative, emphasis, clip_skip, sampler, size, start, .. } = settings;
    let usual = model.pipeline.usual_request();
    let [width, height] = size.unwrap_or([usual.width, usual.height]);
    let request = Request {
        prompt: prompt.clone(),
        negative,
        width,
        height,
        seed,
        steps: steps as usize,
        guidance,
        emphasis,
        clip_skip: clip_skip as usize,
        sampler,
        start,
        ..usual
    };
    let made = model.generate(&request, ctx, observer).await?.pop();
    let made = made.ok_or_else(|| Error::new("The network made no picture. Try again."))?;
    let made = made
        .with_fact("Model", name)
        .with_fact("Seed", seed.to_string())
        .with_fact("Steps", steps.to_string())
        .with_fact("Guidance", gradus::value::decimal(guidance.into(), 1))
        .with_fact("Prompt", prompt);
    Ok(chosen.into_iter().fold(made, |made, (name, choice)| made.with_fact(name, choice)))
}

/// What the network was asked for, a surprise too, by the renderer at the network's size.
async fn render(painted: Option<Picture>, ctx: Context) -> Result<Picture, Error> {
    let prompt = painted.as_ref().and_then(|picture| picture.fact("Prompt")).unwrap_or_default().to_owned();
    let engine = ctx.engine().await?;
    let request = imagegen::Request { prompt, width: 256, height: 256, seed: 1, preset: Preset::Low };
    let picture = scene::generate(&request, &*engine, &ctx, &ctx).await?;
    Ok(super::guide::with_facts(picture, &request, "scene"))
}

/// A prompt of words that the network knows.
fn surprise(ctx: &Context) -> String {
    let one = |of: &[&'static str]| of.get((ctx.random() % of.len() as u64) as usize).copied().unwrap_or_default();
    let parts = [
        "a",
        one(&["small", "large", "shiny"]),
        one(&["red", "orange", "yellow", "green", "cyan", "blue", "purple", "white"]),
        one(&["sphere", "cube", "cylinder", "cone"]),
        one(&["on grass", "on sand", "in the snow", "on water", "on wood", "on a checkerboard"]),
        one(&["by day", "at sunset", "at night", "under an overcast sky"]),
    ];
    parts.join(" ")
}

/// Shows the last preview and all of them.
type Show<'a> = dyn Fn(&Picture, &[Picture]) -> Result<(), Error> + 'a;

/// Keeps every preview, for the strip that shows the picture arising.
pub struct Strip<'a> {
    pub ctx: &'a Context,
    /// In the handler's outputs.
    pub show: &'a Show<'a>,
    pub seen: RefCell<Vec<Picture>>,
}

impl Strip<'_> {
    /// All previews, and the picture that they became.
    pub fn with_last(self, picture: Picture) -> Vec<Picture> {
        let mut seen = self.seen.into_inner();
        seen.push(picture);
        seen
    }
}

impl Observer for Strip<'_> {
    fn progress(&self, progress: Progress) {
        self.ctx.progress(progress);
    }

    fn wants_preview(&self) -> bool {
        Observer::wants_preview(self.ctx)
    }

    fn preview(&self, picture: Picture) {
        self.seen.borrow_mut().push(picture.clone());
        if let Err(why) = (self.show)(&picture, &self.seen.borrow()) {
            Observer::note(self.ctx, NoteLevel::Error, why.to_string());
        }
    }

    fn note(&self, level: NoteLevel, text: String) {
        Observer::note(self.ctx, level, text);
    }
}
