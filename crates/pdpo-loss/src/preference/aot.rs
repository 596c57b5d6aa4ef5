//! AOT, alignment via optimal transport, of differences (Melnyk et al., arXiv 2406.05882, section 3: paired).

use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::PairLoss;
use super::logistic::logistic;
use crate::error::{validate_factor, validate_smoothing};
use crate::{LossError, PairLogProbs, Rewards};

/// `-(1 - eps) log sigma(z) - eps log sigma(-z)` with `z = beta (d_k - e_k)`, where `d_k` is the k-th smallest of the batch's
/// differences `log pi(y1) - log pi(y2)`, `e_k` that of `log pi_ref(y1) - log pi_ref(y2)`, and `eps` the label smoothing: the
/// policy's differences should be stochastically larger than the reference's, whichever comparison they are of.
///
/// The batch is that of a branch. A row's loss is that of its own `d`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Aot {
    /// The strength of the pull towards the reference, above 0. Default 0.1.
    pub beta: f64,
    /// The assumed share of flipped labels, from 0 to below 0.5. Default 0.
    pub label_smoothing: f64,
}

impl Default for Aot {
    fn default() -> Self {
        Self {
            beta: 0.1,
            label_smoothing: 0.0,
        }
    }
}

impl PairLoss for Aot {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let policy = pairs.policy().clone().difference();
        let reference = pairs.reference()?.clone().difference();
        let partners = partners(&policy, &reference)?;
        let margins = policy - reference.select(0, partners);
        Ok(logistic(margins * self.beta, self.label_smoothing))
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(pairs.log_ratios()?, self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)?;
        validate_smoothing(self.label_smoothing)
    }

    fn needs_batch_statistics(&self) -> bool {
        true
    }
}

/// For every row of `of`, the row of `among` that has the same rank there: the optimal transport between two sets of numbers.
pub(super) fn partners(of: &Tensor<1>, among: &Tensor<1>) -> Result<Tensor<1, Int>, LossError> {
    let mut partners = vec![0_i32; of.dims()[0]];
    for (row, partner) in ascending(of)?.into_iter().zip(ascending(among)?) {
        partners[row] = partner as i32;
    }
    let rows = partners.len();
    Ok(Tensor::from_data(
        TensorData::new(partners, [rows]),
        &of.device(),
    ))
}

/// Rows in the order of their numbers.
fn ascending(numbers: &Tensor<1>) -> Result<Vec<usize>, LossError> {
    let numbers = numbers.clone().without_autodiff();
    let numbers = numbers.try_into_vec_as::<f32>();
    let numbers = numbers.map_err(|error| LossError::Device(error.to_string()))?;
    let mut rows: Vec<usize> = (0..numbers.len()).collect();
    rows.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn partners_have_the_same_rank() {
        let device = Device::flex();
        let of = Tensor::from_floats([3.0, -1.0, 7.0, 0.0], &device);
        let among = Tensor::from_floats([10.0, 40.0, 20.0, 30.0], &device);
        let found = partners(&of, &among).unwrap();
        assert_eq!(found.try_into_vec_as::<i32>().unwrap(), [3, 0, 1, 2]);
    }
}
