//! `[users]`

use llm_backbone::config::ModelConfig;
use serde::{Deserialize, Serialize};
use user_model::{ConfigError, Init, RowInit, UserModelConfig, UserModelKind};

use crate::error::TrainError;

/// `[users]`: the user model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UsersSection {
    /// `auto` (default), `individual`, `cluster`, `uniform` or `prefix`.
    pub kind: Kind,
    /// `T_u`, soft tokens per user, or keys and values at each layer. Default 10.
    pub user_tokens: usize,
    /// Individual only: a shared `e_0` below every user's offset. Default true.
    pub generic: bool,
    /// Cluster only: the number of cluster tensors. Default 5.
    pub clusters: usize,
    /// Where the shared tensors start: `vocabulary` rows, or a prefix what the model makes of such tokens (default), `uniform` in
    /// a range, or `zeros`.
    pub init: Init,
    /// Where a user's own row starts. Default: zero offsets (individual, prefix), N(0, 1) weights (cluster).
    pub row_init: Option<RowInit>,
}

/// The kind of user model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Individual for up to [`Kind::INDIVIDUAL_USERS`] users, cluster beyond.
    Auto,
    /// One soft prompt for everybody.
    Uniform,
    /// `e_0 + o_i`.
    Individual,
    /// A convex combination of cluster tensors.
    Cluster,
    /// `e_0 + o_i`, of keys and values at every layer.
    Prefix,
}

impl Kind {
    /// The most users that `auto` gives rows of offsets: with 10 soft tokens of width 576, and AdamW's two moments, these
    /// are 138 MB, against 120 bytes a user for the weights of 10 clusters.
    pub const INDIVIDUAL_USERS: usize = 2000;
}

impl Default for UsersSection {
    fn default() -> Self {
        Self {
            kind: Kind::Auto,
            user_tokens: 10,
            generic: true,
            clusters: 5,
            init: Init::default(),
            row_init: None,
        }
    }
}

/// The user tokens of a sequence: each takes a position, and a key and a value at every layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserTokens {
    /// Those that go through the model in the row.
    pub soft: usize,
    /// Those in front of the row, of which there are only keys and values.
    pub prefix: usize,
}

impl UserTokens {
    /// Those of a user model of that kind with `T_u` user tokens.
    pub(crate) fn of(kind: UserModelKind, user_tokens: usize) -> Self {
        match kind.is_prefix() {
            true => Self {
                soft: 0,
                prefix: user_tokens,
            },
            false => Self {
                soft: user_tokens,
                prefix: 0,
            },
        }
    }
}

/// What of a language model the width of user tokens depends on.
#[derive(Clone, Copy, Debug)]
pub struct Widths {
    /// Of a token's embedding.
    pub d_model: usize,
    /// Of a token's keys and values at all layers together.
    pub cached: usize,
}

impl Widths {
    /// The smallest, where no model is known yet.
    pub(crate) const LEAST: Self = Self {
        d_model: 1,
        cached: 1,
    };
}

impl From<&ModelConfig> for Widths {
    fn from(config: &ModelConfig) -> Self {
        Self {
            d_model: config.d_model(),
            cached: config.cached_per_token(),
        }
    }
}

impl UsersSection {
    /// Whether all users share a tensor, or several.
    pub(crate) fn has_shared(&self) -> bool {
        self.kind != Kind::Individual && self.kind != Kind::Auto || self.generic
    }

    /// The user tokens of a sequence.
    pub fn tokens(&self) -> UserTokens {
        let kind = self.model_config(0, Widths::LEAST, 0).kind;
        UserTokens::of(kind, self.user_tokens)
    }

    /// Refuses settings that no model could make right.
    ///
    /// # Errors
    /// Names the key, what was found and what was expected.
    pub fn validate(&self) -> Result<(), TrainError> {
        if self.clusters == 0 {
            return Err(TrainError::config("users.clusters", 0, "at least 1"));
        }
        // Whether `auto` is that depends on the data.
        let cluster = Self {
            kind: Kind::Cluster,
            row_init: None,
            ..self.clone()
        };
        let mut sections = [self, &cluster].into_iter();
        sections.try_for_each(|section| {
            let config = section.model_config(0, Widths::LEAST, 0);
            config.validate().map_err(refused)
        })
    }

    /// The configuration of the user model for so many users and a language model of these widths.
    pub fn model_config(
        &self,
        users: usize,
        widths: impl Into<Widths>,
        seed: u64,
    ) -> UserModelConfig {
        let Widths { d_model, cached } = widths.into();
        let individual = UserModelKind::Individual {
            generic: self.generic,
        };
        let cluster = UserModelKind::Cluster {
            clusters: self.clusters,
        };
        let kind = match self.kind {
            Kind::Auto if users <= Kind::INDIVIDUAL_USERS => individual,
            Kind::Auto => cluster,
            Kind::Uniform => UserModelKind::Uniform,
            Kind::Individual => individual,
            Kind::Cluster => cluster,
            Kind::Prefix => UserModelKind::Prefix { width: cached },
        };
        UserModelConfig {
            kind,
            user_tokens: self.user_tokens,
            d_model,
            shared_init: self.init,
            row_init: self.row_init,
            seed,
        }
    }
}

/// A user model that cannot be built, by the key that is to blame.
pub(crate) fn refused(error: ConfigError) -> TrainError {
    match error {
        ConfigError::Value {
            key,
            found,
            expected,
        } => {
            let key = match key {
                "shared_init" => "init",
                other => other,
            };
            TrainError::config(&format!("users.{key}"), found, expected)
        }
        ConfigError::Vocabulary { .. } => {
            let expected =
                format!("another start, or smaller users.user_tokens and users.clusters ({error})");
            TrainError::config("users.init", "vocabulary", expected)
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_no_model_could_make_right_are_refused_by_their_keys() {
        let refused = |text: &str| {
            let section: UsersSection = toml::from_str(text).unwrap();
            section.validate().unwrap_err().to_string()
        };
        for (text, expected) in [
            ("clusters = 0", "`users.clusters` is 0"),
            ("kind = \"uniform\"\nclusters = 0", "`users.clusters` is 0"),
            (
                "user_tokens = 9223372036854775807",
                "`users.user_tokens` is 92",
            ),
            ("clusters = 9223372036854775807", "`users.clusters` is 92"),
            (
                "init = { uniform = { range = nan } }",
                "`users.init` is NaN",
            ),
            (
                "row_init = { normal = { std = -1.0 } }",
                "`users.row_init` is -1",
            ),
            (
                "kind = \"cluster\"\nrow_init = \"vocabulary\"",
                "`users.row_init` is vocabulary",
            ),
            (
                "kind = \"prefix\"\nrow_init = \"vocabulary\"",
                "`users.row_init` is vocabulary",
            ),
        ] {
            let error = refused(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
        UsersSection::default().validate().unwrap();
        let individual = "kind = \"individual\"\nrow_init = \"vocabulary\"";
        toml::from_str::<UsersSection>(individual)
            .unwrap()
            .validate()
            .unwrap();
    }

    #[test]
    fn many_users_share_clusters_unless_told_otherwise() {
        let kind =
            |section: &UsersSection, users| section.model_config(users, Widths::LEAST, 0).kind;
        let individual = UserModelKind::Individual { generic: true };
        let cluster = UserModelKind::Cluster { clusters: 5 };
        let auto = UsersSection::default();
        assert_eq!(kind(&auto, 2000), individual);
        assert_eq!(kind(&auto, 2001), cluster);
        for (said, expected) in [(Kind::Individual, individual), (Kind::Cluster, cluster)] {
            let section = UsersSection {
                kind: said,
                ..UsersSection::default()
            };
            assert_eq!(
                [1, 1_000_000].map(|users| kind(&section, users)),
                [expected; 2]
            );
        }
    }
}
