//! JSON values that borrow their texts from the bytes of the record: most of a file is text, and copying it twice is slow.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Object<'a>),
}

/// Names and values in their order. Records have few fields, so looking through all of them is faster than hashing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Object<'a> {
    /// The value of this name; of several the last.
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        let mut fields = self.0.iter().rev();
        fields.find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The same in the type of `serde_json`.
    pub fn values(&self) -> Map<String, Value> {
        let fields = self.0.iter();
        fields
            .map(|(name, value)| (name.to_string(), value.to_value()))
            .collect()
    }
}

impl<'a> FromIterator<(Cow<'a, str>, Json<'a>)> for Object<'a> {
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, Json<'a>)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

impl<'a> Json<'a> {
    /// Text.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// The same in the type of `serde_json`.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(text) => Value::String(text.to_string()),
            Self::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Self::Object(fields) => Value::Object(fields.values()),
        }
    }

    /// What stands in the bytes.
    pub fn parse(bytes: &'a [u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }
}

impl From<Value> for Json<'static> {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(truth),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::text(text),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(fields) => {
                let fields = fields.into_iter();
                Self::Object(fields.map(|(name, value)| (name.into(), value.into())).collect())
            }
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

/// A field's name.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Json<'de>, E> {
        let finite = Number::from_f64(number).map(Json::Number);
        finite.ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::text(text))
    }

    /// Text with escapes in it, which cannot be borrowed.
    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Json<'de>, A::Error> {
        let mut object = Vec::with_capacity(8);
        while let Some((Name(name), value)) = fields.next_entry()? {
            object.push((name, value));
        }
        Ok(Json::Object(Object(object)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object<'_> {
        match Json::parse(text.as_bytes()) {
            Ok(Json::Object(object)) => object,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn texts_are_borrowed_unless_they_hold_escapes() {
        let found = object(r#"{"a": "plain é", "b": "a\n\u00e9", "c\t": ""}"#);
        assert!(matches!(
            found.get("a"),
            Some(Json::Text(Cow::Borrowed("plain é")))
        ));
        assert_eq!(found.get("b"), Some(&Json::text("a\né")));
        assert!(found.contains("c\t") && !found.contains("c"));
    }

    #[test]
    fn values_are_those_of_serde_json() {
        for text in [
            "null",
            "true",
            "-3",
            "18446744073709551615",
            "1e300",
            "3.0",
            "[]",
            "[1, [null]]",
            "\"\\ud83d\\ude00\"",
        ] {
            let expected: serde_json::Value = serde_json::from_str(text).unwrap();
            let found = match (Json::parse(text.as_bytes()).unwrap(), &expected) {
                (Json::Null, value) => value.is_null(),
                (Json::Bool(truth), value) => value.as_bool() == Some(truth),
                (Json::Number(number), value) => *value == serde_json::Value::Number(number),
                (Json::Text(text), value) => value.as_str() == Some(&*text),
                (Json::List(items), value) => value.as_array().map(Vec::len) == Some(items.len()),
                (Json::Object(_), _) => false,
            };
            assert!(found, "{text}");
        }
        for text in [
            "",
            "{",
            "1e999",
            "\"\\ud83d\"",
            "[1,]",
            "{\"a\":1} x",
            &"[".repeat(1000),
        ] {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Json::parse(b"\"\xff\"").is_err());
    }

    #[test]
    fn of_two_fields_of_a_name_the_last_counts() {
        assert_eq!(
            object(r#"{"a": 1, "a": "x"}"#).get("a"),
            Some(&Json::text("x"))
        );
    }
}
