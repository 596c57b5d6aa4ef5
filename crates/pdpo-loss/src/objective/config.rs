//! The objective in a configuration file.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::Objective;
use crate::keys::{Value, read_loss};
use crate::{Branches, LossError, PreferenceLoss};

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
    /// Whether a step computes both branches of a comparison, or one that is drawn. Default both.
    #[serde(skip_serializing_if = "is_default")]
    pub branches: Branches,
    /// The weight of the mean negative log-likelihood per token of the preferred response, added to the loss of every
    /// row (`rpo_alpha` of TRL, arXiv 2404.19733): keeps a policy that moves far from garbling its text. Default 0.
    pub nll_weight: f64,
    /// What the longer response says beyond the shorter one's length counts so much, from 0 to 1 (LD-DPO, arXiv 2409.06411).
    /// Default 1: all of it.
    #[serde(skip_serializing_if = "all_of_it")]
    pub ld_alpha: f64,
    /// Weigh comparisons by how near they are to what the policy itself writes (WPO, arXiv 2406.11827). Default no.
    #[serde(skip_serializing_if = "is_default")]
    pub wpo: bool,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Whether nothing is weighed less.
fn all_of_it(ld_alpha: &f64) -> bool {
    *ld_alpha == 1.0
}

impl Default for ObjectiveConfig {
    fn default() -> Self {
        Self {
            loss: PreferenceLoss::default(),
            alpha: 0.5,
            branches: Branches::Both,
            nll_weight: 0.0,
            ld_alpha: 1.0,
            wpo: false,
        }
    }
}

impl ObjectiveConfig {
    /// The keys that all losses share; the others are the loss's own.
    pub const SHARED: [&str; 5] = ["alpha", "branches", "nll_weight", "ld_alpha", "wpo"];

    /// The objective; without a user model only its generic branch.
    ///
    /// # Errors
    ///
    /// A number out of range, by its key.
    pub fn init(&self, has_users: bool) -> Result<Objective, LossError> {
        // Refused even where nobody looks at it.
        let alone = Objective::new(self.loss.clone(), self.alpha)?;
        let objective = match has_users {
            true => alone,
            false => Objective::new(self.loss.clone(), 0.0)?,
        };
        let objective = objective.with_nll_weight(self.nll_weight)?;
        let mut objective = objective.with_branches(self.branches)?;
        if !all_of_it(&self.ld_alpha) {
            objective = objective.with_ld_alpha(self.ld_alpha)?;
        }
        match self.wpo {
            true => objective.with_wpo(),
            false => Ok(objective),
        }
    }
}

impl<'de> Deserialize<'de> for ObjectiveConfig {
    /// The shared keys are taken out; the loss has the rest and refuses what it does not know.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Keys {
            alpha: Option<f64>,
            branches: Option<Branches>,
            nll_weight: Option<f64>,
            ld_alpha: Option<f64>,
            wpo: Option<bool>,
            #[serde(flatten)]
            loss: BTreeMap<String, Value>,
        }
        let Keys {
            alpha,
            branches,
            nll_weight,
            ld_alpha,
            wpo,
            mut loss,
        } = Keys::deserialize(deserializer)?;
        let default = Self::default();
        let name = loss.entry("loss".into());
        name.or_insert_with(|| Value::Text("dpo".into()));
        let loss = read_loss(loss).map_err(D::Error::custom)?;
        Ok(Self {
            loss,
            alpha: alpha.unwrap_or(default.alpha),
            branches: branches.unwrap_or(default.branches),
            nll_weight: nll_weight.unwrap_or(default.nll_weight),
            ld_alpha: ld_alpha.unwrap_or(default.ld_alpha),
            wpo: wpo.unwrap_or(default.wpo),
        })
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
            loss: PreferenceLoss::Ipo(Ipo::default()),
            alpha: 1.0,
            ..ObjectiveConfig::default()
        };
        assert_eq!(config, expected);
        let config = read("beta = 0.5\nlabel_smoothing = 0.125\nnll_weight = 2").unwrap();
        let dpo = Dpo {
            beta: 0.5,
            label_smoothing: 0.125,
            ..Dpo::default()
        };
        assert_eq!(config.loss, PreferenceLoss::Dpo(dpo));
        assert_eq!((config.alpha, config.nll_weight), (0.5, 2.0));
    }

    #[test]
    fn an_objective_survives_a_round_trip_through_toml() {
        for text in [
            "loss = \"ipo\"\nbeta = 0.25\nalpha = 0.75\nbranches = \"sampled\"\nnll_weight = 0.5",
            "beta = 0.25\ndivergence = { alpha = 0.5 }\nlength_penalty = 0.1\nwpo = true\nld_alpha = 0.5",
            "loss = \"sum\"\nparts = [{ loss = \"hinge\", divergence = \"js\", weight = 0.5 }, { loss = \"sft\" }]",
        ] {
            let config = read(text).unwrap();
            let written = toml::to_string(&config).unwrap();
            assert_eq!(read(&written).unwrap(), config, "{written}");
            assert_ne!(config, ObjectiveConfig::default());
        }
        for loss in PreferenceLoss::all() {
            let written = toml::to_string(&loss).unwrap();
            assert!(written.contains(&format!("loss = \"{}\"", loss.name())));
            assert_eq!(read(&written).unwrap().loss, loss, "{written}");
        }
    }

    #[test]
    fn a_key_that_the_loss_does_not_have_is_refused_by_name() {
        for (text, needles) in [
            (
                "loss = \"ipo\"\nbeta = 0.1\nlabel_smoothing = 0.1",
                ["label_smoothing", "beta"],
            ),
            ("loss = \"dpo\"\nbetta = 1.0", ["betta", "label_smoothing"]),
            (
                "loss = \"hinges\"",
                [
                    "`dpo`, `robust`, `hinge`",
                    "`cpo`, `kto`, `apo_zero_unpaired`, `sum`",
                ],
            ),
            (
                "loss = \"nca_pair\"\ndivergence = \"js\"",
                ["`divergence`", "expected `beta`"],
            ),
            (
                "divergence = \"kl\"",
                [
                    "`divergence`: unknown variant `kl`",
                    "`reverse_kl`, `forward_kl`, `js`",
                ],
            ),
            (
                "loss = \"sum\"\nparts = [{ loss = \"ipo\", betta = 1.0 }]",
                ["`parts`", "`betta`"],
            ),
            ("loss = \"sum\"", ["missing field", "`parts`"]),
            (
                "loss = \"sum\"\nparts = [\"dpo\"]",
                ["`parts`", "expected tables such as { loss"],
            ),
            (
                "loss = \"sum\"\nparts = [{ weight = 2 }]",
                ["`parts`", "missing field `loss`"],
            ),
            ("beta = \"much\"", ["much", "f64"]),
            ("alpha = \"half\"", ["half", "f64"]),
            ("branches = \"one\"", ["one", "sampled"]),
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
            ("ld_alpha = 1.5", "`ld_alpha` is 1.5"),
            ("length_penalty = -1", "`length_penalty` is -1"),
            ("divergence = { alpha = 2 }", "`divergence.alpha` is 2"),
            (
                "loss = \"exo_pair\"\nlabel_smoothing = 0",
                "`label_smoothing` is 0",
            ),
            ("loss = \"alphapo\"\nshape = 0", "`shape` is 0"),
            ("loss = \"aot\"\nwpo = true", "`wpo` is true"),
            ("loss = \"sum\"\nparts = []", "`parts` is empty"),
            (
                "loss = \"sum\"\nparts = [{ loss = \"sft\" }, { loss = \"ipo\", beta = 0 }]",
                "`parts.ipo.beta` is 0",
            ),
            (
                "loss = \"sum\"\nparts = [{ loss = \"sft\", weight = 0 }]",
                "`parts.sft.weight` is 0",
            ),
            (
                "loss = \"sum\"\nparts = [{ loss = \"sft\" }, { loss = \"sft\" }]",
                "`parts` is sft, sft, expected every loss once",
            ),
        ] {
            for has_users in [true, false] {
                let error = read(text).unwrap().init(has_users).unwrap_err();
                assert!(error.to_string().contains(needle), "{text}: {error}");
            }
        }
    }

    #[test]
    fn every_loss_takes_the_shared_keys() {
        for loss in PreferenceLoss::all() {
            let mut keys = toml::Table::try_from(&loss).unwrap();
            for key in ObjectiveConfig::SHARED {
                let value: toml::Value = match key {
                    "wpo" => true.into(),
                    "branches" => "sampled".into(),
                    _ => 0.25.into(),
                };
                keys.insert(key.into(), value);
            }
            let found: ObjectiveConfig = keys.try_into().unwrap();
            let expected = ObjectiveConfig {
                loss,
                alpha: 0.25,
                branches: Branches::Sampled,
                nll_weight: 0.25,
                ld_alpha: 0.25,
                wpo: true,
            };
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_changes_nothing_is_not_written() {
        // Runs that older versions wrote say the same of what they learnt.
        let written = toml::to_string(&ObjectiveConfig::default()).unwrap();
        let keys: Vec<&str> = written
            .lines()
            .filter_map(|l| l.split(' ').next())
            .collect();
        let expected = ["loss", "beta", "label_smoothing", "alpha", "nll_weight"];
        assert_eq!(keys, expected);
    }

    #[test]
    fn without_users_only_the_generic_branch_counts() {
        let branches = |users| read("").unwrap().init(users).unwrap().branches();
        assert_eq!(branches(false), [Branch::Generic]);
        assert_eq!(branches(true), [Branch::User, Branch::Generic]);
    }
}
