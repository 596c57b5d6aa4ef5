//! Results made by hand, for the tests of this crate.

use std::rc::Rc;

use trainer::pref_data::{Comparison, Prompt, UserId};

use crate::experiment::{ExperimentData, Measured, SampledText, SeedResult, SplitResult};
use crate::measure::{Case, Users};
use crate::report::{Model, System, Trainable};

/// A comparison of a user without a group.
pub fn case(user: &str, seen: bool) -> Case {
    Case {
        user: user.into(),
        group: String::new(),
        seen,
        ratio: 1.0,
        pair: 0,
        disputed: None,
    }
}

/// A comparison of texts.
pub fn comparison(user: &str, source: &str, [chosen, rejected]: [&str; 2]) -> Comparison {
    Comparison {
        user: Some(UserId::from(user)),
        user_text: None,
        prompt: Prompt::Text("Post.".into()),
        template: Default::default(),
        chosen: chosen.into(),
        rejected: rejected.into(),
        source: source.into(),
        place: Default::default(),
        group: None,
        thumb: None,
    }
}

/// A system that is right, or not, on each comparison.
pub fn right(correct: &[bool]) -> Measured {
    let reward = |&correct: &bool| Some(if correct { [1.0, 0.0] } else { [0.0, 1.0] });
    Measured {
        rewards: Some(correct.iter().map(reward).collect()),
        ..Measured::default()
    }
}

/// A system that wrote so many words for each user, `""` being the generic one, to each of several prompts.
pub fn wrote(words: &[(&str, &[usize])]) -> Measured {
    let text = |user: &str, prompt: usize, words: usize| SampledText {
        user: (!user.is_empty()).then(|| user.to_owned()),
        source: prompt.to_string(),
        text: vec!["word"; words].join(" "),
        further: Vec::new(),
    };
    let texts = words.iter().flat_map(|(user, words)| {
        words
            .iter()
            .enumerate()
            .map(move |(prompt, &words)| text(user, prompt, words))
    });
    Measured {
        texts: texts.collect(),
        ..Measured::default()
    }
}

/// A run on one split with these systems.
pub fn results(cases: &[Case], systems: &[(&str, Measured)]) -> SeedResult {
    with_users(&[], cases, systems)
}

/// The same with seen users and their groups.
pub fn with_users(
    users: &[(&str, &str)],
    cases: &[Case],
    systems: &[(&str, Measured)],
) -> SeedResult {
    let users: Users = (users.iter())
        .map(|(user, group)| (user.to_string(), group.to_string()))
        .collect();
    let numbered = |(case, pair): (&Case, u64)| Case {
        pair,
        ..case.clone()
    };
    let data = ExperimentData {
        cases: cases.iter().zip(0..).map(numbered).collect(),
        users,
        ..ExperimentData::default()
    };
    let named = |(name, measured): &(&str, Measured)| Measured {
        name: name.to_string(),
        ..measured.clone()
    };
    let split = SplitResult {
        data: Rc::new(data),
        systems: systems.iter().map(named).collect(),
        model: Model::default(),
    };
    SeedResult {
        seed: 0,
        splits: vec![split],
    }
}

/// What the report says of a system, as far as claims need it.
pub fn system(name: &str) -> System {
    System {
        name: name.into(),
        trainable: Trainable {
            llm: Some(1),
            users: name.starts_with("pdpo").then_some(1),
        },
        ..System::default()
    }
}
