//! WPO, weighting by how near to the policy's own text a comparison is (Zhou et al., arXiv 2406.11827, equation 2).

use std::sync::Arc;

use burn::tensor::Tensor;

use super::PairLoss;
use crate::{LossError, PairLogProbs, Part, Rewards};

/// A loss times `w(y1) w(y2)` with `w(y) = exp((log pi(y) - sum over tokens of log(sum over v of pi(v)^2)) / |y|)`, the weight
/// that the paper calls sampled alignment: 1 for a response such as the policy samples. No gradient flows through weights.
#[derive(Debug)]
pub(crate) struct Wpo {
    loss: Arc<dyn PairLoss>,
}

impl Wpo {
    pub(crate) fn new(loss: Arc<dyn PairLoss>) -> Result<Self, LossError> {
        match loss.needs_batch_statistics() {
            true => {
                let expected =
                    "no such key beside a loss that sorts its batch: rows weigh alike there";
                Err(LossError::setting("wpo", true, expected))
            }
            false => Ok(Self { loss }),
        }
    }
}

/// The weights of rows, `[rows]`.
fn weights(pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
    let squares = pairs.squares()?.clone();
    let aligned = pairs.whole().clone().with(squares, |own, all| own - all);
    let means = pairs.per_token(aligned);
    Ok((means.chosen + means.rejected).without_autodiff().exp())
}

impl PairLoss for Wpo {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        Ok(self.loss.losses(pairs)? * weights(pairs)?)
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        self.loss.rewards(pairs)
    }

    fn parts(&self, pairs: &PairLogProbs) -> Result<Vec<Part>, LossError> {
        let weights = weights(pairs)?;
        let weigh = |part: Part| Part::new(part.name, part.values * weights.clone());
        Ok(self.loss.parts(pairs)?.into_iter().map(weigh).collect())
    }

    fn validate(&self) -> Result<(), LossError> {
        self.loss.validate()
    }

    fn needs_reference(&self) -> bool {
        self.loss.needs_reference()
    }

    fn needs_shared(&self) -> bool {
        self.loss.needs_shared()
    }

    fn needs_squares(&self) -> bool {
        true
    }

    fn needs_kl(&self) -> bool {
        self.loss.needs_kl()
    }

    fn takes_thumbs(&self) -> bool {
        self.loss.takes_thumbs()
    }
}
