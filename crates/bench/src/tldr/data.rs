//! The comparisons of the TL;DR experiment, for one split by post.

use trainer::TrainError;
use trainer::pref_data::options::ReadOptions;
use trainer::pref_data::{
    Comparison, PolicyFilter, PopulationChoice, PopulationConfig, SplitRatios, TldrData,
    TldrOptions, TldrStats,
};

use crate::config::{DataConfig, Policies};
use crate::measure::{Case, Users};
use crate::report::{Data, SplitCounts, UserInfo, Yardstick};

/// Comparisons of one split.
pub struct TldrSplit {
    data: TldrData,
    /// Of the test comparisons, which every reported figure is on.
    pub stats: TldrStats,
    /// Seen workers and their groups.
    pub users: Users,
}

impl TldrSplit {
    /// Loads, filters, simulates and splits.
    ///
    /// # Errors
    /// Broken input, nothing left, or a population without both groups.
    pub fn load(config: &DataConfig, split_seed: u64) -> Result<Self, TrainError> {
        let draw = PopulationConfig {
            seed: config.population_seed,
            ..PopulationConfig::default()
        };
        let population = match config.minority_share {
            None => PopulationChoice::Draw(draw),
            Some([low, high]) => PopulationChoice::DrawForShare {
                start: draw,
                low,
                high,
            },
        };
        let options = TldrOptions {
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
        };
        let mut data = TldrData::load(&config.paths, &options)?;
        for (side, limit) in [
            (&mut data.split.train, config.train_limit),
            (&mut data.split.test, config.test_limit),
        ] {
            thin(side, limit);
        }
        data.split
            .check_disjoint()
            .map_err(trainer::pref_data::DataError::from)?;
        let test: Vec<&Comparison> = data.split.test.iter().collect();
        let stats = TldrStats::of(&data.split.train, &test, &data.workers, &data.population);
        let users = seen_users(&data);
        Ok(Self { data, stats, users })
    }

    /// Training comparisons, of seen workers only.
    pub fn train(&self) -> &[Comparison] {
        &self.data.split.train
    }

    /// Comparisons for every choice.
    pub fn validation(&self) -> &[Comparison] {
        &self.data.split.validation
    }

    /// Comparisons for every reported figure.
    pub fn test(&self) -> &[Comparison] {
        &self.data.split.test
    }

    /// The whole account, as `--stats` prints it.
    pub fn full_stats(&self) -> TldrStats {
        self.data.stats()
    }

    /// What is known of every test comparison.
    pub fn cases(&self) -> Vec<Case> {
        self.test().iter().map(|c| self.case(c)).collect()
    }

    fn case(&self, comparison: &Comparison) -> Case {
        let user = comparison.user.as_ref().map_or("", |u| u.as_str());
        let count = |text: &str| text.chars().count().max(1) as f64;
        let (a, b) = (count(&comparison.chosen), count(&comparison.rejected));
        Case {
            user: user.into(),
            group: comparison.group.clone().unwrap_or_default(),
            seen: self.users.contains_key(user),
            ratio: a.max(b) / a.min(b),
        }
    }

    /// Distinct prompts of the test posts, in order of appearance.
    pub fn test_posts(&self, count: usize) -> Vec<&Comparison> {
        let mut seen = std::collections::HashSet::new();
        let posts = self.test().iter().filter(|c| seen.insert(&c.source));
        posts.take(count).collect()
    }

    /// The report's account of the data.
    pub fn report(&self, config: &DataConfig) -> Data {
        let stats = &self.stats;
        let mut notes = vec![
            format!("Split: {}.", self.data.split.origin),
            format!(
                "Records read: {}. Left out: {}.",
                self.data.records, self.data.skipped
            ),
        ];
        if let Some(ratio) = &stats.length_ratio {
            notes.push(format!(
                "Longer over shorter response, in characters: median {:.2}.",
                ratio.median
            ));
        }
        Data {
            source: config.paths.join(", "),
            train: self.train().len() as u64,
            validation: Some(self.validation().len() as u64),
            eval: self.test().len() as u64,
            workers: self.users.len() as u64,
            split_by: Some("post".into()),
            pooled_splits: None,
            splits: vec![
                self.counts("train", self.train()),
                self.counts("validation", self.validation()),
                self.counts("eval", self.test()),
            ],
            users: stats
                .per_worker
                .iter()
                .filter(|w| w.seen)
                .map(|w| UserInfo {
                    id: w.worker.to_string(),
                    group: Some(w.group.as_str().into()),
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
        SplitCounts {
            name: name.into(),
            total: side.len() as u64,
            seen_majority: count(true, "majority"),
            seen_minority: count(true, "minority"),
            unseen_majority: count(false, "majority"),
            unseen_minority: count(false, "minority"),
        }
    }

    /// The seed of the population that was drawn.
    pub fn population_seed(&self) -> Option<u64> {
        self.data.population.seed().map(u64::from)
    }

    /// Analytic accuracies on the test comparisons.
    pub fn yardsticks(&self) -> [(String, Yardstick); 2] {
        let of = |a: &trainer::pref_data::yardsticks::Accuracies| Yardstick {
            top: a.top,
            generic: a.generic,
            majority: a.majority,
            minority: a.minority,
        };
        let y = &self.stats.yardsticks;
        [
            ("always-longer".into(), of(&y.always_longer)),
            ("perfect".into(), of(&y.perfect)),
        ]
    }
}

/// Keeps `limit` comparisons, evenly spaced, so that every post and worker has its share; 0 keeps all.
fn thin(side: &mut Vec<Comparison>, limit: usize) {
    if limit == 0 || side.len() <= limit {
        return;
    }
    let all = std::mem::take(side);
    let count = all.len();
    let mut taken = 0;
    for (i, comparison) in all.into_iter().enumerate() {
        // The next one is due as soon as its place, taken * count / limit, is reached.
        if i * limit >= taken * count {
            side.push(comparison);
            taken += 1;
        }
    }
}

fn seen_users(data: &TldrData) -> Users {
    let users = data.users().into_iter();
    users
        .filter_map(|id| {
            let kind = data.population.kind(&id)?;
            Some((id.to_string(), kind.as_str().to_string()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use trainer::pref_data::Prompt;

    #[test]
    fn thinning_keeps_exactly_as_many_evenly_spaced() {
        let numbered = |i: usize| Comparison {
            user: None,
            user_text: None,
            prompt: Prompt::Text(i.to_string()),
            chosen: "a".into(),
            rejected: "b".into(),
            source: i.to_string(),
            group: None,
        };
        let mut side: Vec<Comparison> = (0..10).map(numbered).collect();
        thin(&mut side, 4);
        let kept: Vec<&str> = side.iter().map(|c| c.source.as_str()).collect();
        assert_eq!(kept, ["0", "3", "5", "8"]);
        thin(&mut side, 0);
        assert_eq!(side.len(), 4);
    }
}
