//! What Unicode's tables say of a text: plain texts in, plain texts out.
//!
//! Browsers have the tables, in pages and in workers; 60 kB of them would be in the download otherwise. So this is the
//! one place that asks the platform, and what uses it is pure.

/// The text with letters and their accents put together where Unicode has one character for both (NFC).
///
/// ```
/// assert_eq!(gradus_unicode::composed("cafe\u{301}"), "café");
/// ```
#[must_use]
pub fn composed(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { tables::composed(text) }
}

/// The text with an `a` for each letter (`\p{L}`) and a `0` for each number (`\p{N}`): as many characters as before. A
/// vowel sign is no letter, whereas [`char::is_alphabetic`] takes it for one.
///
/// ```
/// assert_eq!(gradus_unicode::outlined("Año Ⅷ: हि!"), "aaa 0: a\u{93f}!");
/// ```
#[must_use]
pub fn outlined(text: &str) -> String {
    if text.is_ascii() {
        let outline = |c: char| match c {
            'A'..='Z' | 'a'..='z' => 'a',
            '0'..='9' => '0',
            _ => c,
        };
        return text.chars().map(outline).collect();
    }
    tables::outlined(text)
}

/// The text in small letters, each character by itself: a capital sigma is σ wherever it stands.
///
/// ```
/// assert_eq!(gradus_unicode::lowered("ÉTÉ 2Σ İ"), "été 2σ i\u{307}");
/// ```
#[must_use]
pub fn lowered(text: &str) -> String {
    let mut lowered = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            lowered.push(c.to_ascii_lowercase());
        } else {
            tables::push_lowered(c, &mut lowered);
        }
    }
    lowered
}

/// The words of a text: its runs of letters and numbers with their marks.
///
/// ```
/// let words: Vec<String> = gradus_unicode::words("a red-hot cafe\u{301}, 2×हिन्दी ❤\u{fe0f}!").collect();
/// assert_eq!(words, ["a", "red", "hot", "café", "2", "हिन्दी"]);
/// ```
pub fn words(text: &str) -> impl Iterator<Item = String> {
    let text = composed(text);
    // Where a word may begin, and where it may only go on.
    let (begins, goes_on) = ("a0", "a0m");
    let outline: Vec<char> = tables::marked(&outlined(&text)).chars().collect();
    let text: Vec<char> = text.chars().collect();
    let mut at = 0;
    std::iter::from_fn(move || {
        at += outline[at..].iter().position(|kind| begins.contains(*kind))?;
        let length = outline[at..].iter().take_while(|kind| goes_on.contains(**kind)).count();
        at += length;
        Some(text[at - length..at].iter().collect())
    })
}

#[cfg(target_arch = "wasm32")]
mod tables {
    use js_sys::{JsString, RegExp};

    pub fn composed(text: &str) -> String {
        JsString::from(text).normalize("NFC").into()
    }

    pub fn outlined(text: &str) -> String {
        replaced(&replaced(text, "\\p{L}", "a"), "\\p{N}", "0")
    }

    pub fn marked(text: &str) -> String {
        replaced(text, "\\p{M}", "m")
    }

    pub fn push_lowered(c: char, text: &mut String) {
        text.push_str(&String::from(JsString::from(&*c.encode_utf8(&mut [0; 4])).to_lower_case()));
    }

    fn replaced(text: &str, what: &str, by: &str) -> String {
        JsString::from(text).replace_by_pattern(&RegExp::new(what, "gu"), by).into()
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod tables {
    use unicode_normalization::UnicodeNormalization as _;
    use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

    pub fn composed(text: &str) -> String {
        text.nfc().collect()
    }

    pub fn outlined(text: &str) -> String {
        let outline = |c: char| match c.general_category_group() {
            GeneralCategoryGroup::Letter => 'a',
            GeneralCategoryGroup::Number => '0',
            _ => c,
        };
        text.chars().map(outline).collect()
    }

    pub fn marked(text: &str) -> String {
        text.chars().map(|c| if c.general_category_group() == GeneralCategoryGroup::Mark { 'm' } else { c }).collect()
    }

    pub fn push_lowered(c: char, text: &mut String) {
        text.extend(c.to_lowercase());
    }
}
