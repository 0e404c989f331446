//! Runs the cases of a golden folder (a checkpoint with golden.json and golden.safetensors) on an engine, and measures
//! how far its results are from the reference's.
#![allow(dead_code, reason = "each user takes its part")]

use std::rc::Rc;

use gradus::diffusion::autoencoder::Autoencoder;
use gradus::diffusion::clip::Clip;
use gradus::diffusion::config::Config;
use gradus::diffusion::graph::Graph;
use gradus::diffusion::json::Json;
use gradus::diffusion::noise::Generator;
use gradus::diffusion::plan::{Plan, channels_first, channels_last};
use gradus::diffusion::safetensors::Tensors;
use gradus::diffusion::sampling::{Sampling, Shape};
use gradus::diffusion::schedule::Sampler;
use gradus::diffusion::tokenizer::Tokenizer;
use gradus::diffusion::unet::Unet;
use gradus::diffusion::weights::{self, Meter, Weight};
use gradus::diffusion::{Lora, Precision};
use gradus::kernels::{Control, Engine, EngineKind, Recording};
use gradus::ports::memory::MemoryFiles;
use gradus::ports::{Files, Observer};
use gradus::value::{Error, NoteLevel, Picture, Progress};

/// [`Golden::pipelines_in_halves`] where norms add up by subgroups. Steps multiply what halves round away: in the most sensitive
/// pipeline here (DDIM, cosine, clipped, 10 steps) another order of a norm's sums moves the worst number by 5e-3 of the range.
pub const IN_HALVES_BY_SUBGROUPS: f64 = 3e-2;

/// What came of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub kind: String,
    pub case: String,
    /// The largest difference, and what it may be.
    pub max_abs: f64,
    pub limit: f64,
    /// The reference's range.
    pub range: f64,
    pub pass: bool,
    /// Why it could not be run; else empty.
    pub why: String,
}

struct Nobody;

impl Observer for Nobody {
    fn progress(&self, _: Progress) {}
    fn wants_preview(&self) -> bool {
        false
    }
    fn preview(&self, _: Picture) {}
    fn note(&self, _: NoteLevel, _: String) {}
}

/// A golden folder, and what of its checkpoint was loaded so far.
pub struct Golden<'a> {
    pub files: &'a dyn Files,
    pub engine: &'a dyn Engine,
    pub control: &'a dyn Control,
    tensors: Tensors,
    cases: Vec<Json>,
    pub fixture: String,
    /// A fault that is planted into every network.
    pub tamper: Option<fn(&mut Graph)>,
    pub precision: Precision,
    /// How far a pipeline in halves may be, of its range.
    pub pipelines_in_halves: f64,
    unet: Option<(Unet, Vec<Weight>)>,
}

type Numbers = Vec<f32>;

/// The name of what an engine keeps for a module, and whether that stands behind a SiLU: the time's embedding as all its users
/// read it, and the last norm as one kernel with it.
fn kept_as(path: &str) -> (&str, bool) {
    match path {
        "time_embedding" => ("silu(time_embedding)", true),
        "conv_norm_out" => ("conv_act", true),
        path => (path, false),
    }
}

/// A batch of channels × pixels as pixels × channels.
fn turned(values: &[f32], shape: &[usize]) -> Numbers {
    let (pixels, channels) = (shape[1], shape[2]);
    let of = |picture: &[f32]| (0..pixels * channels).map(|n| picture[n % channels * pixels + n / channels]).collect();
    values.chunks_exact((pixels * channels).max(1)).flat_map(|picture| -> Numbers { of(picture) }).collect()
}

fn missing(what: &str) -> Error {
    Error::new(format!("golden.json has no {what}"))
}

impl<'a> Golden<'a> {
    pub async fn open(files: &'a dyn Files, engine: &'a dyn Engine, control: &'a dyn Control) -> Result<Self, Error> {
        let size = files.size("golden.json").await?.ok_or_else(|| missing("file"))?;
        let json = Json::parse(&files.read("golden.json", 0..size).await?)?;
        let cases = json.get("cases").and_then(Json::list).ok_or_else(|| missing("cases"))?.to_vec();
        let fixture = json.get("fixture").and_then(Json::text).unwrap_or("unnamed").to_owned();
        let tensors = Tensors::open(files, "", "golden").await?;
        Ok(Self {
            files,
            engine,
            control,
            tensors,
            cases,
            fixture,
            tamper: None,
            precision: Precision::AsStored,
            pipelines_in_halves: 2e-2,
            unet: None,
        })
    }

    /// Runs all cases of the kinds that are wanted.
    pub async fn run(&mut self, wanted: impl Fn(&str) -> bool) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for case in self.cases.clone() {
            let kind = case.get("kind").and_then(Json::text).unwrap_or("unknown").to_owned();
            if !wanted(&kind) {
                continue;
            }
            let name = ["scheduler", "out", "latent", "image", "ids", "sample"]
                .iter()
                .find_map(|key| case.get(key).and_then(Json::text))
                .unwrap_or("?");
            let steps =
                case.get("steps").and_then(Json::whole).map_or(String::new(), |steps| format!(" {steps} steps"));
            let mut worst = Outcome {
                kind: kind.clone(),
                case: format!("{name}{steps}"),
                max_abs: 0.0,
                limit: 0.0,
                range: 0.0,
                pass: true,
                why: String::new(),
            };
            match self.case(&kind, &case).await {
                Ok(parts) => {
                    for (part, got, expected, pipeline) in parts {
                        self.judge(&mut worst, &part, &got, &expected, pipeline);
                    }
                }
                Err(error) => {
                    worst.pass = false;
                    worst.why = error.to_string();
                }
            }
            outcomes.push(worst);
        }
        outcomes
    }

    /// The first part that is too far away is told; else the one that is the farthest for its limit.
    fn judge(&self, worst: &mut Outcome, part: &str, got: &[f32], expected: &[f32], pipeline: bool) {
        let (low, high) = expected.iter().fold((f32::MAX, f32::MIN), |(low, high), &x| (low.min(x), high.max(x)));
        let range = f64::from(high - low).max(0.0);
        // The second is a pipeline's, of the range.
        let (one, whole) = match self.engine.info().kind {
            EngineKind::Cpu => (1e-5, 1e-4),
            EngineKind::Gpu if self.engine.choices().halves() => (5e-3, self.pipelines_in_halves),
            EngineKind::Gpu => (5e-5, 1e-4),
        };
        let limit = if pipeline { whole * range } else { one * (range / 4.0).max(1.0) };
        let far = |(a, b): (&f32, &f32)| {
            let off = f64::from((a - b).abs());
            if off.is_nan() { f64::INFINITY } else { off }
        };
        let max_abs = got.iter().zip(expected).map(far).fold(0.0, f64::max);
        let pass = got.len() == expected.len() && max_abs <= limit;
        if worst.pass && (!pass || max_abs * worst.limit >= worst.max_abs * limit) {
            *worst = Outcome { max_abs, limit, range, pass, ..worst.clone() };
            if !pass {
                worst.why = format!("{part}: {} numbers for {}", got.len(), expected.len());
            }
        }
    }

    async fn tensor(&self, name: &str) -> Result<Numbers, Error> {
        self.tensors.read(self.files, name).await
    }

    fn text<'c>(&self, case: &'c Json, key: &str) -> Result<&'c str, Error> {
        case.get(key).and_then(Json::text).ok_or_else(|| missing(key))
    }

    async fn field(&self, case: &Json, key: &str) -> Result<Numbers, Error> {
        self.tensor(self.text(case, key)?).await
    }

    fn shape(&self, case: &Json, key: &str) -> Result<Vec<usize>, Error> {
        let tensor = self.tensors.get(self.text(case, key)?).ok_or_else(|| missing(key))?;
        Ok(tensor.shape.clone())
    }

    fn number(&self, case: &Json, key: &str) -> Result<f64, Error> {
        case.get(key).and_then(Json::number).ok_or_else(|| missing(key))
    }

    async fn load(&self, graph: &Graph, folder: &str, stem: &str) -> Result<Vec<Weight>, Error> {
        let tensors = Tensors::open(self.files, folder, stem).await?;
        self.load_from(&tensors, graph).await
    }

    /// The tensors of a component, with the case's LoRA where it has one.
    async fn opened(&self, case: &Json, folder: &str, stem: &str) -> Result<Tensors, Error> {
        let mut tensors = Tensors::open(self.files, folder, stem).await?;
        if case.get("lora").is_some() {
            let path = self.text(case, "lora")?;
            let size = self.files.size(path).await?.unwrap_or(0);
            let mut files = MemoryFiles::default();
            files.insert(path, self.files.read(path, 0..size).await?);
            let lora = Lora::open(Rc::new(files), path, self.number(case, "weight")? as f32).await?;
            Rc::new(lora).attach(folder, &mut tensors).await?;
        }
        Ok(tensors)
    }

    async fn load_from(&self, tensors: &Tensors, graph: &Graph) -> Result<Vec<Weight>, Error> {
        let mut graph = graph.clone();
        if let Some(tamper) = self.tamper {
            tamper(&mut graph);
        }
        let mut meter = Meter::new(&Nobody, 1, 0);
        weights::load(&graph.weights, tensors, self.precision, self.files, self.engine, self.control, &mut meter).await
    }

    async fn config(&self, path: &str) -> Result<Config, Error> {
        Config::read(self.files, path).await
    }

    async fn unet(&mut self) -> Result<(Unet, Vec<Weight>), Error> {
        if self.unet.is_none() {
            let unet = Unet::new(&self.config("unet/config.json").await?)?;
            let weights = self.load(&unet.graph(1, [8, 8], 4)?, "unet", "diffusion_pytorch_model").await?;
            self.unet = Some((unet, weights));
        }
        self.unet.clone().ok_or_else(|| missing("unet"))
    }

    /// Runs a graph on inputs; its outputs, and what modules made by path.
    async fn forward(
        &self,
        graph: &Graph,
        weights: &[Weight],
        inputs: &[Numbers],
        paths: &[&str],
    ) -> Result<(Vec<Numbers>, Vec<Option<Numbers>>), Error> {
        let mut graph = graph.clone();
        if let Some(tamper) = self.tamper {
            tamper(&mut graph);
        }
        let plan = Plan::new(&graph, self.engine, self.control, weights, !paths.is_empty()).await?;
        let mut recording = Recording::new();
        for (number, values) in inputs.iter().enumerate() {
            plan.write(&mut recording, number, values)?;
        }
        self.engine.run(&recording, self.control).await?;
        plan.run(self.engine, self.control).await?;
        let mut outputs = Vec::new();
        for number in 0..graph.outputs.len() {
            outputs.push(plan.read(self.engine, number).await?);
        }
        let mut named = Vec::new();
        for path in paths {
            named.push(plan.read_named(self.engine, path).await?);
        }
        Ok((outputs, named))
    }

    /// What a case computes: parts as (name, got, expected, whether the limit is a pipeline's).
    async fn case(&mut self, kind: &str, case: &Json) -> Result<Vec<(String, Numbers, Numbers, bool)>, Error> {
        let one = |name: &str, got, expected| Ok(vec![(name.to_owned(), got, expected, false)]);
        match kind {
            "tokenize" => {
                let folder = case.get("folder").and_then(Json::text).unwrap_or("tokenizer");
                let tokenizer = Tokenizer::read(self.files, folder).await?;
                let length = self.number(case, "max_length")? as usize;
                let ids = tokenizer.encode(self.text(case, "text")?, length);
                one("ids", ids.iter().map(|&id| id as f32).collect(), self.field(case, "ids").await?)
            }
            "text_encoder" => self.text_encoder(case).await,
            "unet" | "unet_f16_weights" => self.network(case).await,
            "vae_decode" | "vae_encode" => self.autoencoder(kind, case).await,
            "pipeline" => self.pipeline(case).await,
            "add_noise" => {
                let sampler = Sampler::new(&self.config(self.text(case, "scheduler")?).await?, None)?;
                let schedule = sampler.schedule(self.number(case, "steps")? as usize)?;
                let step = &schedule.steps[self.number(case, "start")? as usize];
                let (latent, noise) = (self.field(case, "latent").await?, self.field(case, "noise").await?);
                let mix = |(x, n): (&f32, &f32)| x * step.start[0] as f32 + n * step.start[1] as f32;
                one("out", latent.iter().zip(&noise).map(mix).collect(), self.field(case, "out").await?)
            }
            "randn" => {
                let mut generator = Generator::new(self.number(case, "seed")? as u64);
                one("out", generator.normal(self.number(case, "n")? as usize), self.field(case, "out").await?)
            }
            "randn_sequence" => {
                let mut generator = Generator::new(self.number(case, "seed")? as u64);
                let sizes = case.get("shape").and_then(Json::list).ok_or_else(|| missing("shape"))?;
                let count = sizes.iter().filter_map(Json::whole).product::<u64>() as usize;
                let mut parts = Vec::new();
                for name in case.get("out").and_then(Json::list).unwrap_or_default().iter().filter_map(Json::text) {
                    parts.push((name.to_owned(), generator.normal(count), self.tensor(name).await?, false));
                }
                Ok(parts)
            }
            _ => Err(Error::new("this kind of case is not known")),
        }
    }

    async fn text_encoder(&self, case: &Json) -> Result<Vec<(String, Numbers, Numbers, bool)>, Error> {
        let folder = case.get("folder").and_then(Json::text).unwrap_or("text_encoder");
        let clip = Clip::new(&self.config(&format!("{folder}/config.json")).await?)?;
        let ids: Vec<u32> = self.field(case, "ids").await?.iter().map(|&id| id as u32).collect();
        let tokens = self.shape(case, "ids")?.last().copied().unwrap_or(0).max(1);
        let graph = clip.graph(ids.len() / tokens, tokens)?;
        let tensors = self.opened(case, folder, "model").await?;
        let weights = self.load_from(&tensors, &graph).await?;
        let rows = clip.embed(&ids, tokens, &tensors, self.files).await?;
        let (outputs, _) = self.forward(&graph, &weights, &[rows], &[]).await?;
        let mut parts = vec![("out".to_owned(), outputs[0].clone(), self.field(case, "out").await?, false)];
        let states = case.get("hidden_states").and_then(Json::list).unwrap_or_default();
        for (number, name) in states.iter().filter_map(Json::text).enumerate() {
            let got = outputs.get(number + 1).cloned().unwrap_or_default();
            parts.push((name.to_owned(), got, self.tensor(name).await?, false));
        }
        if case.get("pooled").is_some() {
            let mut row = Vec::new();
            for (ids, states) in ids.chunks(tokens).zip(outputs[0].chunks(tokens * clip.channels)) {
                let place = clip.pooled(ids) * clip.channels;
                row.extend_from_slice(&states[place..place + clip.channels]);
            }
            parts.push(("pooled".to_owned(), row, self.field(case, "pooled").await?, false));
        }
        Ok(parts)
    }

    async fn network(&mut self, case: &Json) -> Result<Vec<(String, Numbers, Numbers, bool)>, Error> {
        let (unet, mut weights) = self.unet().await?;
        if let Some(path) = case.get("weights").and_then(Json::text) {
            let (folder, stem) = path.trim_end_matches(".safetensors").rsplit_once('/').unwrap_or(("", path));
            weights = self.load(&unet.graph(1, [8, 8], 4)?, folder, stem).await?;
        }
        if case.get("lora").is_some() {
            let tensors = self.opened(case, "unet", "diffusion_pytorch_model").await?;
            weights = self.load_from(&tensors, &unet.graph(1, [8, 8], 4)?).await?;
        }
        let (sample, context) = (self.shape(case, "sample")?, self.shape(case, "context")?);
        let graph = unet.graph(sample[0], [sample[2], sample[3]], context[1])?;
        let t = self.number(case, "t")? as f32;
        // What the network reads beside the latent is an input by itself.
        let (mut latents, mut given) = (Vec::new(), Vec::new());
        for picture in self.field(case, "sample").await?.chunks(sample[1] * sample[2] * sample[3]) {
            let (latent, rest) = picture.split_at((sample[1] - unet.given()) * sample[2] * sample[3]);
            latents.extend_from_slice(latent);
            given.extend_from_slice(rest);
        }
        let mut inputs = vec![latents, unet.time_input(t, sample[0]), self.field(case, "context").await?];
        if case.get("timestep_cond").is_some() {
            inputs.push(self.field(case, "timestep_cond").await?);
        }
        if let Some((numbers, _)) = unet.addition {
            let (texts, sizes) = (self.field(case, "text_embeds").await?, self.field(case, "time_ids").await?);
            let mut added = Vec::new();
            for (text, sizes) in texts.chunks(texts.len() / sample[0]).zip(sizes.chunks(6)) {
                added.extend_from_slice(text);
                added.extend(sizes.iter().flat_map(|&size| unet.sinusoids(size, numbers)));
            }
            inputs.push(added);
        }
        if unet.given() > 0 {
            inputs.push(given);
        }
        let seen = case.get("intermediates").and_then(Json::map).unwrap_or_default();
        let paths: Vec<&str> = seen.iter().map(|(path, _)| kept_as(path).0).collect();
        let (outputs, named) = self.forward(&graph, &weights, &inputs, &paths).await?;
        let mut parts = Vec::new();
        for ((path, name), got) in seen.iter().zip(named) {
            let unknown = || Error::new(format!("the network keeps no tensor of {path}"));
            let mut got = got.ok_or_else(unknown)?;
            let name = name.text().ok_or_else(unknown)?;
            let mut expected = self.tensor(name).await?;
            if kept_as(path).1 {
                expected.iter_mut().for_each(|x| *x /= 1.0 + (-*x).exp());
            }
            // A time that is the same for every picture is kept once.
            got = got.repeat(if got.len() * sample[0] == expected.len() { sample[0] } else { 1 });
            let shape = self.tensors.get(name).ok_or_else(unknown)?.shape.clone();
            // The reference's transformers have a row for each pixel.
            if shape.len() == 3 {
                got = turned(&got, &shape);
            }
            parts.push((path.clone(), got, expected, false));
        }
        parts.push(("out".to_owned(), outputs[0].clone(), self.field(case, "out").await?, false));
        Ok(parts)
    }

    async fn autoencoder(&self, kind: &str, case: &Json) -> Result<Vec<(String, Numbers, Numbers, bool)>, Error> {
        let key = if kind == "vae_decode" { "latent" } else { "image" };
        let folder = self.text(case, key)?.split('/').next().unwrap_or("vae");
        let autoencoder = Autoencoder::new(&self.config(&format!("{folder}/config.json")).await?)?;
        let shape = self.shape(case, key)?;
        let [scale, shift] = autoencoder.range();
        let mut input = self.field(case, key).await?;
        if kind == "vae_decode" {
            let graph = autoencoder.decoder(shape[0], [shape[2], shape[3]])?;
            let weights = self.load(&graph, folder, "diffusion_pytorch_model").await?;
            let (mut outputs, _) = self.forward(&graph, &weights, &[input], &[]).await?;
            // The reference's pictures are of -1..1.
            outputs[0].iter_mut().for_each(|x| *x = (*x * scale + shift) * 2.0 - 1.0);
            return Ok(vec![("out".to_owned(), outputs.swap_remove(0), self.field(case, "out").await?, false)]);
        }
        let graph = autoencoder.encoder(shape[0], [shape[2], shape[3]])?;
        let weights = self.load(&graph, folder, "diffusion_pytorch_model").await?;
        input.iter_mut().for_each(|x| *x = ((*x + 1.0) / 2.0 - shift) / scale);
        let (outputs, _) = self.forward(&graph, &weights, &[input], &[]).await?;
        if case.get("latents").is_some() {
            return Ok(vec![("latents".to_owned(), outputs[0].clone(), self.field(case, "latents").await?, false)]);
        }
        let (mean, logvar) = outputs[0].split_at(outputs[0].len() / 2);
        let logvar = logvar.iter().map(|x| x.clamp(-30.0, 20.0)).collect();
        Ok(vec![
            ("mean".to_owned(), mean.to_vec(), self.field(case, "mean").await?, false),
            ("logvar".to_owned(), logvar, self.field(case, "logvar").await?, false),
        ])
    }

    async fn pipeline(&mut self, case: &Json) -> Result<Vec<(String, Numbers, Numbers, bool)>, Error> {
        let sampler = Sampler::new(&self.config(self.text(case, "config")?).await?, None)?;
        let schedule = sampler.schedule(self.number(case, "steps")? as usize)?;
        let (unet, weights) = self.unet().await?;
        let (noise, context) = (self.shape(case, "noise_in")?, self.shape(case, "context")?);
        let guidance = self.number(case, "guidance")? as f32;
        let shape = Shape { pictures: noise[0], size: [noise[2], noise[3]], tokens: context[1], guidance };
        let mut sampling = Sampling::new(&unet, &weights, self.engine, self.control, shape).await?;
        let mut states = self.field(case, "context").await?;
        if !shape.pair(&unet) && context[0] > noise[0] {
            states.drain(..states.len() / 2);
        }
        let (node, buffer) = sampling.context().cloned().ok_or_else(|| missing("context"))?;
        let mut recording = Recording::new();
        recording.write(&buffer, &channels_last(&node, &states));
        self.engine.run(&recording, self.control).await?;
        let noise = self.field(case, "noise_in").await?;
        let first = sampling.first_latents(&noise, &schedule);
        sampling.begin(&first, self.engine, self.control).await?;
        let fresh = if case.get("step_noise").is_some() { self.field(case, "step_noise").await? } else { Vec::new() };
        let mut fresh = fresh.chunks_exact(noise.len());
        let (mut predictions, mut latents) = (Vec::new(), Vec::new());
        for step in &schedule.steps {
            let fresh = if step.noise { fresh.next() } else { None };
            sampling.step(step, fresh, self.engine, self.control).await?;
            let (node, buffer) = sampling.prediction().ok_or_else(|| missing("prediction"))?;
            let words = self.engine.read(buffer).await?;
            let numbers: Numbers = words.into_iter().map(f32::from_bits).collect();
            let mut predicted = channels_first(node, &numbers);
            if shape.pair(&unet) {
                let told = predicted.split_off(predicted.len() / 2);
                predicted.iter_mut().zip(told).for_each(|(x, told)| *x += guidance * (told - *x));
            }
            predictions.extend(predicted);
            sampling.advance(step, self.engine, self.control).await?;
            latents.extend(sampling.read(self.engine).await?);
        }
        let times: Numbers = schedule.steps.iter().map(|step| step.t as f32).collect();
        let expected = match case.get("timesteps") {
            Some(Json::List(list)) => list.iter().filter_map(Json::number).map(|t| t as f32).collect(),
            _ => self.field(case, "timesteps").await?,
        };
        let mut parts = vec![
            // Times are compared by their share of all.
            (
                "timesteps".to_owned(),
                times.iter().map(|t| t / 1e3).collect(),
                expected.iter().map(|t| t / 1e3).collect(),
                false,
            ),
            ("noise_pred".to_owned(), predictions, self.field(case, "noise_pred").await?, true),
            ("latents".to_owned(), latents, self.field(case, "latents").await?, true),
        ];
        if case.get("image").is_some() {
            let autoencoder = Autoencoder::new(&self.config("vae/config.json").await?)?;
            let graph = autoencoder.decoder(shape.pictures, shape.size)?;
            let weights = self.load(&graph, "vae", "diffusion_pytorch_model").await?;
            let mut last = sampling.read(self.engine).await?;
            last.iter_mut().for_each(|x| *x /= autoencoder.scaling as f32);
            let (outputs, _) = self.forward(&graph, &weights, &[last], &[]).await?;
            let [scale, shift] = autoencoder.range();
            let image = outputs[0].iter().map(|x| (x * scale + shift).clamp(0.0, 1.0)).collect();
            parts.push(("image".to_owned(), image, self.field(case, "image").await?, true));
        }
        Ok(parts)
    }
}
