//! Palettes that words of the prompt choose.

use super::random::Random;

type Rgb = [f32; 3];

/// Words and the colours they stand for, dark to light.
const THEMES: [(&str, [Rgb; 4]); 12] = [
    (
        "red fire flame hot lava blood rose",
        [[0.25, 0.01, 0.02], [0.85, 0.08, 0.05], [1.0, 0.45, 0.08], [1.0, 0.85, 0.45]],
    ),
    (
        "orange sunset autumn copper pumpkin",
        [[0.30, 0.05, 0.10], [0.90, 0.30, 0.05], [1.0, 0.60, 0.15], [1.0, 0.88, 0.60]],
    ),
    (
        "yellow gold golden sun honey amber",
        [[0.35, 0.18, 0.02], [0.85, 0.55, 0.05], [1.0, 0.82, 0.20], [1.0, 0.95, 0.70]],
    ),
    (
        "green forest leaf jungle emerald moss",
        [[0.01, 0.16, 0.08], [0.08, 0.50, 0.18], [0.45, 0.80, 0.20], [0.90, 0.97, 0.60]],
    ),
    (
        "cyan turquoise teal lagoon mint",
        [[0.01, 0.15, 0.22], [0.02, 0.50, 0.55], [0.20, 0.85, 0.78], [0.80, 1.0, 0.92]],
    ),
    (
        "blue ocean sea water ice winter sky",
        [[0.01, 0.04, 0.25], [0.05, 0.22, 0.80], [0.20, 0.60, 1.0], [0.80, 0.95, 1.0]],
    ),
    (
        "purple violet magic lilac royal",
        [[0.10, 0.01, 0.22], [0.42, 0.10, 0.75], [0.72, 0.40, 0.98], [0.95, 0.82, 1.0]],
    ),
    (
        "pink magenta candy blossom flower",
        [[0.25, 0.01, 0.14], [0.85, 0.10, 0.50], [1.0, 0.50, 0.72], [1.0, 0.88, 0.90]],
    ),
    (
        "night midnight galaxy space stars moon",
        [[0.02, 0.02, 0.14], [0.15, 0.12, 0.55], [0.55, 0.35, 0.85], [0.75, 0.90, 1.0]],
    ),
    (
        "white silver grey gray black smoke ghost",
        [[0.10, 0.11, 0.13], [0.40, 0.43, 0.48], [0.75, 0.78, 0.82], [1.0, 1.0, 1.0]],
    ),
    (
        "rainbow colorful colourful party",
        [[0.85, 0.10, 0.30], [1.0, 0.75, 0.10], [0.10, 0.80, 0.45], [0.25, 0.40, 1.0]],
    ),
    (
        "earth desert brown wood coffee",
        [[0.16, 0.07, 0.03], [0.50, 0.26, 0.12], [0.80, 0.55, 0.32], [0.97, 0.88, 0.72]],
    ),
];

/// The words of a prompt, in lower case.
pub(super) fn words(prompt: &str) -> Vec<String> {
    gradus_unicode::words(prompt).map(|word| word.to_ascii_lowercase()).collect()
}

/// Whether one of the names, or its plural, is among the words.
pub(super) fn names_one(words: &[String], names: &str) -> bool {
    let named = |word: &String| {
        names.split_whitespace().any(|name| word == name || word.strip_suffix('s').is_some_and(|word| word == name))
    };
    words.iter().any(named)
}

/// Four colours of each theme that the words name; of a drawn theme where they name none.
pub(super) fn colours(words: &[String], random: &mut Random) -> Vec<Rgb> {
    let named = THEMES.iter().filter(|(names, _)| names_one(words, names)).flat_map(|(_, colours)| *colours);
    let named: Vec<Rgb> = named.collect();
    if !named.is_empty() {
        return named;
    }
    random.pick(&THEMES).map_or_else(Vec::new, |(_, colours)| colours.to_vec())
}

/// A colour between those of a row, 0 the first and 1 the last.
pub(super) fn between(colours: &[Rgb], share: f32) -> Rgb {
    let place = share.clamp(0.0, 1.0) * colours.len().saturating_sub(1) as f32;
    let first = place.floor() as usize;
    let at = |index: usize| colours.get(index.min(colours.len().saturating_sub(1))).copied().unwrap_or([1.0; 3]);
    let (low, high, part) = (at(first), at(first + 1), place - first as f32);
    std::array::from_fn(|channel| low[channel] * (1.0 - part) + high[channel] * part)
}
