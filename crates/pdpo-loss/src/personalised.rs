//! The personalised objective: a mix of the user-specific and the user-agnostic loss.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::LossError;
use crate::error::validate;

/// Which soft prompt a row was computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Branch {
    /// The comparison's own user: the user-specific term.
    User,
    /// The generic user in the user's place: the user-agnostic term.
    Generic,
}

/// Which branches of a comparison a step computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Branches {
    /// Both, each with its weight.
    #[default]
    Both,
    /// One, drawn: the user's with probability alpha. Half the work, and the gradient's mean over all draws is that of both.
    Sampled,
}

/// `L = alpha * mean of the user rows + (1 - alpha) * mean of the generic rows`, over the whole
/// optimiser batch (P-DPO objective, arXiv 2402.05133, section 4; Remark 4.1 for other losses).
///
/// Every comparison of a batch counts once in each term. Of a comparison without a user the two
/// rows are the same row, the generic one: give it once as [`Branch::User`] and once as
/// [`Branch::Generic`], or compute it once and weigh it by the sum of both weights.
///
/// The mean runs over the optimiser batch, not over the micro-batch: each row has a fixed weight,
/// so the gradients of micro-batches add up to the gradient of the batch, however the rows fall.
/// (The authors' code takes means per micro-batch; with one row per micro-batch its gradient is
/// half of the paper's.)
///
/// Serialised as the bare number: `alpha = 0.5`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Personalised {
    alpha: f64,
}

impl Personalised {
    /// A mix with the user-specific term weighing `alpha`.
    ///
    /// # Errors
    ///
    /// [`LossError::Setting`] unless `alpha` is in `[0, 1]`.
    pub fn new(alpha: f64) -> Result<Self, LossError> {
        validate("alpha", alpha, 0.0..=1.0, "a number from 0 to 1")?;
        Ok(Self { alpha })
    }

    /// The share of the user-specific term.
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// The weight `w_b` of one row, such that a micro-batch's loss is `sum_b w_b * l_b` and the
    /// sum over the micro-batches of a batch is exactly the objective.
    ///
    /// `comparisons_in_batch` counts the comparisons of the whole optimiser batch (each has one
    /// row per branch). An empty batch has weight 0.
    pub fn weight(&self, branch: Branch, comparisons_in_batch: usize) -> f64 {
        if comparisons_in_batch == 0 {
            return 0.0;
        }
        self.share(branch) / comparisons_in_batch as f64
    }

    /// Whether the branch counts at all. One that does not need not be computed: the generic one
    /// at `alpha` 1, the user's at `alpha` 0 (vanilla DPO).
    pub fn is_computed(&self, branch: Branch) -> bool {
        self.share(branch) > 0.0
    }

    /// The branches to compute, user first.
    pub fn branches(&self) -> &'static [Branch] {
        match (
            self.is_computed(Branch::User),
            self.is_computed(Branch::Generic),
        ) {
            (true, true) => &[Branch::User, Branch::Generic],
            (true, false) => &[Branch::User],
            (false, _) => &[Branch::Generic],
        }
    }

    /// The branch of a comparison in a pass over the data, where one is drawn: the user's with probability alpha over `uniform`, the
    /// comparison's own number from 0 to 1 for all passes. Passes take turns (systematic sampling): of `k` passes `k * alpha` are the user's,
    /// rounded up or down. The row then weighs `1 / comparisons_in_batch`.
    pub fn draw(&self, uniform: f64, epoch: usize) -> Branch {
        let before = |epochs: usize| (uniform + self.alpha * epochs as f64).floor();
        match before(epoch + 1) > before(epoch) {
            true => Branch::User,
            false => Branch::Generic,
        }
    }

    /// `sum_b w_b * l_b` of one micro-batch, shape `[1]`.
    ///
    /// `losses` is `[rows]`, `branches` names each row's branch.
    ///
    /// # Errors
    ///
    /// [`LossError::Rows`] if `branches` and `losses` differ in length.
    pub fn combine(
        &self,
        losses: Tensor<1>,
        branches: &[Branch],
        comparisons_in_batch: usize,
    ) -> Result<Tensor<1>, LossError> {
        let [rows] = losses.dims();
        if branches.len() != rows {
            return Err(LossError::Rows {
                field: "branches",
                found: branches.len(),
                expected: rows,
            });
        }
        let weights = self.weights(branches, comparisons_in_batch, &losses.device());
        Ok((losses * weights).sum())
    }

    /// The rows' weights, `[rows]`.
    fn weights(&self, branches: &[Branch], comparisons: usize, device: &Device) -> Tensor<1> {
        let weights: Vec<f32> = branches
            .iter()
            .map(|&branch| self.weight(branch, comparisons) as f32)
            .collect();
        Tensor::from_floats(weights.as_slice(), device)
    }

    fn share(&self, branch: Branch) -> f64 {
        match branch {
            Branch::User => self.alpha,
            Branch::Generic => 1.0 - self.alpha,
        }
    }
}

impl TryFrom<f64> for Personalised {
    type Error = LossError;

    fn try_from(alpha: f64) -> Result<Self, LossError> {
        Self::new(alpha)
    }
}

impl From<Personalised> for f64 {
    fn from(mix: Personalised) -> f64 {
        mix.alpha
    }
}

#[cfg(test)]
mod tests {
    use super::Branch::{Generic, User};
    use super::*;

    #[test]
    fn the_objective_is_alpha_times_one_mean_plus_the_rest_of_the_other() {
        let losses = Tensor::<1>::from_floats([1.0, 3.0, 10.0, 20.0], &Device::flex());
        let mix = Personalised::new(0.25).unwrap();
        let loss = mix.combine(losses, &[User, User, Generic, Generic], 2);
        // 0.25 * (1 + 3) / 2 + 0.75 * (10 + 20) / 2
        assert_eq!(loss.unwrap().into_scalar::<f32>(), 11.75);
    }

    #[test]
    fn a_branch_of_no_weight_is_not_computed() {
        let branches = |alpha| Personalised::new(alpha).unwrap().branches();
        assert_eq!(branches(0.0), [Generic]);
        assert_eq!(branches(0.5), [User, Generic]);
        assert_eq!(branches(1.0), [User]);
        assert!(!Personalised::new(1.0).unwrap().is_computed(Generic));
    }

    #[test]
    fn a_drawn_branch_is_the_user_s_with_probability_alpha_in_every_pass() {
        const UNIFORMS: u32 = 1000;
        for alpha in [0.25, 0.5, 0.9] {
            let mix = Personalised::new(alpha).unwrap();
            for epoch in 0..3 {
                let uniforms = (0..UNIFORMS).map(|i| (f64::from(i) + 0.5) / f64::from(UNIFORMS));
                let users = uniforms.filter(|&u| mix.draw(u, epoch) == User).count();
                assert_eq!(users, (alpha * f64::from(UNIFORMS)) as usize, "{epoch}");
            }
        }
    }

    #[test]
    fn passes_take_turns() {
        let mix = Personalised::new(0.5).unwrap();
        let draws = |uniform| [0, 1, 2, 3].map(|epoch| mix.draw(uniform, epoch));
        assert_eq!(draws(0.2), [Generic, User, Generic, User]);
        assert_eq!(draws(0.7), [User, Generic, User, Generic]);
    }

    #[test]
    fn an_alpha_outside_of_0_to_1_is_refused() {
        for alpha in [-0.1, 1.1, f64::INFINITY] {
            let error = Personalised::new(alpha).unwrap_err().to_string();
            let expected = format!("`alpha` is {alpha}, expected a number from 0 to 1");
            assert_eq!(error, expected);
        }
        assert!(Personalised::new(f64::NAN).is_err());
        #[derive(Debug, Deserialize)]
        struct Config {
            alpha: Personalised,
        }
        let config: Config = toml::from_str("alpha = 0.5").unwrap();
        assert_eq!(config.alpha.alpha(), 0.5);
        let error = toml::from_str::<Config>("alpha = 2.0").unwrap_err();
        assert!(error.to_string().contains("`alpha` is 2"), "{error}");
    }

    #[test]
    fn a_wrong_number_of_branches_is_an_error_and_an_empty_batch_weighs_nothing() {
        let mix = Personalised::new(0.5).unwrap();
        let losses = Tensor::<1>::from_floats([1.0, 3.0], &Device::flex());
        let error = mix.combine(losses, &[User], 1).unwrap_err();
        assert_eq!(error.to_string(), "`branches` has 1 rows, expected 2");
        assert_eq!(mix.weight(User, 0), 0.0);
    }
}
