//! Which blocks look back a limited way only: the key `layer_types` of a `config.json`.

use std::path::Path;

use serde_json::{Value, json};

use super::keys::Keys;
use super::{ConfigError, LARGEST_DEPTH, key_error};

const KEY: &str = "layer_types";
const SLIDING: &str = "sliding_attention";
const FULL: &str = "full_attention";

/// For each of `count` blocks whether it has a sliding window; `default` says so where the file does not.
pub(crate) fn sliding_from_hf(
    keys: &Keys<'_>,
    count: usize,
    default: impl Fn(usize) -> bool,
) -> Result<Vec<bool>, ConfigError> {
    let Some(value) = keys.json_value(KEY) else {
        return Ok(each(count, default));
    };
    let wrong = |found: &Value| {
        let expected = format!("a list of `{SLIDING}` and `{FULL}`");
        keys.error(KEY, found, expected)
    };
    let kind = |kind: &Value| match kind.as_str() {
        Some(SLIDING) => Ok(true),
        Some(FULL) => Ok(false),
        _ => Err(wrong(kind)),
    };
    let list = value.as_array().ok_or_else(|| wrong(value))?;
    list.iter().map(kind).collect()
}

/// The same for every block by a rule. A number of blocks that makes no model is refused later, by its own key.
pub(crate) fn each(count: usize, rule: impl Fn(usize) -> bool) -> Vec<bool> {
    (0..count.min(LARGEST_DEPTH)).map(rule).collect()
}

/// The value of `layer_types`.
pub(crate) fn sliding_to_hf(sliding: &[bool]) -> (&'static str, Value) {
    let name = |sliding: &bool| if *sliding { SLIDING } else { FULL };
    (KEY, json!(sliding.iter().map(name).collect::<Vec<_>>()))
}

/// That a list has an entry for each block.
pub(crate) fn validate_each(
    file: &Path,
    key: &str,
    entries: usize,
    blocks: usize,
) -> Result<(), ConfigError> {
    if entries == blocks {
        return Ok(());
    }
    let expected = format!("one for each of the {blocks} blocks");
    Err(key_error(file, key, format!("{entries} entries"), expected))
}

/// As [`validate_each`], for `layer_types`.
pub(crate) fn validate_sliding(
    file: &Path,
    sliding: &[bool],
    blocks: usize,
) -> Result<(), ConfigError> {
    validate_each(file, KEY, sliding.len(), blocks)
}
