//! The TL;DR experiment: does P-DPO learn whether a worker prefers long or short summaries, where vanilla DPO follows
//! the majority?

mod config;
mod data;
mod verdicts;

pub use config::{Policies, TldrConfig};

use trainer::TrainError;

use crate::config::EvaluationConfig;
use crate::experiment::{Experiment, ExperimentData, Results};
use crate::report::Report;
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

    fn stats(&self) -> Result<String, TrainError> {
        let seed = self.split_seeds.first().copied().unwrap_or(0);
        Ok(TldrSplit::load(self, seed)?.full_stats().to_string())
    }

    fn load(
        &self,
        split_seed: u64,
        _: trainer::tokenise::Template,
        evaluation: &EvaluationConfig,
    ) -> Result<ExperimentData, TrainError> {
        Ok(TldrSplit::load(self, split_seed)?.into_data(self, evaluation))
    }

    fn conclude(&self, _: &Results<'_>, report: &mut Report) {
        report.verdicts = [
            ("e1".to_string(), verdicts::e1(&report.systems)),
            ("e2".to_string(), verdicts::e2(&report.systems)),
        ]
        .into();
    }
}
