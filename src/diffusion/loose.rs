//! A checkpoint whose files lie loose, as a visitor chooses them where no folder can be chosen: what is in them tells where
//! each belongs in diffusers' layout.
//!
//! The files are hostile: a text is read up to what configurations may have, a file of weights by its header alone. It is all
//! done by plain loops over one list, as each page that takes files in has to load them.

use std::ops::Range;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;

use super::config;
use super::json::Json;
use super::safetensors::Tensors;
use super::tokenizer::END;
use crate::ports::{Files, Kept};
use crate::value::Error;

/// Where files lie loose: a JSON list of their paths.
const LIST: &str = "loose.json";
/// The most files that are looked at: a checkpoint with all of its variants has about sixty.
const MOST: usize = 100;
/// From so many bytes on a message goes on no more.
const TOLD: usize = 500;

const CONFIG: &str = "config.json";
const INDEX: &str = ".index.json";
const WEIGHTS: &str = ".safetensors";
/// What is in a shard's name.
const SHARD: &str = "-of-";
const NOWHERE: &str = " belongs nowhere.";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const TOKEN_MAP: &str = "special_tokens_map.json";
/// What tells by its name where it belongs; nowhere: what is passed over, as no part of ours looks at it.
const NAMES: [(&str, &str); 10] = [
    ("", "model_index.json"),
    ("scheduler", "scheduler_config.json"),
    (TOKENIZER, "vocab.json"),
    (TOKENIZER, "merges.txt"),
    (TOKENIZER, "tokenizer.json"),
    (TOKENIZER, "added_tokens.json"),
    (TOKENIZER, TOKENIZER_CONFIG),
    (TOKENIZER, TOKEN_MAP),
    (PASSED, "preprocessor_config.json"),
    (PASSED, "README.md"),
];
const PASSED: &str = "-";
const TOKENIZER: &str = "tokenizer";
const TEXT: &str = "text_encoder";
/// The second of two text encoders.
const PROJECTS: &str = "CLIPTextModelWithProjection";
/// Which part has a configuration of which class.
const CLASSES: [(&str, &str); 6] = [
    ("unet", "UNet2DConditionModel"),
    ("vae", "AutoencoderKL"),
    ("vae", "AutoencoderTiny"),
    (TEXT, "CLIPTextModel"),
    (TEXT, PROJECTS),
    (PASSED, "StableDiffusionSafetyChecker"),
];
/// What is in the names of a part's layers, or begins them; the first that fits.
const LAYERS: [(&str, &str); 5] = [
    ("", "lora"),
    (PASSED, "^concept_embeds ^special_care_embeds ^vision_model. ^visual_projection."),
    (TEXT, ".self_attn. .mlp. .layer_norm ^text_ ^embeddings. ^final_layer_norm."),
    ("vae", "^encoder. ^decoder. quant_conv."),
    ("unet", "^conv_ ^time_embedding. ^add_embedding. ^down_blocks. ^mid_block. ^up_blocks."),
];

/// What there must be; without a name, weights.
const NEEDED: [(&str, &str); 10] = [
    ("unet", CONFIG),
    ("unet", ""),
    ("vae", CONFIG),
    ("vae", ""),
    (TEXT, CONFIG),
    (TEXT, ""),
    ("scheduler", "scheduler_config.json"),
    (TOKENIZER, "vocab.json"),
    (TOKENIZER, "merges.txt"),
    (TOKENIZER, TOKENIZER_CONFIG),
];

/// The files as a checkpoint's folder: where they lie loose (`loose.json` lists their paths) each in the place that its content
/// tells, else as they are. A browser's "config (1).json" is as good as "config.json".
///
/// # Errors
/// When loose files are no whole checkpoint: what is missing, doubled or does not belong, all in one message.
///
/// ```
/// use std::rc::Rc;
/// use gradus::diffusion::loose::sorted;
/// use gradus::ports::memory::MemoryFiles;
/// let mut files = MemoryFiles::default();
/// files.insert("loose.json", br#"["config (1).json"]"#.as_slice());
/// files.insert("config (1).json", br#"{"_class_name": "UNet2DConditionModel"}"#.as_slice());
/// let refused = futures_util::FutureExt::now_or_never(sorted(Rc::new(files))).unwrap().err().unwrap();
/// assert!(refused.message().starts_with("unet/diffusion_pytorch_model.safetensors is missing. vae/config.json is missing."));
/// ```
pub async fn sorted(files: Rc<dyn Files>) -> Result<Rc<dyn Files>, Error> {
    let (mut all, mut words) = (Vec::new(), String::new());
    // The list comes first, through the same call as what it lists.
    let mut paths = vec![LIST.to_owned()];
    while let Some(path) = paths.pop() {
        let mut found = Found { path, ..Found::default() };
        let seen = if found.path.ends_with(WEIGHTS) {
            let mut tensors = Tensors::default();
            let added = tensors.add(&*files, found.path.clone()).await;
            added.and_then(|()| found.measure(&tensors))
        } else {
            match config::read(&*files, &found.path).await {
                Ok(bytes) if found.path == LIST => {
                    paths = listed(&bytes)?;
                    continue;
                }
                Ok(bytes) => found.read(&bytes),
                Err(_) if found.path == LIST => return Ok(files),
                Err(why) => Err(why),
            }
        };
        match seen {
            Ok(()) => all.push(found),
            Err(why) => tell(&mut words, &[why.message()]),
        }
    }
    let places = fill(all, &mut words);
    if words.is_empty() {
        return Ok(Rc::new(Placed { files, places }));
    }
    words.push_str("Choose all files of the model again, at once, and only these.");
    Err(Error::new(words))
}

fn listed(bytes: &[u8]) -> Result<Vec<String>, Error> {
    let list = Json::parse(bytes)?;
    let list = list.list().unwrap_or_default();
    if list.len() > MOST {
        return Err(Error::new(format!(
            "These are {} files; at most {MOST} are looked at. Choose only the model's own.",
            list.len()
        )));
    }
    // They are taken from the end; the list is none of them.
    Ok(list.iter().rev().filter_map(Json::text).filter(|path| *path != LIST).map(str::to_owned).collect())
}

/// Files by other paths than their own.
struct Placed {
    files: Rc<dyn Files>,
    places: Vec<Place>,
}

/// Where a file belongs, where it is, and a sum of its bytes if it is a text.
struct Place {
    place: String,
    path: String,
    sum: u64,
}

/// The file that belongs there.
fn at<'a>(places: &'a [Place], place: &str) -> Option<&'a Place> {
    let part = |of: &str| of.split('/').next() == place.split('/').next();
    // A shard has the name that its index gives it, or nearly.
    let shard = place.contains(SHARD);
    places.iter().find(|of| of.place == place || shard && part(&of.place) && is_named(&of.path, place))
}

impl Placed {
    /// A path that is no place is none of the files' own either.
    fn own<'a>(&'a self, path: &'a str) -> &'a str {
        at(&self.places, path).map_or(path, |of| &of.path)
    }
}

impl Files for Placed {
    fn size<'a>(&'a self, path: &'a str) -> LocalBoxFuture<'a, Result<Option<u64>, Error>> {
        self.files.size(self.own(path))
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> LocalBoxFuture<'a, Result<Vec<u8>, Error>> {
        self.files.read(self.own(path), range)
    }

    fn kept(&self) -> LocalBoxFuture<'_, Result<Kept, Error>> {
        self.files.kept()
    }
}

/// What a file is.
#[derive(Default)]
struct Found {
    path: String,
    /// The part that it belongs to; of two text encoders or tokenizers the first.
    part: &'static str,
    /// Its name there; of weights none.
    name: &'static str,
    /// Whether it is rather the second's.
    second: bool,
    /// Whether it wants two text encoders.
    pair: bool,
    /// A text encoder's channels and words, as far as it tells them; else 0.
    channels: u64,
    words: u64,
    /// A sum of a text's bytes.
    sum: u64,
    index: Option<Json>,
}

impl Found {
    fn refuse(&self, why: &str) -> Error {
        Error::new([&self.path, why].concat())
    }

    fn measure(&mut self, tensors: &Tensors) -> Result<(), Error> {
        let norm = tensors.names().find(|name| name.ends_with("layer_norm1.weight")).and_then(|name| tensors.get(name));
        self.channels = norm.map_or(0, |norm| norm.count() as u64);
        self.weigh(&mut tensors.names())
    }

    /// Sees what a text is.
    fn read(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let json = match self.path.ends_with(".json") {
            true => Json::parse(bytes).map_err(|why| self.refuse(&[": ", why.message(), "."].concat()))?,
            false => Json::Null,
        };
        self.sum = bytes.iter().fold(1, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        if let Some((part, name)) = NAMES.iter().find(|(_, name)| is_named(&self.path, name)) {
            (self.part, self.name) = (part, name);
            // Two tokenizers have the same words, but the second pads with another.
            let pad = json.get("pad_token");
            self.second = pad.and_then(|pad| pad.get("content").unwrap_or(pad).text()).is_some_and(|pad| pad != END);
            return Ok(());
        }
        if let Some(map) = json.get("weight_map").and_then(Json::map) {
            self.name = INDEX;
            self.weigh(&mut map.iter().map(|(tensor, _)| tensor.as_str()))?;
            self.index = Some(json);
            return Ok(());
        }
        let class = json.get("_class_name").or_else(|| json.get("architectures")?.list()?.first());
        let class = class.and_then(Json::text).unwrap_or_default();
        let part = CLASSES.iter().find(|(_, known)| *known == class);
        (self.part, self.name) = (part.ok_or_else(|| self.refuse(NOWHERE))?.0, CONFIG);
        self.second = class == PROJECTS;
        self.pair = json.get("addition_embed_type").is_some_and(|of| *of != Json::Null);
        let number = |key| json.get(key).and_then(Json::whole).unwrap_or(0);
        (self.channels, self.words) = (number("hidden_size"), number("vocab_size"));
        Ok(())
    }

    /// Sees what weights are of, by the names of their tensors.
    fn weigh(&mut self, tensors: &mut dyn Iterator<Item = &str>) -> Result<(), Error> {
        let mut mixed = false;
        for tensor in tensors {
            if tensor.starts_with("model.diffusion_model.") {
                return Err(self.refuse(" is a whole model in one file. Choose its diffusers layout's instead."));
            }
            let is = |part: &str| match part.strip_prefix('^') {
                Some(start) => tensor.starts_with(start),
                None => tensor.contains(part),
            };
            let part = LAYERS.iter().find(|(_, parts)| parts.split(' ').any(is)).map_or("", |(part, _)| part);
            mixed |= part.is_empty() || !self.part.is_empty() && part != self.part;
            self.part = part;
            self.second |= tensor == "text_projection.weight";
        }
        if mixed || self.part.is_empty() { Err(self.refuse(NOWHERE)) } else { Ok(()) }
    }
}

fn tell(words: &mut String, all: &[&str]) {
    if words.len() < TOLD {
        words.extend(all.iter().chain(&[" "]).copied());
    }
}

/// Gives each of them its place, and tells what is missing.
fn fill(mut all: Vec<Found>, words: &mut String) -> Vec<Place> {
    let (mut pair, mut channels, mut vocabulary) = (false, [0; 2], [0; 2]);
    for found in all.iter().filter(|found| found.name == CONFIG) {
        pair |= found.pair;
        if found.part == TEXT {
            channels[usize::from(found.second)] = found.channels;
            vocabulary[usize::from(found.second)] = found.words;
        }
    }
    let mut places: Vec<Place> = Vec::new();
    for found in all.iter_mut().filter(|found| found.part != PASSED) {
        if found.name.is_empty() && channels[0] != channels[1] && channels.contains(&found.channels) {
            found.second = found.channels == channels[1];
        }
        let own = found.path.rsplit('/').next().unwrap_or_default();
        let mut ending = [stem(found.part), WEIGHTS].concat();
        let name = match found.name {
            "" if own.contains(SHARD) => own,
            "" => &ending,
            INDEX => {
                ending.push_str(INDEX);
                &ending
            }
            name => name,
        };
        let twofold = pair && (found.part == TEXT || found.part == TOKENIZER);
        found.second &= twofold;
        // One vocabulary serves both, but what pads does not; what was chosen out of both folders is meant for both.
        let pads = name == TOKENIZER_CONFIG || name == TOKEN_MAP;
        let mut both = twofold && found.part == TOKENIZER && !pads && vocabulary[0] == vocabulary[1];
        for second in [found.second, !found.second] {
            if second != found.second && !both {
                break;
            }
            let place = place(found.part, second, name);
            match places.iter().find(|other| other.place == place) {
                None => places.push(Place { place, path: found.path.clone(), sum: found.sum }),
                Some(other) if other.sum == found.sum && found.sum != 0 => both = twofold,
                Some(other) => tell(words, &[&other.path, " and ", &found.path, " are both ", &place, "."]),
            }
        }
    }
    for (part, name) in NEEDED {
        for second in [false, true] {
            let twofold = pair && (part == TEXT || part == TOKENIZER);
            if second && !twofold || name == TOKENIZER_CONFIG && !pair {
                continue;
            }
            let mut need = |name: &str, or: &str| {
                let place = place(part, second, name);
                let there = at(&places, &place).is_some() || at(&places, &self::place(part, second, or)).is_some();
                if !there && !words.contains(&place) {
                    tell(words, &[&place, " is missing."]);
                }
            };
            if name.is_empty() {
                // Where there is an index, its shards are as good as the whole; shards alone miss it.
                let whole = [stem(part), WEIGHTS].concat();
                let index = [&whole, INDEX].concat();
                let ours = |found: &&Found| found.part == part && found.second == second;
                let shards = all.iter().filter(ours).any(|found| found.path.contains(SHARD));
                if shards {
                    need(&index, &whole)
                } else {
                    need(&whole, &index)
                }
                for found in all.iter().filter(ours) {
                    let map = found.index.as_ref().and_then(|index| index.get("weight_map")?.map()).unwrap_or_default();
                    map.iter().filter_map(|(_, shard)| shard.text()).for_each(|shard| need(shard, &whole));
                }
            } else {
                need(name, if name == TOKENIZER_CONFIG { "" } else { "tokenizer.json" });
            }
        }
    }
    places
}

/// A path in the layout.
fn place(part: &str, second: bool, name: &str) -> String {
    [part, if second { "_2" } else { "" }, if part.is_empty() { "" } else { "/" }, name].concat()
}

/// The name of a part's weights without its ending.
fn stem(part: &str) -> &'static str {
    if part == TEXT { "model" } else { "diffusion_pytorch_model" }
}

/// Whether a file bears this name, be it with the number that a browser gives to the second of a name.
fn is_named(path: &str, known: &str) -> bool {
    let [name, known] = [path, known].map(|path| path.rsplit('/').next().unwrap_or_default());
    let Some((stem, ending)) = known.rsplit_once('.') else { return false };
    let rest = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(ending)?.strip_suffix('.'));
    rest.is_some_and(|rest| rest.bytes().all(|byte| b"0123456789 ()-_".contains(&byte)))
}
