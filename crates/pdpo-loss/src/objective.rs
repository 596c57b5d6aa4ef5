//! The objective: what training minimises, validation compares and reports show, all by the same function.

mod config;

use std::sync::Arc;

use burn::tensor::{Int, Tensor};

use crate::error::validate_weight;
use crate::preference::{LdDpo, Wpo};
use crate::{Branch, Branches, LossError, Pair, PairLogProbs, PairLoss, Personalised, Rewards};
pub use config::ObjectiveConfig;

/// A preference loss in both branches, with what is added to it.
///
/// A row's loss is `l + nll_weight * nll`, with `l` the preference loss and `nll` the mean negative log-likelihood per token of
/// the preferred response. The batch's is the [`Personalised`] mix of its rows.
#[derive(Debug, Clone)]
pub struct Objective {
    loss: Arc<dyn PairLoss>,
    mix: Personalised,
    branches: Branches,
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
    /// `preference`, `nll`, or the name of a loss of a [`Sum`](crate::Sum).
    pub name: &'static str,
    /// `[rows]`, with its weight.
    pub values: Tensor<1>,
}

impl Part {
    /// A term.
    pub fn new(name: &'static str, values: Tensor<1>) -> Self {
        Self { name, values }
    }

    /// The values of one batch and then those of another.
    fn followed_by((first, second): (Self, Self)) -> Self {
        Self::new(
            first.name,
            Tensor::cat(vec![first.values, second.values], 0),
        )
    }

    /// What terms add up to, `[rows]`.
    ///
    /// # Errors
    ///
    /// [`LossError::Setting`] where there is none.
    pub(crate) fn total(parts: &[Self]) -> Result<Tensor<1>, LossError> {
        let values = parts.iter().map(|part| part.values.clone());
        let total = values.reduce(|sum, more| sum + more);
        total.ok_or_else(|| LossError::setting("parts", "empty", "one loss or more"))
    }
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

    /// How far the preferred response is rewarded beyond the other.
    pub fn margin(&self) -> f32 {
        self.reward_chosen - self.reward_rejected
    }
}

impl Objective {
    /// `loss` in both branches, the user's weighing `alpha`.
    ///
    /// # Errors
    ///
    /// [`LossError::Setting`]: an `alpha` outside of 0 to 1, or what the loss refuses of its own settings.
    pub fn new(loss: impl PairLoss + 'static, alpha: f64) -> Result<Self, LossError> {
        loss.validate()?;
        Ok(Self {
            loss: Arc::new(loss),
            mix: Personalised::new(alpha)?,
            branches: Branches::Both,
            nll_weight: 0.0,
        })
    }

    /// Adds the negative log-likelihood of the preferred response with a weight (`rpo_alpha` of TRL, arXiv 2404.19733).
    ///
    /// # Errors
    ///
    /// [`LossError::Setting`].
    pub fn with_nll_weight(mut self, weight: f64) -> Result<Self, LossError> {
        validate_weight("nll_weight", weight)?;
        self.nll_weight = weight;
        Ok(self)
    }

    /// Computes both branches of a comparison, or one that is drawn.
    ///
    /// # Errors
    ///
    /// [`LossError::Setting`] of a loss that looks at its whole batch, of which each branch would see a part.
    pub fn with_branches(mut self, branches: Branches) -> Result<Self, LossError> {
        if branches == Branches::Sampled && self.needs_batch_statistics() {
            let expected = "both: this loss looks at all comparisons of a batch in each branch";
            return Err(LossError::setting("branches", "sampled", expected));
        }
        self.branches = branches;
        Ok(self)
    }

    /// Counts `alpha` of what the longer response says beyond the shorter one's length (LD-DPO, arXiv 2409.06411): 1 counts
    /// all, 0 nothing.
    ///
    /// # Errors
    ///
    /// [`LossError::Setting`].
    pub fn with_ld_alpha(mut self, alpha: f64) -> Result<Self, LossError> {
        self.loss = Arc::new(LdDpo::new(self.loss, alpha)?);
        Ok(self)
    }

    /// Weighs comparisons by how near they are to what the policy itself writes (WPO, arXiv 2406.11827).
    ///
    /// # Errors
    ///
    /// [`LossError::Setting`] of a loss that looks at its whole batch.
    pub fn with_wpo(mut self) -> Result<Self, LossError> {
        self.loss = Arc::new(Wpo::new(self.loss)?);
        Ok(self)
    }

    /// The loss of every row with its parts, its rewards, and what one logs. `branches` names each row's branch: a loss that
    /// looks at its whole batch looks at that of each branch by itself.
    ///
    /// # Errors
    ///
    /// What the loss needs and `pairs` lacks; [`LossError::Rows`] if `branches` and `pairs` differ in length.
    pub fn evaluate(
        &self,
        pairs: &PairLogProbs,
        branches: &[Branch],
    ) -> Result<Evaluation, LossError> {
        if branches.len() != pairs.rows() {
            return Err(LossError::Rows {
                field: "branches",
                found: branches.len(),
                expected: pairs.rows(),
            });
        }
        let mut parts = match self.needs_batch_statistics() {
            true => self.parts_by_branch(pairs, branches)?,
            false => self.loss.parts(pairs)?,
        };
        if self.nll_weight > 0.0 {
            let mut nll = pairs.chosen_nll().mul_scalar(self.nll_weight);
            if self.loss.takes_thumbs() {
                // A pair is two thumbs here as well.
                nll = nll / pairs.responses();
            }
            parts.push(Part::new("nll", nll));
        }
        let log_probs = pairs.whole().clone().map(Tensor::without_autodiff);
        Ok(Evaluation {
            loss: Part::total(&parts)?,
            parts,
            rewards: self.loss.rewards(pairs)?.without_gradient(),
            log_probs,
        })
    }

    /// How far each row's preferred response is rewarded beyond the other, `[rows]`, with gradient: what `sigma` makes the probability
    /// of the preference of (Bradley and Terry). A response that does not exist has no reward, so a thumb's margin is its response's
    /// reward, or that with the other sign.
    ///
    /// # Errors
    ///
    /// What the loss needs and `pairs` lacks.
    pub fn margins(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        Ok(self.loss.rewards(pairs)?.margins)
    }

    /// The terms of the rows of each branch by themselves, put together in the order of the rows.
    fn parts_by_branch(
        &self,
        pairs: &PairLogProbs,
        branches: &[Branch],
    ) -> Result<Vec<Part>, LossError> {
        let device = pairs.policy().chosen.device();
        let rows_of = |branch| (0..branches.len()).filter(move |&row| branches[row] == branch);
        let indices = |rows: &[usize]| -> Tensor<1, Int> {
            let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
            Tensor::from_ints(rows.as_slice(), &device)
        };
        let (mut order, mut found) = (Vec::new(), Vec::<Part>::new());
        for branch in [Branch::User, Branch::Generic] {
            let rows: Vec<usize> = rows_of(branch).collect();
            if rows.is_empty() {
                continue;
            }
            let parts = self.loss.parts(&pairs.select(&indices(&rows)))?;
            order.extend(rows);
            found = match found.is_empty() {
                true => parts,
                false => found
                    .into_iter()
                    .zip(parts)
                    .map(Part::followed_by)
                    .collect(),
            };
        }
        let mut places = vec![0; order.len()];
        for (place, row) in order.into_iter().enumerate() {
            places[row] = place;
        }
        let places = indices(&places);
        let put = |part: Part| Part::new(part.name, part.values.select(0, places.clone()));
        Ok(found.into_iter().map(put).collect())
    }

    /// What rows weigh in a batch.
    pub fn mix(&self) -> Personalised {
        self.mix
    }

    /// The branches that count, user first.
    pub fn branches(&self) -> &'static [Branch] {
        self.mix.branches()
    }

    /// Whether one of them is drawn for each comparison.
    pub fn draws(&self) -> bool {
        self.branches == Branches::Sampled && self.branches().len() > 1
    }

    /// Rows of a comparison that a step computes.
    pub fn rows_each(&self) -> usize {
        match self.draws() {
            true => 1,
            false => self.branches().len(),
        }
    }

    /// See [`PairLoss::needs_reference`].
    pub fn needs_reference(&self) -> bool {
        self.loss.needs_reference()
    }

    /// See [`PairLoss::needs_batch_statistics`].
    pub fn needs_batch_statistics(&self) -> bool {
        self.loss.needs_batch_statistics()
    }

    /// See [`PairLoss::needs_shared`].
    pub fn needs_shared(&self) -> bool {
        self.loss.needs_shared()
    }

    /// See [`PairLoss::needs_squares`].
    pub fn needs_squares(&self) -> bool {
        self.loss.needs_squares()
    }

    /// See [`PairLoss::needs_kl`].
    pub fn needs_kl(&self) -> bool {
        self.loss.needs_kl()
    }

    /// See [`PairLoss::takes_thumbs`].
    pub fn takes_thumbs(&self) -> bool {
        self.loss.takes_thumbs()
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
    use crate::{Aot, Dpo, Ipo, PreferenceLoss, Sft, Sum, Weighted};
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
    fn margins_carry_a_gradient_and_logged_rewards_none() {
        let device = Device::flex().autodiff();
        let mut policy = pair([-10.0, -20.0], [-20.0, -10.0], &device);
        policy.chosen = policy.chosen.require_grad();
        let leaf = policy.chosen.clone();
        let pairs = PairLogProbs::new(
            policy,
            Some(pair([0.0, 0.0], [0.0, 0.0], &device)),
            pair([5.0, 4.0], [2.0, 1.0], &device),
        )
        .unwrap();
        let objective = Objective::new(Dpo::new(0.1).unwrap(), 0.5).unwrap();
        let evaluation = objective.evaluate(&pairs, &[Branch::User; 2]).unwrap();
        assert!(!evaluation.rewards.margins.is_autodiff());
        let margins = objective.margins(&pairs).unwrap();
        let found = margins.clone().without_autodiff();
        assert_eq!(found.try_into_vec_as::<f32>().unwrap(), [1.0, -1.0]);
        // The derivative of beta times a log-ratio.
        let gradient = leaf.grad(&margins.sum().backward()).unwrap();
        assert_eq!(gradient.try_into_vec_as::<f32>().unwrap(), [0.1, 0.1]);
    }

    #[test]
    fn a_row_s_loss_is_the_sum_of_its_parts() {
        let objective = Objective::new(Dpo::new(0.1).unwrap(), 0.5).unwrap();
        let rows = objective
            .evaluate(&pairs(), &[Branch::User; 2])
            .unwrap()
            .rows()
            .unwrap();
        assert_eq!(rows[0].parts, [("preference", rows[0].loss)]);

        // log(1 + e^-1) and log(1 + e); nll 10 / 5 and 20 / 4, weighing 0.5.
        let objective = objective.with_nll_weight(0.5).unwrap();
        let rows = objective
            .evaluate(&pairs(), &[Branch::User; 2])
            .unwrap()
            .rows()
            .unwrap();
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
        let rows = objective
            .evaluate(&pairs(), &[Branch::User; 2])
            .unwrap()
            .rows()
            .unwrap();
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
    fn the_parts_of_a_sum_have_the_names_of_its_losses() {
        let part = |weight, loss| Weighted { weight, loss };
        let sum = Sum {
            parts: vec![
                part(2.0, PreferenceLoss::default()),
                part(0.5, PreferenceLoss::Sft(Sft {})),
            ],
        };
        let objective = Objective::new(sum, 0.5).unwrap().with_nll_weight(1.0);
        let evaluated = objective.unwrap().evaluate(&pairs(), &[Branch::User; 2]);
        let rows = evaluated.unwrap().rows().unwrap();
        for (row, [dpo, nll]) in rows.iter().zip([[0.313_261_7, 2.0], [1.313_261_7, 5.0]]) {
            let expected = [("dpo", 2.0 * dpo), ("sft", 0.5 * nll), ("nll", nll)];
            for ((name, value), expected) in row.parts.iter().zip(expected) {
                assert_eq!(*name, expected.0);
                assert!((value - expected.1).abs() < 1e-6, "{row:?}");
            }
        }
        assert!((rows[0].reward_chosen, rows[0].reward_rejected) == (-1.0, -2.0));
    }

    #[test]
    fn a_batch_is_that_of_a_branch() {
        let objective = Objective::new(Aot::default(), 0.5).unwrap();
        let device = Device::flex();
        let four = PairLogProbs::new(
            pair(
                [-10.0, -20.0, -3.0, -4.0],
                [-20.0, -10.0, -6.0, -5.0],
                &device,
            ),
            Some(pair(
                [-1.0, -5.0, -9.0, -7.0],
                [-4.0, -2.0, -3.0, -4.0],
                &device,
            )),
            pair([5.0; 4], [2.0; 4], &device),
        );
        use Branch::{Generic, User};
        let evaluated = objective.evaluate(&four.unwrap(), &[User, Generic, Generic, User]);
        let rows = evaluated.unwrap().rows().unwrap();
        // Differences 10, -10, 3, 1 of the policy, 3, -3, -6, -3 of the reference. Users': 1, 10 against -3, 3; generic: -10, 3
        // against -6, -3.
        let expected = [7.0_f32, -4.0, 6.0, 4.0].map(|margin| (-0.1 * margin).exp().ln_1p());
        for (row, expected) in rows.iter().zip(expected) {
            assert!((row.loss - expected).abs() < 1e-6, "{row:?} {expected}");
        }
        let wrong = objective.evaluate(&pairs(), &[User]).unwrap_err();
        assert_eq!(wrong.to_string(), "`branches` has 1 rows, expected 2");
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
