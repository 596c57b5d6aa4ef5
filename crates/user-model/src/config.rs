//! The form of a user model, and how many numbers it trains.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::init::{Init, RowInit, Vocabulary, initial_shared};
use crate::{ConfigError, UserModel, UserModelKind, UserRef};

/// Numbers in one soft prompt at most (1 GiB as f32): a bound for files of unknown origin.
const MAX_SOFT_PROMPT: usize = 1 << 28;

/// The form of a user model: everything needed to draw it anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserModelConfig {
    /// How users share parameters.
    pub kind: UserModelKind,
    /// `T_u`, the number of soft tokens, or of keys and values at each layer. 0 is allowed: a user model that adds nothing.
    pub user_tokens: usize,
    /// Width of the base model's token embedding.
    pub d_model: usize,
    /// Where the shared tensors (`e_0`, `V`) start; rows of the token embedding by default.
    #[serde(default)]
    pub shared_init: Init,
    /// Where a user's row starts; if not given, [`UserModelConfig::row_init`] names the kind's
    /// default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_init: Option<RowInit>,
    /// Seed of both; 0 if not given.
    #[serde(default)]
    pub seed: u64,
}

/// Trainable numbers of a user model with a given number of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterCounts {
    /// In the tensors that all users share.
    pub shared: usize,
    /// In one user's row.
    pub per_user: usize,
    /// Rows: one per user, and one more where the generic user owns a row.
    pub rows: usize,
}

impl ParameterCounts {
    /// Shared numbers and those of all rows.
    pub fn total(&self) -> usize {
        self.shared + self.per_user * self.rows
    }
}

impl UserModelConfig {
    /// A user model with the default initialisations and seed 0.
    pub fn new(kind: UserModelKind, user_tokens: usize, d_model: usize) -> Self {
        Self {
            kind,
            user_tokens,
            d_model,
            shared_init: Init::default(),
            row_init: None,
            seed: 0,
        }
    }

    /// The same with another start of the shared tensors.
    pub fn with_shared_init(mut self, init: Init) -> Self {
        self.shared_init = init;
        self
    }

    /// The same with another start of a user's row.
    pub fn with_row_init(mut self, init: RowInit) -> Self {
        self.row_init = Some(init);
        self
    }

    /// The same with another seed.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Where a user's row starts. Defaults: zero offsets (individual), rows of the token embedding
    /// (individual without `e_0`), standard normal weights before the softmax (cluster).
    pub fn row_init(&self) -> RowInit {
        self.row_init.unwrap_or(self.kind.row_init())
    }

    /// Checks every setting.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] names the first setting that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (key, width) in [("d_model", self.d_model), ("width", self.width())] {
            if width == 0 {
                return Err(value(key, 0, "at least 1"));
            }
        }
        match self.user_tokens.checked_mul(self.width()) {
            Some(numbers) if numbers <= MAX_SOFT_PROMPT => {}
            _ => {
                return Err(value(
                    "user_tokens",
                    self.user_tokens,
                    "user_tokens times d_model, or times the width of a prefix, of at most 2^28",
                ));
            }
        }
        self.kind
            .validate(self.soft_prompt_len(), self.row_init())?;
        self.shared_init.validate()?;
        self.row_init().validate()
    }

    /// Draws the shared tensors, on `device`.
    ///
    /// `vocabulary` is the base model's token embedding, or of a prefix what the model makes of tokens; only [`Init::Vocabulary`]
    /// needs it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if a setting is out of range, or the vocabulary is missing, too small or of
    /// another width.
    pub fn init(
        &self,
        vocabulary: Option<&Vocabulary>,
        device: &Device,
    ) -> Result<UserModel, ConfigError> {
        self.validate()?;
        let shared = initial_shared(self, vocabulary)?;
        Ok(UserModel::from_shared(self.clone(), shared, device))
    }

    /// Trainable numbers with `users` known users (reference values: 450,560 for GPT-J 6B with 10
    /// individual users, 204,855 with 5 clusters).
    pub fn parameter_counts(&self, users: usize) -> ParameterCounts {
        let generic = usize::from(self.owns_row(&UserRef::Generic));
        let rows = if self.row_len() == 0 {
            0
        } else {
            users + generic
        };
        ParameterCounts {
            shared: self.shared_tensors() * self.soft_prompt_len(),
            per_user: self.row_len(),
            rows,
        }
    }

    /// Numbers of a user token: `d_model`, or those of its keys and values at every layer.
    pub fn width(&self) -> usize {
        self.kind.width(self.d_model)
    }

    /// Numbers in one user's row: `T_u * width` offsets or `K` weights; 0 where users own none.
    pub fn row_len(&self) -> usize {
        match self.user_tokens {
            0 => 0,
            _ => self.kind.row_len(self.soft_prompt_len()),
        }
    }

    /// How many `[T_u, width]` tensors all users share: 1 (`e_0`), `K` (`V`) or none.
    pub(crate) fn shared_tensors(&self) -> usize {
        match self.user_tokens {
            0 => 0,
            _ => self.kind.shared_tensors(),
        }
    }

    /// Numbers in one soft prompt or prefix, `T_u * width`.
    pub(crate) fn soft_prompt_len(&self) -> usize {
        self.user_tokens * self.width()
    }

    /// Whether this user has a trainable row.
    pub(crate) fn owns_row(&self, user: &UserRef) -> bool {
        self.row_len() > 0 && (*user != UserRef::Generic || self.kind.generic_owns_row())
    }
}

pub(crate) fn value(
    key: &'static str,
    found: impl ToString,
    expected: &'static str,
) -> ConfigError {
    ConfigError::Value {
        key,
        found: found.to_string(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDIVIDUAL: UserModelKind = UserModelKind::Individual { generic: true };

    fn total(kind: UserModelKind, users: usize) -> usize {
        let config = UserModelConfig::new(kind, 10, 4096);
        config.parameter_counts(users).total()
    }

    #[test]
    fn parameter_counts_are_those_of_the_papers_models() {
        assert_eq!(total(INDIVIDUAL, 10), 450_560);
        assert_eq!(total(UserModelKind::Cluster { clusters: 5 }, 10), 204_855);
        assert_eq!(total(INDIVIDUAL, 6), 286_720);
        assert_eq!(
            total(UserModelKind::Cluster { clusters: 10 }, 1396),
            423_570
        );
        assert_eq!(total(INDIVIDUAL, 1396), 57_221_120);
    }

    #[test]
    fn parameter_counts_follow_the_kind() {
        let no_e_0 = UserModelKind::Individual { generic: false };
        assert_eq!(total(no_e_0, 10), 450_560);
        assert_eq!(total(UserModelKind::Uniform, 10), 40_960);
        // GPT-J has 28 layers of 4096 keys and as many values.
        let width = 28 * 2 * 4096;
        assert_eq!(
            total(UserModelKind::Prefix { width }, 10),
            11 * 10 * 28 * 2 * 4096
        );
        let none = UserModelConfig::new(INDIVIDUAL, 0, 4096);
        assert_eq!(none.parameter_counts(10).total(), 0);
    }

    #[test]
    fn a_config_is_read_from_json_with_its_defaults() {
        let text = r#"{"kind": {"cluster": {"clusters": 5}}, "user_tokens": 10, "d_model": 8}"#;
        let config: UserModelConfig = serde_json::from_str(text).unwrap();
        let kind = UserModelKind::Cluster { clusters: 5 };
        assert_eq!(config, UserModelConfig::new(kind, 10, 8));
        assert_eq!(config.row_init(), RowInit::Normal { std: 1.0 });
        let error = serde_json::from_str::<UserModelConfig>(
            r#"{"kind": "uniform", "user_tokens": 10, "d_model": 8, "sed": 1}"#,
        );
        assert!(error.unwrap_err().to_string().contains("sed"));
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let key = |config: UserModelConfig| match config.validate() {
            Err(ConfigError::Value { key, .. }) => key,
            other => panic!("{other:?}"),
        };
        let cluster = |clusters| UserModelKind::Cluster { clusters };
        assert_eq!(key(UserModelConfig::new(INDIVIDUAL, 1, 0)), "d_model");
        let huge = UserModelConfig::new(INDIVIDUAL, usize::MAX, 2);
        assert_eq!(key(huge), "user_tokens");
        assert_eq!(key(UserModelConfig::new(cluster(0), 1, 2)), "clusters");
        assert_eq!(
            key(UserModelConfig::new(cluster(usize::MAX), 1, 2)),
            "clusters"
        );
        let config = UserModelConfig::new(cluster(2), 1, 2);
        assert_eq!(
            key(config.clone().with_row_init(RowInit::Vocabulary)),
            "row_init"
        );
        let prefix = |width| UserModelConfig::new(UserModelKind::Prefix { width }, 1, 2);
        assert_eq!(key(prefix(0)), "width");
        assert_eq!(key(prefix(usize::MAX / 2)), "user_tokens");
        assert_eq!(
            key(prefix(4).with_row_init(RowInit::Vocabulary)),
            "row_init"
        );
        let nan = RowInit::Normal { std: f32::NAN };
        assert_eq!(key(config.clone().with_row_init(nan)), "row_init");
        let negative = Init::Uniform { range: -1.0 };
        assert_eq!(key(config.with_shared_init(negative)), "shared_init");
    }
}
