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
}

impl Default for NewcomersSection {
    fn default() -> Self {
        Self {
            users: 6,
            answers: vec![1, 2, 5, 10, 20, 50],
            tests: 60,
            length_ratio: 1.0,
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

    /// These users, looked at after so many answers.
    pub fn of(&self, users: Vec<super::Newcomer>) -> Newcomers {
        Newcomers {
            users,
            counts: self.answers.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert!(error.contains(key), "{error}");
        }
    }
}
