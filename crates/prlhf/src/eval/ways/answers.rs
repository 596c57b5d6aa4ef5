//! Whose answers are for whose tests, what is left out, and what stands in both.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use trainer::TrainError;
use trainer::config::RewardSection;
use trainer::dataset::Dataset;
use trainer::example::Example;
use trainer::inference::Engine;
use trainer::pref_data::{Comparison, Thumb};

use crate::eval::Loaded;
use crate::eval::rows::comparison_id;

/// Users with answers and tests.
#[derive(Debug)]
pub struct Answered {
    /// In the order of their ids.
    pub users: Vec<AnsweredUser>,
    /// What is left out, and what stands in both.
    pub beside: Beside,
}

/// One of them.
#[derive(Debug, Default)]
pub struct AnsweredUser {
    /// Their id.
    pub id: String,
    /// What they answered, in the order of the files.
    pub answers: Vec<Comparison>,
    /// The same in tokens, as the generic user's.
    pub examples: Vec<Example>,
    /// Places of their tests in the data.
    pub tests: Vec<usize>,
}

/// What of tests and answers does not go together, and where they are the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Beside {
    /// Test comparisons by user without answers.
    pub tests_without_answers: BTreeMap<String, usize>,
    /// Test comparisons of nobody in particular.
    pub tests_without_user: usize,
    /// Answers by user without test comparisons.
    pub answers_without_tests: BTreeMap<String, usize>,
    /// Answers of nobody in particular.
    pub answers_without_user: usize,
    /// Test comparisons that are among their user's answers: the same prompt and responses, whichever was preferred.
    pub leaks: usize,
    /// Where the first of these stands.
    pub first_leak: Option<String>,
}

impl Answered {
    /// Joins tests and answers by user.
    ///
    /// # Errors
    /// No user with both, or thumbs for a reward model.
    pub fn new(
        tests: &Loaded,
        (answers, tokens): (&Loaded, &Dataset),
        engine: &Engine,
    ) -> Result<Self, TrainError> {
        if engine.policy().head.is_some() {
            RewardSection::validate_thumbs(tokens.thumbs)?;
        }
        let mut beside = Beside::default();
        let mut users: BTreeMap<&str, AnsweredUser> = BTreeMap::new();
        for (answer, example) in answers.comparisons.iter().zip(tokens.examples(None)) {
            let Some(id) = &answer.user else {
                beside.answers_without_user += 1;
                continue;
            };
            let user = users.entry(id.as_str()).or_default();
            user.answers.push(answer.clone());
            user.examples.push(example);
        }
        for (place, test) in tests.comparisons.iter().enumerate() {
            let Some(id) = &test.user else {
                beside.tests_without_user += 1;
                continue;
            };
            match users.get_mut(id.as_str()) {
                Some(user) => user.tests.push(place),
                None => {
                    let without = &mut beside.tests_without_answers;
                    *without.entry(id.as_str().into()).or_default() += 1;
                }
            }
        }
        let (mut both, mut alone) = (Vec::new(), Vec::new());
        for (id, user) in users {
            let user = AnsweredUser {
                id: id.into(),
                ..user
            };
            match user.tests.is_empty() {
                true => alone.push((user.id, user.answers.len())),
                false => both.push(user),
            }
        }
        beside.answers_without_tests = alone.into_iter().collect();
        beside.warn_of_look_alikes();
        if both.is_empty() {
            return Err(beside.nobody());
        }
        beside.find_leaks(&both, tests);
        Ok(Self {
            users: both,
            beside,
        })
    }

    /// Places of all their tests in the data, by user.
    pub fn places(&self) -> Vec<usize> {
        let tests = self.users.iter().flat_map(|user| &user.tests);
        tests.copied().collect()
    }

    /// How many answers they gave.
    pub fn answers(&self) -> usize {
        self.users.iter().map(|user| user.answers.len()).sum()
    }
}

impl Beside {
    /// Nobody has both answers and tests.
    fn nobody(&self) -> TrainError {
        let named = |users: &BTreeMap<String, usize>, without: usize| match users.len() {
            0 => format!("{without} comparisons that name no user"),
            _ => some(users),
        };
        let tests = named(&self.tests_without_answers, self.tests_without_user);
        let answers = named(&self.answers_without_tests, self.answers_without_user);
        TrainError::Usage(format!(
            "no user of --data has answers: --data has {tests}, --answers {answers}"
        ))
    }

    /// Tells of users without answers whose ids look like those of users without tests.
    fn warn_of_look_alikes(&self) {
        let without_tests = self.answers_without_tests.keys();
        let folded: HashMap<String, &String> = without_tests
            .map(|id| (printable::folded(id), id))
            .collect();
        for id in self.tests_without_answers.keys() {
            let Some(other) = folded.get(&printable::folded(id)) else {
                continue;
            };
            let difference = printable::difference(id, other);
            let difference = difference.map_or(String::new(), |numbers| format!(" ({numbers})"));
            tracing::warn!(
                "user {} of --data has no answers; user {} of --answers looks alike and is another one{difference}",
                printable::quoted(id),
                printable::quoted(other)
            );
        }
    }

    fn find_leaks(&mut self, users: &[AnsweredUser], tests: &Loaded) {
        for user in users {
            let answered: BTreeSet<String> = user.answers.iter().map(judged).collect();
            for &place in &user.tests {
                let test = &tests.comparisons[place];
                if answered.contains(&judged(test)) {
                    self.leaks += 1;
                    let first = || match test.place.is_known() {
                        true => test.place.to_string(),
                        false => format!("comparison {}", place + 1),
                    };
                    self.first_leak.get_or_insert_with(first);
                }
            }
        }
    }
}

/// A name for what was judged by whom, however it was judged.
fn judged(comparison: &Comparison) -> String {
    let turned = Comparison {
        chosen: comparison.rejected.clone(),
        rejected: comparison.chosen.clone(),
        thumb: comparison.thumb.map(|thumb| match thumb {
            Thumb::Up => Thumb::Down,
            Thumb::Down => Thumb::Up,
        }),
        ..comparison.clone()
    };
    comparison_id(comparison).min(comparison_id(&turned))
}

/// The first few users and how many more there are.
pub fn some(users: &BTreeMap<String, usize>) -> String {
    const SHOWN: usize = 5;
    let ids = users.keys().take(SHOWN).map(|id| printable::quoted(id));
    let mut text = ids.collect::<Vec<_>>().join(", ");
    if users.len() > SHOWN {
        text += &format!(" and {} more", users.len() - SHOWN);
    }
    match users.len() {
        1 => format!("user {text}"),
        _ => format!("users {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::rows;

    fn comparison([chosen, rejected]: [&str; 2]) -> Comparison {
        Comparison {
            chosen: chosen.into(),
            rejected: rejected.into(),
            ..rows::tests::comparison()
        }
    }

    #[test]
    fn a_judgement_of_the_same_texts_is_the_same_whichever_was_preferred() {
        let one = judged(&comparison(["a", "b"]));
        assert_eq!(one, judged(&comparison(["b", "a"])));
        assert_ne!(one, judged(&comparison(["a", "c"])));
        let thumb = |thumb, responses| {
            judged(&Comparison {
                thumb: Some(thumb),
                ..comparison(responses)
            })
        };
        let up = thumb(Thumb::Up, ["a", ""]);
        assert_eq!(up, thumb(Thumb::Down, ["", "a"]));
        assert_ne!(up, judged(&comparison(["a", ""])));
        let of_ben = Comparison {
            user: Some("ben".into()),
            ..comparison(["a", "b"])
        };
        assert_ne!(one, judged(&of_ben));
    }

    #[test]
    fn some_users_are_named_and_the_rest_counted() {
        let users = |ids: &[&str]| ids.iter().map(|id| (id.to_string(), 1)).collect();
        assert_eq!(some(&users(&["a"])), "user `a`");
        let all = ["a", "b", "c", "d", "e", "f", "g"];
        assert_eq!(
            some(&users(&all)),
            "users `a`, `b`, `c`, `d`, `e` and 2 more"
        );
    }
}
