//! The objective: what training minimises, validation compares and reports show, all by the same function.

mod config;
mod keys;

use std::sync::Arc;

use burn::tensor::Tensor;

use crate::{Branch, LossError, Pair, PairLogProbs, PairLoss, Personalised, Rewards};
pub use config::ObjectiveConfig;

/// A preference loss in both branches, with what is added to it.
///
/// A row's loss is `l + nll_weight * nll`, with `l` the preference loss and `nll` the mean negative log-likelihood per token of
/// the preferred response. The batch's is the [`Personalised`] mix of its rows.
#[derive(Debug, Clone)]
pub struct Objective {
    loss: Arc<dyn PairLoss>,
    mix: Personalised,
    nll_weight: f64,
}

/// What [`Objective::evaluate`] says of some rows.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The loss of every row, `[rows]`: the sum of the parts.
    pub loss: Tensor<1>,
    /// The terms of the loss, each with its weight.
    pub parts: Vec<Part>,
    /// Implicit rewards, without gradient.
    pub rewards: Rewards,
    /// The policy's log-probabilities, without gradient.
    log_probs: Pair,
}

/// A term of the loss.
#[derive(Debug, Clone)]
pub struct Part {
    /// `preference` or `nll`.
    pub name: &'static str,
    /// `[rows]`, with its weight.
    pub values: Tensor<1>,
}

/// What one row did, on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredRow {
    /// The loss before the row's weight in the batch.
    pub loss: f32,
    /// The terms that it is the sum of, by name.
    pub parts: Vec<(&'static str, f32)>,
    /// Implicit reward of the preferred response.
    pub reward_chosen: f32,
    /// Implicit reward of the other.
    pub reward_rejected: f32,
    /// Summed log-probability of the preferred response under the policy.
    pub logp_chosen: f32,
    /// Summed log-probability of the other under the policy.
    pub logp_rejected: f32,
}

impl ScoredRow {
    /// True if the preferred response has strictly the higher reward.
    pub fn correct(&self) -> bool {
        self.reward_chosen > self.reward_rejected
    }
}

impl Objective {
    /// `loss` in both branches, the user's weighing `alpha`.
    ///
    /// # Errors
    ///
    /// [`LossError::Alpha`].
    pub fn new(loss: impl PairLoss + 'static, alpha: f64) -> Result<Self, LossError> {
        Ok(Self {
            loss: Arc::new(loss),
            mix: Personalised::new(alpha)?,
            nll_weight: 0.0,
        })
    }

    /// Adds the negative log-likelihood of the preferred response with a weight (`rpo_alpha` of TRL, arXiv 2404.19733).
    ///
    /// # Errors
    ///
    /// [`LossError::Weight`].
    pub fn with_nll_weight(mut self, weight: f64) -> Result<Self, LossError> {
        self.nll_weight = config::validate_weight("nll_weight", weight)?;
        Ok(self)
    }

    /// The loss of every row with its parts, its rewards, and what one logs.
    ///
    /// # Errors
    ///
    /// What the loss needs and `pairs` lacks.
    pub fn evaluate(&self, pairs: &PairLogProbs) -> Result<Evaluation, LossError> {
        let preference = self.loss.losses(pairs)?;
        let mut loss = preference.clone();
        let mut parts = vec![Part {
            name: "preference",
            values: preference,
        }];
        if self.nll_weight > 0.0 {
            let nll = pairs.chosen_nll().mul_scalar(self.nll_weight);
            loss = loss + nll.clone();
            parts.push(Part {
                name: "nll",
                values: nll,
            });
        }
        let without_gradient = |tensor: &Tensor<1>| tensor.clone().without_autodiff();
        let policy = pairs.policy();
        Ok(Evaluation {
            loss,
            parts,
            rewards: self.loss.rewards(pairs)?,
            log_probs: Pair {
                chosen: without_gradient(&policy.chosen),
                rejected: without_gradient(&policy.rejected),
            },
        })
    }

    /// What rows weigh in a batch.
    pub fn mix(&self) -> Personalised {
        self.mix
    }

    /// The branches to compute, user first.
    pub fn branches(&self) -> &'static [Branch] {
        self.mix.branches()
    }

    /// See [`PairLoss::needs_reference`].
    pub fn needs_reference(&self) -> bool {
        self.loss.needs_reference()
    }

    /// See [`PairLoss::needs_batch_statistics`].
    pub fn needs_batch_statistics(&self) -> bool {
        self.loss.needs_batch_statistics()
    }
}

impl Evaluation {
    /// All of it on the host, read at once.
    ///
    /// # Errors
    /// [`LossError::Device`] if the device fails.
    pub fn rows(&self) -> Result<Vec<ScoredRow>, LossError> {
        let logged = [
            &self.loss,
            &self.rewards.chosen,
            &self.rewards.rejected,
            &self.log_probs.chosen,
            &self.log_probs.rejected,
        ];
        let columns: Vec<Tensor<1>> = (logged.into_iter())
            .chain(self.parts.iter().map(|part| &part.values))
            .map(|column| column.clone().without_autodiff())
            .collect();
        let width = columns.len();
        let values = Tensor::stack::<2>(columns, 1).try_into_vec_as::<f32>();
        let values = values.map_err(|error| LossError::Device(error.to_string()))?;
        let names = || self.parts.iter().map(|part| part.name);
        let row = |v: &[f32]| ScoredRow {
            loss: v[0],
            reward_chosen: v[1],
            reward_rejected: v[2],
            logp_chosen: v[3],
            logp_rejected: v[4],
            parts: names().zip(v[5..].iter().copied()).collect(),
        };
        Ok(values.chunks(width).map(row).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pairs::tests::pair;
    use crate::{Dpo, Ipo};
    use burn::tensor::Device;

    /// The log-ratios of both responses differ by 10 and by -10.
    fn pairs() -> PairLogProbs {
        let device = Device::flex();
        PairLogProbs::new(
            pair([-10.0, -20.0], [-20.0, -10.0], &device),
            Some(pair([0.0, 0.0], [0.0, 0.0], &device)),
            pair([5.0, 4.0], [2.0, 1.0], &device),
        )
        .unwrap()
    }

    #[test]
    fn a_row_s_loss_is_the_sum_of_its_parts() {
        let objective = Objective::new(Dpo::new(0.1).unwrap(), 0.5).unwrap();
        let rows = objective.evaluate(&pairs()).unwrap().rows().unwrap();
        assert_eq!(rows[0].parts, [("preference", rows[0].loss)]);

        // log(1 + e^-1) and log(1 + e); nll 10 / 5 and 20 / 4, weighing 0.5.
        let objective = objective.with_nll_weight(0.5).unwrap();
        let rows = objective.evaluate(&pairs()).unwrap().rows().unwrap();
        for (row, [preference, nll]) in rows.iter().zip([[0.313_261_7, 1.0], [1.313_261_7, 2.5]]) {
            let names: Vec<_> = row.parts.iter().map(|part| part.0).collect();
            assert_eq!(names, ["preference", "nll"]);
            assert!((row.parts[0].1 - preference).abs() < 1e-6);
            assert!((row.parts[1].1 - nll).abs() < 1e-6);
            assert!((row.loss - preference - nll).abs() < 1e-6);
        }
    }

    #[test]
    fn a_row_tells_rewards_and_log_probabilities() {
        let objective = Objective::new(Ipo::new(0.5).unwrap(), 1.0).unwrap();
        let rows = objective.evaluate(&pairs()).unwrap().rows().unwrap();
        // Per token: -10 / 5 and -20 / 2, -20 / 4 and -10 / 1; times beta.
        assert_eq!(
            (rows[0].reward_chosen, rows[0].reward_rejected),
            (-1.0, -5.0)
        );
        assert_eq!(
            (rows[1].reward_chosen, rows[1].reward_rejected),
            (-2.5, -5.0)
        );
        assert_eq!((rows[1].logp_chosen, rows[1].logp_rejected), (-20.0, -10.0));
        assert!(rows[0].correct() && rows[1].correct());
    }

    #[test]
    fn a_weight_below_0_is_refused() {
        let objective = Objective::new(Dpo::default(), 0.5).unwrap();
        let error = objective.with_nll_weight(-1.0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`nll_weight` is -1, expected a number from 0 to 1e6"
        );
    }
}
