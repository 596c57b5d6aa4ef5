//! Which modules get an adapter, in the words of `peft`.

use std::fmt;

use fancy_regex::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Kind, LoraError};

/// The word for every linear layer.
const ALL_LINEAR: &str = "all-linear";

/// Which layers get an adapter. In a file it is the word `all-linear`, a regular expression, or a list of names.
#[derive(Clone, PartialEq, Eq)]
pub enum Targets {
    /// The word `all-linear`: every linear layer of every block, but neither embedding nor head.
    AllLinear,
    /// A regular expression that the whole name of a module matches, as Python's `re.fullmatch`.
    Pattern(String),
    /// Module names or their last parts (`q_proj`, `wte`). Of new adapters each must match something; in the adapters of others a
    /// name that matches nothing is passed over, as `peft` does, and a list that matches nothing at all is an error.
    Names(Vec<String>),
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllLinear => ALL_LINEAR.fmt(f),
            Self::Pattern(pattern) => pattern.fmt(f),
            Self::Names(names) => names.fmt(f),
        }
    }
}

impl Targets {
    /// What may have been meant where nothing matched.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Pattern(_) => {
                " (a text is a regular expression for whole names; last parts of names go into a list)"
            }
            _ => "",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected `all-linear`, a regular expression, or a list of module names"
)]
enum Written {
    Text(String),
    Names(Vec<String>),
}

impl Serialize for Targets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::AllLinear => serializer.serialize_str(ALL_LINEAR),
            Self::Pattern(pattern) => serializer.serialize_str(pattern),
            Self::Names(names) => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Targets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Text(text) if text.eq_ignore_ascii_case(ALL_LINEAR) => Self::AllLinear,
            Written::Text(text) => Self::Pattern(text),
            Written::Names(names) => Self::Names(names),
        })
    }
}

/// Targets, ready to be asked.
#[derive(Debug)]
pub(crate) enum Matcher {
    AllLinear,
    Pattern(Regex),
    Names(Vec<String>),
}

impl Matcher {
    /// Compiles a pattern.
    pub(crate) fn new(targets: &Targets) -> Result<Self, LoraError> {
        Ok(match targets {
            Targets::AllLinear => Self::AllLinear,
            Targets::Pattern(pattern) => Self::Pattern(regex(pattern, r"\A(?:", r")\z")?),
            Targets::Names(names) => Self::Names(names.clone()),
        })
    }

    /// Whether a module is meant.
    pub(crate) fn matches(&self, module: &str, kind: Kind) -> Result<bool, LoraError> {
        match self {
            Self::AllLinear => Ok(kind == Kind::Linear),
            Self::Pattern(pattern) => is_match(pattern, module),
            Self::Names(names) => Ok(names.iter().any(|name| ends_in(module, name))),
        }
    }

    /// Whether a module is listed by its whole name.
    pub(crate) fn lists(&self, module: &str) -> bool {
        matches!(self, Self::Names(names) if names.iter().any(|name| name == module))
    }
}

/// Whether `name` is a module's name or its last parts.
pub(crate) fn ends_in(module: &str, name: &str) -> bool {
    let before = module.strip_suffix(name);
    before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// Compiles `pattern` between two pieces of a regular expression.
pub(super) fn regex(pattern: &str, before: &str, after: &str) -> Result<Regex, LoraError> {
    let refused = |problem: fancy_regex::Error| LoraError::Pattern {
        pattern: pattern.into(),
        problem: problem.to_string(),
    };
    // On its own first: brackets that close what the pieces open are not a pattern's to write.
    Regex::new(pattern).map_err(refused)?;
    Regex::new(&format!("{before}{pattern}{after}")).map_err(refused)
}

/// Asks a pattern; one that goes back and forth without end is an error.
pub(super) fn is_match(pattern: &Regex, module: &str) -> Result<bool, LoraError> {
    pattern
        .is_match(module)
        .map_err(|problem| LoraError::Pattern {
            pattern: pattern.as_str().into(),
            problem: problem.to_string(),
        })
}
