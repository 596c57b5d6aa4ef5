//! The sliding window that some blocks of a Qwen may have.

use std::path::Path;

use serde_json::{Value, json};

use super::Plan;
use crate::config::keys::Keys;
use crate::config::layers::{each, sliding_from_hf, sliding_to_hf, validate_sliding};
use crate::config::{ConfigError, LARGEST_SIZE, validate_size};

/// A sliding window of blocks from the one of index `max_window_layers` on, or of those that `layer_types` lists.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LaterWindow {
    /// Positions that a token sees in these blocks; none where no block has a window.
    pub(crate) positions: Option<usize>,
    /// Which blocks have it.
    pub(crate) blocks: Vec<bool>,
}

impl LaterWindow {
    /// No window in any of so many blocks.
    pub(crate) fn none(blocks: usize) -> Self {
        Self {
            positions: None,
            blocks: each(blocks, |_| false),
        }
    }

    /// Reads a `config.json`.
    pub(crate) fn from_hf(keys: &Keys<'_>, blocks: usize) -> Result<Self, ConfigError> {
        let window = keys.optional_size("sliding_window")?;
        let positions = match keys.flag("use_sliding_window")? {
            true if keys.is_null("sliding_window") => None,
            true => Some(window.unwrap_or(4096)),
            false => None,
        };
        let first = keys.optional_size("max_window_layers")?.unwrap_or(28);
        let by_number = |i| positions.is_some() && i >= first;
        Ok(Self {
            positions,
            blocks: sliding_from_hf(keys, blocks, by_number)?,
        })
    }

    /// The keys of a `config.json`.
    pub(crate) fn to_hf(&self) -> [(&'static str, Value); 3] {
        [
            ("use_sliding_window", json!(self.positions.is_some())),
            ("sliding_window", json!(self.positions)),
            sliding_to_hf(&self.blocks),
        ]
    }

    /// Refuses a window or a list that no model of so many blocks has.
    pub(crate) fn validate(&self, file: &Path, blocks: usize) -> Result<(), ConfigError> {
        if let Some(window) = self.positions {
            validate_size(file, "sliding_window", window, LARGEST_SIZE)?;
        }
        validate_sliding(file, &self.blocks, blocks)
    }

    /// The plan with the window in these blocks.
    pub(crate) fn of(&self, mut plan: Plan) -> Plan {
        if self.positions.is_some() {
            let near = plan.sights[0].clone().within(self.positions);
            plan.sights.push(near);
            plan.sight_of = self.blocks.iter().copied().map(usize::from).collect();
        }
        plan
    }
}
