//! The inputs of every loss: the log-probabilities of a batch of comparisons.

use burn::tensor::{Int, Tensor};

use crate::LossError;

/// One number per row for each of its two responses, `[rows]` each.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Of the preferred response, `y1`.
    pub chosen: Tensor<1>,
    /// Of the other response, `y2`.
    pub rejected: Tensor<1>,
}

impl Pair {
    /// The same function of either number.
    pub(crate) fn map(self, f: impl Fn(Tensor<1>) -> Tensor<1>) -> Self {
        Self {
            chosen: f(self.chosen),
            rejected: f(self.rejected),
        }
    }

    /// The same function of either number and that of another pair.
    pub(crate) fn with(self, other: Self, f: impl Fn(Tensor<1>, Tensor<1>) -> Tensor<1>) -> Self {
        Self {
            chosen: f(self.chosen, other.chosen),
            rejected: f(self.rejected, other.rejected),
        }
    }

    /// `chosen - rejected`.
    pub(crate) fn difference(self) -> Tensor<1> {
        self.chosen - self.rejected
    }

    fn named(&self, names: [&'static str; 2]) -> [(&'static str, &Tensor<1>); 2] {
        [(names[0], &self.chosen), (names[1], &self.rejected)]
    }
}

/// Log-probabilities of a batch of comparisons, under the policy and under the reference. A row is a comparison in one
/// branch.
///
/// A log-probability (natural logarithm) is the SUM over the response's tokens, its end-of-sequence token included, prompt and
/// soft tokens excluded. The reference never sees a soft prompt and needs no gradient. Of a thumb one response does not exist: it
/// has no tokens, and log-probabilities of 0. Where a reward model is learnt ([`BradleyTerry`](crate::BradleyTerry)), its scores
/// are in the policy's place.
#[derive(Debug, Clone)]
pub struct PairLogProbs {
    policy: Pair,
    reference: Option<Pair>,
    tokens: Pair,
    /// The policy's sums over all tokens, where `policy` weighs some of them less.
    whole: Pair,
    shared: Option<Shared>,
    squares: Option<Pair>,
    kl: Option<Tensor<1>>,
}

/// Log-probabilities over the first tokens of both responses, as many as the shorter one has.
#[derive(Debug, Clone)]
struct Shared {
    policy: Pair,
    reference: Option<Pair>,
}

impl PairLogProbs {
    /// Puts together log pi(y | x, u) under the policy, log pi_ref(y | x) under the reference (none for a loss that needs
    /// none), and the number of scored tokens of each response, as floats.
    ///
    /// # Errors
    ///
    /// [`LossError::Rows`] names the first tensor whose length differs from that of the preferred responses under the policy.
    pub fn new(policy: Pair, reference: Option<Pair>, tokens: Pair) -> Result<Self, LossError> {
        let pairs = Self {
            whole: policy.clone(),
            policy,
            reference,
            tokens,
            shared: None,
            squares: None,
            kl: None,
        };
        let rejected = ("policy rejected", &pairs.policy.rejected);
        pairs.check([rejected])?;
        pairs.check(pairs.tokens.named(["tokens chosen", "tokens rejected"]))?;
        if let Some(reference) = &pairs.reference {
            pairs.check(reference.named(["reference chosen", "reference rejected"]))?;
        }
        Ok(pairs)
    }

    /// Adds the same log-probabilities over the first tokens of both responses, as many as the shorter one has: what
    /// [`Objective::with_ld_alpha`](crate::Objective::with_ld_alpha) needs.
    ///
    /// # Errors
    ///
    /// [`LossError::Rows`].
    pub fn with_shared(mut self, policy: Pair, reference: Option<Pair>) -> Result<Self, LossError> {
        self.check(policy.named(["shared policy chosen", "shared policy rejected"]))?;
        if let Some(reference) = &reference {
            self.check(reference.named(["shared reference chosen", "shared reference rejected"]))?;
        }
        self.shared = Some(Shared { policy, reference });
        Ok(self)
    }

    /// Adds `log(sum over the vocabulary of pi(v)^2)`, summed over each response's tokens, under the policy and without
    /// gradient: what [`Objective::with_wpo`](crate::Objective::with_wpo) needs.
    ///
    /// # Errors
    ///
    /// [`LossError::Rows`].
    pub fn with_squares(mut self, squares: Pair) -> Result<Self, LossError> {
        self.check(squares.named(["squares chosen", "squares rejected"]))?;
        self.squares = Some(squares);
        Ok(self)
    }

    /// Adds the KL term of each row's branch, `[rows]`, in nats and without gradient: what [`Kto`](crate::Kto) needs.
    ///
    /// # Errors
    ///
    /// [`LossError::Rows`].
    pub fn with_kl(mut self, kl: Tensor<1>) -> Result<Self, LossError> {
        self.check([("kl", &kl)])?;
        self.kl = Some(kl);
        Ok(self)
    }

    fn check<'a>(
        &self,
        fields: impl IntoIterator<Item = (&'static str, &'a Tensor<1>)>,
    ) -> Result<(), LossError> {
        let expected = self.rows();
        for (field, tensor) in fields {
            let [found] = tensor.dims();
            if found != expected {
                return Err(LossError::Rows {
                    field,
                    found,
                    expected,
                });
            }
        }
        Ok(())
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        let [rows] = self.policy.chosen.dims();
        rows
    }

    /// Log-probabilities under the policy.
    pub fn policy(&self) -> &Pair {
        &self.policy
    }

    /// Log-probabilities under the reference.
    ///
    /// # Errors
    ///
    /// [`LossError::NoReference`].
    pub fn reference(&self) -> Result<&Pair, LossError> {
        self.reference.as_ref().ok_or(LossError::NoReference)
    }

    /// Numbers of scored tokens.
    pub fn tokens(&self) -> &Pair {
        &self.tokens
    }

    /// The KL term of each row's branch.
    ///
    /// # Errors
    ///
    /// [`LossError::NoKl`].
    pub fn kl(&self) -> Result<&Tensor<1>, LossError> {
        self.kl.as_ref().ok_or(LossError::NoKl)
    }

    /// log(pi(y) / pi_ref(y)) of both responses, summed over tokens.
    ///
    /// # Errors
    ///
    /// [`LossError::NoReference`].
    pub fn log_ratios(&self) -> Result<Pair, LossError> {
        let reference = self.reference()?.clone();
        Ok(self.policy.clone().with(reference, |a, b| a - b))
    }

    /// The same log-ratios, each divided by its response's token count.
    ///
    /// # Errors
    ///
    /// [`LossError::NoReference`].
    pub fn mean_log_ratios(&self) -> Result<Pair, LossError> {
        Ok(self.per_token(self.log_ratios()?))
    }

    /// Sums over tokens, each divided by its response's token count; 0 of a response that does not exist.
    pub fn per_token(&self, sums: Pair) -> Pair {
        sums.with(self.tokens.clone(), |sum, tokens| {
            sum / tokens.clamp_min(1.0)
        })
    }

    /// The mean negative log-likelihood per token of the preferred response under the policy, `[rows]`: added with a
    /// weight to a preference loss, it keeps the policy's text from falling apart (arXiv 2404.19733).
    pub(crate) fn chosen_nll(&self) -> Tensor<1> {
        self.whole.chosen.clone().neg() / self.tokens.chosen.clone().clamp_min(1.0)
    }

    /// How many responses a row has, `[rows]`: one of a thumb, else two.
    pub(crate) fn responses(&self) -> Tensor<1> {
        let there = self.there();
        there.chosen + there.rejected
    }

    /// 1 where a response exists, else 0.
    pub(crate) fn there(&self) -> Pair {
        let there = |tokens: Tensor<1>| tokens.greater_elem(0.0).float();
        self.tokens.clone().map(there)
    }

    /// The policy's log-probabilities over all tokens.
    pub(crate) fn whole(&self) -> &Pair {
        &self.whole
    }

    pub(crate) fn squares(&self) -> Result<&Pair, LossError> {
        self.squares.as_ref().ok_or(LossError::NoSquares)
    }

    /// The same rows with `share` of what tokens beyond the shared length add to a log-probability.
    pub(crate) fn with_tails(&self, share: f64) -> Result<Self, LossError> {
        let Shared { policy, reference } = self.shared.as_ref().ok_or(LossError::NoShared)?;
        let weigh = |whole: &Pair, shared: &Pair| {
            let tails = |whole, shared: Tensor<1>| (whole - shared.clone()) * share + shared;
            whole.clone().with(shared.clone(), tails)
        };
        let reference = match (&self.reference, reference) {
            (Some(_), None) => return Err(LossError::NoShared),
            (Some(whole), Some(shared)) => Some(weigh(whole, shared)),
            (None, _) => None,
        };
        Ok(Self {
            policy: weigh(&self.policy, policy),
            reference,
            ..self.clone()
        })
    }

    /// Some of the rows, in the given order.
    pub(crate) fn select(&self, rows: &Tensor<1, Int>) -> Self {
        let some = |pair: &Pair| pair.clone().map(|values| values.select(0, rows.clone()));
        Self {
            policy: some(&self.policy),
            reference: self.reference.as_ref().map(some),
            tokens: some(&self.tokens),
            whole: some(&self.whole),
            shared: self.shared.as_ref().map(|shared| Shared {
                policy: some(&shared.policy),
                reference: shared.reference.as_ref().map(some),
            }),
            squares: self.squares.as_ref().map(some),
            kl: (self.kl.as_ref()).map(|kl| kl.clone().select(0, rows.clone())),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use burn::tensor::Device;

    /// Two numbers per row.
    pub(crate) fn pair<const N: usize>(
        chosen: [f32; N],
        rejected: [f32; N],
        device: &Device,
    ) -> Pair {
        Pair {
            chosen: Tensor::from_floats(chosen, device),
            rejected: Tensor::from_floats(rejected, device),
        }
    }

    #[test]
    fn nll_is_per_token_of_the_preferred_response_only() {
        let device = Device::flex();
        let pairs = PairLogProbs::new(
            pair([-6.0, -1.0], [-50.0, -60.0], &device),
            None,
            pair([3.0, 4.0], [5.0, 5.0], &device),
        );
        let nll = pairs.unwrap().chosen_nll().into_data();
        assert_eq!(nll.try_to_vec::<f32>().unwrap(), [2.0, 0.25]);
    }

    #[test]
    fn tensors_of_unequal_length_are_refused_by_name() {
        let device = Device::flex();
        let pair = |chosen: usize, rejected: usize| Pair {
            chosen: Tensor::zeros([chosen], &device),
            rejected: Tensor::zeros([rejected], &device),
        };
        for (policy, reference, tokens, message) in [
            (
                pair(3, 3),
                Some(pair(3, 2)),
                pair(3, 3),
                "`reference rejected` has 2 rows, expected 3",
            ),
            (
                pair(3, 4),
                None,
                pair(3, 3),
                "`policy rejected` has 4 rows, expected 3",
            ),
            (
                pair(1, 1),
                None,
                pair(0, 1),
                "`tokens chosen` has 0 rows, expected 1",
            ),
        ] {
            let error = PairLogProbs::new(policy, reference, tokens).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let device = Device::flex();
        let one = || pair([1.0], [1.0], &device);
        let pairs = PairLogProbs::new(one(), None, one()).unwrap();
        assert_eq!(pairs.log_ratios().unwrap_err(), LossError::NoReference);
        assert_eq!(pairs.mean_log_ratios().unwrap_err(), LossError::NoReference);
        assert_eq!(pairs.with_tails(0.5).unwrap_err(), LossError::NoShared);
        assert_eq!(pairs.squares().unwrap_err(), LossError::NoSquares);
    }
}
