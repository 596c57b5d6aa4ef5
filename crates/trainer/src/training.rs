//! From a configuration, a base model and comparisons to a run: [`train`] in one call, [`Training`] for who wants to look at
//! what it is made of first.

mod online;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use llm_backbone::{LoraConfig, LoraInit, Model};
use pdpo_loss::PairLoss;
use pref_data::{Comparison, Prompt, Skipped};
use serde_json::{Value, json};
use user_model::UserTable;

use crate::checkpoint::State;
use crate::config::{
    self, Circumstances, Config, RewardSection, TrainingSection, UsersSection, validate_stop_ids,
};
use crate::dataset::{Dataset, leave_out_refused};
use crate::error::TrainError;
use crate::example::Example;
use crate::folder::{RunFolder, Start};
use crate::inference::Engine;
use crate::lineage::Lineage;
use crate::monitor::Monitor;
use crate::policy::Policy;
use crate::reference::Reference;
use crate::session::{Session, SessionConfig};
use crate::sides::Sides;
use crate::source::BaseModel;
use crate::task::{Language, Preference, Responses, Reward, Task};
use crate::tokenise::Formatter;
pub use online::ScoredGroups;

/// Trains adapters and, where `config` has users, a user model on comparisons. The run goes into the folder `dir`, where
/// [`Trained::run`](crate::inference::Trained::run) finds it later; the engine holds what it gave. A share of the prompts,
/// `data.validation_share`, is held out to choose the best step by; 0 keeps the last.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::path::Path;
/// use trainer::config::{Config, Dtype};
/// use trainer::pref_data::{ReadOptions, read_comparisons};
/// use trainer::{burn::tensor::Device, inference::Job, progress::Quiet, source, train};
///
/// let config = Config { users: Some(Default::default()), ..Config::default() };
/// let (comparisons, _) = read_comparisons(&["comparisons.jsonl"], ReadOptions::default())?;
/// let base = Path::new("models/SmolLM2-135M-Instruct");
/// let base = source::open(base, Dtype::F32, &Device::flex().autodiff())?;
/// let (engine, _) = train(&config, base, comparisons, Path::new("runs/mine"), &mut Quiet)?;
/// let job = Job::new("Explain tides.".into(), engine.user("ada")?, config.sampling.clone());
/// println!("{}", engine.stream(&job, |_| {})?.text);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Settings out of range, texts that the tokenizer fails on, rows above the model's context, a folder that holds something
/// already, or what [`Session::run`] ends with.
pub fn train(
    config: &Config,
    base: BaseModel,
    comparisons: Vec<Comparison>,
    dir: &Path,
    monitor: &mut dyn Monitor,
) -> Result<(Engine, State), TrainError> {
    config.validate()?;
    RunFolder::validate(dir, Start::New, &[])?;
    let mut sides = Sides::split(comparisons, config.data.validation_share)?;
    let training = Training::new(config, base, &mut sides, None)?;
    for warning in &training.warnings {
        tracing::warn!("{warning}");
    }
    let outcome = training.preferences(Place::new(dir))?.run(monitor)?;
    let engine = Engine::new(outcome.policy, outcome.table, training.formatter)
        .with_micro_rows(config.training.micro_rows);
    Ok((engine, outcome.state))
}

/// Where a run goes, and how it begins.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder of the run.
    pub dir: PathBuf,
    /// In an empty folder, from a checkpoint, or in the place of an earlier run, of which nothing is used.
    pub start: Start,
    /// Files and folders that the run reads, beside those that the configuration names: they are never replaced.
    pub inputs: Vec<PathBuf>,
    /// Devices that compute gradients beside the model's own.
    pub further_devices: Vec<Device>,
}

impl Place {
    /// A new run in `dir`, on the model's device alone.
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.into(),
            start: Start::New,
            inputs: Vec::new(),
            further_devices: Vec::new(),
        }
    }
}

/// A base model and comparisons, ready to be trained on.
#[derive(Debug)]
pub struct Training {
    config: Config,
    clock: Option<u64>,
    /// The frozen base model, which is the reference too.
    pub model: Model,
    /// Its name.
    pub source: String,
    /// What it is made of.
    pub lineage: Lineage,
    /// The key of its reference log-probs.
    key: String,
    /// Text to ids.
    pub formatter: Formatter,
    /// Training comparisons.
    pub train: Dataset,
    /// Validation comparisons; none where nothing is held out.
    pub validation: Option<Dataset>,
    /// Keys that change nothing, and what is odd about these texts for this tokenizer and its chat template, in words; see
    /// [`Formatter::warnings`].
    pub warnings: Vec<String>,
}

impl Training {
    /// Tokenises both sides, in lenient mode without what the chat template refuses, which is counted; warns where prompts give
    /// way to the longest response. `clock` is the time that a chat template
    /// tells, in seconds since 1970, where it is not that of the call.
    ///
    /// # Errors
    /// Settings out of range, texts that the tokenizer fails on, or rows above the model's context.
    pub fn new(
        config: &Config,
        base: BaseModel,
        sides: &mut Sides,
        clock: Option<u64>,
    ) -> Result<Self, TrainError> {
        config.validate()?;
        validate_stop_ids(&config.sampling, base.model.config().vocab_size())?;
        let positions = base.model.config().max_positions();
        let soft = config.users.as_ref().map_or(0, |users| users.user_tokens);
        let response = config.prompt.max_response_length;
        let formatter = Formatter::new(base.tokenizer, config.prompt.clone(), soft)?
            .fitted_with_warning(positions, response, "prompt.max_response_length")?;
        let formatter = match clock {
            Some(clock) => formatter.with_clock(clock),
            None => formatter,
        };
        let lenient = config.data.lenient;
        let tokenised = |comparisons: &mut Vec<Comparison>, skipped: &mut Skipped| match lenient {
            true => leave_out_refused(comparisons, &formatter, skipped),
            false => Dataset::new(comparisons, &formatter),
        };
        let train = tokenised(&mut sides.train, &mut sides.skipped)?;
        let validation = match sides.validation.is_empty() {
            true => None,
            false => match tokenised(&mut sides.validation, &mut sides.skipped) {
                Err(TrainError::Empty { .. }) if lenient => None, // Training goes on without validation.
                side => Some(side?),
            },
        };
        for side in std::iter::once(&train).chain(&validation) {
            side.validate_context(soft, positions)?;
        }
        let (train, validation) = match config.objective.loss.needs_kl() {
            true => {
                let validation = validation.map(|side| side.with_mismatched(Some(&train)));
                (train.with_mismatched(None), validation)
            }
            false => (train, validation),
        };
        let all = || sides.train.iter().chain(&sides.validation);
        let mut warnings = config.without_effect(&Circumstances {
            users: train.users().len(),
            validation: validation.as_ref().map_or(0, |side| side.items.len()),
            chats: all().any(|comparison| matches!(comparison.prompt, Prompt::Chat(_))),
            positions,
            embedding_alone: (base.model.adapts_embedding_alone(&config.lora))
                .map_err(TrainError::of_lora)?,
            packed: base.model.num_base_bytes() < 4 * base.model.num_base_params(),
        });
        warnings.extend(formatter.warnings(all())?);
        Ok(Self {
            config: config.clone(),
            clock,
            model: base.model.frozen(),
            source: base.source,
            lineage: base.lineage,
            key: base.key,
            formatter,
            train,
            validation,
            warnings,
        })
    }

    /// Both sides.
    pub fn datasets(&self) -> impl Iterator<Item = &Dataset> {
        std::iter::once(&self.train).chain(&self.validation)
    }

    /// The run of adapters and user model on preferences (P-DPO; without users in the configuration, plain DPO).
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn preferences(&self, place: Place) -> Result<Session<Preference>, TrainError> {
        let Config {
            users,
            lora,
            objective,
            training,
            seed,
            ..
        } = &self.config;
        self.validate_data()?;
        let start = self
            .train
            .start_policy(self.model.clone(), lora, users.as_ref(), *seed)?;
        let (at, rows) = (place.dir.join("reference"), training.micro_rows);
        let reference = match objective.loss.needs_reference() {
            true if place.start == Start::Replace => {
                Some(Reference::new(&at, &self.model, &self.key, rows))
            }
            true => Some(Reference::open(&at, &self.model, &self.key, rows)?),
            false => None,
        };
        let task = Preference::from_config(objective, users.is_some(), reference)?;
        self.session(task, start, ("training", training.clone()), place)
    }

    /// Refuses data that the loss has no use for: thumbs where it compares two responses, a single prompt where it has a KL term.
    fn validate_data(&self) -> Result<(), TrainError> {
        let thumbs = self.datasets().map(|side| side.thumbs).sum();
        config::validate_thumbs(&self.config.objective, thumbs)?;
        match self.config.objective.loss.needs_kl() && !self.train.has_mismatched() {
            true => Err(TrainError::NoMismatched),
            false => Ok(()),
        }
    }

    /// Refuses adapters and users that the model has no place for, and thumbs for a loss that compares, before a run begins.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.validate_data()?;
        self.tried_policy(self.config.users.as_ref()).map(drop)
    }

    /// The same of a reward model.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate_rewards(&self) -> Result<(), TrainError> {
        self.validate_reward_data()?;
        let policy = self.tried_policy(self.config.users.as_ref())?;
        policy.with_head(self.config.reward.head).validate_head()
    }

    /// The same of supervised fine-tuning.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate_language(&self) -> Result<(), TrainError> {
        self.validate_language_rates()?;
        self.tried_policy(None).map(drop)
    }

    /// Refuses a reward model's settings that do not go together, and thumbs, of which there is nothing to compare.
    fn validate_reward_data(&self) -> Result<(), TrainError> {
        self.config.reward.validate(self.config.users.as_ref())?;
        RewardSection::validate_thumbs(self.datasets().map(|side| side.thumbs).sum())
    }

    fn validate_language_rates(&self) -> Result<(), TrainError> {
        let Config { lora, sft, .. } = &self.config;
        config::validate_loraplus(lora, "sft.learning_rate", sft.learning_rate)
    }

    /// A policy at step 0, but for what PiSSA begins with: that takes long to find, and says nothing more.
    fn tried_policy(&self, users: Option<&UsersSection>) -> Result<Policy, TrainError> {
        let Config { lora, seed, .. } = &self.config;
        (self.model.clone().validate_lora(lora)).map_err(TrainError::of_lora)?;
        let lora = LoraConfig {
            init_lora_weights: LoraInit::Kaiming,
            ..lora.clone()
        };
        let model = self.model.clone();
        Ok(self.train.start_policy(model, &lora, users, *seed)?.0)
    }

    /// The run of a reward model's head, adapters and users on preferences (P-RM; without users in the configuration, a plain
    /// reward model).
    ///
    /// # Errors
    /// As [`Session::new`], or thumbs, of which there is nothing to compare.
    pub fn rewards(&self, place: Place) -> Result<Session<Reward>, TrainError> {
        let Config {
            users,
            lora,
            objective,
            reward,
            training,
            seed,
            ..
        } = &self.config;
        self.validate_reward_data()?;
        let model = self.model.clone();
        let (policy, table) = (self.train).start_policy(model, lora, users.as_ref(), *seed)?;
        let start = (policy.with_head(reward.head), table);
        let task = Reward::new(reward, objective, users.is_some())?;
        self.session(task, start, ("training", training.clone()), place)
    }

    /// The run of adapters on the preferred responses (supervised fine-tuning).
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn language(&self, place: Place) -> Result<Session<Language>, TrainError> {
        let Config {
            lora,
            sft,
            training,
            seed,
            ..
        } = &self.config;
        self.validate_language_rates()?;
        let start = Policy::start(self.model.clone(), lora, None, 0, *seed)?;
        let task = Language {
            responses: Responses::Chosen,
            prompts_too: sft.prompts_too,
        };
        let training = sft.training(training, self.train.items.len());
        self.session(task, start, ("sft", training), place)
    }

    /// What model and comparisons come from.
    fn sources(&self) -> Value {
        let Config {
            model,
            data,
            prompt,
            ..
        } = &self.config;
        json!({ "model": model, "data": data, "prompt": prompt })
    }

    fn session<T: Task>(
        &self,
        task: T,
        (policy, table): (Policy, Option<UserTable>),
        (section, training): (&'static str, TrainingSection),
        place: Place,
    ) -> Result<Session<T>, TrainError> {
        let examples = |side: &Dataset| -> Vec<Example> {
            let mut examples = side.examples(table.as_ref());
            examples.retain(|example| task.learns_from(example.pair()));
            examples
        };
        let train = examples(&self.train);
        let left_out = self.train.items.len() - train.len();
        if left_out > 0 {
            tracing::warn!(
                "{left_out} thumbs down are left out: there is nothing to learn from them here"
            );
        }
        if train.is_empty() {
            let after = "to learn from: all are thumbs down".into();
            return Err(TrainError::Empty { after });
        }
        let validation = self.validation.as_ref().map(examples).unwrap_or_default();
        let data = (train, validation);
        self.session_of(task, (policy, table), (section, training), (place, data))
    }

    /// A session on these examples.
    fn session_of<T: Task>(
        &self,
        task: T,
        start: (Policy, Option<UserTable>),
        (section, training): (&'static str, TrainingSection),
        (place, data): (Place, (Vec<Example>, Vec<Example>)),
    ) -> Result<Session<T>, TrainError> {
        let inputs = [place.inputs, self.config.inputs()].concat();
        RunFolder::validate_own(&place.dir)?;
        let mut folder = RunFolder::claim(&place.dir, place.start, &inputs)?;
        let config = SessionConfig {
            dir: place.dir.clone(),
            base: self.lineage.clone(),
            model_key: self.key.clone(),
            seed: self.config.seed,
            lora: self.config.lora.clone(),
            training,
            section,
            sources: self.sources(),
            further_devices: place.further_devices,
            clock: self.clock,
        };
        let resume = place.start == Start::Resume;
        let session = Session::new(config, task, start, data, resume)?;
        folder.begin(place.start, &[], &inputs)?;
        let text = toml::to_string_pretty(&self.config);
        let text = text.map_err(|e| TrainError::format(&place.dir, e))?;
        folder.write_config(&text, &inputs)?;
        Ok(session.holding(folder))
    }
}
