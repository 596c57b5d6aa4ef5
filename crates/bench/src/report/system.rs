//! What a report holds of one system.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statistics::Interval;

/// User id to measurement; `None` for a user without a held-out comparison or sampled response.
pub type PerUser = BTreeMap<String, Option<f64>>;

/// What was measured of one system.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct System {
    /// `sft`, `vanilla-dpo`, `pdpo-individual`, `pdpo-cluster`, or another experiment's.
    pub name: String,
    /// Shown instead of the name, for example for an ablation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The preference loss that it was trained with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<String>,
    /// What makes its rewards, of a reward model: `scalar` or `user`; none of a system that writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// Accuracy of the reward of a reward model, of the implicit one of others. For `sft` all `None`: the implicit reward of the reference is 0 everywhere, so
    /// it prefers nothing.
    #[serde(default)]
    pub accuracy: Accuracy,
    /// Mean length of sampled responses in words.
    #[serde(default)]
    pub words: ByGroup,
    /// Their median length: over a user's responses, and over all responses for the users of a group.
    #[serde(default)]
    pub median_words: ByGroup,
    /// Share of sampled responses that are empty.
    #[serde(default)]
    pub empty_share: ByGroup,
    /// Trainable parameters.
    #[serde(default)]
    pub trainable: Trainable,
    /// Training steps taken.
    #[serde(default)]
    pub steps: Option<u64>,
    /// Training time in seconds.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// Training speed.
    #[serde(default)]
    pub comparisons_per_second: Option<f64>,
    /// Peak resident memory of the process in bytes.
    #[serde(default)]
    pub peak_rss_bytes: Option<u64>,
    /// Mean KL divergence to the reference over sampled responses, in nats per response.
    #[serde(default)]
    pub kl_to_reference: Option<f64>,
    /// Mean negative log-likelihood per token on held-out text: shows a broken model.
    #[serde(default)]
    pub heldout_loss: Option<f64>,
    /// Validation figures during training.
    #[serde(default)]
    pub train_curve: Vec<CurvePoint>,
}

impl System {
    /// What a reader sees: [`System::label`], the paper's name of a known system, or else the name.
    pub fn title(&self) -> &str {
        self.label.as_deref().unwrap_or(system_title(&self.name))
    }
}

/// The paper's name of a known system, or `name` itself.
pub fn system_title(name: &str) -> &str {
    match name {
        "sft" => "SFT",
        "vanilla-dpo" => "vanilla DPO",
        "pdpo-individual" => "P-DPO individual",
        "pdpo-cluster" => "P-DPO cluster",
        "pdpo-uniform" => "P-DPO uniform",
        "pdpo-individual-all" => "P-DPO individual, trained on all",
        "prm-individual" => "P-RM individual",
        "prm-cluster" => "P-RM cluster",
        "vanilla-rm" => "vanilla RM",
        "dpo-profile" => "DPO with profiles in words",
        "lora-per-worker" => "LoRA for each worker",
        "pdpo-cluster-no-text" => "P-DPO cluster, no text",
        "oracle" => "SFT told the preference",
        other => other,
    }
}

/// Accuracies of the reward, or the implicit one: a comparison counts as correct when the chosen response has strictly the higher
/// reward (reference, section 5).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Pooled over all comparisons of seen users, each with its own user id.
    pub top: Option<f64>,
    /// 95 % interval of `top`.
    #[serde(default)]
    pub top_interval: Option<Interval>,
    /// Pooled over all comparisons of unseen users, with the generic user.
    pub generic: Option<f64>,
    /// 95 % interval of `generic`.
    #[serde(default)]
    pub generic_interval: Option<Interval>,
    /// Mean of the accuracies of all seen users.
    #[serde(default)]
    pub average: Option<MeanSe>,
    /// Mean of the accuracies of the majority's users.
    pub majority: MeanSe,
    /// Mean of the accuracies of the minority's users.
    pub minority: MeanSe,
    /// Accuracy of each seen user.
    #[serde(default)]
    pub per_user: PerUser,
    /// Broken down by the ratio of the longer to the shorter response.
    #[serde(default)]
    pub by_ratio: Option<Vec<RatioBand>>,
}

/// A mean over users and its standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct MeanSe {
    /// The mean.
    pub mean: Option<f64>,
    /// Sample standard deviation over the root of the number of users; `None` for fewer than two.
    pub se: Option<f64>,
}

impl MeanSe {
    /// Mean and standard error of one value per user.
    pub fn of(values: &[f64]) -> Self {
        Self {
            mean: statistics::mean(values),
            se: statistics::standard_error(values),
        }
    }
}

/// Accuracy on the comparisons whose length ratio lies in `lo..hi`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RatioBand {
    /// Smallest ratio of the band, included; at least 1.
    pub lo: f64,
    /// Largest ratio, excluded; `None` for no limit.
    pub hi: Option<f64>,
    /// Comparisons in the band.
    pub n: u64,
    /// All seen users.
    pub top: Estimate,
    /// Users of the majority.
    pub majority: Estimate,
    /// Users of the minority.
    pub minority: Estimate,
}

/// A value with its 95 % interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value.
    pub value: Option<f64>,
    /// Lower end of the interval.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
    /// Comparisons it rests on.
    pub n: u64,
}

impl Estimate {
    /// A proportion with its Wilson interval, that of the nearest whole number where `successes` are the mean of several runs on the same
    /// comparisons; all `None` when `n` is 0 or less than `successes`.
    pub fn proportion(successes: f64, n: u64) -> Self {
        let interval = statistics::wilson(successes.round() as u64, n);
        Self {
            value: interval.map(|_| successes / n as f64),
            low: interval.map(|i| i.low),
            high: interval.map(|i| i.high),
            n,
        }
    }
}

/// One measurement by group of users.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ByGroup {
    /// Mean over the majority's users.
    pub majority: Option<f64>,
    /// Mean over the minority's users.
    pub minority: Option<f64>,
    /// The generic user; for systems without users, everyone.
    pub generic: Option<f64>,
    /// Each user.
    #[serde(default)]
    pub per_user: PerUser,
}

/// Trainable parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Trainable {
    /// Of the language model: LoRA.
    pub llm: Option<u64>,
    /// Of the user model.
    pub users: Option<u64>,
}

/// Validation figures after a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Optimiser steps taken.
    pub step: u64,
    /// Validation loss.
    pub loss: Option<f64>,
    /// As [`Accuracy::top`].
    pub top: Option<f64>,
    /// As [`Accuracy::generic`].
    pub generic: Option<f64>,
    /// Mean over the majority's users.
    pub majority: Option<f64>,
    /// Mean over the minority's users.
    pub minority: Option<f64>,
    /// The probability that a response ends before its first word: mean over the majority's users.
    #[serde(default)]
    pub ends_majority: Option<f64>,
    /// Mean over the minority's users.
    #[serde(default)]
    pub ends_minority: Option<f64>,
    /// For the generic user.
    #[serde(default)]
    pub ends_generic: Option<f64>,
}
