//! Typed look-ups in a model's description, which name file and key when they fail.

use std::fmt;
use std::path::Path;

use serde_json::{Map, Value};

use super::{ConfigError, key_error};
use crate::gguf::Metadata;

/// The keys of a `config.json`, or of a GGUF file's metadata.
#[derive(Clone, Copy)]
pub(crate) struct Keys<'a> {
    file: &'a Path,
    values: Values<'a>,
}

#[derive(Clone, Copy)]
enum Values<'a> {
    Json(&'a Map<String, Value>),
    Gguf(&'a Metadata),
}

/// The value of a key.
enum Scalar<'a> {
    Whole(u64),
    Number(f64),
    Text(&'a str),
    Flag(bool),
    /// Anything else, in words.
    Other(String),
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
            Self::Flag(value) => value.fmt(f),
            Self::Other(value) => value.fmt(f),
        }
    }
}

impl<'a> Keys<'a> {
    /// The keys of a `config.json`; `null` is as good as no key.
    pub(super) fn json(values: &'a Map<String, Value>, file: &'a Path) -> Self {
        let values = Values::Json(values);
        Self { file, values }
    }

    /// The keys of a GGUF file.
    pub(crate) fn gguf(metadata: &'a Metadata, file: &'a Path) -> Self {
        let values = Values::Gguf(metadata);
        Self { file, values }
    }

    /// The file, for messages.
    pub(crate) fn file(&self) -> &'a Path {
        self.file
    }

    fn find(&self, key: &str) -> Option<Scalar<'a>> {
        match self.values {
            Values::Json(map) => match map.get(key)? {
                Value::Null => None,
                Value::Bool(value) => Some(Scalar::Flag(*value)),
                Value::String(value) => Some(Scalar::Text(value)),
                value => Some(match (value.as_u64(), value.as_f64()) {
                    (Some(whole), _) => Scalar::Whole(whole),
                    (None, Some(number)) => Scalar::Number(number),
                    (None, None) => Scalar::Other(value.to_string()),
                }),
            },
            Values::Gguf(metadata) => {
                let value = metadata.get(key)?;
                let text = metadata.string(key).map(Scalar::Text);
                let whole = value.as_u64().map(Scalar::Whole);
                let number = value.as_f64().map(|n| Scalar::Number(shortest(n)));
                let other = || Scalar::Other(value.kind());
                Some(text.or(whole).or(number).unwrap_or_else(other))
            }
        }
    }

    /// A table or list of a `config.json`.
    pub(crate) fn json_value(&self, key: &str) -> Option<&'a Value> {
        match self.values {
            Values::Json(map) => map.get(key).filter(|value| !value.is_null()),
            Values::Gguf(_) => None,
        }
    }

    /// How many texts a GGUF file lists.
    pub(super) fn count(&self, key: &str) -> Option<usize> {
        match self.values {
            Values::Gguf(metadata) => metadata.strings(key).map(<[String]>::len),
            Values::Json(_) => None,
        }
    }

    /// A whole number that must be there.
    pub(crate) fn size(&self, key: &str) -> Result<usize, ConfigError> {
        self.optional_size(key)?
            .ok_or_else(|| self.error(key, "nothing", "a whole number"))
    }

    /// A whole number.
    pub(crate) fn optional_size(&self, key: &str) -> Result<Option<usize>, ConfigError> {
        let whole = |value| match value {
            Scalar::Whole(whole) => usize::try_from(whole).ok(),
            _ => None,
        };
        self.optional(key, whole, "a whole number")
    }

    /// A number that must be there.
    pub(crate) fn number(&self, key: &str) -> Result<f64, ConfigError> {
        self.optional_number(key)?
            .ok_or_else(|| self.error(key, "nothing", "a number"))
    }

    /// A number.
    pub(crate) fn optional_number(&self, key: &str) -> Result<Option<f64>, ConfigError> {
        let number = |value| match value {
            Scalar::Whole(whole) => Some(whole as f64),
            Scalar::Number(number) => Some(number),
            _ => None,
        };
        self.optional(key, number, "a number")
    }

    /// True or false; false where there is nothing.
    pub(crate) fn flag(&self, key: &str) -> Result<bool, ConfigError> {
        Ok(self.optional_flag(key)?.unwrap_or(false))
    }

    /// True or false.
    pub(crate) fn optional_flag(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        let flag = |value| match value {
            Scalar::Flag(flag) => Some(flag),
            _ => None,
        };
        self.optional(key, flag, "true or false")
    }

    /// The id of one of `count` tokens. Another number is none, as -1 often says, and is left out with a warning.
    pub(crate) fn optional_id(&self, key: &str, count: usize) -> Result<Option<u32>, ConfigError> {
        let id = |value| match value {
            Scalar::Whole(whole) => Some(whole as f64),
            Scalar::Number(number) if number < 0.0 && number.fract() == 0.0 => Some(number),
            _ => None,
        };
        let id = self.optional(key, id, "a token id")?;
        Ok(id.and_then(|id| self.id_below(count, key, id)))
    }

    /// One id, several in a list, or none.
    pub(crate) fn ids(&self, key: &str, count: usize) -> Result<Vec<u32>, ConfigError> {
        let Some(Value::Array(list)) = self.json_value(key) else {
            return Ok(self.optional_id(key, count)?.into_iter().collect());
        };
        let mut ids = Vec::new();
        for value in list {
            let id = value.as_f64().filter(|id| id.fract() == 0.0);
            let id = id.ok_or_else(|| self.error(key, value, "token ids"))?;
            ids.extend(self.id_below(count, key, id));
        }
        Ok(ids)
    }

    fn id_below(&self, count: usize, key: &str, id: f64) -> Option<u32> {
        if (0.0..count as f64).contains(&id) {
            return Some(id as u32);
        }
        let file = self.file.display();
        tracing::warn!(
            "{file}: key `{key}`: {id} is the id of none of {count} tokens, and left out"
        );
        None
    }

    /// That a flag is not set.
    pub(crate) fn must_be_false(&self, key: &str) -> Result<(), ConfigError> {
        match self.flag(key)? {
            false => Ok(()),
            true => Err(self.error(key, true, "false (nothing else is supported)")),
        }
    }

    /// That there is no value.
    pub(crate) fn must_be_null(&self, key: &str) -> Result<(), ConfigError> {
        match self.find(key) {
            None => Ok(()),
            Some(found) => Err(self.error(key, found, "null (nothing else is supported)")),
        }
    }

    /// Whether the key is there and says that there is no value.
    pub(crate) fn is_null(&self, key: &str) -> bool {
        match self.values {
            Values::Json(map) => map.get(key).is_some_and(Value::is_null),
            Values::Gguf(_) => false,
        }
    }

    /// That a text, where there is one, is `only`.
    pub(crate) fn must_be(&self, key: &str, only: &str) -> Result<(), ConfigError> {
        self.must_be_any(key, &[only])
    }

    /// That a text, where there is one, is among `these`.
    pub(crate) fn must_be_any(&self, key: &str, these: &[&str]) -> Result<(), ConfigError> {
        let right =
            |value| matches!(value, Scalar::Text(text) if these.contains(&text)).then_some(());
        let expected = format!("{} (nothing else is supported)", these.join(" or "));
        self.optional(key, right, &expected).map(|_| ())
    }

    /// That a number, where there is one, is 1.
    pub(crate) fn must_be_one(&self, key: &str) -> Result<(), ConfigError> {
        match self.optional_number(key)? {
            Some(found) if found != 1.0 => {
                Err(self.error(key, found, "1 (nothing else is supported)"))
            }
            _ => Ok(()),
        }
    }

    /// That a key holds something else than supported.
    pub(crate) fn error(
        &self,
        key: &str,
        found: impl fmt::Display,
        expected: impl Into<String>,
    ) -> ConfigError {
        key_error(self.file, key, found, expected)
    }

    fn optional<T>(
        &self,
        key: &str,
        read: impl Fn(Scalar<'a>) -> Option<T>,
        expected: &str,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.find(key) else {
            return Ok(None);
        };
        let found = value.to_string();
        match read(value) {
            Some(value) => Ok(Some(value)),
            None => Err(self.error(key, found, expected)),
        }
    }
}

/// Numbers of a GGUF file are `f32`: the `f64` nearest to the decimal that such a number prints as is the number that was
/// meant (1e-5, not 9.99e-6).
fn shortest(number: f64) -> f64 {
    let narrow = number as f32;
    if f64::from(narrow) == number {
        narrow.to_string().parse().unwrap_or(number)
    } else {
        number
    }
}
