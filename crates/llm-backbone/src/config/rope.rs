//! What a `config.json` says of rotary positions, old (`rope_theta`, `rope_scaling`) and new (`rope_parameters`).

use serde_json::Value;

use super::ConfigError;
use super::keys::Keys;

/// Base and stretching of rotary positions.
pub(crate) struct RopeKeys<'a> {
    /// The base of the frequencies, if it is named.
    pub(crate) theta: Option<f64>,
    /// How frequencies are stretched; none where they are not.
    pub(crate) scaling: Option<Scaling<'a>>,
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
    pub(crate) fn from_hf(keys: &Keys<'a>, supported: &str) -> Result<Self, ConfigError> {
        let plain = keys.optional_number("rope_theta")?;
        let (new, old) = ("rope_parameters", "rope_scaling");
        let table = match keys.json_value(new) {
            Some(table) => Some((new, table)),
            None => keys.json_value(old).map(|table| (old, table)),
        };
        let Some((key, table)) = table else {
            return Ok(Self {
                theta: plain,
                scaling: None,
            });
        };
        let theta = table.get("rope_theta").and_then(Value::as_f64).or(plain);
        let kind = table.get("rope_type").or_else(|| table.get("type"));
        let scaling = match kind.map(|kind| kind.as_str().ok_or(kind)) {
            Some(Ok("default")) => None,
            None if key == new => None,
            Some(Ok(kind)) => Some(Scaling { key, kind, table }),
            Some(Err(found)) => return Err(unknown(keys, key, found, supported)),
            None => return Err(unknown(keys, key, &Value::Null, supported)),
        };
        Ok(Self { theta, scaling })
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
