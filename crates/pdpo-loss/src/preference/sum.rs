//! A weighted sum of losses, such as that of mixed preference optimisation (Wang et al., arXiv 2411.10442).

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::{PairLoss, PreferenceLoss, Sft};
use crate::error::validate_factor;
use crate::keys::{Value, read_loss};
use crate::{LossError, PairLogProbs, Part, Rewards};

/// `w_1 l_1 + w_2 l_2 + ...`; rewards are those of the first.
///
/// ```toml
/// [objective]
/// loss = "sum"
///
/// [[objective.parts]]
/// loss = "dpo"
/// weight = 0.8
/// beta = 0.1
///
/// [[objective.parts]]
/// loss = "sft"
/// weight = 0.2
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    /// What is added up, each loss once.
    pub parts: Vec<Weighted>,
}

/// A loss and what it weighs in a [`Sum`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Weighted {
    /// Above 0. Default 1.
    pub weight: f64,
    /// The loss by its name, with its own keys.
    #[serde(flatten)]
    pub loss: PreferenceLoss,
}

impl Default for Sum {
    /// DPO and the negative log-likelihood, which weigh alike.
    fn default() -> Self {
        let losses = [PreferenceLoss::default(), PreferenceLoss::Sft(Sft {})];
        let part = |loss| Weighted { weight: 1.0, loss };
        Self {
            parts: losses.into_iter().map(part).collect(),
        }
    }
}

/// What a sum has.
const ONE: &str = "one loss or more";
/// What a part looks like.
const PART: &str = "tables such as { loss = \"dpo\", weight = 0.5 }";

impl Sum {
    fn any(&self, needs: fn(&PreferenceLoss) -> bool) -> bool {
        self.parts.iter().any(|part| needs(&part.loss))
    }
}

impl PairLoss for Sum {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        Part::total(&self.parts(pairs)?)
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        match self.parts.first() {
            Some(first) => first.loss.rewards(pairs),
            None => Err(LossError::setting("parts", "empty", ONE)),
        }
    }

    fn parts(&self, pairs: &PairLogProbs) -> Result<Vec<Part>, LossError> {
        let parts = self.parts.iter().map(|part| {
            let losses = part.loss.losses(pairs)?;
            Ok(Part::new(part.loss.name(), losses * part.weight))
        });
        parts.collect()
    }

    fn validate(&self) -> Result<(), LossError> {
        let names: Vec<&str> = self.parts.iter().map(|part| part.loss.name()).collect();
        let refuse = |expected| LossError::setting("parts", names.join(", "), expected);
        if names.is_empty() {
            return Err(LossError::setting("parts", "empty", ONE));
        }
        for (i, part) in self.parts.iter().enumerate() {
            let section = format!("parts.{}", names[i]);
            if names[..i].contains(&names[i]) {
                return Err(refuse("every loss once"));
            }
            if matches!(part.loss, PreferenceLoss::Sum(_)) {
                return Err(refuse("losses other than sums"));
            }
            let valid = validate_factor("weight", part.weight);
            let valid = valid.and_then(|()| part.loss.validate());
            valid.map_err(|error| error.within(&section))?;
        }
        Ok(())
    }

    fn needs_reference(&self) -> bool {
        self.any(PreferenceLoss::needs_reference)
    }

    fn needs_batch_statistics(&self) -> bool {
        self.any(PreferenceLoss::needs_batch_statistics)
    }

    fn needs_kl(&self) -> bool {
        self.any(PreferenceLoss::needs_kl)
    }

    fn takes_thumbs(&self) -> bool {
        !self.any(|loss| !loss.takes_thumbs())
    }
}

impl<'de> Deserialize<'de> for Weighted {
    /// The weight is taken out; the loss has the rest and refuses what it does not know.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Keys {
            weight: Option<f64>,
            #[serde(flatten)]
            loss: BTreeMap<String, Value>,
        }
        let keys = match Value::deserialize(deserializer)? {
            table @ Value::Table(_) => table,
            _ => return Err(D::Error::custom(format!("expected {PART}"))),
        };
        let Keys { weight, loss } = Keys::deserialize(keys).map_err(D::Error::custom)?;
        Ok(Self {
            weight: weight.unwrap_or(1.0),
            loss: read_loss(loss).map_err(D::Error::custom)?,
        })
    }
}
