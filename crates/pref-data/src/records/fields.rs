//! One record as named JSON values, with access that says where, what and what instead.

use std::borrow::Cow;
use std::path::Path;

use serde_json::{Map, Number, Value};

use super::json::{Json, Object};
use crate::error::{DataError, WHOLE_RECORD};

/// One record before it is understood. Every file format is brought to this form.
pub(crate) struct RawRecord {
    /// Line, or row in Parquet, from 1.
    pub line: u64,
    /// Place in a JSON array, from 1.
    pub item: Option<u64>,
    pub(super) content: Content,
}

/// What a record holds.
pub(super) enum Content {
    /// JSON that nobody has looked at yet.
    Bytes(Vec<u8>),
    Fields(Object<'static>),
}

impl RawRecord {
    /// The fields by name.
    ///
    /// # Errors
    /// [`DataError`] if the bytes are no JSON, or something else than an object.
    pub fn object(&self, path: &Path) -> Result<Cow<'_, Object<'_>>, DataError> {
        let found = match &self.content {
            Content::Fields(fields) => return Ok(Cow::Borrowed(fields)),
            Content::Bytes(bytes) => match Json::parse(bytes) {
                Ok(Json::Object(fields)) => return Ok(Cow::Owned(fields)),
                Ok(other) => describe(Some(&other)),
                Err(error) => format!("invalid JSON ({error})"),
            },
        };
        let error = DataError::record(path, self.line, WHOLE_RECORD, found, "one JSON object");
        Err(error.in_item(self.item))
    }
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
    within: Option<Within<'a>>,
    object: &'a Object<'a>,
}

/// Where in a record an object stands; put into words only if something is wrong.
#[derive(Clone, Copy)]
struct Within<'a> {
    outer: &'a Fields<'a>,
    name: &'a str,
    index: Option<usize>,
}

impl<'a> Fields<'a> {
    pub fn of(path: &'a Path, record: &RawRecord, object: &'a Object<'a>) -> Self {
        Self {
            path,
            line: record.line,
            item: record.item,
            within: None,
            object,
        }
    }

    /// The value, unless it is absent or null.
    pub fn get(&self, name: &str) -> Option<&'a Json<'a>> {
        let value = self.object.get(name);
        value.filter(|value| !matches!(value, Json::Null))
    }

    /// Text, which may be empty.
    pub fn text(&self, name: &str) -> Result<String, DataError> {
        match self.get(name) {
            Some(Json::Text(text)) => Ok(text.to_string()),
            _ => Err(self.wrong(name, "text")),
        }
    }

    /// Text, or nothing.
    pub fn optional_text(&self, name: &str) -> Result<Option<String>, DataError> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text.to_string())),
            Some(_) => Err(self.wrong(name, "text or null")),
        }
    }

    /// A name, written as text or as an integer, or nothing. Empty text names nobody and is an error.
    pub fn optional_name(&self, name: &str) -> Result<Option<String>, DataError> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Text(text)) if !text.is_empty() => Ok(Some(text.to_string())),
            Some(Json::Number(number)) if number.is_i64() || number.is_u64() => {
                Ok(Some(number.to_string()))
            }
            Some(_) => Err(self.wrong(name, "text that is not empty, an integer, or null")),
        }
    }

    fn number_at(&self, name: &str) -> Option<&'a Number> {
        match self.get(name) {
            Some(Json::Number(number)) => Some(number),
            _ => None,
        }
    }

    /// An integer, or nothing.
    pub fn optional_integer(&self, name: &str) -> Result<Option<i64>, DataError> {
        if self.get(name).is_none() {
            return Ok(None);
        }
        let number = self.number_at(name).and_then(Number::as_i64);
        number
            .map(Some)
            .ok_or_else(|| self.wrong(name, "an integer or null"))
    }

    /// An integer, also where it is written as `3.0`, or nothing.
    pub fn optional_whole(&self, name: &str) -> Result<Option<i64>, DataError> {
        const EXACT: f64 = (1u64 << 53) as f64;
        if self.get(name).is_none() {
            return Ok(None);
        }
        let from_float =
            |number: f64| (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64);
        let whole = self.number_at(name).and_then(|number| {
            let float = || number.as_f64().and_then(from_float);
            number.as_i64().or_else(float)
        });
        whole
            .map(Some)
            .ok_or_else(|| self.wrong(name, "an integer or null"))
    }

    /// An integer, also where it is written as `3.0`.
    pub fn whole(&self, name: &str) -> Result<i64, DataError> {
        match self.optional_whole(name) {
            Ok(Some(number)) => Ok(number),
            _ => Err(self.wrong(name, "an integer")),
        }
    }

    /// True or false.
    pub fn flag(&self, name: &str) -> Result<bool, DataError> {
        match self.get(name) {
            Some(Json::Bool(truth)) => Ok(*truth),
            _ => Err(self.wrong(name, "true or false")),
        }
    }

    /// A name, written as text or as an integer.
    pub fn name(&self, name: &str) -> Result<String, DataError> {
        self.optional_name(name)?
            .ok_or_else(|| self.wrong(name, "text that is not empty, or an integer"))
    }

    /// A list.
    pub fn list(&self, name: &str) -> Result<&'a [Json<'a>], DataError> {
        match self.get(name) {
            Some(Json::List(items)) => Ok(items),
            _ => Err(self.wrong(name, "a list")),
        }
    }

    /// The value as it is; JSON in a text becomes what it holds.
    pub fn json_value(&self, name: &str) -> Option<Value> {
        match self.get(name)? {
            Json::Text(text) if text.trim().is_empty() => None,
            Json::Text(text) => match serde_json::from_str(text) {
                Ok(value) => Some(value),
                Err(_) => Some(Value::String(text.to_string())),
            },
            other => Some(other.to_value()),
        }
    }

    /// All fields as they are.
    pub fn values(&self) -> Map<String, Value> {
        self.object.values()
    }

    /// The fields of an object.
    pub fn object<'s>(&'s self, name: &'s str) -> Result<Fields<'s>, DataError> {
        match self.get(name) {
            Some(Json::Object(object)) => Ok(self.inner(name, None, object)),
            _ => Err(self.wrong(name, "an object")),
        }
    }

    /// The fields of one item of a list.
    pub fn item<'s>(
        &'s self,
        name: &'s str,
        index: usize,
        value: &'s Json<'s>,
    ) -> Result<Fields<'s>, DataError> {
        match value {
            Json::Object(object) => Ok(self.inner(name, Some(index), object)),
            other => {
                let name = format!("{name}[{index}]");
                Err(self.error(&name, describe(Some(other)), "an object"))
            }
        }
    }

    /// The error for a field that holds something else than expected.
    pub fn wrong(&self, name: &str, expected: &str) -> DataError {
        self.error(name, describe(self.object.get(name)), expected)
    }

    /// The error for a field, with the finding in words.
    pub fn error(&self, name: &str, found: String, expected: &str) -> DataError {
        let field = format!("{}{name}", self.prefix());
        DataError::record(self.path, self.line, field, found, expected).in_item(self.item)
    }

    fn prefix(&self) -> String {
        let Some(Within { outer, name, index }) = self.within else {
            return String::new();
        };
        let index = index.map_or_else(String::new, |index| format!("[{index}]"));
        format!("{}{name}{index}.", outer.prefix())
    }

    fn inner<'s>(
        &'s self,
        name: &'s str,
        index: Option<usize>,
        object: &'s Object<'s>,
    ) -> Fields<'s> {
        Fields {
            path: self.path,
            line: self.line,
            item: self.item,
            within: Some(Within {
                outer: self,
                name,
                index,
            }),
            object,
        }
    }
}

/// A value in a few words.
pub(crate) fn describe(value: Option<&Json>) -> String {
    match value {
        None => "nothing".into(),
        Some(Json::Null) => "null".into(),
        Some(Json::Bool(truth)) => format!("{truth}"),
        Some(Json::Number(number)) => format!("the number {number}"),
        Some(Json::Text(text)) => format!("the text {:?}", shortened(text)),
        Some(Json::List(items)) => format!("a list of {}", items.len()),
        Some(Json::Object(object)) => format!("an object of {} fields", object.len()),
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
