//! One record as named JSON values, with access that says where, what and what instead.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Map, Number, Value};
use strsim::levenshtein;

use super::invalid;
use super::json::{Json, Object};
use crate::error::{DataError, WHOLE_RECORD};
use crate::place::Place;

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
    /// Cells of a CSV row: text, where other formats have numbers.
    Cells(Object<'static>),
    /// The columns of a row that somebody asked for, and the names of the others.
    Row(Object<'static>, Rc<[String]>),
}

impl RawRecord {
    /// The fields by name.
    ///
    /// # Errors
    /// [`DataError`] if the bytes are no JSON, or something else than an object.
    pub fn object(&self, path: &Path) -> Result<Cow<'_, Object<'_>>, DataError> {
        let found = match &self.content {
            Content::Cells(fields) | Content::Row(fields, _) => return Ok(Cow::Borrowed(fields)),
            Content::Bytes(bytes) => match Json::parse(bytes) {
                Ok(Json::Object(fields)) if is_table(&fields) => {
                    "one object of columns: write orient=\"records\", lines=True".into()
                }
                Ok(Json::Object(fields)) => return Ok(Cow::Owned(fields)),
                Ok(other) => describe(Some(&other)),
                Err(error) => invalid::explain(bytes, &error),
            },
        };
        let error = DataError::record(path, self.line, WHOLE_RECORD, found, "one JSON object");
        Err(error.in_item(self.item))
    }
}

/// Whether this is a whole table as pandas writes it without `orient`, or with `split`.
fn is_table(fields: &Object) -> bool {
    let is_split = |name| matches!(fields.get(name), Some(Json::List(_)));
    let is_column = |(_, value): (&str, &Json)| match value {
        Json::Object(cells) => cells.len() > 0 && cells.names().all(is_integer),
        _ => false,
    };
    ["columns", "index", "data"].into_iter().all(is_split)
        || fields.len() > 1 && fields.iter().all(is_column)
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

/// Refuses a table with two columns of a name.
///
/// # Errors
/// [`DataError::Record`] in the file's first line.
pub(super) fn validate_distinct(path: &Path, names: &[&str]) -> Result<(), RawError> {
    let mut all = names.iter().enumerate();
    match all.find(|(n, name)| names[..*n].contains(name)) {
        Some((_, name)) => {
            let found = format!("the columns {}", names.join(", "));
            let expected = "one column of this name";
            Err(RawError::fatal(DataError::record(
                path, 1, *name, found, expected,
            )))
        }
        None => Ok(()),
    }
}

/// The records of one file.
pub(crate) type RawRecords = Box<dyn Iterator<Item = Result<RawRecord, RawError>>>;

/// Access to the fields of a record or of an object in it. `null` and absent mean the same.
pub(crate) struct Fields<'a> {
    path: &'a Arc<Path>,
    line: u64,
    item: Option<u64>,
    within: Option<Within<'a>>,
    object: &'a Object<'a>,
    /// Every value is text, numbers too.
    untyped: bool,
    /// Columns that were not read.
    others: &'a [String],
    /// What was read otherwise than it stands.
    notes: RefCell<Vec<String>>,
}

/// Where in a record an object stands; put into words only if something is wrong.
#[derive(Clone, Copy)]
struct Within<'a> {
    outer: &'a Fields<'a>,
    name: &'a str,
    index: Option<usize>,
}

impl<'a> Fields<'a> {
    pub fn of(path: &'a Arc<Path>, record: &'a RawRecord, object: &'a Object<'a>) -> Self {
        Self {
            path,
            line: record.line,
            item: record.item,
            within: None,
            object,
            untyped: matches!(record.content, Content::Cells(_)),
            others: match &record.content {
                Content::Row(_, others) => others,
                _ => &[],
            },
            notes: RefCell::default(),
        }
    }

    /// Says that something was read otherwise than it stands: a short sentence, the same for every record of a kind.
    pub fn note(&self, what: impl Into<String>) {
        match self.within {
            Some(within) => within.outer.note(what),
            None => self.notes.borrow_mut().push(what.into()),
        }
    }

    /// What was noted, once.
    pub fn take_notes(&self) -> Vec<String> {
        self.notes.take()
    }

    /// Whether every value is text, numbers too, as in CSV files.
    pub fn is_untyped(&self) -> bool {
        self.untyped
    }

    /// Whether there is a value of this name, null too.
    pub fn contains(&self, name: &str) -> bool {
        self.object.contains(name)
    }

    /// The names of the record's fields, read or not.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.object
            .names()
            .chain(self.others.iter().map(String::as_str))
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

    /// A name, written as text or as an integer, or nothing. Blank text names nobody and is an error. `12.0`, which is what
    /// pandas makes of 12 in a column with gaps, is 12; said in a note.
    pub fn optional_name(&self, name: &str) -> Result<Option<String>, DataError> {
        let found = match self.get(name) {
            None => return Ok(None),
            Some(Json::Text(text)) if text.trim().is_empty() => None,
            Some(Json::Text(text)) => match text.strip_suffix(".0") {
                Some(whole) if self.untyped && is_integer(whole) => Some((whole.to_owned(), true)),
                _ => Some((text.to_string(), false)),
            },
            Some(Json::Number(number)) if number.is_f64() => {
                let whole = number.as_f64().and_then(whole);
                whole.map(|whole| (whole.to_string(), true))
            }
            Some(Json::Number(number)) => Some((number.to_string(), false)),
            Some(_) => None,
        };
        let Some((found, rounded)) = found else {
            return Err(self.wrong(name, "text that is not empty, an integer, or null"));
        };
        if rounded {
            self.note(format!("`{name}` written as in 12.0 is taken for 12"));
        }
        Ok(Some(found))
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
        if self.get(name).is_none() {
            return Ok(None);
        }
        let number = match self.get(name) {
            Some(Json::Text(text)) if self.untyped => text.trim().parse().ok().and_then(whole),
            _ => self.number_at(name).and_then(|number| {
                let float = || number.as_f64().and_then(whole);
                number.as_i64().or_else(float)
            }),
        };
        number
            .map(Some)
            .ok_or_else(|| self.wrong(name, "an integer or null"))
    }

    /// A number.
    pub fn number(&self, name: &str) -> Result<f64, DataError> {
        let number = match self.get(name) {
            Some(Json::Number(number)) => number.as_f64(),
            Some(Json::Text(text)) if self.untyped => text.trim().parse().ok(),
            _ => None,
        };
        let finite = number.filter(|number| number.is_finite());
        finite.ok_or_else(|| self.wrong(name, "a number"))
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

    /// Where the record stands.
    pub fn place(&self) -> Place {
        Place::new(Arc::clone(self.path), self.line, self.item)
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

    /// The fields of an object that stands in a field.
    pub fn within<'s>(&'s self, name: &'s str, object: &'s Object<'s>) -> Fields<'s> {
        self.inner(name, None, object)
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
        let found = match self.object.get(name) {
            Some(Json::Null) if self.untyped => "an empty cell".into(),
            value => describe(value),
        };
        self.error(name, found, expected)
    }

    /// The error for a field that must be there: names those that are, and the nearest.
    pub fn missing(&self, name: &str, expected: &str) -> DataError {
        const SHOWN: usize = 20;
        if self.contains(name) {
            return self.wrong(name, expected);
        }
        let shown = |name: &str| printable::quoted(&shortened(name));
        let names: Vec<&str> = self.names().collect();
        if names.is_empty() {
            return self.wrong(name, expected);
        }
        let mut list: Vec<String> = names.iter().take(SHOWN).map(|name| shown(name)).collect();
        if names.len() > SHOWN {
            list.push(format!("{} more", names.len() - SHOWN));
        }
        let distance =
            |other: &str| levenshtein(&name.to_lowercase(), &other.trim().to_lowercase());
        let nearest = names.iter().map(|other| (distance(other), *other)).min();
        let nearest = match nearest {
            Some((distance, other)) if distance <= (name.chars().count() / 2).max(2) => {
                format!(", the nearest is {}", shown(other))
            }
            _ => match names[..] {
                [one] if self.untyped && one.contains('\t') => {
                    " (a file whose cells are parted by tabs ends in .tsv)".into()
                }
                [one] if self.untyped && one.contains(',') => {
                    " (cells of a file that ends in .tsv are parted by tabs)".into()
                }
                [first, ..] if self.untyped && first.trim_start().starts_with('{') => {
                    " (a file of JSON objects, one a line, ends in .jsonl)".into()
                }
                [one] if self.untyped && one.contains([';', '|']) => {
                    " (cells are parted by commas)".into()
                }
                [one, ..] if names.iter().all(|name| self.holds_records(name)) => format!(
                    " (the records within are to be a file of their own: `jq -c '.[{}][]'`)",
                    Value::from(one)
                ),
                _ => String::new(),
            },
        };
        let found = format!(
            "nothing: the columns are {}{nearest}; `[data.columns]` may name another",
            list.join(", ")
        );
        self.error(name, found, expected)
    }

    /// Whether a field is a list of objects that are no messages.
    fn holds_records(&self, name: &str) -> bool {
        let first = match self.get(name) {
            Some(Json::List(items)) => items.first(),
            _ => None,
        };
        let is_message = |item: &Object| item.contains("role") || item.contains("from");
        matches!(first, Some(Json::Object(item)) if !is_message(item))
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
            untyped: self.untyped,
            others: &[],
            notes: RefCell::default(),
        }
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The integer that a number is, if it is one and exact.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = (1u64 << 53) as f64;
    (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
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
