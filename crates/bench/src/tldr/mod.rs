//! The TL;DR experiment: does P-DPO learn whether a worker prefers long or short summaries, where vanilla DPO follows
//! the majority?

mod config;
mod data;
mod verdicts;

pub use config::{Policies, TldrConfig};

use trainer::TrainError;

use crate::config::EvaluationConfig;
use crate::experiment::{Experiment, ExperimentData, Results};
use crate::report::{Report, Verdict};
use data::TldrSplit;

impl Experiment for TldrConfig {
    const NAME: &'static str = "tldr";
    const TITLE: &'static str = "TL;DR";

    fn paths(&mut self) -> &mut Vec<String> {
        &mut self.paths
    }

    fn split_seeds(&self) -> &[u64] {
        &self.split_seeds
    }

    fn stats(&self, split_seed: u64) -> Result<String, TrainError> {
        Ok(TldrSplit::load(self, split_seed)?.full_stats().to_string())
    }

    fn load(
        &self,
        split_seed: u64,
        _: trainer::tokenise::Template,
        evaluation: &EvaluationConfig,
    ) -> Result<ExperimentData, TrainError> {
        Ok(TldrSplit::load(self, split_seed)?.into_data(self, evaluation))
    }

    fn conclude(&self, _: &Results<'_>, report: &mut Report) -> Vec<(&'static str, Verdict)> {
        vec![
            ("e1", verdicts::e1(&report.systems)),
            ("e2", verdicts::e2(&report.systems)),
        ]
    }
}
