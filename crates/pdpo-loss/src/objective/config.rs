//! The objective in a configuration file.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::Objective;
use super::keys::Value;
use crate::{LossError, PreferenceLoss};

/// `[objective]`: the loss by its name with its own keys, and what all losses share.
///
/// ```toml
/// [objective]
/// loss = "dpo"
/// beta = 0.1
/// alpha = 0.5
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ObjectiveConfig {
    /// `loss`, by default `dpo`, and the keys of that loss.
    #[serde(flatten)]
    pub loss: PreferenceLoss,
    /// The weight of the user-specific term, from 0 to 1. Default 0.5; without a user model only the generic term exists.
    pub alpha: f64,
    /// The weight of the mean negative log-likelihood per token of the preferred response, added to the loss of every
    /// row (`rpo_alpha` of TRL, arXiv 2404.19733): keeps a policy that moves far from garbling its text. Default 0.
    pub nll_weight: f64,
}

impl Default for ObjectiveConfig {
    fn default() -> Self {
        Self {
            loss: PreferenceLoss::default(),
            alpha: 0.5,
            nll_weight: 0.0,
        }
    }
}

impl ObjectiveConfig {
    /// The objective; without a user model only its generic branch.
    ///
    /// # Errors
    ///
    /// A number out of range, by its key.
    pub fn init(&self, has_users: bool) -> Result<Objective, LossError> {
        self.loss.validate()?;
        // Refused even where nobody looks at it.
        let alone = Objective::new(self.loss.clone(), self.alpha)?;
        let objective = match has_users {
            true => alone,
            false => Objective::new(self.loss.clone(), 0.0)?,
        };
        objective.with_nll_weight(self.nll_weight)
    }
}

impl<'de> Deserialize<'de> for ObjectiveConfig {
    /// The shared keys are taken out; the loss has the rest and refuses what it does not know.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Keys {
            alpha: Option<f64>,
            nll_weight: Option<f64>,
            #[serde(flatten)]
            loss: BTreeMap<String, Value>,
        }
        let Keys {
            alpha,
            nll_weight,
            mut loss,
        } = Keys::deserialize(deserializer)?;
        let default = Self::default();
        let name = loss.entry("loss".into());
        name.or_insert_with(|| Value::Text("dpo".into()));
        let loss = read_loss(loss).map_err(D::Error::custom)?;
        Ok(Self {
            loss,
            alpha: alpha.unwrap_or(default.alpha),
            nll_weight: nll_weight.unwrap_or(default.nll_weight),
        })
    }
}

/// A loss from its own keys. The error begins with the key, which serde does not tell.
fn read_loss(keys: BTreeMap<String, Value>) -> Result<PreferenceLoss, String> {
    let read = |keys| PreferenceLoss::deserialize(Value::Table(keys)).map_err(|e| e.to_string());
    let error = match read(keys.clone()) {
        Ok(loss) => return Ok(loss),
        Err(error) => error,
    };
    // The first key that leads to the same error with the name of the loss alone.
    let names = std::iter::once("loss").chain(keys.keys().map(String::as_str));
    let alone = |name: &str| {
        let some = keys
            .iter()
            .filter(|(key, _)| *key == name || *key == "loss");
        let some = some.map(|(key, value)| (key.clone(), value.clone()));
        read(some.collect()).err().as_ref() == Some(&error)
    };
    match names.into_iter().find(|name| alone(name)) {
        Some(name) => Err(format!("`{name}`: {error}")),
        None => Err(error),
    }
}

pub(super) fn validate_weight(key: &'static str, found: f64) -> Result<f64, LossError> {
    match (0.0..=crate::error::LARGEST).contains(&found) {
        true => Ok(found),
        false => Err(LossError::Weight { key, found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Branch, Dpo, Ipo};

    fn read(text: &str) -> Result<ObjectiveConfig, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        assert_eq!(read("").unwrap(), ObjectiveConfig::default());
        let config = read("loss = \"ipo\"\nalpha = 1").unwrap();
        let expected = ObjectiveConfig {
            loss: PreferenceLoss::Ipo(Ipo { beta: 0.1 }),
            alpha: 1.0,
            nll_weight: 0.0,
        };
        assert_eq!(config, expected);
        let config = read("beta = 0.5\nlabel_smoothing = 0.125\nnll_weight = 2").unwrap();
        let dpo = Dpo {
            beta: 0.5,
            label_smoothing: 0.125,
        };
        assert_eq!(config.loss, PreferenceLoss::Dpo(dpo));
        assert_eq!((config.alpha, config.nll_weight), (0.5, 2.0));
    }

    #[test]
    fn an_objective_survives_a_round_trip_through_toml() {
        let config = read("loss = \"ipo\"\nbeta = 0.25\nalpha = 0.75\nnll_weight = 0.5").unwrap();
        let text = toml::to_string(&config).unwrap();
        assert!(text.contains("loss = \"ipo\""), "{text}");
        assert_eq!(read(&text).unwrap(), config);
    }

    #[test]
    fn a_key_that_the_loss_does_not_have_is_refused_by_name() {
        for (text, needles) in [
            (
                "loss = \"ipo\"\nbeta = 0.1\nlabel_smoothing = 0.1",
                ["label_smoothing", "beta"],
            ),
            ("loss = \"dpo\"\nbetta = 1.0", ["betta", "label_smoothing"]),
            ("loss = \"hinge\"", ["hinge", "`dpo` or `ipo`"]),
            ("beta = \"much\"", ["much", "f64"]),
            ("alpha = \"half\"", ["half", "f64"]),
        ] {
            let error = read(text).unwrap_err().to_string();
            for needle in needles {
                assert!(error.contains(needle), "{text}: {error}");
            }
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused_by_name() {
        for (text, needle) in [
            ("beta = -1.0", "`beta` is -1"),
            ("beta = inf", "`beta` is inf"),
            ("loss = \"ipo\"\nbeta = 0.0", "`beta` is 0"),
            ("label_smoothing = 0.5", "`label_smoothing` is 0.5"),
            ("alpha = 1.5", "`alpha` is 1.5"),
            ("nll_weight = nan", "`nll_weight` is NaN"),
        ] {
            for has_users in [true, false] {
                let error = read(text).unwrap().init(has_users).unwrap_err();
                assert!(error.to_string().contains(needle), "{text}: {error}");
            }
        }
    }

    #[test]
    fn without_users_only_the_generic_branch_counts() {
        let branches = |users| read("").unwrap().init(users).unwrap().branches();
        assert_eq!(branches(false), [Branch::Generic]);
        assert_eq!(branches(true), [Branch::User, Branch::Generic]);
    }
}
