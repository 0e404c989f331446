//! Which checkpoints the page knows: our own, well-known ones, and those that a visitor adds.

use std::cell::RefCell;

use gradus::diffusion::Precision;
use gradus::models::Model;
use gradus::prelude::*;
use gradus::value::decimal;

/// A checkpoint that the page knows by itself.
pub struct Known {
    pub name: &'static str,
    /// A folder beside the page, or of a host that allows other pages to read it.
    pub address: &'static str,
    /// Whose it is, and what.
    pub about: &'static str,
    pub licence: &'static str,
    /// The files of its weights, in megabytes: of our own as they are kept, of the others in halves.
    pub files: [(&'static str, f32); 3],
    /// The steps and the guidance that it was made for.
    pub usual: (u32, f32),
}

const OURS: &str = "MIT or Apache 2.0, as Gradus";
const OUR_FILES: [(&str, f32); 3] = files(PLAIN, [0.7, 10.8, 1.8]);

/// How diffusers names the files of weights, and of those in halves that lie beside them.
const PLAIN: [&str; 3] = [
    "text_encoder/model.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
];
const HALVES: [&str; 3] = [
    "text_encoder/model.fp16.safetensors",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "vae/diffusion_pytorch_model.fp16.safetensors",
];

const fn files([text, unet, vae]: [&'static str; 3], megabytes: [f32; 3]) -> [(&'static str, f32); 3] {
    [(text, megabytes[0]), (unet, megabytes[1]), (vae, megabytes[2])]
}

/// Our own first. The others' terms are as their authors state them; their sizes are two bytes for each of the numbers that
/// their networks have. What their hosts have is told before anything large is fetched.
pub const KNOWN: [Known; 6] = [
    Known {
        name: "network",
        address: "models/scenes",
        about: "Our own: simple things in simple places, 256 × 256.",
        licence: OURS,
        files: OUR_FILES,
        usual: (8, 3.0),
    },
    Known {
        name: "network, 4 steps",
        address: "models/scenes-few",
        about: "Our own, distilled to 4 steps without guidance, 256 × 256.",
        licence: OURS,
        files: OUR_FILES,
        usual: (4, 1.0),
    },
    Known {
        name: "SD-Turbo",
        address: "https://huggingface.co/stabilityai/sd-turbo/resolve/main",
        about: "Stability AI: anything, 512 × 512 in 1 to 4 steps.",
        licence: "Stability AI Community License",
        files: files(HALVES, [680.8, 1731.8, 167.3]),
        usual: (1, 1.0),
    },
    Known {
        name: "Stable Diffusion 1.5",
        address: "https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5/resolve/main",
        about: "Runway and CompVis: anything, 512 × 512.",
        licence: "CreativeML OpenRAIL-M",
        files: files(HALVES, [246.1, 1719.0, 167.3]),
        usual: (25, 7.5),
    },
    Known {
        name: "BK-SDM Small",
        address: "https://huggingface.co/nota-ai/bk-sdm-small/resolve/main",
        about: "Nota AI: Stable Diffusion 1.4 with fewer layers, 512 × 512.",
        licence: "CreativeML OpenRAIL-M",
        files: files(PLAIN, [246.1, 964.7, 167.3]),
        usual: (25, 7.5),
    },
    Known {
        name: "BK-SDM Tiny",
        address: "https://huggingface.co/nota-ai/bk-sdm-tiny/resolve/main",
        about: "Nota AI: the smallest of these, 512 × 512.",
        licence: "CreativeML OpenRAIL-M",
        files: files(PLAIN, [246.1, 646.8, 167.3]),
        usual: (25, 7.5),
    },
];

impl Known {
    /// What a visitor is told of it, in Markdown.
    pub fn words(&self) -> String {
        let all: f32 = self.files.iter().map(|(_, megabytes)| megabytes).sum();
        let size = |megabytes: f32| match megabytes {
            1000.0.. => [&decimal((megabytes / 1000.0).into(), 1), " GB"].concat(),
            _ => [&decimal(megabytes.into(), 1), " MB"].concat(),
        };
        let folder = |path: &'static str| path.split('/').next().unwrap_or(path);
        let each = self.files.map(|(path, megabytes)| [folder(path), " ", &size(megabytes)].concat());
        [self.about, " About ", &size(all), " (", &each.join(", "), "). Licence: ", self.licence, "."].concat()
    }
}

/// How many of [`KNOWN`] are our own: they are always in the Studio, and stay loaded.
pub const OWN: usize = 2;

/// Under which the names and addresses of those that were added are remembered.
const ADDED: &str = "models";

thread_local! {
    static OPENED: RefCell<Vec<Model>> = const { RefCell::new(Vec::new()) };
}

/// The checkpoint at an address.
pub fn model(address: &str) -> Model {
    Model::at(address).loose()
}

/// The checkpoint at an address, to paint with. Of those that are not our own only one stays loaded, as they are large, and
/// of each only one precision.
pub fn at(address: &str, precision: Precision) -> Model {
    let own = |address: &str| KNOWN[..OWN].iter().any(|known| known.address == address);
    let this = |model: &&Model| model.address() == address && model.is_of(precision);
    let goes = |model: &Model| model.address() == address || !own(address) && !own(model.address());
    OPENED.with_borrow_mut(|opened| {
        opened.iter().filter(|model| !this(model) && goes(model)).for_each(Model::unload);
        if let Some(model) = opened.iter().find(this) {
            return model.clone();
        }
        let model = model(address).precision(precision);
        opened.push(model.clone());
        model
    })
}

/// Gives the memory of a checkpoint's weights back.
pub fn unload(address: &str) {
    OPENED.with_borrow(|opened| opened.iter().filter(|model| model.address() == address).for_each(Model::unload));
}

/// The address that a visitor means: a model's page on a hub stands for its files.
pub fn address(typed: &str) -> Result<String, Error> {
    let typed = typed.trim().trim_end_matches('/');
    if typed.is_empty() {
        return Err(Error::new("Choose a model, type an address, or choose files."));
    }
    let scheme = typed.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| !scheme.contains('/'));
    if scheme.is_some_and(|scheme| !["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known))) {
        return Err(Error::new("An address begins with https://, or names a folder beside this page."));
    }
    if typed.starts_with("https://huggingface.co/") && !typed.split('/').any(|part| part == "resolve") {
        return Ok([typed, "/resolve/main"].concat());
    }
    Ok(typed.to_owned())
}

/// What to call the checkpoint at an address.
pub fn name(address: &str) -> String {
    if let Some(known) = KNOWN.iter().find(|known| known.address == address) {
        return known.name.to_owned();
    }
    let plain = address.trim_end_matches('/');
    let plain = plain.strip_suffix("/resolve/main").unwrap_or(plain);
    decoded(plain.rsplit('/').next().unwrap_or(plain))
}

/// A part of an address as it is read: "%20" is a blank.
fn decoded(part: &str) -> String {
    let hex = |digit: u8| char::from(digit).to_digit(16);
    let mut bytes = Vec::new();
    let mut rest = part.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match after {
            [high, low, behind @ ..] if *first == b'%' => {
                hex(*high).zip(hex(*low)).map(|(high, low)| ((high * 16 + low) as u8, behind))
            }
            _ => None,
        };
        let (byte, behind) = escaped.unwrap_or((*first, after));
        bytes.push(byte);
        rest = behind;
    }
    // What is no text is shown as it is written.
    String::from_utf8(bytes).unwrap_or_else(|_| part.to_owned())
}

/// Those that were added, by name and address.
fn added(ctx: &Context) -> Vec<(String, String)> {
    let text = ctx.recall(ADDED).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once('\t')).map(|(name, at)| (name.to_owned(), at.to_owned())).collect()
}

fn chosen(address: &str) -> bool {
    Model::at(address).is_chosen()
}

/// From now on it is in the Studio, or is not. Where another one has its name it gets a number.
pub fn keep(address: &str, kept: bool, ctx: &Context) {
    let mut all = added(ctx);
    let own = name(address);
    // A folder that is chosen again takes the place of what it was.
    let same = |known: &str| known == address || chosen(known) && chosen(address) && name(known) == own;
    all.retain(|(_, known)| !same(known));
    if kept && !KNOWN[..OWN].iter().any(|known| known.address == address) {
        let taken = |name: &String| {
            all.iter().any(|(known, _)| known == name) || KNOWN[..OWN].iter().any(|known| known.name == *name)
        };
        let numbered = (2..).map(|number: u32| [&own, " (", &number.to_string(), ")"].concat());
        if let Some(name) = std::iter::once(own.clone()).chain(numbered).find(|name| !taken(name)) {
            all.push((name, address.to_owned()));
        }
    }
    let lines: Vec<String> = all.into_iter().map(|(name, address)| [name, address].join("\t")).collect();
    ctx.remember(ADDED, lines.join("\n"));
}

/// The names of all that the Studio offers.
pub fn names(ctx: &Context) -> Vec<String> {
    let own = KNOWN[..OWN].iter().map(|known| known.name.to_owned());
    own.chain(added(ctx).into_iter().map(|(name, _)| name)).collect()
}

/// The address of one that the Studio offers.
pub fn address_of(name: &str, ctx: &Context) -> Option<String> {
    let known = KNOWN[..OWN].iter().find(|known| known.name == name).map(|known| known.address.to_owned());
    known.or_else(|| added(ctx).into_iter().find(|(known, _)| known == name).map(|(_, address)| address))
}

/// The steps and the guidance that a checkpoint was made for, where that is known.
pub fn usual(name: &str) -> Option<(u32, f32)> {
    KNOWN.iter().find(|known| known.name == name).map(|known| known.usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_addresses() {
        let check = |address: &str, expected: &str| assert_eq!(name(address), expected, "{address}");
        check("models/scenes", "network");
        check("https://huggingface.co/a/small-one/resolve/main", "small-one");
        check("https://elsewhere.example/models/mine/", "mine");
        check("folder/My%20own%20%C3%A9tude", "My own étude");
        check("folder/100%", "100%");
        check("folder/%zz%2", "%zz%2");
        check("folder/%ff", "%ff");
    }

    #[test]
    fn the_files_of_our_own_are_there() {
        for known in &KNOWN[..OWN] {
            for (path, _) in known.files {
                let file = format!("{}/{}/{path}", env!("CARGO_MANIFEST_DIR"), known.address);
                assert!(std::fs::exists(&file).unwrap_or(false), "{file}");
            }
        }
    }

    #[test]
    fn a_page_on_a_hub_stands_for_its_files() {
        let check = |typed: &str, expected: &str| assert_eq!(address(typed).ok().as_deref(), Some(expected), "{typed}");
        check(" https://huggingface.co/a/b/ ", "https://huggingface.co/a/b/resolve/main");
        check("https://huggingface.co/a/b/resolve/v2", "https://huggingface.co/a/b/resolve/v2");
        check("https://elsewhere.example/b", "https://elsewhere.example/b");
        check("HTTP://localhost:8000/b", "HTTP://localhost:8000/b");
        check("models/mine: a try", "models/mine: a try");
        let refused =
            [" / ", "javascript:alert(1)", "data:text/html,x", "C:\\models", "file:///models", "localhost:8000/b"];
        for typed in refused {
            assert!(address(typed).is_err(), "{typed}");
        }
    }
}
