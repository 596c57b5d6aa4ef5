//! The two groups of simulated workers.

use std::fmt;

use serde::Serialize;

/// What a simulated worker prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// The longer text.
    Majority,
    /// The shorter text.
    Minority,
}

impl Group {
    /// `majority` or `minority`, as in [`crate::Comparison::group`].
    pub fn as_str(self) -> &'static str {
        match self {
            Group::Majority => "majority",
            Group::Minority => "minority",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
