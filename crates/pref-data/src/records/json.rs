//! JSON values that borrow their texts from the bytes of the record: most of a file is text, and copying it twice is slow.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::fields::shortened;
use super::limits::{MAX_VALUES, TOO_MANY_VALUES};

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
    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        let mut fields = self.0.iter();
        fields.find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    /// The same in the type of `serde_json`.
    pub fn values(&self) -> Map<String, Value> {
        let fields = self.iter();
        fields
            .map(|(name, value)| (name.to_owned(), value.to_value()))
            .collect()
    }

    /// Names and values, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }
}

impl<'a> FromIterator<(Cow<'a, str>, Json<'a>)> for Object<'a> {
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, Json<'a>)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

impl<'a> Json<'a> {
    /// A number; null for what is not finite, for which JSON has none.
    pub fn float(number: f64) -> Self {
        Number::from_f64(number).map_or(Self::Null, Self::Number)
    }

    /// Text.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// The same with texts of its own.
    pub fn into_owned(self) -> Json<'static> {
        match self {
            Self::Null => Json::Null,
            Self::Bool(truth) => Json::Bool(truth),
            Self::Number(number) => Json::Number(number),
            Self::Text(text) => Json::text(text.into_owned()),
            Self::List(items) => Json::List(items.into_iter().map(Json::into_owned).collect()),
            Self::Object(Object(fields)) => {
                let fields = fields.into_iter();
                let owned =
                    fields.map(|(name, value)| (name.into_owned().into(), value.into_owned()));
                Json::Object(owned.collect())
            }
        }
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

    /// About how many bytes it takes.
    pub fn bytes(&self) -> u64 {
        const EACH: u64 = 32;
        EACH + match self {
            Self::Text(text) => text.len() as u64,
            Self::List(items) => items.iter().map(Self::bytes).sum(),
            Self::Object(object) => {
                let fields = object.iter();
                fields
                    .map(|(name, value)| EACH + name.len() as u64 + value.bytes())
                    .sum()
            }
            _ => 0,
        }
    }

    /// What stands in the bytes.
    pub fn parse(bytes: &'a [u8]) -> serde_json::Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let left = Cell::new(MAX_VALUES);
        let value = AnyValue { left: &left }.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(value)
    }
}

/// A field's name.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads a value, as long as there is room for one more.
#[derive(Clone, Copy)]
struct AnyValue<'c> {
    left: &'c Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for AnyValue<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        let Some(left) = self.left.get().checked_sub(1) else {
            return Err(D::Error::custom(TOO_MANY_VALUES));
        };
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue<'_> {
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
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Json<'de>, A::Error> {
        let mut object = Vec::new();
        while let Some(Name(name)) = fields.next_key()? {
            object.push((name, fields.next_value_seed(self)?));
        }
        match repeated_name(&object) {
            Some(name) => Err(A::Error::custom(format!(
                "field {} stands twice",
                printable::quoted(&shortened(name))
            ))),
            None => Ok(Json::Object(Object(object))),
        }
    }
}

/// A name that two of these fields have: nobody can know which of them is meant.
pub(crate) fn repeated_name<'o>(fields: &'o [(Cow<'_, str>, Json)]) -> Option<&'o str> {
    /// Above this, sorting is faster than comparing all with all.
    const FEW: usize = 16;
    if fields.len() <= FEW {
        let mut names = fields.iter().enumerate();
        let is_repeated = |n: usize, name: &str| fields[..n].iter().any(|(other, _)| other == name);
        let found = names.find(|(n, (name, _))| is_repeated(*n, name));
        return found.map(|(_, (name, _))| name.as_ref());
    }
    let mut names: Vec<&str> = fields.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    let pair = names.windows(2).find(|pair| pair[0] == pair[1]);
    pair.map(|pair| pair[0])
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
    fn a_record_has_no_more_than_a_million_values() {
        let list = |items: usize| format!("{{\"x\":[{}{{}}]}}", "{},".repeat(items - 1));
        assert!(Json::parse(list(MAX_VALUES - 2).as_bytes()).is_ok());
        let error = Json::parse(list(MAX_VALUES - 1).as_bytes()).unwrap_err();
        assert!(error.to_string().contains("more than a million values"));
    }

    #[test]
    fn a_field_that_stands_twice_is_refused() {
        let many: String = (0..40).map(|n| format!("\"f{n}\": {n}, ")).collect();
        for text in [
            r#"{"a": 1, "a": "x"}"#.to_owned(),
            r#"{"b": [{"a": 1, "c": 2, "a": null}]}"#.to_owned(),
            format!("{{{many}\"a\": 1, \"a\": 1}}"),
        ] {
            let error = Json::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("field `a` stands twice"), "{error}");
        }
        assert!(Json::parse(format!("{{{many}\"a\": 1}}").as_bytes()).is_ok());
    }
}
