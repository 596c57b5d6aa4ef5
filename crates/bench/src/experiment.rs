//! One runner for every experiment: base model, SFT stage, reference, systems, sampling, report.
//!
//! An [`Experiment`] is its `[data]` section with three abilities: to load comparisons, to say what is in them, and to
//! draw its own conclusions from what all experiments measure.

mod assemble;
mod check;
mod collect;
mod data;
mod duels;
mod expect;
mod measured;
mod setup;
pub(crate) mod stage;
mod system;

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use serde::{Serialize, de::DeserializeOwned};
use trainer::TrainError;
use trainer::device::Devices;
use trainer::monitor::Monitor;
use trainer::tokenise::Template;

use crate::config::{EvaluationConfig, ExperimentConfig, SFT};
use crate::report::{self, Claim, Model, Report};

pub use check::Checked;
pub(crate) use data::{ExperimentData, JudgingTask, RawForm, SamplingTask, thin};
pub(crate) use measured::{Measured, SampledText};

/// The folder of a model that is made in the run.
const MODEL: &str = "model";

/// What tells one experiment from another.
pub trait Experiment: Clone + Serialize + DeserializeOwned {
    /// As the command line calls it, and as the report does.
    const NAME: &'static str;
    /// As people call it.
    const TITLE: &'static str;

    /// The files or folders of comparisons.
    fn paths(&self) -> &[String];

    /// What is read beside these.
    fn further_inputs(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Seeds of the split; with more than one, results are pooled over all of them.
    fn split_seeds(&self) -> &[u64];

    /// The first of them.
    fn first_split_seed(&self) -> u64 {
        self.split_seeds().first().copied().unwrap_or(0)
    }

    /// The statistics of the data in the split of a seed, as `--stats` prints them.
    ///
    /// # Errors
    /// Broken input.
    fn stats(&self, split_seed: u64) -> Result<String, TrainError>;

    /// Comparisons of one split. Chats become text where the template is raw.
    ///
    /// # Errors
    /// Broken input, or nothing left.
    fn load(
        &self,
        split_seed: u64,
        template: Template,
        evaluation: &EvaluationConfig,
    ) -> Result<ExperimentData, TrainError>;

    /// Adds the measures and tables of this experiment to a report that holds what all have, and returns what became of its
    /// claims.
    fn conclude(&self, results: &Results<'_>, report: &mut Report) -> Vec<(&'static str, Claim)>;
}

/// What to run.
pub struct Run<E> {
    /// `tiny`, `small`, `paper`.
    pub preset: String,
    /// The settings, overrides applied.
    pub config: ExperimentConfig<E>,
    /// Moves initialisation, order and sampling.
    pub seed: u64,
    /// Where everything goes.
    pub out: PathBuf,
    /// Go on with what is there.
    pub resume: bool,
    /// The devices and their names.
    pub devices: (Devices, String),
    /// The command line, for the report.
    pub command: String,
}

impl<E: Experiment> Run<E> {
    /// The folder of a split: the run's own where there is one split only.
    fn folder(&self, split_seed: u64) -> PathBuf {
        match self.config.data.split_seeds().len() {
            0 | 1 => self.out.clone(),
            _ => self.out.join(format!("split-{split_seed}")),
        }
    }

    /// The folders that it makes in its own, beside those that every run makes.
    pub fn folders(&self) -> Vec<String> {
        let systems = self.config.systems.iter().map(|s| s.name.clone());
        let seeds = self.config.data.split_seeds().iter();
        let shared = [MODEL, SFT].map(String::from);
        let splits = seeds.map(|seed| format!("split-{seed}"));
        systems.chain(shared).chain(splits).collect()
    }
}

/// One split's share of the results.
pub struct SplitResult {
    /// The comparisons.
    pub data: Rc<ExperimentData>,
    /// What was measured so far.
    pub systems: Vec<Measured>,
    /// The base model.
    pub model: Model,
}

/// What was measured, for an experiment's own conclusions.
pub struct Results<'a> {
    /// By split.
    pub splits: &'a [SplitResult],
    /// `--seed`, for resampling.
    pub seed: u64,
}

/// The file of the judge's prompt.
fn judge_file(experiment: &str) -> PathBuf {
    format!("configs/judge/{experiment}.toml").into()
}

/// Runs every system on every split and writes the report after each, so that results are there as they come.
///
/// # Errors
/// From data, model or training; [`TrainError::Interrupted`] where the monitor said stop.
pub fn run<E: Experiment>(
    run: &Run<E>,
    checked: Checked,
    monitor: &mut dyn Monitor,
) -> Result<Report, TrainError> {
    let start = Instant::now();
    let mut results: Vec<SplitResult> = Vec::new();
    let mut report = Report::default();
    let config = &run.config;
    let clock = checked.clock;
    stage::write_clock(&run.out, clock)?;
    let judge = duels::judge_config(config.judge.as_ref(), &run.out);
    for (split_seed, data, tokenised) in checked.splits {
        let dir = run.folder(split_seed);
        let stage = stage::Stage {
            dir: &dir,
            seed: run.seed,
            resume: run.resume,
            clock,
        };
        let devices = &run.devices.0;
        let made = (data.clone(), tokenised);
        let prepared = setup::SplitSetup::new(config, made, stage, devices, monitor)?;
        results.push(SplitResult {
            data,
            systems: Vec::new(),
            model: prepared.model_facts(),
        });
        for system in &config.systems {
            tracing::info!("{}: training and evaluation", system.name);
            let dir = dir.join(&system.name);
            let measured = system::run(system, config, &prepared, &dir, run.resume, monitor)?;
            if let Some(result) = results.last_mut() {
                result.systems.push(measured);
            }
            report = assemble::report(run, &results, start.elapsed().as_secs_f64());
            report::write(&run.out, &report)?;
            collect::announce(&report, &system.name);
        }
    }
    collect::metrics(run)?;
    if let Some(judge) = judge {
        report.duels = duels::win_rates(run, judge, &results)?;
        report.environment.seconds = Some(start.elapsed().as_secs_f64());
        report::write(&run.out, &report)?;
    }
    Ok(report)
}
