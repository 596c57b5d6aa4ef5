//! What is measured of one system on one split.

use serde::{Deserialize, Serialize};

use crate::newcomers::Served;
use crate::report::{CurvePoint, Trainable};

/// Everything measured of a system on one split; kept beside its adapters, so that a resumed run needs not repeat it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    /// The system.
    pub name: String,
    /// Rewards of the test comparisons, chosen and rejected; none for the SFT model, whose rewards are 0 by definition. `None` for a
    /// comparison of a user whom the system has nothing for.
    pub rewards: Option<Vec<Option<[f32; 2]>>>,
    /// Sampled responses: user (none: generic), prompt, text.
    pub texts: Vec<SampledText>,
    /// Trainable weights.
    pub trainable: Trainable,
    /// Optimiser steps.
    pub steps: usize,
    /// Seconds of training, evaluation excluded.
    pub train_seconds: f64,
    /// Seconds in all.
    pub seconds: f64,
    /// Training comparisons per second.
    pub comparisons_per_second: Option<f64>,
    /// Peak resident memory.
    pub peak_rss_bytes: Option<u64>,
    /// Mean KL to the reference per response token, in nats.
    pub kl: Option<f64>,
    /// Mean negative log-likelihood per response token of held-out text, in nats.
    pub nll: Option<f64>,
    /// Accuracies on validation over training.
    pub curve: Vec<CurvePoint>,
    /// What the candidates of others are worth, of a reward model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidates>,
    /// How users were served whom nobody was trained on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub newcomers: Vec<Served>,
}

/// A sampled response.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SampledText {
    /// For whom; none: the generic user, or everyone.
    pub user: Option<String>,
    /// The post.
    pub source: String,
    /// The response.
    pub text: String,
    /// Further ones, which a reward model chooses among with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<String>,
}

/// What a system's responses to one prompt are worth to a user.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Candidates {
    /// The system that wrote them.
    pub writer: String,
    /// For whom one is chosen; none: the generic user.
    pub user: Option<String>,
    /// The post.
    pub source: String,
    /// Their texts.
    pub texts: Vec<String>,
    /// What each is worth.
    pub rewards: Vec<f32>,
}

impl Measured {
    /// Whether the preferred response of each test comparison has strictly the higher reward, where it has one.
    pub fn correct(&self) -> Option<Vec<Option<bool>>> {
        let rows = self.rewards.as_ref()?.iter();
        Some(
            rows.map(|row| row.map(|[chosen, rejected]| chosen > rejected))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rewards_are_not_correct() {
        let measured = Measured {
            rewards: Some([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]].map(Some).to_vec()),
            ..Measured::default()
        };
        assert_eq!(measured.correct().unwrap(), [true, false, false].map(Some));
    }
}
