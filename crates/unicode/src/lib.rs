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

#[cfg(target_arch = "wasm32")]
mod tables {
    use js_sys::{JsString, RegExp};

    pub fn composed(text: &str) -> String {
        JsString::from(text).normalize("NFC").into()
    }

    pub fn outlined(text: &str) -> String {
        let replace = |text: JsString, what: &str, by: &str| text.replace_by_pattern(&RegExp::new(what, "gu"), by);
        replace(replace(text.into(), "\\p{L}", "a"), "\\p{N}", "0").into()
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
}
