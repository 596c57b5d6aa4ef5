//! `[[systems]]`: what is compared.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use toml::{Table, Value};
use trainer::TrainError;
use trainer::config::{
    TrainingSection, UsersSection, validate_dropout, validate_lora, validate_loraplus,
    validate_objective, validate_sampling,
};
use trainer::llm_backbone::LoraConfig;
use trainer::llm_backbone::sampling::SamplingConfig;
use trainer::pdpo_loss::ObjectiveConfig;

/// The SFT model as it is.
pub const SFT: &str = "sft";
/// The SFT model that is told the user's true preference.
pub const ORACLE: &str = "oracle";

/// Folders that a run makes for something else.
const RESERVED: [&str; 8] = [
    "model",
    "plots",
    "judge",
    "reference",
    "adapters",
    "checkpoint",
    "training",
    "report",
];

/// What the folders of its seeds and splits begin with.
const NUMBERED: [&str; 2] = ["seed-", "split-"];

/// The sections that a system may have its own settings of; the others are shared by all.
pub const SECTIONS: [&str; 4] = ["lora", "objective", "training", "sampling"];

/// `[[systems]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemConfig {
    /// `sft`, `oracle`, `vanilla-dpo`, `pdpo-individual`, `pdpo-cluster`, or a name of one's own.
    pub name: String,
    /// What the prompt says of the user; default: the user's own text, where the data have one.
    #[serde(default, skip_serializing_if = "UserText::is_own")]
    pub text: UserText,
    /// Absent for `sft`, `oracle` and vanilla DPO.
    pub users: Option<UsersSection>,
    /// An adapter for each seen user instead of one for all, trained on that user's comparisons alone. It has nothing for the others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adapter_per_user: bool,
    /// Newcomers are trained on from the start, on all their answers, with everybody else: what a fit is measured against.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub newcomers: bool,
    /// Its own settings of `[lora]`, laid over those of all systems.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    lora: Table,
    /// Its own settings of `[objective]`; one that names a loss of its own takes over none of all systems'.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    objective: Table,
    /// Its own settings of `[training]`.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    training: Table,
    /// Its own settings of `[sampling]`.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    sampling: Table,
    /// All of them.
    #[serde(skip)]
    pub settings: SystemSettings,
}

/// What a system is trained and sampled with.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SystemSettings {
    /// `[lora]`
    pub lora: LoraConfig,
    /// `[objective]`
    pub objective: ObjectiveConfig,
    /// `[training]`
    pub training: TrainingSection,
    /// `[sampling]`
    pub sampling: SamplingConfig,
}

/// What the prompt says of the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserText {
    /// The user's own text, where the data have one.
    #[default]
    Own,
    /// Nothing.
    None,
    /// The user's true preference, in words.
    Preference,
}

impl UserText {
    /// Whether it is the default.
    pub fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

impl SystemConfig {
    /// Whether this system is trained on comparisons.
    pub fn is_trained(&self) -> bool {
        ![SFT, ORACLE].contains(&self.name.as_str())
    }

    /// Refuses a name that is no folder's, and settings that it could not be trained with, or has no use for.
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        let name = &self.name;
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ' | '+');
        let is_folder = !name.trim_matches(['.', ' ']).is_empty() && name.chars().all(plain);
        let is_numbered = NUMBERED.iter().any(|prefix| name.starts_with(prefix));
        if !is_folder || RESERVED.contains(&name.as_str()) || is_numbered {
            let found = format!("{name:?}");
            let expected = format!(
                "the name of a folder of its own: letters, digits, `-`, `_`, and none of {}, seed-N or split-N",
                RESERVED.join(", ")
            );
            return Err(TrainError::config("systems.name", found, expected));
        }
        let SystemSettings {
            lora,
            objective,
            training,
            sampling,
        } = &self.settings;
        if !self.is_trained() {
            let idle = [
                ("lora", &self.lora),
                ("objective", &self.objective),
                ("training", &self.training),
            ];
            let users = self.users.is_some().then_some("users");
            let adapters = self.adapter_per_user.then_some("adapter_per_user");
            let newcomers = self.newcomers.then_some("newcomers");
            let own = idle
                .into_iter()
                .filter(|(_, own)| !own.is_empty())
                .map(|(section, _)| section);
            if let Some(section) = own.chain(users).chain(adapters).chain(newcomers).next() {
                let key = format!("systems.{name}.{section}");
                let expected = "no such key: this system is not trained";
                return Err(TrainError::config(&key, "there", expected));
            }
            return validate_sampling(sampling).map_err(|error| self.blamed(error));
        }
        if self.adapter_per_user && self.users.is_some() {
            let key = format!("systems.{name}.users");
            let expected = "no such section: every user has an adapter (adapter_per_user)";
            return Err(TrainError::config(&key, "there", expected));
        }
        let validated = training
            .validate()
            .and_then(|()| validate_lora(lora))
            .and_then(|()| {
                validate_loraplus(lora, "training.learning_rate", training.learning_rate)
            })
            .and_then(|()| validate_dropout(training.gradient_checkpointing, lora.dropout > 0.0))
            .and_then(|()| validate_sampling(sampling))
            .and_then(|()| self.users.as_ref().map_or(Ok(()), UsersSection::validate))
            .and_then(|()| validate_objective(objective, self.users.is_some(), training));
        validated.map_err(|error| self.blamed(error))
    }

    /// An error of a key, with the system in front of the key.
    pub(crate) fn blamed(&self, error: TrainError) -> TrainError {
        match error {
            TrainError::Config {
                key,
                found,
                expected,
            } => TrainError::Config {
                key: format!("systems.{}.{key}", self.name),
                found,
                expected,
            },
            other => other,
        }
    }

    /// Whether a key, such as `training.patience`, is its own.
    pub(super) fn says(&self, key: &str) -> bool {
        let Some((section, key)) = key.split_once('.') else {
            return false;
        };
        let own = |table: &Table| table.contains_key(key);
        match section {
            "users" => self.users.is_some(),
            "lora" => own(&self.lora),
            "objective" => own(&self.objective),
            "training" => own(&self.training),
            "sampling" => own(&self.sampling),
            _ => false,
        }
    }
}

impl SystemSettings {
    /// A system's own settings, laid over those of all systems in `root`.
    pub(super) fn of(
        system: &SystemConfig,
        root: &Table,
    ) -> Result<Self, (&'static str, toml::de::Error)> {
        let objective = match system.objective.contains_key("loss") {
            true => section(&Table::new(), "objective", &system.objective),
            false => section(root, "objective", &system.objective),
        };
        Ok(Self {
            lora: section(root, "lora", &system.lora)?,
            objective: objective?,
            training: section(root, "training", &system.training)?,
            sampling: section(root, "sampling", &system.sampling)?,
        })
    }
}

fn section<T: DeserializeOwned>(
    root: &Table,
    name: &'static str,
    own: &Table,
) -> Result<T, (&'static str, toml::de::Error)> {
    let all = root.get(name).and_then(Value::as_table);
    let mut merged = all.cloned().unwrap_or_default();
    merged.extend(own.clone());
    merged.try_into().map_err(|error| (name, error))
}
