//! GRPO: group relative policy optimisation (Shao et al., arXiv 2402.03300), with the loss of DAPO (arXiv 2503.14476) by default.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::advantages::{against_group, deviation};
use super::rloo::validate_epsilon;
use super::{Rewarded, SampledLogProbs, clipped};
use crate::LossError;
use crate::error::validate_weight;

/// Every token is an action, all tokens of a response have its advantage, and the KL to the reference is part of the loss.
///
/// ```text
/// A_i = (r_i - mean of the group) / (standard deviation + 1e-4)
/// loss_t = -min(rho_t A_i, clip(rho_t, 1 - epsilon, 1 + epsilon) A_i) + beta (exp(d_t) - d_t - 1)
/// rho_t = pi(y_t) / pi_old(y_t),   d_t = log pi_ref(y_t) - log pi(y_t)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grpo {
    /// The pull towards the reference. Default 0.
    pub beta: f64,
    /// How far the ratio to the policy that wrote a response counts. Default 0.2.
    pub epsilon: f64,
    /// By which standard deviation rewards are divided. Default that of the group.
    pub scale_rewards: ScaleRewards,
    /// What tokens' losses are divided by. Default `dapo`.
    pub loss_type: Aggregation,
}

impl Default for Grpo {
    fn default() -> Self {
        Self {
            beta: 0.0,
            epsilon: 0.2,
            scale_rewards: ScaleRewards::Group,
            loss_type: Aggregation::Dapo,
        }
    }
}

/// By which standard deviation rewards are divided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScaleRewards {
    /// That of the responses to one prompt: every group counts alike.
    #[default]
    Group,
    /// That of the batch (arXiv 2508.08221).
    Batch,
    /// By none: what is not clear-cut counts less (Dr. GRPO, arXiv 2503.20783).
    None,
}

/// What tokens' losses are divided by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// The tokens of the batch: every token counts alike.
    #[default]
    Dapo,
    /// The tokens of its response, then responses: every response counts alike, so that a token of a short one counts more.
    Grpo,
    /// The most tokens that a response may have, then responses (Dr. GRPO).
    DrGrpo,
}

impl Aggregation {
    pub(super) fn weights(self, tokens: &[usize], most: usize) -> Vec<f64> {
        let all: usize = tokens.iter().sum();
        let weight = |&count: &usize| match self {
            Self::Dapo => 1.0 / all.max(1) as f64,
            Self::Grpo => 1.0 / (count.max(1) * tokens.len()) as f64,
            Self::DrGrpo => 1.0 / (most.max(1) * tokens.len()) as f64,
        };
        tokens.iter().map(weight).collect()
    }
}

impl Grpo {
    pub(super) fn validate(&self) -> Result<(), LossError> {
        validate_weight("beta", self.beta)?;
        validate_epsilon(self.epsilon)
    }

    pub(super) fn advantages(&self, responses: &[Rewarded], group: usize) -> Vec<f64> {
        let rewards: Vec<f64> = responses.iter().map(|of| of.reward).collect();
        let of_batch = deviation(&rewards);
        against_group(&rewards, group, |rewards| match self.scale_rewards {
            ScaleRewards::Group => Some(deviation(rewards)),
            ScaleRewards::Batch => Some(of_batch),
            ScaleRewards::None => None,
        })
    }

    pub(super) fn losses(&self, sampled: &SampledLogProbs) -> Result<Tensor<1>, LossError> {
        let advantages = sampled.advantages_of_tokens();
        let mut tokens = clipped(sampled.log_ratios(), advantages, self.epsilon);
        if self.beta > 0.0 {
            tokens = tokens + sampled.kl()?.mul_scalar(self.beta);
        }
        Ok(sampled.sums(tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_count_alike_or_responses_do() {
        let tokens = [1, 3];
        let of = |aggregation: Aggregation| aggregation.weights(&tokens, 8);
        assert_eq!(of(Aggregation::Dapo), [0.25, 0.25]);
        assert_eq!(of(Aggregation::Grpo), [0.5, 1.0 / 6.0]);
        assert_eq!(of(Aggregation::DrGrpo), [1.0 / 16.0; 2]);
    }

    #[test]
    fn settings_have_the_names_of_trl() {
        let grpo: Grpo =
            toml::from_str("scale_rewards = \"batch\"\nloss_type = \"dr_grpo\"").unwrap();
        assert_eq!(
            (grpo.scale_rewards, grpo.loss_type),
            (ScaleRewards::Batch, Aggregation::DrGrpo)
        );
        let error = toml::from_str::<Grpo>("epsilonn = 1").unwrap_err();
        assert!(error.to_string().contains("`epsilonn`"), "{error}");
    }
}
