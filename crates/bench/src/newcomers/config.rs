//! `[data.newcomers]`: users who come once everybody else is trained.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};
use trainer::TrainError;
use trainer::pref_data::Comparison;

use super::Newcomers;
use crate::measure::pair;

/// `[data.newcomers]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewcomersSection {
    /// How many.
    pub users: usize,
    /// After how many answers they are looked at; the largest is how many they give.
    pub answers: Vec<usize>,
    /// On how many comparisons each is tested.
    pub tests: usize,
    /// Answers and tests are pairs of which the longer text has at least so many times the characters of the other.
    pub length_ratio: f64,
    /// What else may be done with their answers: of systems without users.
    #[serde(skip_serializing_if = "Alternatives::are_none")]
    pub alternatives: Alternatives,
}

/// `[data.newcomers.alternatives]`: what a system without users can do with a newcomer's answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alternatives {
    /// Answers go into the prompt, as many as fit with prompt and response into so many tokens, or into the model's context if that is
    /// shorter; 0 (default): none.
    pub in_context: usize,
    /// A sentence in front of the prompt says what measures of the answers say. It has so many tokens of room beside the prompt's, as have
    /// those of systems that are trained with such sentences (`text = "profile"`); 0 (default): none.
    pub profiles: usize,
    /// What no model is needed for: the longer or the shorter response, as most answers were. Default false.
    pub length_rule: bool,
    /// The system's adapters go on training on the answers; absent: they do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapters: Option<AdaptersSection>,
}

impl Alternatives {
    /// Whether none is asked for.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// `[data.newcomers.alternatives.adapters]`: a copy of the system's adapters for each newcomer, with the system's own loss and batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdaptersSection {
    /// After how many answers; each is one of `data.newcomers.answers`.
    pub answers: Vec<usize>,
    /// Passes over the answers.
    pub epochs: usize,
    /// The rate, without warm-up.
    pub learning_rate: f64,
}

impl Default for AdaptersSection {
    fn default() -> Self {
        Self {
            answers: vec![10, 50],
            epochs: 10,
            learning_rate: 1e-3,
        }
    }
}

impl Default for NewcomersSection {
    fn default() -> Self {
        Self {
            users: 6,
            answers: vec![1, 2, 5, 10, 20, 50],
            tests: 60,
            length_ratio: 1.0,
            alternatives: Alternatives::default(),
        }
    }
}

impl NewcomersSection {
    /// Refuses values that no data could make right; `most` is how many users there may be.
    ///
    /// # Errors
    /// Names the key, what was found and what was expected.
    pub fn validate(&self, most: usize) -> Result<(), TrainError> {
        let refuse = |key: &str, found: String, expected: &str| {
            let key = format!("data.newcomers.{key}");
            Err(TrainError::config(&key, found, expected))
        };
        if self.users == 0 || self.users > most {
            let expected = match most {
                usize::MAX => "at least 1".into(),
                most => format!("a number from 1 to {most}"),
            };
            return refuse("users", self.users.to_string(), &expected);
        }
        if self.tests == 0 {
            return refuse("tests", "0".into(), "at least 1");
        }
        let rising = self.answers.windows(2).all(|two| two[0] < two[1]);
        if !rising || self.answers.first().is_none_or(|&first| first == 0) {
            let found = format!("{:?}", self.answers);
            let expected = "rising numbers from 1, such as [1, 5, 10]";
            return refuse("answers", found, expected);
        }
        if !(self.length_ratio.is_finite() && self.length_ratio >= 1.0) {
            let found = self.length_ratio.to_string();
            return refuse("length_ratio", found, "a number from 1");
        }
        let Some(adapters) = &self.alternatives.adapters else {
            return Ok(());
        };
        let unknown = |count: &&usize| !self.answers.contains(count);
        if let Some(count) = adapters.answers.iter().find(unknown) {
            let expected = format!("some of data.newcomers.answers, {:?}", self.answers);
            return refuse(
                "alternatives.adapters.answers",
                count.to_string(),
                &expected,
            );
        }
        if adapters.epochs == 0 {
            return refuse("alternatives.adapters.epochs", "0".into(), "at least 1");
        }
        if !(adapters.learning_rate.is_finite() && adapters.learning_rate > 0.0) {
            let found = adapters.learning_rate.to_string();
            return refuse("alternatives.adapters.learning_rate", found, "above 0");
        }
        Ok(())
    }

    /// How many answers each gives.
    pub fn asked(&self) -> usize {
        self.answers.last().copied().unwrap_or(0)
    }

    /// Of each pair one, of texts whose lengths are far enough apart, in an order that is drawn for a user.
    ///
    /// # Errors
    /// Fewer than `wanted`, which the key says.
    pub fn drawn<'a>(
        &self,
        id: &str,
        comparisons: impl Iterator<Item = &'a Comparison>,
        (key, wanted): (&str, usize),
    ) -> Result<Vec<&'a Comparison>, TrainError> {
        let mut seen = HashSet::new();
        let is_one = |comparison: &&Comparison| {
            comparison.length_ratio() >= self.length_ratio && seen.insert(pair(comparison))
        };
        let mut drawn: Vec<&Comparison> = comparisons.filter(is_one).collect();
        if drawn.len() < wanted {
            let key = format!("data.newcomers.{key}");
            let expected = format!("at most {}, as many as there are", drawn.len());
            return Err(TrainError::config(&key, wanted, expected));
        }
        drawn.sort_by_cached_key(|comparison| {
            let mut hash = DefaultHasher::new();
            (id, pair(comparison)).hash(&mut hash);
            hash.finish()
        });
        drawn.truncate(wanted);
        Ok(drawn)
    }

    /// As many of these users as there are to be; they are those who have enough comparisons.
    ///
    /// # Errors
    /// Fewer than that.
    pub fn of_those(&self, mut users: Vec<super::Newcomer>) -> Result<Newcomers, TrainError> {
        if users.len() < self.users {
            let expected = format!(
                "at most {}, as many as have {} answers and {} tests",
                users.len(),
                self.asked(),
                self.tests
            );
            return Err(TrainError::config(
                "data.newcomers.users",
                self.users,
                expected,
            ));
        }
        users.truncate(self.users);
        Ok(self.of(users))
    }

    /// These users, looked at after so many answers.
    pub fn of(&self, users: Vec<super::Newcomer>) -> Newcomers {
        Newcomers {
            users,
            counts: self.answers.clone(),
            alternatives: self.alternatives.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapted(section: &mut NewcomersSection) -> &mut AdaptersSection {
        section.alternatives.adapters.get_or_insert_default()
    }

    #[test]
    fn wrong_values_are_refused_by_key() {
        let refused = |change: fn(&mut NewcomersSection)| {
            let mut section = NewcomersSection::default();
            change(&mut section);
            section.validate(8).unwrap_err().to_string()
        };
        assert!(NewcomersSection::default().validate(8).is_ok());
        for (error, key) in [
            (refused(|s| s.users = 0), "`data.newcomers.users` is 0"),
            (refused(|s| s.users = 9), "a number from 1 to 8"),
            (refused(|s| s.tests = 0), "`data.newcomers.tests` is 0"),
            (refused(|s| s.answers = vec![2, 2]), "is [2, 2]"),
            (refused(|s| s.answers = vec![0, 2]), "is [0, 2]"),
            (refused(|s| s.answers.clear()), "is []"),
            (refused(|s| s.length_ratio = f64::NAN), "is NaN"),
            (
                refused(|s| adapted(s).answers = vec![7]),
                "adapters.answers` is 7",
            ),
            (refused(|s| adapted(s).epochs = 0), "adapters.epochs` is 0"),
            (
                refused(|s| adapted(s).learning_rate = 0.0),
                "adapters.learning_rate` is 0",
            ),
        ] {
            assert!(error.contains(key), "{error}");
        }
    }
}
