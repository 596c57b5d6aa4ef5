//! The TL;DR experiment: does P-DPO learn whether a worker prefers long or short summaries, where vanilla DPO follows
//! the majority?

mod assemble;
pub mod data;
mod setup;
pub mod system;
mod verdicts;

use std::path::{Path, PathBuf};
use std::time::Instant;

use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::session::Monitor;

use crate::config::ExperimentConfig;
use crate::measure::{Case, Users};
use crate::report::{Data, Environment, Model, Report};
use data::TldrSplit;
use setup::Prepared;
use system::Measured;

/// What to run.
pub struct Run {
    /// `tiny`, `small`, `paper`.
    pub preset: String,
    /// The settings, overrides applied.
    pub config: ExperimentConfig,
    /// Moves initialisation, order and sampling.
    pub seed: u64,
    /// Where everything goes.
    pub out: PathBuf,
    /// Go on with what is there.
    pub resume: bool,
    /// The device and its name.
    pub device: (Device, String),
    /// The command line, for the report.
    pub command: String,
}

/// One split's share of the results.
pub struct SplitResult {
    cases: Vec<Case>,
    users: Users,
    systems: Vec<Measured>,
    data: Data,
    model: Model,
    split: TldrSplit,
}

/// Runs every system on every split and writes the report after each, so that results are there as they come.
///
/// # Errors
/// From data, model or training; [`TrainError::Interrupted`] where the monitor said stop.
pub fn run(run: &Run, monitor: &mut dyn Monitor) -> Result<Report, TrainError> {
    let start = Instant::now();
    let mut results: Vec<SplitResult> = Vec::new();
    let mut report = Report::default();
    for &split_seed in &run.config.data.split_seeds {
        let split = TldrSplit::load(&run.config.data, split_seed)?;
        let dir = match run.config.data.split_seeds.len() {
            1 => run.out.clone(),
            _ => run.out.join(format!("split-{split_seed}")),
        };
        let prepared = Prepared::new(&run.config, &split, &dir, run.seed, &run.device.0)?;
        results.push(SplitResult {
            cases: split.cases(),
            users: split.users.clone(),
            systems: Vec::new(),
            data: split.report(&run.config.data),
            model: Model {
                source: prepared.base.clone(),
                parameters: prepared.model.num_base_params() as u64,
                sft: Some(prepared.sft_note.clone()),
            },
            split,
        });
        for system in &run.config.systems {
            tracing::info!("{}: training and evaluation", system.name);
            let dir = dir.join(&system.name);
            let measured = system::run(system, &run.config, &prepared, &dir, run.resume, monitor)?;
            if let Some(result) = results.last_mut() {
                result.systems.push(measured);
            }
            report = assemble::report(run, &results, start.elapsed().as_secs_f64());
            write(&run.out, &report)?;
            announce(&report, &system.name);
        }
    }
    collect_metrics(run)?;
    Ok(report)
}

fn write(out: &Path, report: &Report) -> Result<(), TrainError> {
    crate::report::write(out, report).map_err(|e| TrainError::format(out, e))
}

/// One line per finished system.
fn announce(report: &Report, name: &str) {
    let Some(system) = report.system(name) else {
        return;
    };
    let percent = |v: Option<f64>| v.map_or("-".into(), |v| format!("{:.1} %", 100.0 * v));
    let count = |v: Option<f64>| v.map_or("-".into(), |v| format!("{v:.1}"));
    tracing::info!(
        "{}: top {}, majority {}, minority {}, generic {}; words majority {}, minority {}, generic {} ({:.0} s)",
        system.title(),
        percent(system.accuracy.top),
        percent(system.accuracy.majority.mean),
        percent(system.accuracy.minority.mean),
        percent(system.accuracy.generic),
        count(system.words.majority),
        count(system.words.minority),
        count(system.words.generic),
        system.seconds.unwrap_or_default(),
    );
}

/// All systems' metrics in one file, each line with the name of its system.
fn collect_metrics(run: &Run) -> Result<(), TrainError> {
    let mut all = String::new();
    for &split_seed in &run.config.data.split_seeds {
        let single = run.config.data.split_seeds.len() == 1;
        for system in &run.config.systems {
            let dir = match single {
                true => run.out.clone(),
                false => run.out.join(format!("split-{split_seed}")),
            };
            let path = dir.join(&system.name).join("metrics.jsonl");
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue; // The SFT model is not trained.
            };
            for line in text.lines() {
                let name = format!(
                    "{{\"system\":\"{}\",\"split_seed\":{split_seed},",
                    system.name
                );
                all += &line.replacen('{', &name, 1);
                all.push('\n');
            }
        }
    }
    let path = run.out.join("metrics.jsonl");
    std::fs::write(&path, all).map_err(|e| TrainError::io(&path, e))
}

/// Where this runs.
fn environment(run: &Run, seconds: f64) -> Environment {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|l| l.starts_with("model name"))?;
            Some(line.split(':').nth(1)?.trim().to_string())
        });
    Environment {
        command: Some(run.command.clone()),
        device: Some(run.device.1.clone()),
        cpu,
        threads: std::thread::available_parallelism()
            .ok()
            .map(|n| n.get() as u64),
        os: Some(std::env::consts::OS.into()),
        version: Some(env!("CARGO_PKG_VERSION").into()),
        seconds: Some(seconds),
    }
}
