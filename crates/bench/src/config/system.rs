//! `[[systems]]`: what is compared.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use toml::{Table, Value};
use trainer::config::{TrainingSection, UsersSection};
use trainer::llm_backbone::LoraConfig;
use trainer::llm_backbone::sampling::SamplingConfig;
use trainer::pdpo_loss::ObjectiveConfig;

/// The SFT model as it is.
pub const SFT: &str = "sft";
/// The SFT model that is told the user's true preference.
pub const ORACLE: &str = "oracle";

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
}

impl SystemSettings {
    /// A system's own settings, laid over those of all systems in `root`.
    pub(super) fn of(system: &SystemConfig, root: &Table) -> Result<Self, toml::de::Error> {
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
    name: &str,
    own: &Table,
) -> Result<T, toml::de::Error> {
    let all = root.get(name).and_then(Value::as_table);
    let mut merged = all.cloned().unwrap_or_default();
    merged.extend(own.clone());
    merged.try_into()
}
