//! `[reward]`

use pdpo_loss::{BradleyTerry, LossError, Objective, ObjectiveConfig};
use serde::{Deserialize, Serialize};
use user_model::{Init, RowInit};

use super::{Kind, UserTokens, UsersSection};
use crate::error::TrainError;

/// `[reward]`: the reward model that `--mode reward` trains.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RewardSection {
    /// What makes a reward of a text's last state: `scalar` (default) or `user`.
    pub head: Head,
    /// The weight of the squared sum of a comparison's rewards, which draws rewards around 0. Default 0.
    pub center_rewards_coefficient: f64,
    /// The rate of a shared head; 0 (default): that of the adapters.
    pub learning_rate: f64,
}

/// What makes a reward of the state of a text's last token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// A linear head that all users share; a user is told by the soft prompt, or the prefix.
    #[default]
    Scalar,
    /// The user's own vector, in the place of both.
    User,
}

impl RewardSection {
    /// The positions that a reward model's sequences have for these users: none where the user's vector is the head.
    pub fn tokens(&self, users: Option<&UsersSection>) -> UserTokens {
        let in_sequence = users.filter(|_| self.head != Head::User);
        in_sequence.map_or(UserTokens::default(), UsersSection::tokens)
    }

    /// Refuses numbers out of range, and users who have no vector where that is the head.
    ///
    /// # Errors
    /// Names the key.
    pub fn validate(&self, users: Option<&UsersSection>) -> Result<(), TrainError> {
        self.objective(&ObjectiveConfig::default(), false)?;
        let rate = self.learning_rate;
        if !(0.0..=1.0).contains(&rate) {
            let expected = "a number in [0, 1]";
            return Err(TrainError::config("reward.learning_rate", rate, expected));
        }
        if self.head == Head::Scalar {
            return Ok(());
        }
        let Some(users) = users else {
            let expected = "scalar without [users]: there is no user's vector";
            return Err(TrainError::config("reward.head", "user", expected));
        };
        if users.kind == Kind::Prefix {
            let expected = "auto, individual, cluster or uniform with reward.head = \"user\"";
            return Err(TrainError::config("users.kind", "prefix", expected));
        }
        if users.user_tokens != 1 {
            let expected = "1 with reward.head = \"user\": one vector is the head";
            let found = users.user_tokens;
            return Err(TrainError::config("users.user_tokens", found, expected));
        }
        let expected =
            "another start with reward.head = \"user\", such as \"zeros\": tokens are no heads";
        if users.init == Init::Vocabulary && users.has_shared() {
            return Err(TrainError::config("users.init", "vocabulary", expected));
        }
        let alone = users.row_init.is_none() && !users.has_shared();
        if alone || users.row_init == Some(RowInit::Vocabulary) {
            let expected =
                "another start with reward.head = \"user\", such as \"zero\": tokens are no heads";
            return Err(TrainError::config("users.row_init", "vocabulary", expected));
        }
        Ok(())
    }

    /// Refuses thumbs, of which there are so many: a reward model is trained, and measured, on two responses side by side.
    ///
    /// # Errors
    /// Says what is expected.
    pub fn validate_thumbs(thumbs: usize) -> Result<(), TrainError> {
        match thumbs {
            0 => Ok(()),
            some => Err(TrainError::Usage(format!(
                "{some} of the data are thumbs, expected comparisons of two responses: a reward model learns nothing from one alone"
            ))),
        }
    }

    /// The rate of the head where it is not that of the adapters.
    pub(crate) fn rate(&self) -> Option<f64> {
        let apart = self.head == Head::Scalar && self.learning_rate > 0.0;
        apart.then_some(self.learning_rate)
    }

    /// What is minimised; of `[objective]`, alpha weighs the user's own term, and branches may be drawn. Without a user model there is
    /// only the generic one.
    ///
    /// # Errors
    /// A number out of range, by its key.
    pub fn objective(
        &self,
        section: &ObjectiveConfig,
        has_users: bool,
    ) -> Result<Objective, TrainError> {
        let loss = || BradleyTerry {
            center_rewards_coefficient: self.center_rewards_coefficient,
        };
        // Refused even where nobody looks at it.
        let objective =
            Objective::new(loss(), section.alpha).and_then(|objective| match has_users {
                true => objective.with_branches(section.branches),
                false => Objective::new(loss(), 0.0),
            });
        objective.map_err(|error| match error {
            LossError::Setting {
                key,
                found,
                expected,
            } => {
                let section = match &*key {
                    "alpha" => "objective",
                    _ => "reward",
                };
                TrainError::config(&format!("{section}.{key}"), found, expected)
            }
            other => other.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn validated(text: &str) -> Result<(), String> {
        let config: Config = toml::from_str(text).unwrap();
        let validated = config.reward.validate(config.users.as_ref());
        validated.map_err(|error| error.to_string())
    }

    #[test]
    fn what_no_reward_model_could_make_right_is_refused_by_its_key() {
        const USER: &str = "[reward]\nhead = \"user\"\n[users]\nuser_tokens = 1\n";
        for (text, expected) in [
            (
                "[reward]\ncenter_rewards_coefficient = -1",
                "`reward.center_rewards_coefficient` is -1",
            ),
            (
                "[reward]\nlearning_rate = 2.0",
                "`reward.learning_rate` is 2, expected a number in [0, 1]",
            ),
            ("[reward]\nhead = \"user\"", "`reward.head` is user"),
            (
                "[reward]\nhead = \"user\"\n[users]",
                "`users.user_tokens` is 10, expected 1",
            ),
            (USER, "`users.init` is vocabulary"),
            (
                &format!("{USER}kind = \"prefix\""),
                "`users.kind` is prefix",
            ),
            (
                &format!("{USER}kind = \"individual\"\ngeneric = false"),
                "`users.row_init` is vocabulary",
            ),
            (
                &format!("{USER}init = \"zeros\"\nrow_init = \"vocabulary\""),
                "`users.row_init` is vocabulary",
            ),
        ] {
            let error = validated(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        for text in [
            "",
            "[users]",
            "[users]\nkind = \"prefix\"",
            &format!("{USER}init = \"zeros\""),
            &format!("{USER}kind = \"individual\"\ngeneric = false\nrow_init = \"zero\""),
        ] {
            validated(text).unwrap();
        }
        let unknown = toml::from_str::<Config>("[reward]\nhed = \"user\"");
        assert!(unknown.unwrap_err().to_string().contains("`hed`"));
    }
}
