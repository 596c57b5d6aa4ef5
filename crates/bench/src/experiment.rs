//! One runner for every experiment: base model, SFT stage, reference, systems, sampling, report.
//!
//! An [`Experiment`] is its `[data]` section with three abilities: to load comparisons, to say what is in them, and to
//! draw its own conclusions from what all experiments measure.

mod adapted;
mod again;
mod assemble;
mod check;
mod collect;
mod data;
mod duels;
mod expect;
mod measured;
mod outcomes;
mod over_seeds;
mod per_user;
mod reward;
mod sampling;
mod setup;
pub(crate) mod stage;
mod system;

use std::cmp::Ordering;
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
pub(crate) use measured::{Candidates, Measured, SampledText};
pub(crate) use outcomes::Outcomes;

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

    /// Refuses values of its own keys that no data could make right.
    ///
    /// # Errors
    /// Names the key, what was found and what was expected.
    fn validate(&self) -> Result<(), TrainError>;

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

    /// Which of two responses a user of a group prefers: the first, where it is greater; none where the data do not say.
    fn prefers(&self, group: &str, texts: [&str; 2]) -> Option<Ordering> {
        let _ = (group, texts);
        None
    }

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
    /// Each moves initialisation, order and sampling of a run; what they find is pooled.
    pub seeds: Vec<u64>,
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
    /// The folder of a seed and a split: the run's own where there is one of both only.
    fn folder(&self, seed: u64, split_seed: u64) -> PathBuf {
        let of_seed = match self.seeds.len() {
            0 | 1 => self.out.clone(),
            _ => self.out.join(format!("seed-{seed}")),
        };
        match self.config.data.split_seeds().len() {
            0 | 1 => of_seed,
            _ => of_seed.join(format!("split-{split_seed}")),
        }
    }

    /// The folders that it makes in its own, beside those that every run makes.
    pub fn folders(&self) -> Vec<String> {
        let systems = self.config.systems.iter().map(|s| s.name.clone());
        let seeds = self.config.data.split_seeds().iter();
        let shared = [MODEL, SFT].map(String::from);
        let splits = seeds.map(|seed| format!("split-{seed}"));
        let runs = self.seeds.iter().map(|seed| format!("seed-{seed}"));
        systems.chain(shared).chain(splits).chain(runs).collect()
    }
}

/// What one seed found.
pub struct SeedResult {
    /// The seed.
    pub seed: u64,
    /// By split.
    pub splits: Vec<SplitResult>,
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
    /// By seed; all have the same comparisons, and were asked for the same responses.
    pub seeds: &'a [SeedResult],
}

impl Results<'_> {
    /// The splits of all seeds, each with its number within its seed.
    pub fn splits(&self) -> impl Iterator<Item = (usize, &SplitResult)> {
        let seeds = self.seeds.iter();
        seeds.flat_map(|seed| seed.splits.iter().enumerate())
    }
}

/// The file of the judge's prompt.
fn judge_file(experiment: &str) -> PathBuf {
    format!("configs/judge/{experiment}.toml").into()
}

/// Runs every system on every split with every seed. The report is written after each system of the first seed and after every further seed,
/// so that results are there as they come.
///
/// # Errors
/// From data, model or training; [`TrainError::Interrupted`] where the monitor said stop.
pub fn run<E: Experiment>(
    run: &Run<E>,
    checked: Checked,
    monitor: &mut dyn Monitor,
) -> Result<Report, TrainError> {
    let start = Instant::now();
    let mut results: Vec<SeedResult> = Vec::new();
    let mut report = Report::default();
    let clock = checked.clock;
    stage::write_clock(&run.out, clock)?;
    let judge = duels::judge_config(run.config.judge.as_ref(), &run.out);
    let parts = checked.splits.len() * run.config.systems.len();
    let mut checked = Some(checked);
    // A run that goes on keeps the report of what was there until there is more to say.
    let mut any_new = false;
    for (number, &seed) in run.seeds.iter().enumerate() {
        if run.seeds.len() > 1 {
            tracing::info!("seed {seed}, {} of {}", number + 1, run.seeds.len());
        }
        // Every seed has a reference of its own, whose log-probs its comparisons keep.
        let checked = checked.take().map_or_else(|| run.read(clock), Ok)?;
        let mut so_far =
            |result: &SeedResult, system: &str, is_new: bool| -> Result<(), TrainError> {
                let done: usize = result.splits.iter().map(|split| split.systems.len()).sum();
                any_new |= is_new;
                let whole = done == parts && run.seeds.len() == 1;
                if number == 0 && (is_new || whole) {
                    let seconds = start.elapsed().as_secs_f64();
                    report = assemble::report(run, std::slice::from_ref(result), seconds);
                    report::write(&run.out, &report)?;
                }
                collect::announce(&assemble::system(
                    system,
                    &run.config,
                    std::slice::from_ref(result),
                ));
                Ok(())
            };
        let mut result = one_seed(run, seed, checked, monitor, &mut so_far)?;
        if let Some(first) = results.first() {
            let data = first.splits.iter().map(|split| split.data.clone());
            let splits = result.splits.iter_mut().zip(data);
            splits.for_each(|(split, data)| split.data = data); // The same, once in memory.
        }
        results.push(result);
        let is_last = number + 1 == run.seeds.len();
        if number > 0 && (any_new || is_last) {
            report = assemble::report(run, &results, start.elapsed().as_secs_f64());
            report::write(&run.out, &report)?;
        }
    }
    collect::metrics(run)?;
    if let (Some(judge), Some(first)) = (judge, results.first()) {
        report.duels = duels::win_rates(run, judge, &first.splits)?;
        report.environment.seconds = Some(start.elapsed().as_secs_f64());
        report::write(&run.out, &report)?;
    }
    Ok(report)
}

/// Hears of every system that is done, and whether it was done just now.
type Heard<'a> = &'a mut dyn FnMut(&SeedResult, &str, bool) -> Result<(), TrainError>;

/// Every system on every split with one seed.
fn one_seed<E: Experiment>(
    run: &Run<E>,
    seed: u64,
    checked: Checked,
    monitor: &mut dyn Monitor,
    done: Heard<'_>,
) -> Result<SeedResult, TrainError> {
    let config = &run.config;
    let mut result = SeedResult {
        seed,
        splits: Vec::new(),
    };
    for (split_seed, data, base) in checked.splits {
        let dir = run.folder(seed, split_seed);
        let stage = stage::Stage {
            dir: &dir,
            seed,
            resume: run.resume,
            clock: checked.clock,
        };
        let devices = &run.devices.0;
        let made = (data.clone(), base);
        let prepared = setup::SplitSetup::new(config, made, stage, devices, monitor)?;
        result.splits.push(SplitResult {
            data,
            systems: Vec::new(),
            model: prepared.model_facts(),
        });
        for system in &config.systems {
            tracing::info!("{}: training and evaluation", system.name);
            let dir = dir.join(&system.name);
            let others = result.splits.last().map(|split| &split.systems[..]);
            let after = (&prepared, others.unwrap_or_default());
            let (measured, is_new) = system::run(system, config, after, &dir, run.resume, monitor)?;
            if let Some(split) = result.splits.last_mut() {
                split.systems.push(measured);
            }
            done(&result, &system.name, is_new)?;
        }
    }
    Ok(result)
}
