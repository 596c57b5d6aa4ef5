//! The PRISM experiment: many users with a survey and a few conversations each. Does a soft prompt per user add to what the
//! survey says, and does nothing break for users who were never seen?

mod claims;
mod config;
mod data;
mod judging;
mod newcomers;
mod texts;

pub use config::PrismConfig;

use trainer::TrainError;
use trainer::pref_data::prism::PrismData;
use trainer::tokenise::Template;

use crate::config::EvaluationConfig;
use crate::experiment::{Experiment, ExperimentData, Results};
use crate::report::{Claim, Report};

impl Experiment for PrismConfig {
    const NAME: &'static str = "prism";
    const TITLE: &'static str = "PRISM";

    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn validate(&self) -> Result<(), TrainError> {
        for (key, share, least) in [
            ("data.seen_share", self.seen_share, f64::MIN_POSITIVE),
            ("data.train_share", self.train_share, f64::MIN_POSITIVE),
            ("data.validation_share", self.validation_share, 0.0),
        ] {
            if !(least..=1.0).contains(&share) {
                let expected = match least > 0.0 {
                    true => "a share above 0, at most 1",
                    false => "a share from 0 to 1",
                };
                return Err(TrainError::config(key, share, expected));
            }
        }
        if let Some(newcomers) = &self.newcomers {
            newcomers.validate(usize::MAX)?;
        }
        Ok(())
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

    fn conclude(&self, results: &Results<'_>, report: &mut Report) -> Vec<(&'static str, Claim)> {
        report.tables.extend(texts::table(results, report));
        if self.newcomers.is_some() {
            return Vec::new(); // What is claimed of newcomers, every experiment claims.
        }
        vec![
            ("seen", claims::seen(results, &report.systems)),
            ("unseen", claims::unseen(results, &report.systems)),
        ]
    }
}
