//! What a run reads, tried before anything is written.

use std::rc::Rc;

use judge::PromptFile;
use terminal::{Expectation, hub};
use trainer::burn::tensor::Device;
use trainer::config::TrainingSection;
use trainer::llm_backbone::Model;
use trainer::policy::Policy;
use trainer::{TrainError, device};

use super::expect::{Place, expectation};
use super::setup::{Base, Tokenised};
use super::{Experiment, ExperimentData, Run, duels, judge_file, stage};
use crate::config::ExperimentConfig;
use crate::tiny;

/// Data, model and settings that were found to be good.
pub struct Checked {
    /// The time that the chat template tells, in seconds since 1970.
    pub(super) clock: u64,
    /// Every split's seed and comparisons; in the base model's tokens, too, unless the model is made in the run.
    pub(super) splits: Vec<(u64, Rc<ExperimentData>, Option<Tokenised>)>,
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
        let config = &self.config;
        if let Some(judge) = duels::judge_config(config.judge.as_ref(), &self.out) {
            let failed = |e| TrainError::format(&self.out, e);
            judge.validate().map_err(failed)?;
            let file = judge_file(E::NAME);
            PromptFile::load(&file).map_err(|e| TrainError::format(&file, e))?;
        }
        let clock = stage::clock(&self.out, self.resume);
        let mut loaded = Vec::new();
        for &seed in config.data.split_seeds() {
            let template = config.prompt.template;
            let data = config.data.load(seed, template, &config.evaluation)?;
            loaded.push((seed, Rc::new(data)));
        }
        let device: &device::Devices = &self.devices.0;
        let base = match &config.tiny {
            Some(tiny) => {
                try_settings(config, &tiny::sketch(tiny, &device.main)?)?;
                None
            }
            None => {
                let base = hub::open_section(&config.model, &device.main, &config.training)?;
                let base = Base::new(base, config, clock)?;
                try_settings(config, &base.model)?;
                Some(base)
            }
        };
        let mut splits = Vec::new();
        for (seed, data) in loaded {
            let tokenised = match &base {
                Some(base) => Some(base.clone().tokenise(&data)?),
                None => None,
            };
            splits.push((seed, data, tokenised));
        }
        let expected = match &base {
            Some(base) => {
                let tokenised = splits
                    .iter()
                    .filter_map(|(.., tokenised)| tokenised.as_ref());
                let sides: Vec<_> = tokenised.map(Tokenised::sides).collect();
                let place = Place {
                    model: base.model.config(),
                    dtype: config.model.dtype,
                    device: &device.main,
                };
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
        let lora = &system.settings.lora;
        Policy::start(base.clone(), lora, system.users.as_ref(), 1, 0)?;
    }
    if config.sft.is_some() {
        Policy::start(base.clone(), &config.lora, None, 0, 0)?;
    }
    Ok(())
}
