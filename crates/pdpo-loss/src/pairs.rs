//! The inputs of every loss: the log-probabilities of a batch of comparisons.

use burn::tensor::Tensor;

use crate::LossError;

/// One number per row for each of its two responses, `[rows]` each.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Of the preferred response, `y1`.
    pub chosen: Tensor<1>,
    /// Of the other response, `y2`.
    pub rejected: Tensor<1>,
}

/// Log-probabilities of a batch of comparisons, under the policy and under the reference. A row is a comparison in one
/// branch.
///
/// A log-probability (natural logarithm) is the SUM over the response's tokens, its end-of-sequence token included, prompt and
/// soft tokens excluded. The reference never sees a soft prompt and needs no gradient.
#[derive(Debug, Clone)]
pub struct PairLogProbs {
    policy: Pair,
    reference: Option<Pair>,
    tokens: Pair,
}

impl PairLogProbs {
    /// Puts together log pi(y | x, u) under the policy, log pi_ref(y | x) under the reference (none for a loss that needs
    /// none), and the number of scored tokens of each response, as floats.
    ///
    /// # Errors
    ///
    /// [`LossError::Rows`] names the first tensor whose length differs from that of the preferred responses under the policy.
    pub fn new(policy: Pair, reference: Option<Pair>, tokens: Pair) -> Result<Self, LossError> {
        let [expected] = policy.chosen.dims();
        let reference_fields = reference.iter().flat_map(|reference| {
            [
                ("reference chosen", &reference.chosen),
                ("reference rejected", &reference.rejected),
            ]
        });
        let fields = [
            ("policy rejected", &policy.rejected),
            ("tokens chosen", &tokens.chosen),
            ("tokens rejected", &tokens.rejected),
        ];
        for (field, tensor) in fields.into_iter().chain(reference_fields) {
            let [found] = tensor.dims();
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
            reference,
            tokens,
        })
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

    /// Numbers of scored tokens.
    pub fn tokens(&self) -> &Pair {
        &self.tokens
    }

    /// log(pi(y) / pi_ref(y)) of both responses, summed over tokens.
    ///
    /// # Errors
    ///
    /// [`LossError::NoReference`].
    pub fn log_ratios(&self) -> Result<Pair, LossError> {
        let reference = self.reference.as_ref().ok_or(LossError::NoReference)?;
        Ok(Pair {
            chosen: self.policy.chosen.clone() - reference.chosen.clone(),
            rejected: self.policy.rejected.clone() - reference.rejected.clone(),
        })
    }

    /// The same log-ratios, each divided by its response's token count.
    ///
    /// # Errors
    ///
    /// [`LossError::NoReference`].
    pub fn mean_log_ratios(&self) -> Result<Pair, LossError> {
        Ok(self.per_token(self.log_ratios()?))
    }

    /// Sums over tokens, each divided by its response's token count.
    pub fn per_token(&self, sums: Pair) -> Pair {
        Pair {
            chosen: sums.chosen / self.tokens.chosen.clone(),
            rejected: sums.rejected / self.tokens.rejected.clone(),
        }
    }

    /// The mean negative log-likelihood per token of the preferred response under the policy, `[rows]`: added with a
    /// weight to a preference loss, it keeps the policy's text from falling apart (arXiv 2404.19733).
    pub(crate) fn chosen_nll(&self) -> Tensor<1> {
        self.policy.chosen.clone().neg() / self.tokens.chosen.clone()
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
    fn ratios_to_a_reference_that_is_not_there_are_an_error() {
        let device = Device::flex();
        let one = || pair([1.0], [1.0], &device);
        let pairs = PairLogProbs::new(one(), None, one()).unwrap();
        assert_eq!(pairs.log_ratios().unwrap_err(), LossError::NoReference);
        assert_eq!(pairs.mean_log_ratios().unwrap_err(), LossError::NoReference);
    }
}
