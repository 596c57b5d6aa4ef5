//! What a `config.json` says of rotary positions, old (`rope_theta`, `rope_scaling`) and new (`rope_parameters`).

use serde_json::Value;

use super::ConfigError;
use super::keys::Keys;

const NEW: &str = "rope_parameters";
const OLD: &str = "rope_scaling";

/// Base and stretching of rotary positions.
pub(crate) struct RopeKeys<'a> {
    /// The base of the frequencies, if it is named.
    pub(crate) theta: Option<f64>,
    /// How frequencies are stretched; none where they are not.
    pub(crate) scaling: Option<Scaling<'a>>,
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
        Self::of_table(keys, keys.json_value(NEW), supported)
    }

    /// Those of one kind of layers, where the file has a table for each kind; else those of all.
    pub(crate) fn of_layers(
        keys: &Keys<'a>,
        kind: &str,
        supported: &str,
    ) -> Result<Self, ConfigError> {
        let tables = keys.json_value(NEW);
        match tables.and_then(|tables| tables.get(kind)) {
            Some(table) => Ok(Self {
                of_these_layers: true,
                ..Self::of_table(keys, Some(table), supported)?
            }),
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

    fn of_table(
        keys: &Keys<'a>,
        new: Option<&'a Value>,
        supported: &str,
    ) -> Result<Self, ConfigError> {
        let plain = keys.optional_number("rope_theta")?;
        let table = match new {
            Some(table) => Some((NEW, table)),
            None => keys.json_value(OLD).map(|table| (OLD, table)),
        };
        let Some((key, table)) = table else {
            return Ok(Self {
                theta: plain,
                scaling: None,
                of_these_layers: false,
            });
        };
        let theta = table.get("rope_theta").and_then(Value::as_f64).or(plain);
        let kind = table.get("rope_type").or_else(|| table.get("type"));
        let scaling = match kind.map(|kind| kind.as_str().ok_or(kind)) {
            Some(Ok("default")) => None,
            None if key == NEW => None,
            Some(Ok(kind)) => Some(Scaling { key, kind, table }),
            Some(Err(found)) => return Err(unknown(keys, key, found, supported)),
            None => return Err(unknown(keys, key, &Value::Null, supported)),
        };
        Ok(Self {
            theta,
            scaling,
            of_these_layers: false,
        })
    }
}

impl Scaling<'_> {
    /// That the family has no such stretching.
    pub(crate) fn refuse(&self, keys: &Keys<'_>, supported: &str) -> ConfigError {
        unknown(keys, self.key, &Value::from(self.kind), supported)
    }
}

fn unknown(keys: &Keys<'_>, key: &str, found: &Value, supported: &str) -> ConfigError {
    keys.error(&format!("{key}.rope_type"), found, supported)
}
