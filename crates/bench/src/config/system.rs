//! `[[systems]]`: what is compared.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use toml::{Table, Value};
use trainer::TrainError;
use trainer::config::{
    RewardSection, TrainingSection, UsersSection, objective, validate_dropout, validate_lora,
    validate_loraplus, validate_objective, validate_sampling,
};
use trainer::llm_backbone::LoraConfig;
use trainer::llm_backbone::sampling::SamplingConfig;
use trainer::pdpo_loss::{Objective, ObjectiveConfig, PairLoss};

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
pub const SECTIONS: [&str; 5] = ["lora", "objective", "reward", "training", "sampling"];

/// `[[systems]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemConfig {
    /// `sft`, `oracle`, `vanilla-dpo`, `pdpo-individual`, `pdpo-cluster`, or a name of one's own.
    pub name: String,
    /// What it learns of comparisons.
    #[serde(default, skip_serializing_if = "Mode::is_pdpo")]
    pub mode: Mode,
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
    /// Its own settings of `[reward]`.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    reward: Table,
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
    /// `[objective]`, of which a reward model reads alpha and branches alone.
    pub objective: ObjectiveConfig,
    /// `[reward]`
    #[serde(skip_serializing_if = "is_default")]
    pub reward: RewardSection,
    /// `[training]`
    pub training: TrainingSection,
    /// `[sampling]`
    pub sampling: SamplingConfig,
}

pub(super) fn is_default(section: &RewardSection) -> bool {
    *section == RewardSection::default()
}

/// What a system learns of comparisons, as `prlhf train --mode` calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// To write what is preferred: P-DPO, or without users DPO.
    #[default]
    Pdpo,
    /// What responses are worth to users: P-RM, or without users a plain reward model. It writes nothing.
    Reward,
}

impl Mode {
    /// Whether it is the default.
    pub fn is_pdpo(&self) -> bool {
        *self == Self::Pdpo
    }
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
    /// The user's own text, and a sentence of what measures of the training comparisons say of the user.
    Profile,
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

    /// Whether it is trained to rank responses, and writes none.
    pub fn is_reward_model(&self) -> bool {
        self.is_trained() && self.mode == Mode::Reward
    }

    /// What it minimises.
    ///
    /// # Errors
    /// Settings out of range, by their key.
    pub(crate) fn objective(&self) -> Result<Objective, TrainError> {
        let (settings, has_users) = (&self.settings, self.users.is_some());
        match self.mode {
            Mode::Pdpo => objective(&settings.objective, has_users),
            Mode::Reward => settings.reward.objective(&settings.objective, has_users),
        }
    }

    /// The name of its loss.
    pub(crate) fn loss(&self) -> &'static str {
        match self.mode {
            Mode::Pdpo => self.settings.objective.loss.name(),
            Mode::Reward => "bradley-terry",
        }
    }

    /// Adds the sections of what it learns to an object of other sections.
    pub(crate) fn with_learnt(&self, mut sections: serde_json::Value) -> serde_json::Value {
        let settings = &self.settings;
        sections["objective"] = match self.mode {
            Mode::Pdpo => serde_json::json!(settings.objective),
            Mode::Reward => serde_json::json!({ "alpha": settings.objective.alpha }),
        };
        if self.mode == Mode::Reward {
            sections["reward"] = serde_json::json!(settings.reward);
        }
        sections
    }

    /// Whether its loss has a KL term.
    pub(crate) fn needs_kl(&self) -> bool {
        self.mode == Mode::Pdpo && self.settings.objective.loss.needs_kl()
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
        if let Some((key, why)) = self.misplaced() {
            let key = format!("systems.{name}.{key}");
            let expected = format!("no such key: {why}");
            return Err(TrainError::config(&key, "there", expected));
        }
        let SystemSettings {
            lora,
            objective,
            reward,
            training,
            sampling,
        } = &self.settings;
        if !self.is_trained() {
            return validate_sampling(sampling).map_err(|error| self.blamed(error));
        }
        let users = self.users.as_ref();
        let learnt = || match self.mode {
            Mode::Pdpo => validate_objective(objective, users.is_some(), training),
            Mode::Reward => reward
                .validate(users)
                .and_then(|()| self.objective().map(drop)),
        };
        let validated = training
            .validate()
            .and_then(|()| validate_lora(lora))
            .and_then(|()| {
                validate_loraplus(lora, "training.learning_rate", training.learning_rate)
            })
            .and_then(|()| validate_dropout(training.gradient_checkpointing, lora.dropout > 0.0))
            .and_then(|()| validate_sampling(sampling))
            .and_then(|()| users.map_or(Ok(()), UsersSection::validate))
            .and_then(|()| learnt());
        validated.map_err(|error| self.blamed(error))
    }

    /// A key that this system has no use for, and why.
    fn misplaced(&self) -> Option<(&'static str, &'static str)> {
        let rewards = self.mode == Mode::Reward;
        let untrained = (!self.is_trained()).then_some("this system is not trained");
        let of_users =
            (self.adapter_per_user).then_some("every user has an adapter (adapter_per_user)");
        let one = rewards.then_some("mode = \"reward\" trains one model on the seen users");
        let silent = rewards.then_some("mode = \"reward\" writes nothing");
        let writes = (!rewards).then_some("mode is not \"reward\"");
        let keys = [
            ("lora", !self.lora.is_empty(), untrained),
            ("objective", !self.objective.is_empty(), untrained),
            ("training", !self.training.is_empty(), untrained),
            ("mode", rewards, untrained),
            ("reward", !self.reward.is_empty(), untrained.or(writes)),
            ("adapter_per_user", self.adapter_per_user, untrained.or(one)),
            ("newcomers", self.newcomers, untrained.or(one)),
            ("users", self.users.is_some(), untrained.or(of_users)),
            ("sampling", !self.sampling.is_empty(), silent),
        ];
        let mut keys = keys.into_iter();
        keys.find_map(|(key, there, why)| Some((key, why.filter(|_| there)?)))
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
            "reward" => own(&self.reward),
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
            reward: section(root, "reward", &system.reward)?,
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
