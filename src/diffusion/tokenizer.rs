//! CLIP's tokenizer: byte pairs (Sennrich et al., 2016) inside of words, as OpenAI's CLIP has them.

use std::collections::BinaryHeap;

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
const END: &str = "<|endoftext|>";

/// What configurations of a tokenizer say that is read, or that changes nothing here.
const KNOWN: &[&str] = &[
    "added_tokens_decoder",
    "backend",
    "bos_token",
    "clean_up_tokenization_spaces",
    "do_lower_case",
    "eos_token",
    "errors",
    "extra_special_tokens",
    "is_local",
    "local_files_only",
    "model_max_length",
    "name_or_path",
    "pad_token",
    "processor_class",
    "special_tokens_map_file",
    "tokenizer_class",
    "tokenizer_file",
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
}

impl Tokenizer {
    /// Reads a folder with `vocab.json` and `merges.txt`, or with `tokenizer.json`.
    ///
    /// # Errors
    /// When they are missing or are no CLIP vocabulary.
    pub async fn read(files: &dyn Files, folder: &str) -> Result<Self, Error> {
        let path = |name: &str| [folder, "/", name].concat();
        let mut pad = END.to_owned();
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
                if let Some(length) = config.get("model_max_length").and_then(Json::whole) {
                    most = usize::try_from(length).unwrap_or(usize::MAX);
                }
                let found = config.get("pad_token").map(|token| token.get("content").unwrap_or(token));
                if let Some(token) = found.and_then(Json::text) {
                    token.clone_into(&mut pad);
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
            let read = Self::new(&vocabulary, lines.filter_map(|line| line.split_once(' ')), &pad)?;
            return Ok(Self { most, ..read });
        }
        let all = config::read(files, &path("tokenizer.json")).await?;
        let all = Json::parse(&all).map_err(|error| refuse(&error.to_string()))?;
        let model = all.get("model").ok_or_else(|| refuse("tokenizer.json has no model"))?;
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
        let read = Self::new(vocabulary, pairs.iter().map(|(one, other)| (one.as_str(), other.as_str())), &pad)?;
        Ok(Self { most, ..read })
    }

    fn new<'a>(vocabulary: &Json, merges: impl Iterator<Item = (&'a str, &'a str)>, pad: &str) -> Result<Self, Error> {
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
            pad: find(pad).unwrap_or(end),
            most: usize::MAX,
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
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.filter(|word| self.pieces(word).map(|piece| piece.len()).sum::<usize>() > 1).map(str::to_owned).collect()
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

    fn pieces<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Vec<u32>> + 'a {
        let lower: Vec<char> = text.chars().take(MOST_CHARS).flat_map(char::to_lowercase).collect();
        let mut at = 0;
        std::iter::from_fn(move || {
            while lower.get(at).is_some_and(|c| c.is_whitespace()) {
                at += 1;
            }
            let rest = lower.get(at..).filter(|rest| !rest.is_empty())?;
            for (special, id) in [(START, self.start), (END, self.end)] {
                if begins(rest, special) {
                    at += special.len();
                    return Some(vec![id]);
                }
            }
            let length = word(rest);
            at += length;
            Some(self.merge(&rest[..length].iter().collect::<String>()))
        })
    }

    /// A word's bytes, merged pair by pair, the best-ranked pair first.
    fn merge(&self, word: &str) -> Vec<u32> {
        let bytes = word.as_bytes();
        let last = bytes.len().saturating_sub(1);
        let mut ids: Vec<u32> =
            bytes.iter().enumerate().map(|(n, &byte)| self.bytes[byte as usize][usize::from(n == last)]).collect();
        // A word of thousands of letters would take long, and nobody writes one.
        ids.truncate(512);
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

/// How many characters the next word has: a contraction's ending, letters, one digit, or signs. CLIP's pattern.
fn word(text: &[char]) -> usize {
    for ending in ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"] {
        if begins(text, ending) {
            return ending.len();
        }
    }
    let kind = |c: char| match c {
        c if c.is_whitespace() => 0,
        c if c.is_numeric() => 1,
        c if c.is_alphabetic() => 2,
        _ => 3,
    };
    let first = text.first().map_or(0, |&c| kind(c));
    if first == 1 {
        return 1;
    }
    text.iter().take_while(|&&c| kind(c) == first).count().max(1)
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
