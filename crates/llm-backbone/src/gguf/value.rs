//! Metadata values.

use std::collections::BTreeMap;

use super::reader::NumberType;

/// The key-value part of a GGUF file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metadata {
    values: BTreeMap<String, Value>,
}

/// One metadata value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Any unsigned integer type.
    Unsigned(u64),
    /// Any signed integer type.
    Signed(i64),
    /// A 32- or 64-bit number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// UTF-8 text.
    String(String),
    /// A list of one type.
    Array(Array),
}

/// A list in the metadata. Numbers stay as the bytes of the file, so that a list costs no more memory than it did disk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Array {
    /// Texts.
    Strings(Vec<String>),
    /// Numbers or truth values.
    Numbers(Numbers),
}

/// A packed list of numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Numbers {
    pub(super) kind: NumberType,
    pub(super) bytes: Vec<u8>,
}

impl Numbers {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / self.kind.size()
    }

    /// The numbers, one by one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Value> + '_ {
        self.bytes
            .chunks_exact(self.kind.size())
            .map(|chunk| self.kind.decode(chunk))
    }
}

impl Value {
    /// The value as a whole, non-negative number.
    pub(crate) fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Unsigned(n) => Some(*n),
            Self::Signed(n) => u64::try_from(*n).ok(),
            _ => None,
        }
    }

    /// The value as a number.
    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Unsigned(n) => Some(*n as f64),
            Self::Signed(n) => Some(*n as f64),
            Self::Float(n) => Some(*n),
            _ => None,
        }
    }

    /// What kind of value this is, in words, for messages.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Unsigned(n) => format!("the number {n}"),
            Self::Signed(n) => format!("the number {n}"),
            Self::Float(n) => format!("the number {n}"),
            Self::Bool(b) => format!("the truth value {b}"),
            Self::String(_) => "a text".to_owned(),
            Self::Array(Array::Strings(list)) => format!("a list of {} texts", list.len()),
            Self::Array(Array::Numbers(list)) => format!("a list of {} numbers", list.len()),
        }
    }
}

impl Metadata {
    /// The value of `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// The text under `key`, if there is one.
    pub(crate) fn string(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The truth value under `key`, if there is one.
    pub(crate) fn bool(&self, key: &str) -> Option<bool> {
        match self.get(key) {
            Some(Value::Bool(truth)) => Some(*truth),
            _ => None,
        }
    }

    /// The whole number under `key`, if there is one.
    pub(crate) fn u64(&self, key: &str) -> Option<u64> {
        self.get(key).and_then(Value::as_u64)
    }

    /// The list of texts under `key`, if there is one.
    pub(crate) fn strings(&self, key: &str) -> Option<&[String]> {
        match self.get(key) {
            Some(Value::Array(Array::Strings(list))) => Some(list),
            _ => None,
        }
    }

    /// The list of numbers under `key`, if there is one.
    pub(crate) fn numbers(&self, key: &str) -> Option<&Numbers> {
        match self.get(key) {
            Some(Value::Array(Array::Numbers(list))) => Some(list),
            _ => None,
        }
    }

    /// Adds a pair; false if the key was there already.
    pub(crate) fn insert(&mut self, key: String, value: Value) -> bool {
        match self.values.entry(key) {
            std::collections::btree_map::Entry::Occupied(_) => false,
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(value);
                true
            }
        }
    }
}
