//! The P-SOUPS experiment: six users who want opposite things of the same answers (simple or expert wording, short or
//! full, friendly or cold), where vanilla DPO can serve only one of each two.

mod config;
mod data;
mod directions;
mod newcomers;

pub use config::PsoupsConfig;

use std::path::PathBuf;

use trainer::TrainError;
use trainer::config::validate_named;
use trainer::pref_data::psoups::PsoupsData;
use trainer::tokenise::Template;

use crate::claims;
use crate::config::{EvaluationConfig, validate_shares};
use crate::experiment::{Experiment, ExperimentData, Results};
use crate::report::{Claim, Report};
use crate::texts::{self, MEASURES};

impl Experiment for PsoupsConfig {
    const NAME: &'static str = "psoups";
    const TITLE: &'static str = "P-SOUPS";

    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn further_inputs(&self) -> Vec<PathBuf> {
        self.prompts.clone().into_iter().collect()
    }

    fn validate(&self) -> Result<(), TrainError> {
        if let Some(prompts) = &self.prompts {
            validate_named("data.prompts", prompts, "a file, or no such key")?;
        }
        if let Some(section) = &self.newcomers {
            section.validate(newcomers::MOST)?;
        }
        validate_shares("data.split", self.split)
    }

    fn split_seeds(&self) -> &[u64] {
        &self.split_seeds
    }

    fn stats(&self, split_seed: u64) -> Result<String, TrainError> {
        let data = PsoupsData::load(&self.paths, &self.options(split_seed))?;
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
        if self.newcomers.is_some() {
            return Vec::new(); // What is claimed of newcomers, every experiment claims.
        }
        let texts = texts::gather(results);
        report.text_measures = texts::measures(&texts, &MEASURES);
        let mut all = vec![("e3", claims::per_user(results, &report.systems))];
        all.extend(directions::claims(report, &texts));
        all.extend(claims::prm::claim(
            results,
            &report.systems,
            claims::over_these_users,
        ));
        all
    }
}
