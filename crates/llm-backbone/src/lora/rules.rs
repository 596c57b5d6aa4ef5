//! Which module gets which adapter: the matching of `peft` (`check_target_module_exists` and `get_pattern_key`).

use fancy_regex::Regex;

use super::targets::{is_match, regex};
use super::{LoraConfig, LoraError, Matcher, Targets};

/// A module that can carry an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A linear layer of a block.
    Linear,
    /// The table of tokens.
    Embedding,
    /// The matrix to logits, which may be the table.
    Head,
}

impl Kind {
    /// `[d_in, d_out]` of a weight `[d_out, d_in]`; of a table `[vocab, d]` as it is.
    pub(crate) fn sides(self, [rows, columns]: [usize; 2]) -> [usize; 2] {
        match self {
            Self::Linear | Self::Head => [columns, rows],
            Self::Embedding => [rows, columns],
        }
    }
}

/// What an adapter of one module is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape {
    /// The rank `r`.
    pub(crate) rank: usize,
    /// What the low-rank path is multiplied with.
    pub(crate) scale: f64,
    /// The probability of dropping an input of the low-rank path in training.
    pub(crate) dropout: f64,
}

/// A value for the modules of a pattern (`rank_pattern`, `alpha_pattern`).
#[derive(Debug)]
pub(crate) struct Pattern<T> {
    key: String,
    regex: Regex,
    value: T,
}

impl<T: Copy> Pattern<T> {
    /// `key` is a regular expression for a name's last parts.
    pub(crate) fn new(key: &str, value: T) -> Result<Self, LoraError> {
        Ok(Self {
            key: key.into(),
            regex: regex(key, r"\A(?:.*\.)?(?:", r")\z")?,
            value,
        })
    }

    /// The value for `module`: of the first pattern that matches, or of the one that is its name.
    fn find(patterns: &[Self], module: &str) -> Result<Option<T>, LoraError> {
        for pattern in patterns {
            if is_match(&pattern.regex, module)? {
                return Ok(Some(pattern.value));
            }
        }
        let named = patterns.iter().find(|pattern| pattern.key == module);
        Ok(named.map(|pattern| pattern.value))
    }
}

/// The blocks that get adapters (`layers_to_transform`, `layers_pattern`).
#[derive(Debug)]
pub(crate) struct Layers {
    indices: Vec<u64>,
    /// The number of a module's block, as group 1. The first that matches counts.
    numbers: Vec<Regex>,
}

impl Layers {
    /// `lists` names the lists of blocks (`layers`, `h`); none means any.
    pub(crate) fn new(indices: Vec<u64>, lists: &[String]) -> Result<Self, LoraError> {
        let numbers = match lists {
            [] => vec![regex(r"\A.*?\.[^.]*\.(\d+)\.", "", "")?],
            lists => lists
                .iter()
                .map(|list| regex(list, r"\A(?:.*?\.)??(?:", r")\.(?<idx>\d+)\."))
                .collect::<Result<_, _>>()?,
        };
        Ok(Self { indices, numbers })
    }

    fn contain(&self, module: &str) -> Result<bool, LoraError> {
        for pattern in &self.numbers {
            let found = pattern
                .captures(module)
                .map_err(|problem| LoraError::Pattern {
                    pattern: pattern.as_str().into(),
                    problem: problem.to_string(),
                })?;
            if let Some(captures) = found {
                let number = captures.name("idx").or_else(|| captures.get(1));
                let number = number.and_then(|number| number.as_str().parse().ok());
                return Ok(number.is_some_and(|number| self.indices.contains(&number)));
            }
        }
        Ok(false)
    }
}

/// Says of every module whether it gets an adapter, and which.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) config: LoraConfig,
    pub(crate) targets: Matcher,
    pub(crate) exclude: Option<Matcher>,
    /// Modules that are trained whole get no adapter: patterns of `modules_to_save`.
    pub(crate) saved: Vec<Regex>,
    pub(crate) layers: Option<Layers>,
    pub(crate) ranks: Vec<Pattern<usize>>,
    pub(crate) alphas: Vec<Pattern<f64>>,
}

impl Rules {
    /// The same adapter for every target.
    pub(super) fn plain(config: LoraConfig, targets: Matcher) -> Self {
        Self {
            config,
            targets,
            exclude: None,
            saved: Vec::new(),
            layers: None,
            ranks: Vec::new(),
            alphas: Vec::new(),
        }
    }

    /// A pattern of `modules_to_save`: a module of that name, or anything inside of it.
    pub(crate) fn saved_pattern(name: &str) -> Result<Regex, LoraError> {
        regex(name, r"\A(?:.*\.)?(?:", r")(?:\z|\.)")
    }

    /// What was asked for.
    pub(super) fn targets(&self) -> &Targets {
        &self.config.targets
    }

    /// The adapter of a module; none where it gets none.
    pub(crate) fn shape(&self, module: &str, kind: Kind) -> Result<Option<Shape>, LoraError> {
        if !self.is_target(module, kind)? {
            return Ok(None);
        }
        let rank = Pattern::find(&self.ranks, module)?.unwrap_or(self.config.rank);
        let alpha = Pattern::find(&self.alphas, module)?.unwrap_or(self.config.alpha);
        Ok(Some(Shape {
            rank,
            scale: self.config.scale(rank, alpha),
            dropout: self.config.dropout,
        }))
    }

    fn is_target(&self, module: &str, kind: Kind) -> Result<bool, LoraError> {
        if let Some(exclude) = &self.exclude
            && exclude.matches(module, kind)?
        {
            return Ok(false);
        }
        for saved in &self.saved {
            if is_match(saved, module)? {
                return Ok(false);
            }
        }
        if !self.targets.matches(module, kind)? {
            return Ok(false);
        }
        match &self.layers {
            Some(layers) if !self.targets.lists(module) => layers.contain(module),
            _ => Ok(true),
        }
    }
}
