//! Keys of a section before it is known whose they are, and a loss made of them.

use std::collections::BTreeMap;

use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{IntoDeserializer, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

use crate::PreferenceLoss;

/// A value of any type that configuration files have. (serde's own buffer, behind `flatten`, is private; `serde_json::Value`
/// has no infinities.)
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Value {
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Table(BTreeMap<String, Value>),
}

impl<'de> IntoDeserializer<'de> for Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Value {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Integer(value) => visitor.visit_i64(value),
            Self::Number(value) => visitor.visit_f64(value),
            Self::Text(value) => visitor.visit_string(value),
            Self::List(values) => visitor.visit_seq(SeqDeserializer::new(values.into_iter())),
            Self::Table(values) => visitor.visit_map(MapDeserializer::new(values.into_iter())),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A loss from its own keys. The error begins with the key, which serde does not tell.
pub(crate) fn read_loss(keys: BTreeMap<String, Value>) -> Result<PreferenceLoss, String> {
    let read = |keys| PreferenceLoss::deserialize(Value::Table(keys)).map_err(|e| e.to_string());
    let error = match read(keys.clone()) {
        Ok(loss) => return Ok(loss),
        Err(error) => error,
    };
    // The first key that leads to the same error with the name of the loss alone.
    let names = std::iter::once("loss").chain(keys.keys().map(String::as_str));
    let alone = |name: &str| {
        let some = keys
            .iter()
            .filter(|(key, _)| *key == name || *key == "loss");
        let some = some.map(|(key, value)| (key.clone(), value.clone()));
        read(some.collect()).err().as_ref() == Some(&error)
    };
    match names.into_iter().find(|name| alone(name)) {
        Some(name) => Err(format!("`{name}`: {error}")),
        None => Err(error),
    }
}
