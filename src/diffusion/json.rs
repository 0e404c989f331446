//! A small reader of JSON: the configurations, headers and vocabularies of checkpoints.
//!
//! Own code, as a general library is 30 kB of a page. The text is hostile: depth and size are bounded, and what is
//! no JSON is refused with its place.

use crate::value::Error;

/// How deep lists and maps may be in one another.
const DEPTH: usize = 32;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; exact for up to 15 digits.
    Number(f64),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// A map in the order of its text.
    Map(Vec<(String, Json)>),
}

impl Json {
    /// The value of a whole text.
    ///
    /// # Errors
    /// Where and why it is no JSON.
    ///
    /// ```
    /// use gradus::diffusion::json::Json;
    /// let json = Json::parse(br#"{"a": [1, 2.5e-3]}"#)?;
    /// assert_eq!(json.get("a").and_then(Json::list).map(<[Json]>::len), Some(2));
    /// # Ok::<(), gradus::Error>(())
    /// ```
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0).filter(|_| {
            reader.space();
            reader.at == text.len()
        });
        value.ok_or_else(|| Error::new(format!("it is no JSON from byte {} on", reader.at)))
    }

    /// The value under a key of a map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.map()?.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The entries of a map.
    #[must_use]
    pub fn map(&self) -> Option<&[(String, Json)]> {
        if let Self::Map(entries) = self { Some(entries) } else { None }
    }

    /// The members of a list.
    #[must_use]
    pub fn list(&self) -> Option<&[Json]> {
        if let Self::List(members) = self { Some(members) } else { None }
    }

    /// The text of a string.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// The number, when it is a whole one from 0 to 2^53.
    #[must_use]
    pub fn whole(&self) -> Option<u64> {
        let number = self.number()?;
        ((0.0..=9_007_199_254_740_992.0).contains(&number) && number.trunc() == number).then_some(number as u64)
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn take(&mut self, expected: &[u8]) -> Option<()> {
        self.text.get(self.at..)?.starts_with(expected).then(|| self.at += expected.len())
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > DEPTH {
            return None;
        }
        self.space();
        match self.peek()? {
            b'n' => self.take(b"null").map(|()| Json::Null),
            b't' => self.take(b"true").map(|()| Json::Bool(true)),
            b'f' => self.take(b"false").map(|()| Json::Bool(false)),
            b'"' => self.string().map(Json::Text),
            b'[' => {
                let mut members = Vec::new();
                self.members(b']', |reader| {
                    members.push(reader.value(depth + 1)?);
                    Some(())
                })?;
                Some(Json::List(members))
            }
            b'{' => {
                let mut entries = Vec::new();
                self.members(b'}', |reader| {
                    reader.space();
                    let key = reader.string()?;
                    reader.space();
                    reader.take(b":")?;
                    entries.push((key, reader.value(depth + 1)?));
                    Some(())
                })?;
                Some(Json::Map(entries))
            }
            _ => self.number().map(Json::Number),
        }
    }

    /// What is between the brackets, apart by commas.
    fn members(&mut self, end: u8, mut member: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.at += 1;
        self.space();
        if self.take(&[end]).is_some() {
            return Some(());
        }
        loop {
            member(self)?;
            self.space();
            if self.take(&[end]).is_some() {
                return Some(());
            }
            self.take(b",")?;
        }
    }

    fn string(&mut self) -> Option<String> {
        self.take(b"\"")?;
        let mut text = Vec::new();
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return String::from_utf8(text).ok(),
                b'\\' => {
                    let escape = self.peek()?;
                    self.at += 1;
                    let letter = match escape {
                        b'n' => '\n',
                        b't' => '\t',
                        b'r' => '\r',
                        b'b' => '\u{8}',
                        b'f' => '\u{c}',
                        b'u' => self.code_point()?,
                        b'"' | b'\\' | b'/' => escape as char,
                        _ => return None,
                    };
                    text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                }
                0..0x20 => return None,
                _ => text.push(byte),
            }
        }
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits = std::str::from_utf8(self.text.get(self.at..self.at + 4)?).ok()?;
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    fn code_point(&mut self) -> Option<char> {
        let first = self.hex4()?;
        if (0xd800..0xdc00).contains(&first) {
            self.take(b"\\u")?;
            let second = self.hex4()?.checked_sub(0xdc00).filter(|&low| low < 0x400)?;
            return char::from_u32(0x10000 + ((first - 0xd800) << 10) + second);
        }
        char::from_u32(first)
    }

    fn digits(&mut self, mut each: impl FnMut(u8)) -> Option<()> {
        let began = self.at;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            each(digit - b'0');
            self.at += 1;
        }
        (self.at > began).then_some(())
    }

    fn number(&mut self) -> Option<f64> {
        let negative = self.take(b"-").is_some();
        // Python writes these two, though JSON has them not.
        if self.take(b"Infinity").is_some() {
            return Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        if self.take(b"NaN").is_some() {
            return Some(f64::NAN);
        }
        let (mut mantissa, mut exponent) = (0u64, 0i32);
        let mut push = |digit: u8, behind_point: i32| {
            if mantissa < 100_000_000_000_000_000 {
                mantissa = mantissa * 10 + u64::from(digit);
                exponent -= behind_point;
            } else {
                exponent += 1 - behind_point;
            }
        };
        self.digits(|digit| push(digit, 0))?;
        if self.take(b".").is_some() {
            self.digits(|digit| push(digit, 1))?;
        }
        if self.take(b"e").or_else(|| self.take(b"E")).is_some() {
            let minus = self.take(b"-").is_some();
            if !minus {
                // A plus says nothing.
                let _ = self.take(b"+");
            }
            let mut written = 0i32;
            self.digits(|digit| written = written.saturating_mul(10).saturating_add(i32::from(digit)))?;
            let written = written.min(10_000);
            exponent = exponent.saturating_add(if minus { -written } else { written });
        }
        let size = scaled(mantissa as f64, exponent);
        Some(if negative { -size } else { size })
    }
}

/// mantissa × 10^exponent, exact where both the mantissa and the power are (Clinger's fast path).
fn scaled(mut mantissa: f64, mut exponent: i32) -> f64 {
    while mantissa != 0.0 && mantissa.is_finite() && exponent != 0 {
        let step = exponent.clamp(-22, 22);
        let power = (0..step.abs()).fold(1.0, |power, _| power * 10.0);
        mantissa = if step > 0 { mantissa * power } else { mantissa / power };
        exponent -= step;
    }
    mantissa
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        let check = |text: &str| {
            let number = Json::parse(text.as_bytes()).unwrap().number().unwrap();
            assert_eq!(number, text.parse::<f64>().unwrap(), "{text}");
        };
        for text in ["0", "-1", "0.00085", "1e-05", "0.012", "0.18215", "77", "2.5E+3", "123456789012345", "1e22"] {
            check(text);
        }
        assert_eq!(Json::parse(b"1e400").unwrap().number(), Some(f64::INFINITY));
        assert_eq!(Json::parse(b"1e-999999999999").unwrap().number(), Some(0.0));
    }

    #[test]
    fn texts_and_nesting() {
        let json = Json::parse(" {\"a\\u00e9\\ud83e\\udd84\\n\": [true, null, {}], \"ж\": \"\"} ".as_bytes()).unwrap();
        assert_eq!(json.get("aé🦄\n").and_then(Json::list).map(<[Json]>::len), Some(3));
        assert_eq!(json.get("ж").and_then(Json::text), Some(""));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let deep = "[".repeat(100_000);
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\" 1}",
            "nul",
            "\"\\x\"",
            "\"\\ud800x\"",
            "1 2",
            "-",
            "1.",
            "1e",
            "[1}",
            "\"a\nb\"",
            "'a'",
            deep.as_str(),
        ] {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(Json::parse(b"\"\xff\"").is_err());
    }
}
