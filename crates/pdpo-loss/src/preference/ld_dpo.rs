//! LD-DPO, length desensitisation (Liu et al., arXiv 2409.06411).

use std::sync::Arc;

use burn::tensor::Tensor;

use super::PairLoss;
use crate::error::validate;
use crate::{LossError, PairLogProbs, Part, Rewards};

/// A loss on `log pi(y) = (sum over the shared length) + alpha (sum over the rest)`, of policy and reference, where the shared
/// length is that of the shorter response: what the longer response says beyond it counts less. At 1 the loss is as it was, at
/// 0 nothing beyond the shared length counts.
#[derive(Debug)]
pub(crate) struct LdDpo {
    loss: Arc<dyn PairLoss>,
    alpha: f64,
}

impl LdDpo {
    pub(crate) fn new(loss: Arc<dyn PairLoss>, alpha: f64) -> Result<Self, LossError> {
        validate("ld_alpha", alpha, 0.0..=1.0, "a number from 0 to 1")?;
        Ok(Self { loss, alpha })
    }
}

impl PairLoss for LdDpo {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        self.loss.losses(&pairs.with_tails(self.alpha)?)
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        self.loss.rewards(&pairs.with_tails(self.alpha)?)
    }

    fn parts(&self, pairs: &PairLogProbs) -> Result<Vec<Part>, LossError> {
        self.loss.parts(&pairs.with_tails(self.alpha)?)
    }

    fn validate(&self) -> Result<(), LossError> {
        self.loss.validate()
    }

    fn needs_reference(&self) -> bool {
        self.loss.needs_reference()
    }

    fn needs_batch_statistics(&self) -> bool {
        self.loss.needs_batch_statistics()
    }

    fn needs_shared(&self) -> bool {
        true
    }

    fn needs_squares(&self) -> bool {
        self.loss.needs_squares()
    }

    fn needs_kl(&self) -> bool {
        self.loss.needs_kl()
    }
}
