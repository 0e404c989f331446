//! A component's `config.json`: typed fields, and refusals that name the field.

use super::json::Json;
use crate::ports::Files;
use crate::value::Error;

/// A configuration is at most so long; a tokenizer's vocabulary, too.
pub(super) const MOST_BYTES: u64 = 16 << 20;

/// A configuration with its path, for messages.
#[derive(Clone, Debug)]
pub struct Config {
    path: String,
    json: Json,
}

/// A text file of the checkpoint as bytes.
pub(super) async fn read(files: &dyn Files, path: &str) -> Result<Vec<u8>, Error> {
    let size = files.size(path).await?.ok_or_else(|| Error::new(format!("The checkpoint has no {path}.")))?;
    if size > MOST_BYTES {
        return Err(Error::new(format!("{path} is larger than {} MiB, so it is not read.", MOST_BYTES >> 20)));
    }
    files.read(path, 0..size).await
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// When the file is not there, too long, or no JSON map.
    pub async fn read(files: &dyn Files, path: &str) -> Result<Self, Error> {
        Self::parse(path, &read(files, path).await?)
    }

    /// A configuration from its text.
    ///
    /// # Errors
    /// When the text is no JSON map.
    ///
    /// ```
    /// use gradus::diffusion::config::Config;
    /// let config = Config::parse("unet/config.json", br#"{"norm_eps": 1e-5, "act_fn": "silu"}"#)?;
    /// assert_eq!(config.float("norm_eps", 1e-6)?, 1e-5);
    /// assert!(config.only("act_fn", &["gelu"]).is_err());
    /// # Ok::<(), gradus::Error>(())
    /// ```
    pub fn parse(path: &str, text: &[u8]) -> Result<Self, Error> {
        let json = Json::parse(text).map_err(|error| Error::new(format!("{path}: {error}.")))?;
        match json {
            Json::Map(_) => Ok(Self { path: path.to_owned(), json }),
            _ => Err(Error::new(format!("{path} is no JSON map."))),
        }
    }

    /// A refusal of a field.
    pub(super) fn refuse(&self, key: &str, supported: &str) -> Error {
        Error::new(format!("{}: `{key}` is not supported as it is; supported: {supported}.", self.path))
    }

    /// The same with another value of a field.
    pub(super) fn with(mut self, key: &str, value: Json) -> Self {
        if let Json::Map(fields) = &mut self.json {
            fields.retain(|(name, _)| name != key);
            fields.push((key.to_owned(), value));
        }
        self
    }

    /// The field, unless it is missing or null.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.json.get(key).filter(|value| **value != Json::Null)
    }

    /// All fields.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.json.map().unwrap_or_default().iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether the field is there, be it null.
    pub(super) fn says(&self, key: &str) -> bool {
        self.json.get(key).is_some()
    }

    /// A count; `otherwise` where there is none.
    ///
    /// # Errors
    /// When it is no whole number up to 2^20.
    pub fn count(&self, key: &str, otherwise: usize) -> Result<usize, Error> {
        match self.get(key) {
            None => Ok(otherwise),
            Some(value) => self.as_count(key, value),
        }
    }

    pub(super) fn as_count(&self, key: &str, value: &Json) -> Result<usize, Error> {
        let whole = value.whole().filter(|&whole| whole <= 1 << 20);
        whole.map(|whole| whole as usize).ok_or_else(|| self.refuse(key, "a whole number up to 2^20"))
    }

    /// A list of `length` counts; one count stands for all.
    ///
    /// # Errors
    /// When it is neither.
    pub fn counts(&self, key: &str, length: usize, otherwise: usize) -> Result<Vec<usize>, Error> {
        match self.get(key) {
            Some(Json::List(list)) if list.len() == length => {
                list.iter().map(|value| self.as_count(key, value)).collect()
            }
            Some(Json::List(_)) => Err(self.refuse(key, "one number for each block")),
            _ => Ok(vec![self.count(key, otherwise)?; length]),
        }
    }

    /// A list of texts.
    ///
    /// # Errors
    /// When it is none, or has over 16 members.
    pub fn texts(&self, key: &str) -> Result<Vec<&str>, Error> {
        let list = self.get(key).and_then(Json::list).filter(|list| !list.is_empty() && list.len() <= 16);
        let texts: Option<Vec<&str>> = list.and_then(|list| list.iter().map(Json::text).collect());
        texts.ok_or_else(|| self.refuse(key, "a list of 1 to 16 names"))
    }

    /// A number; `otherwise` where there is none.
    ///
    /// # Errors
    /// When it is no finite number.
    pub fn float(&self, key: &str, otherwise: f64) -> Result<f64, Error> {
        match self.get(key) {
            None => Ok(otherwise),
            Some(value) => {
                value.number().filter(|number| number.is_finite()).ok_or_else(|| self.refuse(key, "a finite number"))
            }
        }
    }

    /// A truth; `otherwise` where there is none.
    ///
    /// # Errors
    /// When it is something else.
    pub fn flag(&self, key: &str, otherwise: bool) -> Result<bool, Error> {
        match self.get(key) {
            None => Ok(otherwise),
            Some(Json::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.refuse(key, "true or false")),
        }
    }

    /// The place of a text among those that are supported; 0 where the field is missing.
    ///
    /// # Errors
    /// When it is another, with the supported ones named.
    pub fn only(&self, key: &str, supported: &[&str]) -> Result<usize, Error> {
        let Some(value) = self.get(key) else { return Ok(0) };
        let place = value.text().and_then(|text| supported.iter().position(|known| *known == text));
        place.ok_or_else(|| self.refuse(key, &supported.join(", ")))
    }

    /// Refuses fields that would change what is computed: each must be missing, null, false, or as given.
    pub(super) fn neutral(&self, fields: &[(&str, f64)]) -> Result<(), Error> {
        for (key, expected) in fields {
            match self.get(key) {
                None | Some(Json::Bool(false)) => {}
                Some(Json::Number(number)) if number == expected => {}
                Some(_) => return Err(self.refuse(key, "leave it out")),
            }
        }
        Ok(())
    }

    /// Refuses fields that nobody here knows, unless they are null or false.
    pub(super) fn known(&self, keys: &[&str]) -> Result<(), Error> {
        for (key, value) in self.json.map().unwrap_or_default() {
            let silent = key.starts_with('_') || matches!(value, Json::Null | Json::Bool(false));
            if !silent && !keys.contains(&key.as_str()) {
                return Err(self.refuse(key, "leave it out"));
            }
        }
        Ok(())
    }
}
