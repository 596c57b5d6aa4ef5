//! Evaluated comparisons, one row each, named so that two evaluations can be put side by side.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use statistics::Calibration;
use trainer::pdpo_loss::ScoredRow;
use trainer::pref_data::{Comparison, Prompt};

use trainer::TrainError;

/// One evaluated comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvalRow {
    /// Its place in the data, from 0.
    pub index: usize,
    /// What it is: [`comparison_id`].
    pub id: String,
    /// Whose judgement it is; none where it is not known.
    pub user: Option<String>,
    /// Whether the user is a seen one; none without a user.
    pub seen_user: Option<bool>,
    /// Whether the prompt was trained on; none where the training data is not known.
    pub seen_prompt: Option<bool>,
    /// Implicit reward of the preferred response.
    pub reward_chosen: f32,
    /// Implicit reward of the other.
    pub reward_rejected: f32,
    /// True if the preferred response has strictly the higher reward.
    pub correct: bool,
    /// How far the margin may be from what it is, as a standard deviation: of fitted users, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<f64>,
}

impl EvalRow {
    /// Joins a comparison with its rewards.
    ///
    /// # Errors
    /// A reward that is no finite number.
    pub fn new(
        index: usize,
        comparison: &Comparison,
        scored: &ScoredRow,
        (seen_user, seen_prompt): (Option<bool>, Option<bool>),
    ) -> Result<Self, TrainError> {
        let unscored = Self {
            index,
            id: comparison_id(comparison),
            user: comparison.user.as_ref().map(|u| u.as_str().to_string()),
            seen_user,
            seen_prompt,
            reward_chosen: 0.0,
            reward_rejected: 0.0,
            correct: false,
            spread: None,
        };
        unscored.with(scored)
    }

    /// The same comparison with other rewards.
    ///
    /// # Errors
    /// A reward that is no finite number.
    pub fn with(&self, scored: &ScoredRow) -> Result<Self, TrainError> {
        for reward in [scored.reward_chosen, scored.reward_rejected] {
            if !reward.is_finite() {
                let index = self.index;
                return Err(TrainError::Usage(format!(
                    "comparison {index} has a reward of {reward}: the adapters are broken or not made for this model"
                )));
            }
        }
        Ok(Self {
            reward_chosen: scored.reward_chosen,
            reward_rejected: scored.reward_rejected,
            correct: scored.correct(),
            spread: None,
            ..self.clone()
        })
    }

    /// Reward of the preferred response minus that of the other.
    pub fn margin(&self) -> f64 {
        f64::from(self.reward_chosen) - f64::from(self.reward_rejected)
    }

    /// True if both responses have the same reward.
    pub fn tied(&self) -> bool {
        self.reward_chosen == self.reward_rejected
    }
}

/// Whether the preference probabilities of some rows mean what they say.
pub fn calibration(rows: &[EvalRow]) -> Calibration {
    let margins: Vec<f64> = rows.iter().map(EvalRow::margin).collect();
    Calibration::of(&margins)
}

/// A name for a judgement: 16 hexadecimal digits of a hash of user, prompt and responses.
///
/// The user's own text is left out: what a model is told of a user does not change what the user judged, and systems
/// with and without such text can be compared.
pub fn comparison_id(comparison: &Comparison) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    match &comparison.user {
        Some(user) => {
            part("user");
            part(user.as_str());
        }
        None => part("no user"),
    }
    match &comparison.prompt {
        Prompt::Text(text) => {
            part("text");
            part(text);
        }
        Prompt::Chat(messages) => {
            part("chat");
            for message in messages {
                part(message.role());
                part(&message.content());
            }
        }
    }
    part("responses");
    for response in comparison.responses() {
        match response {
            Some(text) => part(text),
            None => part("no response"),
        }
    }
    if comparison.thumb.is_some() {
        part("thumb");
    }
    format!("{:x}", hash.finalize())[..16].to_string()
}

/// A name for a set of comparisons in any order: a hash of their sorted ids, 32 hexadecimal digits.
pub fn comparisons_hash(rows: &[EvalRow]) -> String {
    let mut ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    ids.sort_unstable();
    let mut hash = Sha256::new();
    for id in ids {
        hash.update(id);
        hash.update("\n");
    }
    format!("{:x}", hash.finalize())[..32].to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use trainer::pref_data::Thumb;

    /// A row of `user` with a given margin; the id is `number`.
    pub fn row(number: usize, user: Option<&str>, margin: f32) -> EvalRow {
        EvalRow {
            index: number,
            id: format!("{number:016x}"),
            user: user.map(String::from),
            seen_user: user.map(|_| true),
            seen_prompt: Some(false),
            reward_chosen: margin,
            reward_rejected: 0.0,
            correct: margin > 0.0,
            spread: None,
        }
    }

    /// A judgement of anna.
    pub fn comparison() -> Comparison {
        Comparison {
            user: Some("anna".into()),
            user_text: None,
            prompt: Prompt::Text("p".into()),
            chosen: "a".into(),
            rejected: "b".into(),
            source: "s".into(),
            template: Default::default(),
            place: Default::default(),
            group: None,
            thumb: None,
        }
    }

    #[test]
    fn an_id_names_user_prompt_and_responses_and_nothing_else() {
        let id = comparison_id(&comparison());
        assert_eq!(id.len(), 16);
        let changed = |change: fn(&mut Comparison)| {
            let mut other = comparison();
            change(&mut other);
            comparison_id(&other)
        };
        assert_ne!(id, changed(|c| c.user = None));
        assert_ne!(id, changed(|c| c.prompt = Prompt::Text("q".into())));
        assert_ne!(
            id,
            changed(|c| std::mem::swap(&mut c.chosen, &mut c.rejected))
        );
        let thumb = |c: &mut Comparison| {
            c.rejected = String::new();
            c.thumb = Some(Thumb::Up);
        };
        assert_ne!(changed(|c| c.rejected = String::new()), changed(thumb));
        assert_eq!(id, changed(|c| c.user_text = Some("I am Anna".into())));
        assert_eq!(id, changed(|c| c.source = "t".into()));
    }

    #[test]
    fn a_set_of_comparisons_is_the_same_in_any_order() {
        let rows = [row(1, None, 1.0), row(2, None, 1.0)];
        let turned = [row(2, None, -1.0), row(1, None, 0.0)];
        assert_eq!(comparisons_hash(&rows), comparisons_hash(&turned));
        assert_ne!(comparisons_hash(&rows), comparisons_hash(&rows[..1]));
    }

    #[test]
    fn a_reward_that_is_no_number_is_an_error() {
        let scored = ScoredRow {
            reward_chosen: f32::NAN,
            reward_rejected: 0.0,
            logp_chosen: 0.0,
            logp_rejected: 0.0,
            loss: 0.0,
            parts: Vec::new(),
        };
        let error = EvalRow::new(3, &comparison(), &scored, (None, None)).unwrap_err();
        assert!(error.to_string().contains("comparison 3"), "{error}");
    }
}
