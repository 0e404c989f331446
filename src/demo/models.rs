//! What checkpoints there are, what they take, and what is kept of them.

use gradus::blocks::Handle;
use gradus::diffusion::Report;
use gradus::models::Model;
use gradus::ports::Kept;
use gradus::prelude::*;
use gradus::value::{EngineInfo, EngineKind, decimal};

use super::checkpoints::{self, KNOWN};
use super::studio;

const DELETE: &str = "Delete what is kept of this model on this machine?";

pub fn tab<'u>(ui: &'u Ui, offered: Handle<'u, Dropdown>) {
    ui.add(Markdown::new(
        "A model is a checkpoint in the layout of Hugging Face's diffusers. Look at what it takes **before** you fetch it; \
         what was fetched is kept on this machine, works without a network, and can be deleted. Your prompts and pictures \
         never leave the page.",
    ));
    let model = ui.add(Dropdown::of(KNOWN.map(|known| known.name)).label("Known models"));
    let about = ui.add(Markdown::new(KNOWN[0].words()));
    let address = ui.add(
        Textbox::new()
            .label("Address")
            .value(KNOWN[0].address)
            .max_lines(1)
            .max_length(500)
            .required("Choose a model, type an address, or choose files.")
            .info("A folder beside this page, or one of a host that lets other pages read it. A model's page on huggingface.co will do."),
    );
    let (folder, files) = ui.row(|ui| {
        let folder = Folder::new()
            .label("Or a folder of this machine")
            .info("Its files are copied into what the browser keeps for this page.");
        let files = Folder::new().files().label("Or files of this machine").info(
            "All files of a model at once, out of any folders; \"config (1).json\" will do. What is in them tells where each belongs.",
        );
        (ui.add(folder), ui.add(files))
    });
    let (look, fetch, pause, delete) = ui.row(|ui| {
        (
            ui.add(Button::new("What does it take?").variant(Variant::Primary)),
            ui.add(Button::new("Download")),
            ui.add(Button::new("Pause")),
            ui.add(Button::new("Delete").variant(Variant::Stop).confirm(DELETE)),
        )
    });
    let told = ui.add(Markdown::new(""));
    // One at a time: they read and write the same files.
    let known = model.change(|name: String| known(&name), model, (about, address, told)).queue(false);
    known.success(report, address, told).concurrency_id("files");
    // What is told must be of the address that stands there.
    address.input(String::new, (), told).queue(false).show_progress(ShowProgress::Hidden);
    for chosen in [folder, files] {
        chosen.change(take_in, chosen, (told, offered, address)).concurrency_id("files");
    }
    look.click(report, address, told).concurrency_id("files");
    let fetching = fetch.click(download, address, (told, offered)).concurrency_id("files");
    let paused = pause.click(async || (), (), ()).queue(false).cancels([fetching]);
    paused.then(report, address, told).concurrency_id("files");
    delete.click(remove, address, (told, offered)).concurrency_id("files");
}

/// A model, its address, and nothing yet of what it takes.
fn known(name: &str) -> (String, String, String) {
    let known = KNOWN.iter().find(|known| known.name == name).unwrap_or(&KNOWN[0]);
    (known.words(), known.address.to_owned(), String::new())
}

async fn report(address: String, ctx: Context) -> Result<String, Error> {
    let address = checkpoints::address(&address)?;
    let (report, kept) = checkpoints::model(&address).report(&ctx).await?;
    let engine = ctx.engine().await?;
    Ok(words(&address, &report, kept, engine.info()))
}

async fn download(address: String, ctx: Context) -> Result<(String, Choices), Error> {
    let address = checkpoints::address(&address)?;
    checkpoints::model(&address).download(&ctx).await?;
    taken_in(address, ctx).await
}

/// What the visitor chose on this machine was copied.
async fn take_in(address: String, ctx: Context) -> Result<(String, Choices, String), Error> {
    match taken_in(address.clone(), ctx.clone()).await {
        Ok((words, choices)) => Ok((words, choices, address)),
        Err(why) => {
            // It would only take room, under an address that nobody is shown.
            Model::at(&address).delete(&ctx).await?;
            Err(why)
        }
    }
}

/// All of it is on this machine.
async fn taken_in(address: String, ctx: Context) -> Result<(String, Choices), Error> {
    let words = report(address.clone(), ctx.clone()).await?;
    checkpoints::keep(&checkpoints::address(&address)?, true, &ctx);
    ctx.success(format!("{} can be chosen in the Studio.", checkpoints::name(&address)));
    Ok((words, studio::choices(&ctx)))
}

async fn remove(address: String, ctx: Context) -> Result<(String, Choices), Error> {
    let address = checkpoints::address(&address)?;
    checkpoints::unload(&address);
    Model::at(&address).delete(&ctx).await?;
    checkpoints::keep(&address, false, &ctx);
    Ok((format!("Nothing of {} is kept on this machine any more.", checkpoints::name(&address)), studio::choices(&ctx)))
}

/// The report, in Markdown.
fn words(address: &str, report: &Report, kept: Kept, engine: &EngineInfo) -> String {
    let (needs, eight) = (&report.needs, &report.with_eight_bit);
    let fits = match (&report.fit, &report.fit_with_eight_bit) {
        (Ok(()), _) => "fits this machine, as far as a page can tell.".to_owned(),
        (Err(_), Ok(())) => "fits with 8-bit weights: choose them in the Studio's settings of the network.".to_owned(),
        (Err(_), Err(why)) => format!("does not fit, also not with 8-bit weights: {why}"),
    };
    let place = match engine.kind {
        EngineKind::Gpu => {
            format!("{} ({}, buffers of up to {})", engine.name, engine.tier, size(engine.largest_buffer))
        }
        EngineKind::Cpu => "the processor".to_owned(),
    };
    let room = kept.room.map_or(String::new(), |room| [" of ", &size(room)].concat());
    let mut text = format!(
        "**{}** {fits}\n\n- Files: {}, of which {} are kept on this machine.\n- Weights: {} million numbers, {} on \
         {place}. Where that is too much at once: {}. With 8-bit weights: {}, or {} at once.\n- A picture of {side} × {side}: {} \
         beside the weights, {} billion operations a step with guidance.\n- All that this page keeps: {}{room}.\n",
        checkpoints::name(address),
        size(report.bytes()),
        size(kept.bytes.min(report.bytes())),
        decimal(needs.numbers as f64 / 1e6, 1),
        size(needs.weight_bytes),
        size(needs.stage_bytes),
        size(eight.weight_bytes),
        size(eight.stage_bytes),
        size(needs.tensor_bytes),
        decimal(needs.operations / 1e9, 1),
        size(kept.used),
        side = report.side,
    );
    text.push_str("\nIts files:\n\n");
    for (path, bytes) in &report.files {
        text.push_str(&format!("- `{path}`: {}\n", size(*bytes)));
    }
    text
}

/// Bytes in words.
fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    let (unit, name) = [(1e9, "GB"), (1e6, "MB")].into_iter().find(|(unit, _)| bytes >= *unit).unwrap_or((1e3, "kB"));
    [&decimal(bytes / unit, 1), " ", name].concat()
}
