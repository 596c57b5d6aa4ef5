//! Workers who come once everybody else is trained: simulated ones, who judge pairs that nobody was trained on.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};
use trainer::TrainError;
use trainer::pref_data::Comparison;
use trainer::pref_data::tldr::{Group, TldrData};

use crate::experiment::thin;
use crate::measure::pair;
use crate::newcomers::{Newcomer, Newcomers};

/// `[data.newcomers]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewcomersSection {
    /// How many, by turns of the majority and of the minority.
    pub users: usize,
    /// After how many answers they are looked at; the largest is how many they give.
    pub answers: Vec<usize>,
    /// On how many comparisons each is tested, the same for all.
    pub tests: usize,
    /// Answers and tests are pairs of which the longer text has at least so many times the characters of the other.
    pub length_ratio: f64,
}

impl Default for NewcomersSection {
    fn default() -> Self {
        Self {
            users: 6,
            answers: vec![1, 2, 5, 10, 20, 50],
            tests: 60,
            length_ratio: 1.2,
        }
    }
}

impl NewcomersSection {
    /// Refuses values that no data could make right.
    ///
    /// # Errors
    /// Names the key, what was found and what was expected.
    pub fn validate(&self) -> Result<(), TrainError> {
        let refuse = |key: &str, found: String, expected: &str| {
            let key = format!("data.newcomers.{key}");
            Err(TrainError::config(&key, found, expected))
        };
        if self.users == 0 {
            return refuse("users", "0".into(), "at least 1");
        }
        if self.tests == 0 {
            return refuse("tests", "0".into(), "at least 1");
        }
        let rising = self.answers.windows(2).all(|two| two[0] < two[1]);
        if !rising || self.answers.first().is_none_or(|&first| first == 0) {
            let found = format!("{:?}", self.answers);
            return refuse(
                "answers",
                found,
                "rising numbers from 1, such as [1, 5, 10]",
            );
        }
        if !(self.length_ratio.is_finite() && self.length_ratio >= 1.0) {
            let found = self.length_ratio.to_string();
            return refuse("length_ratio", found, "a number from 1");
        }
        Ok(())
    }

    /// The newcomers of a split. What they answer is drawn, for each apart, from the pairs of the training side that nobody is trained on;
    /// they are tested on pairs of the test side, whose posts are others.
    ///
    /// # Errors
    /// Fewer pairs than they are to answer or to be tested on.
    pub fn of(&self, data: &TldrData) -> Result<Newcomers, TrainError> {
        let split = &data.split;
        let trained: HashSet<u64> = split.train.iter().map(pair).collect();
        let is_new = |comparison: &&Comparison| !trained.contains(&pair(comparison));
        let pool = self.pairs(data.unseen.iter().filter(is_new));
        let asked = self.answers.last().copied().unwrap_or(0);
        enough("answers", pool.len(), asked)?;
        let mut tests = self.pairs(split.test.iter());
        enough("tests", tests.len(), self.tests)?;
        thin(&mut tests, self.tests);
        let users = (0..self.users).map(|number| newcomer(number, &pool, &tests, asked));
        Ok(Newcomers {
            users: users.collect(),
            counts: self.answers.clone(),
        })
    }

    /// Each pair once, of texts whose lengths are far enough apart.
    fn pairs<'a>(&self, comparisons: impl Iterator<Item = &'a Comparison>) -> Vec<&'a Comparison> {
        let mut seen = HashSet::new();
        comparisons
            .filter(|comparison| {
                let (chosen, rejected) = comparison.lengths();
                chosen != rejected
                    && comparison.length_ratio() >= self.length_ratio
                    && seen.insert(pair(comparison))
            })
            .collect()
    }
}

/// Refuses to ask for more pairs than there are.
fn enough(key: &str, there: usize, wanted: usize) -> Result<(), TrainError> {
    if there >= wanted {
        return Ok(());
    }
    let key = format!("data.newcomers.{key}");
    let expected = format!("at most {there}, as many pairs as nobody is trained on");
    Err(TrainError::config(&key, wanted, expected))
}

fn newcomer(number: usize, pool: &[&Comparison], tests: &[&Comparison], asked: usize) -> Newcomer {
    let group = [Group::Majority, Group::Minority][number % 2];
    let id = format!("newcomer-{}", number + 1);
    let mut pool: Vec<&&Comparison> = pool.iter().collect();
    pool.sort_by_cached_key(|comparison| place(&id, comparison));
    let judged = |comparison: &&Comparison| judged_by(comparison, &id, group);
    Newcomer {
        answers: pool.into_iter().take(asked).map(judged).collect(),
        tests: tests.iter().map(judged).collect(),
        group: group.as_str().into(),
        id,
    }
}

/// A draw for a newcomer and a pair.
fn place(id: &str, comparison: &Comparison) -> u64 {
    let mut hash = DefaultHasher::new();
    (id, pair(comparison)).hash(&mut hash);
    hash.finish()
}

/// The pair as a worker of that group judges it.
fn judged_by(comparison: &Comparison, id: &str, group: Group) -> Comparison {
    let (chosen, rejected) = comparison.lengths();
    let mut judged = comparison.clone();
    if (chosen > rejected) != (group == Group::Majority) {
        std::mem::swap(&mut judged.chosen, &mut judged.rejected);
    }
    judged.user = Some(id.into());
    judged.group = Some(group.as_str().into());
    judged
}
