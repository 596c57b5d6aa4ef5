//! The negative log-likelihood of preferred responses.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::PairLoss;
use crate::{LossError, PairLogProbs, Rewards};

/// `-log pi(y1) / |y1|`, with `|y1|` a number of tokens: a part of a [`Sum`](super::Sum), or a yardstick. Every comparison weighs
/// alike, so that gradients do not depend on micro-batches; TRL's mean is over all tokens of a micro-batch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sft {}

impl PairLoss for Sft {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        Ok(pairs.chosen_nll())
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        // A likelihood ranks by itself: no reference is there to compare it with.
        Ok(Rewards::new(pairs.per_token(pairs.whole().clone()), 1.0))
    }

    fn validate(&self) -> Result<(), LossError> {
        Ok(())
    }

    fn needs_reference(&self) -> bool {
        false
    }
}
