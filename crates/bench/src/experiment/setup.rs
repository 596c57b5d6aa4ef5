//! What all systems of one split share: the SFT model, tokenised comparisons, reference log-probs.

use std::path::Path;
use std::rc::Rc;

use sha2::{Digest, Sha256};
use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::config::SftConfig;
use trainer::dataset::Dataset;
use trainer::device::Devices;
use trainer::lineage::Lineage;
use trainer::llm_backbone::Model;
use trainer::monitor::Monitor;
use trainer::policy::Policy;
use trainer::pref_data::Comparison;
use trainer::reference::Reference;
use trainer::session::{Session, SessionConfig};
use trainer::source::{self, BaseModel};
use trainer::task::{Language, Responses};
use trainer::tokenise::Formatter;
use trainer::ways;

use super::stage::{self, Stage};
use super::{ExperimentData, MODEL};
use crate::config::{ExperimentConfig, SFT, SystemConfig, TinyConfig, UserText};
use crate::newcomers;
use crate::report;
use crate::tiny;

/// Shared by the systems of one split.
pub struct SplitSetup {
    /// The SFT model: what every system starts from, and the reference.
    pub model: Model,
    /// Its name, for reports.
    pub base: String,
    /// What it is made of, for adapters.
    pub lineage: Lineage,
    /// A hash of its weights.
    pub key: String,
    /// Text to ids.
    pub formatter: Formatter,
    /// The comparisons.
    pub data: Rc<ExperimentData>,
    /// A hash of all that is read of the data.
    pub data_key: String,
    /// `--seed`
    pub seed: u64,
    /// Compute gradients beside the model's own device.
    pub further_devices: Vec<Device>,
    needs_kl: bool,
    sft_note: String,
    /// With the users' own texts.
    own: Rc<Sides>,
    /// The SFT model's log-probs.
    pub reference: Reference,
}

/// The comparisons in tokens.
pub struct Sides {
    /// Training comparisons.
    pub train: Dataset,
    /// Validation comparisons.
    pub validation: Dataset,
    /// Test comparisons.
    pub test: Dataset,
}

impl Sides {
    fn new(
        data: &ExperimentData,
        text: UserText,
        formatter: &Formatter,
        model: &Model,
        needs_kl: bool,
    ) -> Result<Self, TrainError> {
        let side = |side| {
            let side = data.with_user_text(side, text);
            tokenised(&side, (formatter, model), needs_kl)
        };
        let validation = match data.validation.is_empty() {
            true => Dataset::default(), // The released row-wise split has none.
            false => side(&data.validation)?,
        };
        Ok(Self {
            train: side(&data.train)?,
            validation,
            test: side(&data.test)?,
        })
    }
}

/// Comparisons in tokens, with responses to other prompts where the loss of a system has a KL term.
fn tokenised(
    comparisons: &[Comparison],
    (formatter, model): (&Formatter, &Model),
    needs_kl: bool,
) -> Result<Dataset, TrainError> {
    let side = Dataset::new(comparisons, formatter)?;
    side.validate_context(formatter.user_tokens(), model.config().max_positions())?;
    Ok(match needs_kl {
        true => side.with_mismatched(None),
        false => side,
    })
}

impl Sides {
    /// Those of one user.
    pub fn of_user(&self, user: &str) -> Self {
        let of = |side: &Dataset| Dataset {
            items: (side.items.iter())
                .filter(|item| item.user.as_deref() == Some(user))
                .cloned()
                .collect(),
            ..Dataset::default()
        };
        Self {
            train: of(&self.train),
            validation: of(&self.validation),
            test: of(&self.test),
        }
    }
}

/// A base model with its way from text to ids. Copies share both.
#[derive(Clone)]
pub struct Base {
    /// Its weights.
    pub model: Model,
    source: String,
    lineage: Lineage,
    key: String,
    formatter: Formatter,
    /// Whether the loss of a system has a KL term.
    needs_kl: bool,
}

impl Base {
    /// A model that was opened, for a run with that clock.
    ///
    /// # Errors
    /// A tokenizer without the tokens or the template that the settings ask for.
    pub fn new<D>(
        base: BaseModel,
        config: &ExperimentConfig<D>,
        clock: u64,
    ) -> Result<Self, TrainError> {
        let room = config.user_tokens();
        let formatter = Formatter::new(base.tokenizer, config.prompt.clone(), room)?;
        Ok(Self {
            model: base.model,
            source: base.source,
            lineage: base.lineage,
            key: base.key,
            formatter: formatter.with_clock(clock),
            needs_kl: config.systems.iter().any(SystemConfig::needs_kl),
        })
    }

    /// The comparisons of a split in its tokens.
    ///
    /// # Errors
    /// A text that the tokenizer fails on, or that is longer than the model's context.
    pub fn tokenise(self, data: &ExperimentData) -> Result<Tokenised, TrainError> {
        let own = Sides::new(
            data,
            UserText::Own,
            &self.formatter,
            &self.model,
            self.needs_kl,
        )?;
        Ok(Tokenised {
            base: self,
            own: Rc::new(own),
        })
    }
}

/// A base model, and the comparisons of a split in its tokens.
pub struct Tokenised {
    base: Base,
    own: Rc<Sides>,
}

/// Where the base model comes from.
pub enum Start<M> {
    /// It was opened.
    Opened(M),
    /// It is made in the run.
    Made(TinyConfig),
}

impl<M> Start<M> {
    /// The model that was opened, if one was.
    pub fn opened(&self) -> Option<&M> {
        match self {
            Self::Opened(model) => Some(model),
            Self::Made(_) => None,
        }
    }
}

impl Tokenised {
    /// The base model.
    pub fn model(&self) -> &Model {
        &self.base.model
    }

    /// The comparisons, with the users' own texts.
    pub fn sides(&self) -> Rc<Sides> {
        self.own.clone()
    }
}

impl SplitSetup {
    /// Makes the model where it is not there yet, and fine-tunes it where the preset says so.
    ///
    /// # Errors
    /// From any of these.
    pub fn new<D>(
        config: &ExperimentConfig<D>,
        (data, start): (Rc<ExperimentData>, Start<Tokenised>),
        stage: Stage<'_>,
        devices: &Devices,
        monitor: &mut dyn Monitor,
    ) -> Result<Self, TrainError> {
        let Stage {
            dir, seed, clock, ..
        } = stage;
        let data_key = data_key(&data, dir)?;
        let tokenised = match start {
            Start::Opened(tokenised) => tokenised,
            Start::Made(tiny) => {
                let train = &data.with_user_text(&data.train, UserText::Own);
                let stage = Stage {
                    dir: &dir.join(MODEL),
                    ..stage
                };
                let room = config.user_tokens();
                let base = tiny::make(
                    stage,
                    &tiny,
                    &config.prompt,
                    room,
                    (train, &data_key),
                    &devices.main,
                    monitor,
                )?;
                Base::new(base, config, clock)?.tokenise(&data)?
            }
        };
        let Tokenised { base, own } = tokenised;
        let Base {
            mut model,
            source,
            mut lineage,
            mut key,
            formatter,
            needs_kl,
        } = base;
        let mut sft_note = match &config.tiny {
            Some(_) => "made in the run: tokenizer and weights from scratch, fine-tuned on both responses of the training comparisons".into(),
            None => "skipped: the base model serves as SFT model".to_string(),
        };
        if let Some(sft) = &config.sft {
            let settings = serde_json::json!({
                "model": key, "data": data_key, "prompt": config.prompt, "lora": config.lora, "sft": sft, "seed": seed,
            });
            // Below the folder of the system `sft`, whose own mark is beside its result.
            let adapters = dir.join(SFT).join("adapters");
            if !stage::is_done(&adapters, &settings) {
                let start = (model.clone(), lineage.clone(), key.as_str());
                fine_tune(start, &own.train, sft, config, stage, monitor)?;
                stage::mark_done(&adapters, &settings)?;
            }
            model = model.with_adapters(&adapters)?.0.merged();
            let hash = source::weights_hash(&adapters)?;
            key += &format!("+{hash}");
            lineage = lineage.with(&adapters, hash);
            sft_note = format!("LoRA fine-tuning for {} steps, merged", sft.steps);
        }
        let model = model.frozen();
        let (at, rows) = (dir.join("reference"), config.training.micro_rows);
        let reference = Reference::open(&at, &model, &key, rows)?;
        Ok(Self {
            model,
            base: source,
            lineage,
            sft_note,
            formatter,
            data,
            data_key,
            seed,
            further_devices: devices.further.clone(),
            own,
            reference,
            key,
            needs_kl,
        })
    }

    /// What newcomers answered and are tested on, as a system sees it.
    ///
    /// # Errors
    /// As [`sides`](Self::sides).
    pub fn newcomers(&self, text: UserText) -> Result<Vec<newcomers::Tokenised>, TrainError> {
        let with = |formatter: &Formatter, comparisons: &[Comparison]| {
            let comparisons = self.data.with_user_text(comparisons, text);
            tokenised(&comparisons, (formatter, &self.model), self.needs_kl)
        };
        let of = |comparisons: &[Comparison]| with(&self.formatter, comparisons);
        let newcomers = &self.data.newcomers;
        let told = newcomers.alternatives.profiles > 0 && text != UserText::None;
        let counts = newcomers.counts.iter().filter(|_| told);
        let formatter = self.formatter_of(UserText::Profile)?;
        let users = newcomers.users.iter().map(|user| {
            let profiled = counts.clone().map(|&count| {
                let sentence = ways::sentence(&user.answers[..count]).unwrap_or_default();
                with(&formatter, &ways::behind(&user.tests, &sentence))
            });
            Ok(newcomers::Tokenised {
                answers: of(&user.answers)?,
                tests: of(&user.tests)?,
                profiled: profiled.collect::<Result<_, _>>()?,
            })
        });
        users.collect()
    }

    /// Text to ids for a system: one that reads profiles has room for them beside the prompt's.
    ///
    /// # Errors
    /// Never: there is more room than without.
    pub fn formatter_of(&self, text: UserText) -> Result<Formatter, TrainError> {
        let mut limits = self.formatter.config().clone();
        if text == UserText::Profile {
            limits.max_prompt_length += self.data.newcomers.alternatives.profiles;
        }
        self.formatter.clone().limited(limits)
    }

    /// The comparisons as a system sees them.
    ///
    /// # Errors
    /// A text that the tokenizer fails on, or that is longer than the model's context.
    pub fn sides(&self, text: UserText) -> Result<Rc<Sides>, TrainError> {
        match text {
            UserText::Own => Ok(self.own.clone()),
            _ => {
                let (formatter, model) = (self.formatter_of(text)?, &self.model);
                let sides = Sides::new(&self.data, text, &formatter, model, self.needs_kl)?;
                Ok(Rc::new(sides))
            }
        }
    }

    /// The report's account of the model.
    pub fn model_facts(&self) -> report::Model {
        report::Model {
            source: self.base.clone(),
            parameters: self.model.num_base_params() as u64,
            sft: Some(self.sft_note.clone()),
        }
    }
}

/// Leaves adapters in the folder of the system `sft`.
fn fine_tune<D>(
    (model, base, model_key): (Model, Lineage, &str),
    train: &Dataset,
    sft: &SftConfig,
    config: &ExperimentConfig<D>,
    stage: Stage<'_>,
    monitor: &mut dyn Monitor,
) -> Result<(), TrainError> {
    let task = Language {
        responses: Responses::Both,
        prompts_too: sft.prompts_too,
    };
    let start = Policy::start(model, &config.lora, None, 0, stage.seed)?;
    let session = SessionConfig {
        dir: stage.dir.join(SFT),
        base,
        model_key: model_key.into(),
        seed: stage.seed,
        lora: config.lora.clone(),
        training: sft.training(&config.training, train.items.len()),
        section: "sft",
        sources: serde_json::json!({ "model": config.model, "prompt": config.prompt }),
        further_devices: Vec::new(),
        clock: None,
    };
    let data = (train.examples(None), Vec::new());
    Session::new(session, task, start, data, stage.resume)?.run(monitor)?;
    Ok(())
}

/// Changes with any comparison, any response to sample, and any preference.
pub(super) fn data_key(data: &ExperimentData, dir: &Path) -> Result<String, TrainError> {
    let all = (
        [&data.train, &data.validation, &data.test],
        &data.preferences,
        format!("{:?}{:?}", data.raw, data.tasks),
    );
    let mut hash = Sha256::new();
    serde_json::to_writer(&mut hash, &all).map_err(|e| TrainError::format(dir, e))?;
    if !data.newcomers.users.is_empty() {
        let newcomers = serde_json::to_writer(&mut hash, &data.newcomers);
        newcomers.map_err(|e| TrainError::format(dir, e))?;
    }
    Ok(format!("{:x}", hash.finalize()))
}
