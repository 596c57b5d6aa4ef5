//! The comparisons of the TL;DR experiment, for one split by post.

use std::collections::{BTreeMap, HashMap};

use trainer::TrainError;
use trainer::pref_data::tldr::{
    Accuracies, PolicyFilter, PopulationChoice, PopulationConfig, TldrData, TldrOptions, TldrStats,
};
use trainer::pref_data::{Comparison, ReadOptions, SplitRatios};

use super::config::Annotators;
use super::{Policies, TldrConfig, newcomers, real};
use crate::config::EvaluationConfig;
use crate::experiment::{ExperimentData, SamplingTask, thin};
use crate::measure::{Case, MAJORITY, MINORITY, Users};
use crate::report::{Data, SplitCounts, UserInfo, Yardstick};

/// Comparisons of one split.
pub struct TldrSplit {
    data: TldrData,
    /// Of the test comparisons, which every reported figure is on.
    stats: TldrStats,
    /// Seen workers and their groups.
    users: Users,
    /// Pairs that several workers judged, and whether not all of them alike.
    disputed: HashMap<u64, bool>,
}

impl TldrSplit {
    /// Loads, filters, simulates where the configuration says so, and splits.
    ///
    /// # Errors
    /// Broken input, nothing left, or a population without both groups.
    pub fn load(config: &TldrConfig, split_seed: u64) -> Result<Self, TrainError> {
        let mut data = TldrData::load(&config.paths, &options(config, split_seed))?;
        let disputed = real::disputed(&data.split.test);
        limit(&mut data, config);
        data.split
            .validate_disjoint()
            .map_err(trainer::pref_data::DataError::from)?;
        let test: Vec<&Comparison> = data.split.test.iter().collect();
        let stats = TldrStats::of(&data.split.train, &test, &data.workers, &data.population);
        let users = seen_users(&data);
        if users.len() < config.workers {
            tracing::warn!(
                "`data.workers` is {}, and {} workers have comparisons to train on: none is left as unseen",
                config.workers,
                users.len()
            );
        }
        Ok(Self {
            data,
            stats,
            users,
            disputed,
        })
    }

    /// For the runner.
    ///
    /// # Errors
    /// Too few comparisons for newcomers.
    pub fn into_data(
        self,
        config: &TldrConfig,
        evaluation: &EvaluationConfig,
    ) -> Result<ExperimentData, TrainError> {
        let newcomers = match &config.newcomers {
            Some(section) => newcomers::of(section, &self.data)?,
            None => Default::default(),
        };
        Ok(ExperimentData {
            newcomers,
            cases: self.data.split.test.iter().map(|c| self.case(c)).collect(),
            tasks: self.tasks(evaluation.prompts),
            facts: self.report(config),
            yardsticks: self.yardsticks(),
            population_seed: self.data.population.seed().map(u64::from),
            train: judged_alone(self.data.split.train, config.thumbs),
            validation: self.data.split.validation,
            test: self.data.split.test,
            users: self.users,
            ..ExperimentData::default()
        })
    }

    fn case(&self, comparison: &Comparison) -> Case {
        let user = comparison.user.as_ref().map_or("", |u| u.as_str());
        let mut case = Case::new(comparison, self.users.contains_key(user));
        case.disputed = self.disputed.get(&case.pair).copied();
        case
    }

    /// Every seen worker and the generic user get a response to each of the first distinct test posts.
    fn tasks(&self, count: usize) -> Vec<SamplingTask> {
        let mut seen = std::collections::HashSet::new();
        let posts = self.data.split.test.iter();
        let posts = posts.filter(|c| seen.insert(&c.source)).take(count);
        let users = || std::iter::once(None).chain(self.users.keys().map(Some));
        posts
            .flat_map(|post| {
                users().map(|user| SamplingTask {
                    key: post.source.clone(),
                    prompt: post.prompt.clone(),
                    user: user.cloned(),
                    user_text: post.user_text.clone(),
                })
            })
            .collect()
    }

    /// The report's account of the data.
    fn report(&self, config: &TldrConfig) -> Data {
        let stats = &self.stats;
        let mut notes = vec![
            format!("Split: {}.", self.data.split.origin),
            format!(
                "Records read: {}. Left out: {}.",
                self.data.records, self.data.skipped
            ),
        ];
        let seen = stats.per_worker.iter().filter(|worker| worker.seen);
        let untrained = seen.filter(|worker| worker.train == 0).count();
        if untrained > 0 {
            notes.push(format!(
                "Seen workers without a comparison to train on: {untrained}."
            ));
        }
        if config.thumbs {
            notes.push(
                "Trained on single responses: a thumb up and a thumb down for each training comparison."
                    .into(),
            );
        }
        if let Some(ratio) = &stats.length_ratio {
            notes.push(format!(
                "Longer over shorter response, in characters: median {:.2}.",
                ratio.median
            ));
        }
        Data {
            source: config.paths.join(", "),
            train: self.data.split.train.len() as u64,
            validation: Some(self.data.split.validation.len() as u64),
            eval: self.data.split.test.len() as u64,
            workers: self.users.len() as u64,
            split_by: Some("post".into()),
            pooled_splits: None,
            splits: vec![
                self.counts("train", &self.data.split.train),
                self.counts("validation", &self.data.split.validation),
                self.counts("eval", &self.data.split.test),
            ],
            users: stats
                .per_worker
                .iter()
                .filter(|w| w.seen)
                .map(|w| UserInfo {
                    id: w.worker.to_string(),
                    group: w.group.map(|group| group.as_str().into()),
                    train: w.train as u64,
                    eval: w.evaluation as u64,
                })
                .collect(),
            notes,
        }
    }

    fn counts(&self, name: &str, side: &[Comparison]) -> SplitCounts {
        let cases: Vec<Case> = side.iter().map(|c| self.case(c)).collect();
        let count = |seen: bool, group: &str| {
            let n = cases
                .iter()
                .filter(|c| c.seen == seen && c.group == group)
                .count();
            Some(n as u64)
        };
        let all = SplitCounts {
            name: name.into(),
            total: side.len() as u64,
            ..SplitCounts::default()
        };
        match self.data.population.is_simulated() {
            true => SplitCounts {
                seen_majority: count(true, MAJORITY),
                seen_minority: count(true, MINORITY),
                unseen_majority: count(false, MAJORITY),
                unseen_minority: count(false, MINORITY),
                ..all
            },
            false => SplitCounts {
                seen: count(true, ""),
                unseen: count(false, ""),
                ..all
            },
        }
    }

    /// Accuracies of rules of thumb on the test comparisons.
    fn yardsticks(&self) -> BTreeMap<String, Yardstick> {
        let of = |a: &Accuracies| Yardstick {
            top: a.top,
            generic: a.generic,
            majority: a.majority,
            minority: a.minority,
        };
        let split = &self.data.split;
        let other = match &self.stats.yardsticks.perfect {
            Some(perfect) => ("perfect", of(perfect)),
            None => (
                "own length",
                real::own_length(&split.train, &split.test, &self.users),
            ),
        };
        let longer = ("always-longer", of(&self.stats.yardsticks.always_longer));
        [longer, other]
            .map(|(name, yardstick)| (name.to_owned(), yardstick))
            .into()
    }
}

/// The whole account of any data that can be read, as `--stats` prints it.
///
/// # Errors
/// Broken input, or no record.
pub fn full_stats(config: &TldrConfig, split_seed: u64) -> Result<TldrStats, TrainError> {
    let mut data = TldrData::survey(&config.paths, &options(config, split_seed))?;
    limit(&mut data, config);
    Ok(data.stats())
}

fn options(config: &TldrConfig, split_seed: u64) -> TldrOptions {
    let draw = PopulationConfig {
        seed: config.population_seed,
        ..PopulationConfig::default()
    };
    let population = match (config.annotators, config.minority_share) {
        (Annotators::Real, _) => PopulationChoice::Real,
        (Annotators::Simulated, None) => PopulationChoice::Draw(draw),
        (Annotators::Simulated, Some([low, high])) => PopulationChoice::DrawForShare {
            start: draw,
            low,
            high,
        },
    };
    TldrOptions {
        read: ReadOptions::default(),
        filter: match config.policies {
            Policies::Sft => PolicyFilter::Sft,
            Policies::All => PolicyFilter::All,
        },
        top_workers: config.workers,
        population,
        ratios: SplitRatios {
            train: config.split[0],
            validation: config.split[1],
            test: config.split[2],
        },
        split_seed,
        ..TldrOptions::default()
    }
}

/// The comparisons, or a thumb up and a thumb down for each.
fn judged_alone(train: Vec<Comparison>, thumbs: bool) -> Vec<Comparison> {
    match thumbs {
        true => train
            .into_iter()
            .flat_map(Comparison::into_thumbs)
            .collect(),
        false => train,
    }
}

/// Training and test comparisons as many as the configuration wants.
fn limit(data: &mut TldrData, config: &TldrConfig) {
    thin(&mut data.split.train, config.train_limit);
    thin(&mut data.split.test, config.test_limit);
}

fn seen_users(data: &TldrData) -> Users {
    let users = data.users().into_iter();
    users
        .map(|id| {
            let group = data.population.group(&id);
            let group = group.map_or("", |group| group.as_str());
            (id.to_string(), group.to_owned())
        })
        .collect()
}
