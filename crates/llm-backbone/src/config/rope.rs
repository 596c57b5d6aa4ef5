//! What a `config.json` says of rotary positions, old (`rope_theta`, `rope_scaling`) and new (`rope_parameters`).

use serde_json::Value;

use super::ConfigError;
use super::keys::Keys;

const NEW: &str = "rope_parameters";
const OLD: &str = "rope_scaling";

/// The share of a head's dimensions that is rotated, by itself or in the new table.
pub(crate) const ROTATED: &str = "partial_rotary_factor";

/// The layers that the old table is about, where the new one has a table for each kind.
const FULL: &str = "full_attention";

/// Base and stretching of rotary positions.
pub(crate) struct RopeKeys<'a> {
    /// The base of the frequencies, if it is named.
    pub(crate) theta: Option<f64>,
    /// How frequencies are stretched; none where they are not.
    pub(crate) scaling: Option<Scaling<'a>>,
    /// The share of a head's dimensions that is rotated, if it is named.
    pub(crate) rotated: Option<f64>,
    /// Whether the file names them for one kind of layers, not for all.
    pub(crate) of_these_layers: bool,
}

/// A way to stretch frequencies.
pub(crate) struct Scaling<'a> {
    /// Its key.
    pub(crate) key: &'static str,
    /// Its name.
    pub(crate) kind: &'a str,
    /// Its numbers.
    pub(crate) table: &'a Value,
}

impl<'a> RopeKeys<'a> {
    /// Those of all layers alike.
    pub(crate) fn from_hf(keys: &Keys<'a>, supported: &str) -> Result<Self, ConfigError> {
        if let Some(Value::Object(tables)) = keys.json_value(NEW)
            && let Some(kind) = tables.keys().find(|kind| tables[*kind].is_object())
        {
            let found = format!("a table of `{kind}` layers");
            return Err(keys.error(NEW, found, "one table for all layers"));
        }
        Self::of_tables(
            keys,
            [keys.json_value(NEW), keys.json_value(OLD)],
            supported,
        )
    }

    /// Those of one kind of layers, where the file has a table for each kind; else those of all.
    pub(crate) fn of_layers(
        keys: &Keys<'a>,
        kind: &str,
        supported: &str,
    ) -> Result<Self, ConfigError> {
        let tables = keys.json_value(NEW);
        match tables.and_then(|tables| tables.get(kind)) {
            Some(table) => {
                let old = keys.json_value(OLD).filter(|_| kind == FULL);
                Ok(Self {
                    of_these_layers: true,
                    ..Self::of_tables(keys, [Some(table), old], supported)?
                })
            }
            None => Self::from_hf(keys, supported),
        }
    }

    /// The base, where frequencies may not be stretched.
    pub(crate) fn unstretched(&self, keys: &Keys<'_>) -> Result<Option<f64>, ConfigError> {
        match &self.scaling {
            None => Ok(self.theta),
            Some(scaling) => Err(scaling.refuse(keys, "`default`")),
        }
    }

    /// That whole heads are rotated.
    pub(crate) fn require_whole_heads(&self, keys: &Keys<'_>) -> Result<(), ConfigError> {
        match self.rotated {
            Some(share) if share != 1.0 => {
                Err(keys.error(ROTATED, share, "1 (nothing else is supported)"))
            }
            _ => Ok(()),
        }
    }

    /// What the new table says, and the old one where there is no other.
    fn of_tables(
        keys: &Keys<'a>,
        [new, old]: [Option<&'a Value>; 2],
        supported: &str,
    ) -> Result<Self, ConfigError> {
        let theta = keys.optional_number("rope_theta")?;
        let rotated = keys.optional_number(ROTATED)?;
        let (key, table) = match (filled(keys, NEW, new)?, filled(keys, OLD, old)?) {
            (None, None) => {
                return Ok(Self {
                    theta,
                    scaling: None,
                    rotated,
                    of_these_layers: false,
                });
            }
            (Some(new), Some(old)) if !agree(new, old) => {
                let expected = format!("nothing beside `{NEW}`, or the same");
                return Err(keys.error(OLD, old, expected));
            }
            (Some(new), _) => (NEW, new),
            (None, Some(old)) => (OLD, old),
        };
        let number = |name: &str| number(keys, key, table, name);
        let theta = number("rope_theta")?.or(theta);
        let rotated = number(ROTATED)?.or(rotated);
        let scaling = match kind_of(table).map(|kind| kind.as_str().ok_or(kind)) {
            Some(Ok("default")) => None,
            None if key == NEW => None,
            Some(Ok(kind)) => Some(Scaling { key, kind, table }),
            Some(Err(found)) => return Err(unknown(keys, key, found, supported)),
            None => return Err(unknown(keys, key, &Value::Null, supported)),
        };
        Ok(Self {
            theta,
            scaling,
            rotated,
            of_these_layers: false,
        })
    }
}

/// A table that says something; an empty one is none.
fn filled<'a>(
    keys: &Keys<'_>,
    key: &str,
    table: Option<&'a Value>,
) -> Result<Option<&'a Value>, ConfigError> {
    match table {
        None | Some(Value::Null) => Ok(None),
        Some(table @ Value::Object(map)) => Ok((!map.is_empty()).then_some(table)),
        Some(other) => Err(keys.error(key, other, "a table")),
    }
}

fn kind_of(table: &Value) -> Option<&Value> {
    table.get("rope_type").or_else(|| table.get("type"))
}

fn number(
    keys: &Keys<'_>,
    key: &str,
    table: &Value,
    name: &str,
) -> Result<Option<f64>, ConfigError> {
    let value = table.get(name).filter(|value| !value.is_null());
    let wrong = |value| keys.error(&format!("{key}.{name}"), value, "a number");
    value
        .map(|value| value.as_f64().ok_or_else(|| wrong(value)))
        .transpose()
}

/// Whether two tables say the same. The base may be in one of them only.
fn agree(a: &Value, b: &Value) -> bool {
    let kind = |table| kind_of(table).filter(|kind| *kind != "default");
    let is_in = |a: &Value, b: &Value| {
        let mut pairs = a.as_object().into_iter().flatten();
        pairs.all(|(key, value)| match (key.as_str(), b.get(key)) {
            ("rope_type" | "type", _) | ("rope_theta", None) => true,
            (_, other) => same(value, other.unwrap_or(&Value::Null)),
        })
    };
    kind(a) == kind(b) && is_in(a, b) && is_in(b, a)
}

/// Whether two values are the same, be numbers whole or not.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

impl Scaling<'_> {
    /// One of its numbers.
    pub(crate) fn number(&self, keys: &Keys<'_>, name: &str) -> Result<Option<f64>, ConfigError> {
        number(keys, self.key, self.table, name)
    }

    /// That the family has no such stretching.
    pub(crate) fn refuse(&self, keys: &Keys<'_>, supported: &str) -> ConfigError {
        unknown(keys, self.key, &Value::from(self.kind), supported)
    }
}

fn unknown(keys: &Keys<'_>, key: &str, found: &Value, supported: &str) -> ConfigError {
    keys.error(&format!("{key}.rope_type"), found, supported)
}
