//! CLIP's tokenizer: byte pairs (Sennrich et al., 2016) inside of words, as OpenAI's CLIP has them.

use std::collections::BinaryHeap;

use gradus_unicode::{composed, lowered, outlined};

use super::config::{self, Config};
use super::json::Json;
use crate::ports::Files;
use crate::value::{Error, SortedMap};

/// The most entries of a vocabulary.
const MOST: usize = 1 << 18;
/// The most characters of a text that are looked at.
const MOST_CHARS: usize = 100_000;
/// What marks a word's last piece.
const END_OF_WORD: &str = "</w>";
const START: &str = "<|startoftext|>";
pub(super) const END: &str = "<|endoftext|>";
/// Which special tokens are found as transformers finds them.
const PLAIN: &str = "tokens without lstrip, rstrip and single_word";

/// What configurations of a tokenizer say that is read, or that changes nothing here.
const KNOWN: &[&str] = &[
    "added_tokens_decoder",
    "additional_special_tokens",
    "backend",
    "bos_token",
    "clean_up_tokenization_spaces",
    "do_lower_case",
    "eos_token",
    "errors",
    "extra_special_tokens",
    "is_local",
    "local_files_only",
    "max_length",
    "model_input_names",
    "model_max_length",
    "name_or_path",
    "pad_to_multiple_of",
    "pad_token",
    "pad_token_type_id",
    "padding_side",
    "processor_class",
    "special_tokens_map_file",
    "stride",
    "tokenizer_class",
    "tokenizer_file",
    "truncation_side",
    "truncation_strategy",
    "unk_token",
    "use_fast",
];

/// A vocabulary and its merges.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    /// The token of each byte, inside of a word and at its end.
    bytes: Vec<[u32; 2]>,
    /// A pair of tokens: its rank and the token that it becomes.
    merges: SortedMap<(u32, u32), (u32, u32)>,
    start: u32,
    end: u32,
    pad: u32,
    most: usize,
    specials: Vec<Special>,
}

/// A token that is found in a text as it stands, before the text is split into words.
#[derive(Clone, Debug)]
struct Special {
    text: String,
    id: u32,
    /// Whether it is looked for when the text is in small letters.
    lowered: bool,
}

/// What files say of special tokens.
#[derive(Default)]
struct Told {
    /// Text, number where one is told, and whether it is looked for in the lowered text.
    specials: Vec<(String, Option<u32>, bool)>,
    pad: Option<String>,
}

impl Told {
    /// Notes a token, which is a text or a map. None where it is neither, or is found in another way than others are.
    fn add(&mut self, token: &Json, id: Option<u32>) -> Option<&str> {
        let text = token.get("content").unwrap_or(token).text().filter(|text| !text.is_empty())?;
        let is = |key: &str| token.get(key) == Some(&Json::Bool(true));
        if is("lstrip") || is("rstrip") || is("single_word") {
            return None;
        }
        // What is told last counts.
        self.specials.retain(|(known, ..)| known != text);
        self.specials.push((text.to_owned(), id, is("normalized")));
        self.specials.last().map(|(text, ..)| text.as_str())
    }

    /// Reads `tokenizer_config.json` or `special_tokens_map.json`.
    fn read(&mut self, config: &Config) -> Result<(), Error> {
        for (key, expected) in [("bos_token", START), ("eos_token", END), ("unk_token", END), ("pad_token", "")] {
            let Some(token) = config.get(key) else { continue };
            match self.add(token, None) {
                Some(text) if expected.is_empty() => self.pad = Some(text.to_owned()),
                Some(text) if text == expected => {}
                _ => return Err(config.refuse(key, if expected.is_empty() { PLAIN } else { expected })),
            }
        }
        // A list of tokens, or a map from what a model calls them.
        for key in ["additional_special_tokens", "extra_special_tokens"] {
            let tokens: Vec<&Json> = match config.get(key) {
                Some(Json::List(list)) => list.iter().collect(),
                Some(Json::Map(map)) => map.iter().map(|(_, token)| token).collect(),
                _ => Vec::new(),
            };
            for token in tokens {
                if self.add(token, None).is_none() {
                    return Err(config.refuse(key, PLAIN));
                }
            }
        }
        for (id, token) in config.get("added_tokens_decoder").and_then(Json::map).unwrap_or_default() {
            if self.add(token, id.parse().ok()).is_none() {
                return Err(config.refuse("added_tokens_decoder", PLAIN));
            }
        }
        Ok(())
    }
}

impl Tokenizer {
    /// Reads a folder with `vocab.json` and `merges.txt`, or with `tokenizer.json`.
    ///
    /// # Errors
    /// When they are missing or are no CLIP vocabulary.
    pub async fn read(files: &dyn Files, folder: &str) -> Result<Self, Error> {
        let path = |name: &str| [folder, "/", name].concat();
        let mut told = Told::default();
        for text in [START, END] {
            told.add(&Json::Text(text.to_owned()), None);
        }
        let mut most = usize::MAX;
        for name in ["special_tokens_map.json", "tokenizer_config.json"] {
            if files.size(&path(name)).await?.is_some() {
                let config = Config::read(files, &path(name)).await?;
                config.known(KNOWN)?;
                config.only("tokenizer_class", &["CLIPTokenizer", "CLIPTokenizerFast"])?;
                if !config.flag("do_lower_case", true)? {
                    return Err(config.refuse("do_lower_case", "true"));
                }
                config.only("errors", &["replace"])?;
                config.only("padding_side", &["right"])?;
                config.only("truncation_side", &["right"])?;
                if let Some(length) = config.get("model_max_length").and_then(Json::whole) {
                    most = usize::try_from(length).unwrap_or(usize::MAX);
                }
                told.read(&config)?;
            }
        }
        // What transformers until version 4 wrote of tokens that were added: text and number.
        if files.size(&path("added_tokens.json")).await?.is_some() {
            let config = Config::read(files, &path("added_tokens.json")).await?;
            for (text, id) in config.entries() {
                let id = id.whole().and_then(|id| u32::try_from(id).ok());
                if !told.specials.iter().any(|(known, ..)| known == text) {
                    // Not special: found in the lowered text.
                    told.specials.push((text.to_owned(), id, true));
                } else if let Some(known) = told.specials.iter_mut().find(|(known, ..)| known == text) {
                    known.1 = known.1.or(id);
                }
            }
        }
        if files.size(&path("vocab.json")).await?.is_some() {
            let vocabulary = config::read(files, &path("vocab.json")).await?;
            let vocabulary = Json::parse(&vocabulary).map_err(|error| refuse(&error.to_string()))?;
            let merges = config::read(files, &path("merges.txt")).await?;
            let merges = String::from_utf8(merges).map_err(|_| refuse("merges.txt is no text"))?;
            // The first line tells the version.
            let lines = merges.lines().skip(usize::from(merges.starts_with("#version")));
            let read = Self::new(&vocabulary, lines.filter_map(|line| line.split_once(' ')), &told)?;
            return Ok(Self { most, ..read });
        }
        let all = config::read(files, &path("tokenizer.json")).await?;
        let all = Json::parse(&all).map_err(|error| refuse(&error.to_string()))?;
        for token in all.get("added_tokens").and_then(Json::list).unwrap_or_default() {
            let id = token.get("id").and_then(Json::whole).and_then(|id| u32::try_from(id).ok());
            told.add(token, id).ok_or_else(|| refuse("tokenizer.json has `added_tokens` beside plain ones"))?;
        }
        let model = all.get("model").ok_or_else(|| refuse("tokenizer.json has no model"))?;
        for (key, expected) in [("type", "BPE"), ("end_of_word_suffix", END_OF_WORD)] {
            if model.get(key).is_some_and(|told| told.text() != Some(expected)) {
                return Err(refuse(&["tokenizer.json has another `", key, "` of its model than ", expected].concat()));
            }
        }
        let vocabulary = model.get("vocab").ok_or_else(|| refuse("tokenizer.json has no vocabulary"))?;
        let merges = model.get("merges").and_then(Json::list).unwrap_or_default();
        let pair = |merge: &'_ Json| -> Option<(String, String)> {
            if let Some((one, other)) = merge.text().and_then(|text| text.split_once(' ')) {
                return Some((one.to_owned(), other.to_owned()));
            }
            let [one, other] = merge.list()? else { return None };
            Some((one.text()?.to_owned(), other.text()?.to_owned()))
        };
        let pairs: Vec<(String, String)> = merges.iter().filter_map(pair).collect();
        let read = Self::new(vocabulary, pairs.iter().map(|(one, other)| (one.as_str(), other.as_str())), &told)?;
        Ok(Self { most, ..read })
    }

    fn new<'a>(
        vocabulary: &Json,
        merges: impl Iterator<Item = (&'a str, &'a str)>,
        told: &Told,
    ) -> Result<Self, Error> {
        let entries = vocabulary.map().filter(|map| map.len() <= MOST);
        let entries = entries.ok_or_else(|| refuse("its vocabulary is no map, or has over 262144 entries"))?;
        let mut sorted: Vec<(&str, u32)> = Vec::with_capacity(entries.len());
        for (token, id) in entries {
            let id = id.whole().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| refuse("a token has no number"))?;
            sorted.push((token, id));
        }
        let sorted = BinaryHeap::from(sorted).into_sorted_vec();
        let find = |token: &str| {
            sorted
                .binary_search_by_key(&token, |(known, _)| known)
                .ok()
                .and_then(|at| sorted.get(at))
                .map(|&(_, id)| id)
        };
        let need = |token: &str| find(token).ok_or_else(|| refuse("its vocabulary has no start or end of a text"));
        let (start, end) = (need(START)?, need(END)?);
        // A token that nothing gives a number has the next one, as transformers counts.
        let known = told.specials.iter().filter_map(|(_, id, _)| Some(id.as_ref()? + 1)).max();
        let mut next = known.unwrap_or(0).max(u32::try_from(sorted.len()).unwrap_or(u32::MAX));
        let mut specials: Vec<Special> = Vec::new();
        let mut pad = end;
        for (text, id, low) in &told.specials {
            let id = find(text).or(*id).unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            if told.pad.as_deref() == Some(text) {
                pad = id;
            }
            let text = if *low { lowered(&composed(text)) } else { text.clone() };
            specials.push(Special { text, id, lowered: *low });
        }
        let letter_of = |byte: u8| {
            let letter = letter(byte);
            let inside = find(letter.encode_utf8(&mut [0; 4])).unwrap_or(end);
            [inside, find(&(letter.to_string() + END_OF_WORD)).unwrap_or(end)]
        };
        let mut pairs: Vec<((u32, u32), (u32, u32))> = Vec::new();
        for (rank, (one, other)) in merges.take(MOST).enumerate() {
            if let (Some(a), Some(b), Some(whole)) = (find(one), find(other), find(&[one, other].concat())) {
                pairs.push(((a, b), (rank as u32, whole)));
            }
        }
        // Of equal pairs the first counts; sorted, so that the map grows at its end.
        let mut pairs = BinaryHeap::from(pairs).into_sorted_vec();
        pairs.dedup_by_key(|(pair, _)| *pair);
        Ok(Self {
            bytes: (0..=255).map(letter_of).collect(),
            merges: pairs.into_iter().collect(),
            start,
            end,
            pad,
            most: usize::MAX,
            specials,
        })
    }

    /// The tokens of a text between start and end, cut and filled up to `length`.
    #[must_use]
    pub fn encode(&self, text: &str, length: usize) -> Vec<u32> {
        let mut ids = vec![self.start];
        for piece in self.pieces(text) {
            ids.extend(piece);
            if ids.len() >= length {
                break;
            }
        }
        ids.truncate(length.saturating_sub(1));
        ids.push(self.end);
        ids.resize(length, self.pad);
        ids
    }

    /// The words of a text that the vocabulary has only in pieces: where it is a small one, words that a network has
    /// never seen.
    #[must_use]
    pub fn strangers(&self, text: &str) -> Vec<String> {
        let in_pieces = |word: &String| self.pieces(word).map(|piece| piece.len()).sum::<usize>() > 1;
        gradus_unicode::words(text).filter(in_pieces).collect()
    }

    /// The tokens of a text, without start and end, however many they are.
    pub(super) fn words(&self, text: &str) -> Vec<u32> {
        self.pieces(text).flatten().collect()
    }

    /// Between start and end, filled up to `length`.
    pub(super) fn framed(&self, words: &[u32], length: usize) -> Vec<u32> {
        let mut ids = vec![self.start];
        ids.extend_from_slice(words);
        ids.push(self.end);
        ids.resize(length, self.pad);
        ids
    }

    /// The most tokens that a text is meant to have.
    #[must_use]
    pub fn most(&self) -> usize {
        self.most
    }

    /// The token that ends a text.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.end
    }

    /// The tokens of a text, word by word.
    fn pieces(&self, text: &str) -> impl Iterator<Item = Vec<u32>> {
        let end = text.char_indices().nth(MOST_CHARS).map_or(text.len(), |(at, _)| at);
        let mut words = Vec::new();
        // What is between two special tokens is a text of its own.
        for (text, id) in self.cut(text.get(..end).unwrap_or_default(), false) {
            for (text, id) in self.cut(&lowered(&composed(text)), true) {
                words.extend(split(text).into_iter().map(Ok));
                words.extend(id.map(Err));
            }
            words.extend(id.map(Err));
        }
        words.into_iter().map(|word| word.map_or_else(|id| vec![id], |word| self.merge(&word)))
    }

    /// The parts of a text, each with the special token that ends it: those that are found in the text as it stands, or
    /// those that are found when it is lowered.
    fn cut<'a>(&self, text: &'a str, lowered: bool) -> Vec<(&'a str, Option<u32>)> {
        let (mut parts, mut first, mut at) = (Vec::new(), 0, 0);
        while let Some((rest, letter)) = text.get(at..).and_then(|rest| Some((rest, rest.chars().next()?))) {
            let begins = |special: &&Special| special.lowered == lowered && rest.starts_with(&special.text);
            match self.specials.iter().filter(begins).max_by_key(|special| special.text.len()) {
                Some(special) => {
                    parts.push((text.get(first..at).unwrap_or_default(), Some(special.id)));
                    at += special.text.len();
                    first = at;
                }
                None => at += letter.len_utf8(),
            }
        }
        parts.push((text.get(first..).unwrap_or_default(), None));
        parts
    }

    /// A word's bytes, merged pair by pair, the best-ranked pair first.
    fn merge(&self, word: &str) -> Vec<u32> {
        let bytes = word.as_bytes();
        let last = bytes.len().saturating_sub(1);
        let mut ids: Vec<u32> =
            bytes.iter().enumerate().map(|(n, &byte)| self.bytes[byte as usize][usize::from(n == last)]).collect();
        // No prompt is longer, and more would take long.
        ids.truncate(8192);
        loop {
            let ranked = ids.windows(2).filter_map(|two| self.merges.get(&(two[0], two[1])).copied());
            let Some((rank, whole)) = ranked.min() else { return ids };
            let mut merged = Vec::with_capacity(ids.len());
            let mut n = 0;
            while n < ids.len() {
                let pair = ids.get(n + 1).and_then(|&next| self.merges.get(&(ids[n], next)));
                if pair.is_some_and(|&(other, _)| other == rank) {
                    merged.push(whole);
                    n += 2;
                } else {
                    merged.push(ids[n]);
                    n += 1;
                }
            }
            ids = merged;
        }
    }
}

fn refuse(why: &str) -> Error {
    Error::new(format!("The checkpoint's tokenizer cannot be used: {why}."))
}

fn begins(text: &[char], with: &str) -> bool {
    text.len() >= with.len() && text.iter().zip(with.chars()).all(|(a, b)| *a == b)
}

/// The words of a lowered text as CLIP's pattern has them: a contraction's ending, letters, one digit, or signs.
fn split(text: &str) -> Vec<String> {
    let outline: Vec<char> = outlined(text).chars().collect();
    let lower: Vec<char> = text.chars().collect();
    let kind = |c: char| match c {
        c if c.is_whitespace() => 0,
        '0' => 1,
        'a' => 2,
        _ => 3,
    };
    let (mut words, mut at) = (Vec::new(), 0);
    while let (Some(rest), Some(&first)) = (lower.get(at..), outline.get(at)) {
        let ending = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].iter().find(|ending| begins(rest, ending));
        let same = outline.iter().skip(at).take_while(|&&c| kind(c) == kind(first)).count();
        let length = match (ending, kind(first)) {
            (Some(ending), _) => ending.len(),
            (None, 1) => 1,
            _ => same,
        };
        let word = rest.iter().take(length);
        if kind(first) != 0 {
            words.push(word.collect());
        }
        at += length.max(1);
    }
    words
}

/// The letter that stands for a byte: itself where it can be seen, else one from 256 on.
fn letter(byte: u8) -> char {
    let seen = |byte: u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    if seen(byte) {
        return char::from(byte);
    }
    let hidden = (0..byte).filter(|&other| !seen(other)).count() as u32;
    char::from_u32(256 + hidden).unwrap_or(' ')
}
