//! The inputs of a policy gradient.

use burn::tensor::Tensor;

use crate::LossError;

/// Log-probabilities of the tokens of some responses, under the policy as it is, as it was when it wrote them, and under the reference.
///
/// Tokens are those that were sampled, a stop id among them where one was; prompt and soft tokens are none of them. Natural
/// logarithms, at the temperature that the responses were sampled at.
#[derive(Debug, Clone)]
pub struct SampledLogProbs {
    policy: Tensor<1>,
    old: Tensor<1>,
    reference: Option<Tensor<1>>,
    membership: Tensor<2>,
    advantages: Tensor<1>,
}

impl SampledLogProbs {
    /// Puts together log-probs under the policy, `[tokens]` with gradient; under the policy that wrote the responses, `[tokens]`, and under
    /// the reference, `[tokens]` (none for a loss without KL term); which tokens are a response's, `[responses, tokens]`, 1 or 0; and
    /// the responses' advantages, `[responses]`.
    ///
    /// # Errors
    ///
    /// [`LossError::Rows`] names the first whose length differs from the policy's, or from the number of responses.
    pub fn new(
        policy: Tensor<1>,
        old: Tensor<1>,
        reference: Option<Tensor<1>>,
        (membership, advantages): (Tensor<2>, Tensor<1>),
    ) -> Result<Self, LossError> {
        let ([tokens], [responses, columns]) = (policy.dims(), membership.dims());
        let of_reference = reference.as_ref().map_or(tokens, |values| values.dims()[0]);
        for (field, found, expected) in [
            ("old log-probs", old.dims()[0], tokens),
            ("reference log-probs", of_reference, tokens),
            ("tokens of responses", columns, tokens),
            ("advantages", advantages.dims()[0], responses),
        ] {
            if found != expected {
                return Err(LossError::Rows {
                    field,
                    found,
                    expected,
                });
            }
        }
        Ok(Self {
            policy,
            old,
            reference,
            membership,
            advantages,
        })
    }

    /// `log pi - log pi_old` of every token, `[tokens]`.
    pub(super) fn log_ratios(&self) -> Tensor<1> {
        self.policy.clone() - self.old.clone()
    }

    /// Sums over the tokens of each response, `[responses]`.
    pub(super) fn sums(&self, of_tokens: Tensor<1>) -> Tensor<1> {
        let [responses, tokens] = self.membership.dims();
        let columns = of_tokens.reshape([tokens, 1]);
        self.membership.clone().matmul(columns).reshape([responses])
    }

    /// Advantages, `[responses]`.
    pub(super) fn advantages(&self) -> Tensor<1> {
        self.advantages.clone()
    }

    /// Each token's response's advantage, `[tokens]`.
    pub(super) fn advantages_of_tokens(&self) -> Tensor<1> {
        let [responses, tokens] = self.membership.dims();
        let row = self.advantages.clone().reshape([1, responses]);
        row.matmul(self.membership.clone()).reshape([tokens])
    }

    /// An estimate of `KL(policy || reference)` at every token, `[tokens]`, that is never below 0:
    /// `exp(d) - d - 1` with `d = log pi_ref - log pi` (GRPO, arXiv 2402.03300, equation 4).
    pub(super) fn kl(&self) -> Result<Tensor<1>, LossError> {
        let reference = self.reference.clone().ok_or(LossError::NoReference)?;
        let difference = reference - self.policy.clone();
        Ok(difference.clone().exp() - difference - 1.0)
    }
}
