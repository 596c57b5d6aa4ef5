//! `[online]`

use llm_backbone::sampling::SamplingConfig;
use pdpo_loss::{Aggregation, Grpo, LossError, PolicyGradient, Rloo, ScaleRewards};
use serde::{Deserialize, Serialize};

use super::training::LARGEST;
use crate::error::TrainError;

/// `[online]`: how `--mode online` learns from responses that the policy writes itself and a reward model scores. Keys without a
/// value have the default of the method, which is that of TRL 1.16.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OnlineSection {
    /// `rloo` (default), `grpo` or `dpo`.
    pub method: OnlineMethod,
    /// Responses to each prompt, in each branch. Default 2; of `grpo` 8.
    pub num_generations: Option<usize>,
    /// A response ends after so many tokens. Default 512; of `dpo` 64.
    pub max_new_tokens: Option<usize>,
    /// Divides the logits that responses are sampled by. Default 1; of `dpo` 0.9.
    pub temperature: Option<f32>,
    /// Taken off the reward of a response that was cut at its longest. Default 0.
    pub missing_eos_penalty: f64,
    /// Updates with the same responses. Default 1.
    pub num_iterations: usize,
    /// `rloo`, `grpo`: the pull towards the reference. Default 0.05; of `grpo` 0. (`dpo` has `objective.beta`.)
    pub beta: Option<f64>,
    /// `rloo`, `grpo`: how far the ratio to the policy that wrote a response counts. Default 0.2.
    pub epsilon: f64,
    /// `rloo`: bring a batch's advantages to mean 0 and standard deviation 1. Default false.
    pub normalize_advantages: bool,
    /// `grpo`: by which standard deviation rewards are divided: `group` (default), `batch` or `none`.
    pub scale_rewards: ScaleRewards,
    /// `grpo`: what tokens' losses are divided by: `dapo` (default), `grpo` or `dr_grpo`.
    pub loss_type: Aggregation,
}

/// How a policy learns from its own responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnlineMethod {
    /// REINFORCE with the other responses to the prompt as baseline.
    #[default]
    Rloo,
    /// Group relative policy optimisation.
    Grpo,
    /// The best and the worst response become a comparison for `[objective]` (online DPO).
    Dpo,
}

impl Default for OnlineSection {
    fn default() -> Self {
        Self {
            method: OnlineMethod::default(),
            num_generations: None,
            max_new_tokens: None,
            temperature: None,
            missing_eos_penalty: 0.0,
            num_iterations: 1,
            beta: None,
            epsilon: 0.2,
            normalize_advantages: false,
            scale_rewards: ScaleRewards::default(),
            loss_type: Aggregation::default(),
        }
    }
}

impl OnlineSection {
    /// See [`num_generations`](Self::num_generations).
    pub fn generations(&self) -> usize {
        self.num_generations.unwrap_or(match self.method {
            OnlineMethod::Grpo => 8,
            OnlineMethod::Rloo | OnlineMethod::Dpo => 2,
        })
    }

    /// See [`max_new_tokens`](Self::max_new_tokens).
    pub fn most_tokens(&self) -> usize {
        self.max_new_tokens.unwrap_or(match self.method {
            OnlineMethod::Rloo | OnlineMethod::Grpo => 512,
            OnlineMethod::Dpo => 64,
        })
    }

    /// See [`temperature`](Self::temperature).
    pub fn sampled_at(&self) -> f32 {
        self.temperature.unwrap_or(match self.method {
            OnlineMethod::Rloo | OnlineMethod::Grpo => 1.0,
            OnlineMethod::Dpo => 0.9,
        })
    }

    /// The policy gradient; none where responses become comparisons.
    pub fn gradient(&self) -> Option<PolicyGradient> {
        let epsilon = self.epsilon;
        match self.method {
            OnlineMethod::Rloo => Some(PolicyGradient::Rloo(Rloo {
                beta: self.beta.unwrap_or(Rloo::default().beta),
                epsilon,
                normalize_advantages: self.normalize_advantages,
            })),
            OnlineMethod::Grpo => Some(PolicyGradient::Grpo(Grpo {
                beta: self.beta.unwrap_or(Grpo::default().beta),
                epsilon,
                scale_rewards: self.scale_rewards,
                loss_type: self.loss_type,
            })),
            OnlineMethod::Dpo => None,
        }
    }

    /// The same with every default said.
    #[must_use]
    pub fn said(&self) -> Self {
        Self {
            num_generations: Some(self.generations()),
            max_new_tokens: Some(self.most_tokens()),
            temperature: Some(self.sampled_at()),
            beta: self.gradient().map(|gradient| gradient.beta()),
            ..self.clone()
        }
    }

    /// Refuses numbers out of range.
    ///
    /// # Errors
    /// Names the key, what was found and what was expected.
    pub fn validate(&self) -> Result<(), TrainError> {
        let refuse = |key: &str, found: &dyn ToString, expected| {
            let key = format!("online.{key}");
            Err(TrainError::config(&key, found.to_string(), expected))
        };
        let most = 1 << 16;
        let generations = self.generations();
        if !(2..=most).contains(&generations) {
            let expected = "at least 2, to be compared with each other, and at most 65536";
            return refuse("num_generations", &generations, expected);
        }
        for (key, found) in [
            ("max_new_tokens", self.most_tokens()),
            ("num_iterations", self.num_iterations),
        ] {
            if !(1..=most).contains(&found) {
                return refuse(key, &found, "at least 1, at most 65536");
            }
        }
        let temperature = self.sampled_at();
        if !(temperature.is_finite() && temperature >= SamplingConfig::LOWEST_TEMPERATURE) {
            return refuse("temperature", &temperature, "a number of at least 0.0001");
        }
        let penalty = self.missing_eos_penalty;
        if !(0.0..=LARGEST).contains(&penalty) {
            return refuse("missing_eos_penalty", &penalty, "a number from 0 to 1e6");
        }
        let gradient = self
            .gradient()
            .map_or(Ok(()), |gradient| gradient.validate());
        gradient.map_err(|error| match error {
            LossError::Setting {
                key,
                found,
                expected,
            } => TrainError::config(&format!("online.{key}"), found, expected),
            other => other.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> OnlineSection {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn defaults_are_those_of_trl_s_trainers() {
        let said = |text: &str| {
            let section = read(text);
            let (count, most) = (section.generations(), section.most_tokens());
            (count, most, section.sampled_at(), section.said().beta)
        };
        assert_eq!(said(""), (2, 512, 1.0, Some(0.05)));
        assert_eq!(said("method = \"grpo\""), (8, 512, 1.0, Some(0.0)));
        assert_eq!(said("method = \"dpo\""), (2, 64, 0.9, None));
        let own = "num_generations = 4\nmax_new_tokens = 9\ntemperature = 0.5\nbeta = 1";
        assert_eq!(said(own), (4, 9, 0.5, Some(1.0)));
        let section = read(own);
        assert_eq!(section.said(), section);
    }

    #[test]
    fn numbers_out_of_range_are_refused_by_their_keys() {
        for (text, expected) in [
            ("num_generations = 1", "`online.num_generations` is 1"),
            ("max_new_tokens = 0", "`online.max_new_tokens` is 0"),
            ("num_iterations = 0", "`online.num_iterations` is 0"),
            ("temperature = 0.0", "`online.temperature` is 0"),
            ("temperature = 1e-5", "`online.temperature` is 0.00001"),
            (
                "missing_eos_penalty = -1",
                "`online.missing_eos_penalty` is -1",
            ),
            ("beta = -0.5", "`online.beta` is -0.5"),
            ("method = \"grpo\"\nepsilon = 2.0", "`online.epsilon` is 2"),
        ] {
            let error = read(text).validate().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        for text in ["", "method = \"grpo\"", "method = \"dpo\"\nepsilon = 9"] {
            read(text).validate().unwrap();
        }
        let unknown = toml::from_str::<OnlineSection>("methd = \"grpo\"").unwrap_err();
        assert!(unknown.to_string().contains("`methd`"), "{unknown}");
    }
}
