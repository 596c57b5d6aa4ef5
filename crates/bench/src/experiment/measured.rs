//! What is measured of one system on one split.

use serde::{Deserialize, Serialize};
use trainer::eval::Scored;

use crate::report::{CurvePoint, Trainable};

/// Everything measured of a system on one split; kept beside its adapters, so that a resumed run needs not repeat it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    /// The system.
    pub name: String,
    /// Rewards of the test comparisons, chosen and rejected; none for the SFT model, whose rewards are 0 by definition.
    pub rewards: Option<Vec<[f32; 2]>>,
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
    pub kl: f64,
    /// Mean negative log-likelihood per response token of held-out text, in nats.
    pub nll: f64,
    /// Accuracies on validation over training.
    pub curve: Vec<CurvePoint>,
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
}

impl Measured {
    /// The scored test comparisons.
    pub fn scored(&self) -> Option<Vec<Scored>> {
        let row = |r: &[f32; 2]| Scored {
            reward_chosen: r[0],
            reward_rejected: r[1],
            loss: f32::NAN,
        };
        self.rewards
            .as_ref()
            .map(|rows| rows.iter().map(row).collect())
    }
}
