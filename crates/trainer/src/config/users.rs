//! `[users]`

use serde::{Deserialize, Serialize};
use user_model::{Init, RowInit, UserModelConfig, UserModelKind};

/// `[users]`: the user model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UsersSection {
    /// `auto` (default), `individual`, `cluster` or `uniform`.
    pub kind: Kind,
    /// `T_u`, soft tokens per user. Default 10.
    pub user_tokens: usize,
    /// Individual only: a shared `e_0` below every user's offset. Default true.
    pub generic: bool,
    /// Cluster only: the number of cluster tensors. Default 5.
    pub clusters: usize,
    /// Where the shared tensors start: `vocabulary` rows (default), `uniform` in a range, or `zeros`.
    pub init: Init,
    /// Where a user's own row starts. Default: zero offsets (individual), N(0, 1) weights (cluster).
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

impl UsersSection {
    /// The configuration of the user model for so many users and a language model of width `d_model`.
    pub fn model_config(&self, users: usize, d_model: usize, seed: u64) -> UserModelConfig {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_users_share_clusters_unless_told_otherwise() {
        let kind = |section: &UsersSection, users| section.model_config(users, 576, 0).kind;
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
