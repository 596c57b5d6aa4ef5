//! One record as named JSON values, with access that says where, what and what instead.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::DataError;

/// One record before it is understood. Every file format is brought to this form.
pub(crate) struct RawRecord {
    /// Line, or row in Parquet, from 1.
    pub line: u64,
    /// Place in a JSON array, from 1.
    pub item: Option<u64>,
    pub map: Map<String, Value>,
}

/// Why no record could be had.
pub(crate) struct RawError {
    pub error: DataError,
    /// The file cannot be read any further.
    pub fatal: bool,
}

impl RawError {
    pub fn fatal(error: DataError) -> Self {
        Self { error, fatal: true }
    }

    pub fn broken_record(error: DataError) -> Self {
        Self {
            error,
            fatal: false,
        }
    }
}

/// The records of one file.
pub(crate) type RawRecords = Box<dyn Iterator<Item = Result<RawRecord, RawError>>>;

/// Access to the fields of a record or of an object in it. `null` and absent mean the same.
pub(crate) struct Fields<'a> {
    path: &'a Path,
    line: u64,
    item: Option<u64>,
    prefix: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub fn of(path: &'a Path, record: &'a RawRecord) -> Self {
        Self {
            path,
            line: record.line,
            item: record.item,
            prefix: String::new(),
            map: &record.map,
        }
    }

    /// The value, unless it is absent or null.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// Text, which may be empty.
    pub fn text(&self, name: &str) -> Result<String, DataError> {
        match self.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(self.wrong(name, "text")),
        }
    }

    /// Text, or nothing.
    pub fn optional_text(&self, name: &str) -> Result<Option<String>, DataError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(name, "text or null")),
        }
    }

    /// A name, written as text or as an integer, or nothing. Empty text names nobody and is an error.
    pub fn optional_name(&self, name: &str) -> Result<Option<String>, DataError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => {
                Ok(Some(number.to_string()))
            }
            Some(_) => Err(self.wrong(name, "text that is not empty, an integer, or null")),
        }
    }

    /// An integer, or nothing.
    pub fn optional_integer(&self, name: &str) -> Result<Option<i64>, DataError> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value
                .as_i64()
                .map(Some)
                .ok_or_else(|| self.wrong(name, "an integer or null")),
        }
    }

    /// An integer, also where it is written as `3.0`, or nothing.
    pub fn optional_whole(&self, name: &str) -> Result<Option<i64>, DataError> {
        const EXACT: f64 = (1u64 << 53) as f64;
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let from_float =
            |number: f64| (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64);
        let whole = value
            .as_i64()
            .or_else(|| value.as_f64().and_then(from_float));
        match whole {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(name, "an integer or null")),
        }
    }

    /// An integer, also where it is written as `3.0`.
    pub fn whole(&self, name: &str) -> Result<i64, DataError> {
        match self.optional_whole(name) {
            Ok(Some(number)) => Ok(number),
            _ => Err(self.wrong(name, "an integer")),
        }
    }

    /// A number.
    pub fn number(&self, name: &str) -> Result<f64, DataError> {
        self.get(name)
            .and_then(Value::as_f64)
            .ok_or_else(|| self.wrong(name, "a number"))
    }

    /// True or false.
    pub fn flag(&self, name: &str) -> Result<bool, DataError> {
        self.get(name)
            .and_then(Value::as_bool)
            .ok_or_else(|| self.wrong(name, "true or false"))
    }

    /// A name, written as text or as an integer.
    pub fn name(&self, name: &str) -> Result<String, DataError> {
        self.optional_name(name)?
            .ok_or_else(|| self.wrong(name, "text that is not empty, or an integer"))
    }

    /// A list.
    pub fn list(&self, name: &str) -> Result<&'a [Value], DataError> {
        self.get(name)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .ok_or_else(|| self.wrong(name, "a list"))
    }

    /// The fields of an object.
    pub fn object(&self, name: &str) -> Result<Fields<'a>, DataError> {
        match self.get(name) {
            Some(Value::Object(map)) => Ok(self.inner(name, map)),
            _ => Err(self.wrong(name, "an object")),
        }
    }

    /// The fields of an object, or nothing.
    pub fn optional_object(&self, name: &str) -> Result<Option<Fields<'a>>, DataError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(self.inner(name, map))),
            Some(_) => Err(self.wrong(name, "an object or null")),
        }
    }

    /// The fields of one item of a list.
    pub fn item(
        &self,
        name: &str,
        index: usize,
        value: &'a Value,
    ) -> Result<Fields<'a>, DataError> {
        let name = format!("{name}[{index}]");
        match value {
            Value::Object(map) => Ok(self.inner(&name, map)),
            other => Err(self.error(&name, describe(Some(other)), "an object")),
        }
    }

    /// The error for a field that holds something else than expected.
    pub fn wrong(&self, name: &str, expected: &str) -> DataError {
        self.error(name, describe(self.map.get(name)), expected)
    }

    /// The error for a field, with the finding in words.
    pub fn error(&self, name: &str, found: String, expected: &str) -> DataError {
        let field = format!("{}{name}", self.prefix);
        DataError::record(self.path, self.line, field, found, expected).in_item(self.item)
    }

    fn inner(&self, name: &str, map: &'a Map<String, Value>) -> Fields<'a> {
        Fields {
            path: self.path,
            line: self.line,
            item: self.item,
            prefix: format!("{}{name}.", self.prefix),
            map,
        }
    }
}

/// A value in a few words.
pub(crate) fn describe(value: Option<&Value>) -> String {
    match value {
        None => "nothing".into(),
        Some(Value::Null) => "null".into(),
        Some(Value::Bool(truth)) => format!("{truth}"),
        Some(Value::Number(number)) => format!("the number {number}"),
        Some(Value::String(text)) => format!("the text {:?}", shortened(text)),
        Some(Value::Array(items)) => format!("a list of {}", items.len()),
        Some(Value::Object(map)) => format!("an object of {} fields", map.len()),
    }
}

/// At most 40 characters of a text.
pub(crate) fn shortened(text: &str) -> String {
    const LIMIT: usize = 40;
    let mut short: String = text.chars().take(LIMIT).collect();
    if text.chars().nth(LIMIT).is_some() {
        short.push_str("...");
    }
    short
}
