//! The TL;DR experiment: does P-DPO learn whether a simulated worker prefers long or short summaries, where vanilla DPO follows
//! the majority? And what does it learn of what real annotators chose?

mod claims;
mod config;
mod data;
mod newcomers;
mod real;
mod responses;

pub use config::TldrConfig;
use config::{Annotators, Policies};

use std::cmp::Ordering;

use trainer::TrainError;

use crate::claims::prm;
use crate::config::{EvaluationConfig, validate_shares};
use crate::experiment::{Experiment, ExperimentData, Results};
use crate::measure::{MAJORITY, MINORITY};
use crate::report::{Claim, Report};
use data::TldrSplit;

impl Experiment for TldrConfig {
    const NAME: &'static str = "tldr";
    const TITLE: &'static str = "TL;DR";

    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn validate(&self) -> Result<(), TrainError> {
        if self.workers == 0 {
            return Err(TrainError::config("data.workers", 0, "at least 1"));
        }
        if let Some([least, most]) = self.minority_share
            && !(least > 0.0 && least <= most && most <= 1.0)
        {
            let found = format!("{:?}", [least, most]);
            let expected = "a lower and an upper bound from above 0 to 1";
            return Err(TrainError::config("data.minority_share", found, expected));
        }
        if self.annotators == Annotators::Real {
            let expected = "no such key with data.annotators = \"real\": nobody is simulated";
            if let Some(share) = self.minority_share {
                let found = format!("{share:?}");
                return Err(TrainError::config("data.minority_share", found, expected));
            }
            let seed = self.population_seed;
            if seed != Self::default().population_seed {
                return Err(TrainError::config("data.population_seed", seed, expected));
            }
        }
        if let Some(newcomers) = &self.newcomers {
            newcomers.validate(usize::MAX)?;
        }
        validate_shares("data.split", self.split)
    }

    fn split_seeds(&self) -> &[u64] {
        &self.split_seeds
    }

    fn stats(&self, split_seed: u64) -> Result<String, TrainError> {
        Ok(data::full_stats(self, split_seed)?.to_string())
    }

    fn load(
        &self,
        split_seed: u64,
        _: trainer::tokenise::Template,
        evaluation: &EvaluationConfig,
    ) -> Result<ExperimentData, TrainError> {
        TldrSplit::load(self, split_seed)?.into_data(self, evaluation)
    }

    /// A simulated worker's rule.
    fn prefers(&self, group: &str, texts: [&str; 2]) -> Option<Ordering> {
        let [one, other] = texts.map(|text| text.chars().count());
        match (self.annotators, group) {
            (Annotators::Simulated, MAJORITY) => Some(one.cmp(&other)),
            (Annotators::Simulated, MINORITY) => Some(other.cmp(&one)),
            _ => None,
        }
    }

    fn conclude(&self, results: &Results<'_>, report: &mut Report) -> Vec<(&'static str, Claim)> {
        report.tables.extend(responses::table(report));
        if self.newcomers.is_some() {
            return Vec::new(); // What is claimed of newcomers, every experiment claims.
        }
        match self.annotators {
            Annotators::Simulated => {
                let systems = &report.systems;
                report
                    .tables
                    .extend(prm::table(results, systems, &claims::PARTS));
                claims::claims(results, systems)
            }
            Annotators::Real => {
                let tables = real::tables(results, &report.systems);
                report.tables.splice(0..0, tables);
                Vec::new()
            }
        }
    }
}
