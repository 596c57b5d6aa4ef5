//! What a run reads, tried before anything is written.

use std::collections::HashSet;
use std::rc::Rc;

use judge::PromptFile;
use terminal::{Expectation, hub};
use trainer::burn::tensor::Device;
use trainer::config::{RewardSection, TrainingSection, validate_stop_ids};
use trainer::llm_backbone::Model;
use trainer::policy::Policy;
use trainer::{TrainError, device};

use super::expect::{Place, expectation};
use super::setup::{Base, Start, Tokenised};
use super::{Experiment, ExperimentData, Run, duels, judge_file, stage};
use crate::config::{ExperimentConfig, SystemSettings, validate_judge, validate_judge_key};
use crate::tiny;

/// Data, model and settings that were found to be good.
pub struct Checked {
    /// The time that the chat template tells, in seconds since 1970.
    pub(super) clock: u64,
    /// Every split's seed and comparisons; in the base model's tokens, too, unless the model is made in the run.
    pub(super) splits: Vec<(u64, Rc<ExperimentData>, Start<Tokenised>)>,
    /// What the run takes; none where the model is made in the run.
    expected: Option<Expectation>,
}

impl Checked {
    /// What the run takes, in lines; none where the model is made in the run.
    pub fn expected(&self, device: &Device, training: &TrainingSection) -> Vec<String> {
        let lines = self.expected.iter();
        lines.flat_map(|e| e.lines(device, training)).collect()
    }
}

impl<E: Experiment> Run<E> {
    /// Loads what the run reads and tries every setting on it. Nothing is written.
    ///
    /// # Errors
    /// From data, model or settings.
    pub fn check(&self) -> Result<Checked, TrainError> {
        if let Some(judge) = duels::judge_config(self.config.judge.as_ref(), &self.out) {
            validate_judge(&judge)?;
            validate_judge_key(&judge)?;
            let file = judge_file(E::NAME);
            PromptFile::load(&file).map_err(|e| TrainError::format(&file, e))?;
        }
        let checked = self.read(stage::clock(&self.out, self.resume))?;
        if self.resume {
            self.validate_resumable(&checked)?;
        }
        let data = checked.splits.iter().map(|(_, data, _)| data);
        let mut told = HashSet::new(); // Splits mostly have the same ones.
        for warning in data.flat_map(|data| self.config.without_effect(data)) {
            if !told.contains(&warning) {
                tracing::warn!("{warning}");
                told.insert(warning);
            }
        }
        Ok(checked)
    }

    /// Loads data and model, and tries the settings of all systems.
    pub(super) fn read(&self, clock: u64) -> Result<Checked, TrainError> {
        let config = &self.config;
        let mut loaded = Vec::new();
        for &seed in config.data.split_seeds() {
            let template = config.prompt.template;
            let data = config.data.load(seed, template, &config.evaluation)?;
            if let Some(system) = config.systems.iter().find(|s| s.is_reward_model()) {
                let thumbs = data.train.iter().filter(|one| one.thumb.is_some()).count();
                RewardSection::validate_thumbs(thumbs).map_err(|error| system.blamed(error))?;
            }
            loaded.push((seed, Rc::new(data)));
        }
        let device: &device::Devices = &self.devices.0;
        let base = match &config.tiny {
            Some(tiny) => {
                try_settings(config, &tiny::sketch(tiny, &device.main)?)?;
                Start::Made(tiny.clone())
            }
            None => {
                let base = hub::open_section(&config.model, &device.main, &config.training)?;
                let base = Base::new(base, config, clock)?;
                try_settings(config, &base.model)?;
                Start::Opened(base)
            }
        };
        let mut splits = Vec::new();
        for (seed, data) in loaded {
            let start = match &base {
                Start::Opened(base) => Start::Opened(base.clone().tokenise(&data)?),
                Start::Made(tiny) => Start::Made(tiny.clone()),
            };
            splits.push((seed, data, start));
        }
        let opened = splits.iter().filter_map(|(.., start)| start.opened());
        let opened: Vec<&Tokenised> = opened.collect();
        let expected = match opened.first() {
            Some(first) => {
                let place = Place {
                    model: first.model().config(),
                    dtype: config.model.dtype,
                    device: &device.main,
                };
                let sides: Vec<_> = opened.iter().map(|split| split.sides()).collect();
                Some(expectation(config, &place, &sides)?)
            }
            None => None,
        };
        Ok(Checked {
            clock,
            splits,
            expected,
        })
    }
}

/// Gives every system the adapters and users that it asks for.
fn try_settings<D>(config: &ExperimentConfig<D>, base: &Model) -> Result<(), TrainError> {
    for system in config.systems.iter().filter(|s| s.is_trained()) {
        let SystemSettings { lora, sampling, .. } = &system.settings;
        let tried = validate_stop_ids(sampling, base.config().vocab_size())
            .and_then(|()| Policy::start(base.clone(), lora, system.users.as_ref(), 1, 0));
        tried.map_err(|error| system.blamed(error))?;
    }
    validate_stop_ids(&config.sampling, base.config().vocab_size())?;
    if config.sft.is_some() {
        Policy::start(base.clone(), &config.lora, None, 0, 0)?;
    }
    Ok(())
}
