//! What no system could be trained with, found before anything is read or written.

use std::collections::HashSet;
use std::path::Path;

use judge::{JudgeConfig, JudgeError};
use trainer::TrainError;
use trainer::config::{
    Dtype, objective, validate_dropout, validate_lora, validate_loraplus, validate_named,
    validate_sampling,
};
use trainer::tokenise::Template;

use super::preset::JUDGE_KEY;
use super::{BestOfConfig, EvaluationConfig, ExperimentConfig, SystemConfig};
use crate::experiment::Experiment;
use crate::tiny::LEAST_VOCABULARY;

/// Far beyond what anybody waits for: ten years.
const LONGEST_MINUTES: f64 = 5e6;

impl<D: Experiment> ExperimentConfig<D> {
    /// Refuses what no system could be trained with.
    ///
    /// # Errors
    /// Names the key, what was found and what was expected.
    pub fn validate(&self) -> Result<(), TrainError> {
        let minutes = self.expected_minutes.unwrap_or_default();
        if !(0.0..=LONGEST_MINUTES).contains(&minutes) {
            let expected = "a number of minutes from 0";
            return Err(TrainError::config("expected_minutes", minutes, expected));
        }
        for path in self.data.paths() {
            validate_named("data.paths", Path::new(path), "files or folders")?;
        }
        validate_seeds("data.split_seeds", self.data.split_seeds())?;
        self.data.validate()?;
        self.validate_model()?;
        self.prompt.validate(self.user_tokens())?;
        self.training.validate()?;
        validate_lora(&self.lora)?;
        validate_sampling(&self.sampling)?;
        objective(&self.objective, true)?;
        if let Some(sft) = &self.sft {
            sft.validate("sft")?;
            validate_loraplus(&self.lora, "sft.learning_rate", sft.learning_rate)?;
            let how = self.training.gradient_checkpointing;
            validate_dropout(how, self.lora.dropout > 0.0)?;
        }
        self.evaluation.validate()?;
        if let Some(judge) = &self.judge {
            validate_judge(&with_address(judge))?;
        }
        self.validate_best_of()?;
        if self.systems.is_empty() {
            let expected = "at least one system";
            return Err(TrainError::config("systems", "empty", expected));
        }
        let mut names = HashSet::new();
        for system in &self.systems {
            system.validate()?;
            if !names.insert(&system.name) {
                let expected = "a name for each system";
                return Err(TrainError::config("systems.name", &system.name, expected));
            }
            let own = system.settings.training.gradient_checkpointing;
            if system.is_trained() && own != self.training.gradient_checkpointing {
                let key = format!("systems.{}.training.gradient_checkpointing", system.name);
                let found = format!("{own:?}").to_lowercase();
                let expected = "that of [training]: all systems share a device";
                return Err(TrainError::config(&key, found, expected));
            }
        }
        Ok(())
    }

    /// Refuses reward models that would choose among what nobody writes, or has not written yet.
    fn validate_best_of(&self) -> Result<(), TrainError> {
        let Some(BestOfConfig { from, counts }) = &self.evaluation.best_of else {
            return Ok(());
        };
        let rises = counts.windows(2).all(|pair| pair[0] < pair[1]);
        if !rises || counts.first().is_none_or(|&first| first == 0) {
            let found = format!("{counts:?}");
            let expected = "numbers from 1, each larger than the one before";
            return Err(TrainError::config(
                "evaluation.best_of.counts",
                found,
                expected,
            ));
        }
        let mut later = self.systems.iter();
        later.find(|system| system.is_reward_model());
        let own = |name: &&String| {
            let is_late = later.clone().any(|system| system.name == **name);
            let system = self.systems.iter().find(|system| system.name == **name);
            is_late || system.is_some_and(SystemConfig::is_reward_model)
        };
        match from.iter().find(own) {
            None => Ok(()),
            Some(name) => {
                let expected = "systems that write, each above the first with mode = \"reward\"";
                Err(TrainError::config(
                    "evaluation.best_of.from",
                    name,
                    expected,
                ))
            }
        }
    }

    /// Refuses what a model that is made in the run does not have.
    fn validate_model(&self) -> Result<(), TrainError> {
        let Some(tiny) = &self.tiny else {
            // Without a model at all, only the statistics of the data are wanted.
            return match self.model.source.is_empty() {
                true => Ok(()),
                false => self.model.validate(),
            };
        };
        tiny.sft.validate("tiny.sft")?;
        if tiny.vocab_size < LEAST_VOCABULARY {
            let expected = format!("at least {LEAST_VOCABULARY}, the bytes and two special tokens");
            return Err(TrainError::config(
                "tiny.vocab_size",
                tiny.vocab_size,
                expected,
            ));
        }
        let none = "no such key with [tiny]: the model is made in the run";
        if let Some(adapters) = &self.model.adapters {
            return Err(TrainError::config(
                "model.adapters",
                adapters.display(),
                none,
            ));
        }
        if self.model.dtype != Dtype::F32 {
            let found = format!("{:?}", self.model.dtype).to_lowercase();
            return Err(TrainError::config("model.dtype", found, none));
        }
        if self.prompt.template == Template::Chat {
            let expected = "raw with [tiny]: a model made in the run has no chat template";
            return Err(TrainError::config("prompt.template", "chat", expected));
        }
        Ok(())
    }
}

impl EvaluationConfig {
    fn validate(&self) -> Result<(), TrainError> {
        for (key, value) in [
            ("evaluation.prompts", self.prompts),
            ("evaluation.batch", self.batch),
            ("evaluation.quality_comparisons", self.quality_comparisons),
        ] {
            if value == 0 {
                return Err(TrainError::config(key, value, "at least 1"));
            }
        }
        let bands = &self.ratio_bands;
        let valid = |band: &f64| (0.0..1e6).contains(band);
        if !bands.iter().all(valid) || bands.windows(2).any(|pair| pair[0] >= pair[1]) {
            let expected = "numbers from 0, each larger than the one before";
            let found = format!("{bands:?}");
            return Err(TrainError::config(
                "evaluation.ratio_bands",
                found,
                expected,
            ));
        }
        Ok(())
    }
}

/// Refuses no seed at all, and one that comes twice: seeds name folders.
///
/// # Errors
/// Names the key.
pub fn validate_seeds(key: &str, seeds: &[u64]) -> Result<(), TrainError> {
    let mut distinct = HashSet::new();
    let found = match seeds.iter().find(|seed| !distinct.insert(**seed)) {
        Some(seed) => format!("{seed} twice"),
        None if seeds.is_empty() => "empty".into(),
        None => return Ok(()),
    };
    let expected = "at least one seed, each once";
    Err(TrainError::config(key, found, expected))
}

/// Refuses shares of train, validation and test that do not sum to 1, or that leave nothing to train or to test on.
pub(crate) fn validate_shares(key: &str, shares: [f64; 3]) -> Result<(), TrainError> {
    let [train, validation, test] = shares;
    let sum = shares.iter().sum::<f64>();
    let valid = train > 0.0 && validation >= 0.0 && test > 0.0 && (sum - 1.0).abs() < 1e-6;
    match valid {
        true => Ok(()),
        false => Err(TrainError::config(
            key,
            format!("{shares:?}"),
            "shares of train, validation and test that sum to 1, the first and the last above 0",
        )),
    }
}

/// A judge whose other settings can be looked at before anybody names it.
fn with_address(judge: &JudgeConfig) -> JudgeConfig {
    let mut judge = judge.clone();
    if judge.url.is_empty() {
        judge.url = "http://localhost".into();
        judge.model = "none".into();
    }
    judge
}

/// Refuses settings of a judge that cannot be used.
///
/// # Errors
/// Names the key.
pub(crate) fn validate_judge(judge: &JudgeConfig) -> Result<(), TrainError> {
    if let Some(dir) = &judge.cache_dir {
        validate_named("judge.cache_dir", dir, "a folder, or no such key")?;
    }
    judge.validate().map_err(by_whole_key)
}

/// Refuses a key that cannot be sent to the judge, and a variable that is named and not there. Neither is shown: what is named may be
/// the key.
///
/// # Errors
/// Names the setting.
pub(crate) fn validate_judge_key(judge: &JudgeConfig) -> Result<(), TrainError> {
    let named = judge.key_env.as_deref().filter(|name| *name != JUDGE_KEY);
    if named.is_some_and(|name| std::env::var_os(name).is_none()) {
        return Err(TrainError::config(
            "judge.key_env",
            "no environment variable that is set",
            format!("the name of one, or no such key, which is {JUDGE_KEY}"),
        ));
    }
    judge.validate_key().map_err(by_whole_key)
}

fn by_whole_key(error: JudgeError) -> TrainError {
    match error {
        JudgeError::Config { key, message } => {
            TrainError::Usage(format!("config key `judge.{key}`: {message}"))
        }
        other => TrainError::Usage(other.to_string()),
    }
}
