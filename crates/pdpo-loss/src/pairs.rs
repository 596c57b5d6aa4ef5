//! The inputs of every loss: the log-probabilities of a batch of comparisons.

use burn::tensor::Tensor;

use crate::LossError;

/// Log-probabilities of a batch of comparisons, under the policy and under the reference.
///
/// Every tensor has shape `[batch]`. A log-probability (natural logarithm) is the SUM over the
/// response's tokens, its end-of-sequence token included, prompt and soft tokens excluded. The
/// reference never sees a soft prompt and needs no gradient.
#[derive(Debug, Clone)]
pub struct PairLogProbs {
    /// log pi(y1 | x, u), the preferred response under the policy.
    pub policy_chosen: Tensor<1>,
    /// log pi(y2 | x, u), the other response under the policy.
    pub policy_rejected: Tensor<1>,
    /// log pi_ref(y1 | x), the preferred response under the reference.
    pub reference_chosen: Tensor<1>,
    /// log pi_ref(y2 | x), the other response under the reference.
    pub reference_rejected: Tensor<1>,
    /// Number of scored tokens of the preferred response, as floats; losses on per-token means
    /// divide by it.
    pub chosen_tokens: Tensor<1>,
    /// Number of scored tokens of the other response, as floats.
    pub rejected_tokens: Tensor<1>,
}

impl PairLogProbs {
    /// The number of rows, after checking that the six tensors agree on it.
    ///
    /// # Errors
    ///
    /// [`LossError::Rows`] names the first tensor whose length differs from `policy_chosen`'s.
    pub fn rows(&self) -> Result<usize, LossError> {
        let [expected] = self.policy_chosen.dims();
        let others = [
            ("policy_rejected", &self.policy_rejected),
            ("reference_chosen", &self.reference_chosen),
            ("reference_rejected", &self.reference_rejected),
            ("chosen_tokens", &self.chosen_tokens),
            ("rejected_tokens", &self.rejected_tokens),
        ];
        for (field, tensor) in others {
            let [found] = tensor.dims();
            if found != expected {
                return Err(LossError::Rows {
                    field,
                    found,
                    expected,
                });
            }
        }
        Ok(expected)
    }

    /// The mean negative log-likelihood per token of the preferred response under the policy, `[batch]`: added with a
    /// weight to a preference loss, it keeps the policy's text from falling apart (arXiv 2404.19733).
    pub fn chosen_nll(&self) -> Tensor<1> {
        self.policy_chosen.clone().neg() / self.chosen_tokens.clone()
    }

    /// log(pi(y1) / pi_ref(y1)) and log(pi(y2) / pi_ref(y2)), each `[batch]`, summed over tokens.
    pub(crate) fn log_ratios(&self) -> (Tensor<1>, Tensor<1>) {
        (
            self.policy_chosen.clone() - self.reference_chosen.clone(),
            self.policy_rejected.clone() - self.reference_rejected.clone(),
        )
    }

    /// The same log-ratios, each divided by its response's token count.
    pub(crate) fn mean_log_ratios(&self) -> (Tensor<1>, Tensor<1>) {
        let (chosen, rejected) = self.log_ratios();
        (
            chosen / self.chosen_tokens.clone(),
            rejected / self.rejected_tokens.clone(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn nll_is_per_token_of_the_preferred_response_only() {
        let device = Device::flex();
        let row = |values: [f32; 2]| Tensor::<1>::from_floats(values, &device);
        let pairs = PairLogProbs {
            policy_chosen: row([-6.0, -1.0]),
            policy_rejected: row([-50.0, -60.0]),
            reference_chosen: row([-7.0, -8.0]),
            reference_rejected: row([-9.0, -10.0]),
            chosen_tokens: row([3.0, 4.0]),
            rejected_tokens: row([5.0, 5.0]),
        };
        let nll = pairs.chosen_nll().into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(nll, [2.0, 0.25]);
    }
}
