//! The PRISM experiment: many users with a survey and a few conversations each. Does a soft prompt per user add to what the
//! survey says, and does nothing break for users who were never seen?

mod config;
mod data;
mod judging;
mod texts;
mod verdicts;

pub use config::PrismConfig;

use trainer::TrainError;
use trainer::pref_data::prism::PrismData;
use trainer::tokenise::Template;

use crate::config::EvaluationConfig;
use crate::experiment::{Experiment, ExperimentData, Results};
use crate::report::{Report, Verdict};

impl Experiment for PrismConfig {
    const NAME: &'static str = "prism";
    const TITLE: &'static str = "PRISM";

    fn paths(&mut self) -> &mut Vec<String> {
        &mut self.paths
    }

    fn split_seeds(&self) -> &[u64] {
        &self.split_seeds
    }

    fn stats(&self, split_seed: u64) -> Result<String, TrainError> {
        let data = PrismData::load(&self.paths, &self.options(split_seed))?;
        Ok(data.stats().to_string())
    }

    fn load(
        &self,
        split_seed: u64,
        template: Template,
        evaluation: &EvaluationConfig,
    ) -> Result<ExperimentData, TrainError> {
        data::load(self, split_seed, template, evaluation)
    }

    fn conclude(&self, results: &Results<'_>, report: &mut Report) -> Vec<(&'static str, Verdict)> {
        report.tables.extend(texts::table(results, report));
        vec![
            ("seen", verdicts::seen(&report.systems, results.seed)),
            ("unseen", verdicts::unseen(&report.systems)),
        ]
    }
}
