//! The published training part, kept as it is.

use std::collections::HashSet;

use crate::comparison::Comparison;
use crate::error::SplitError;
use crate::split::{Split, SplitOrigin, SplitRatios, split_by_source, unit_names};

/// Keeps a published training part: `train` as it is, `others` by source into validation and test in the proportion
/// of their ratios. What `others` share with `train` is on no side; it comes back beside the split.
///
/// # Errors
/// As [`split_by_source`].
pub(super) fn split_official(
    train: Vec<Comparison>,
    others: Vec<Comparison>,
    ratios: &SplitRatios,
    seed: u64,
) -> Result<(Split, Vec<Comparison>), SplitError> {
    ratios.validate()?;
    let held = ratios.validation + ratios.test;
    let ratios = if held > 0.0 {
        SplitRatios {
            train: 0.0,
            validation: ratios.validation / held,
            test: ratios.test / held,
        }
    } else {
        return Err(SplitError::Ratios {
            train: ratios.train,
            validation: ratios.validation,
            test: ratios.test,
        });
    };
    let (others, left_out) = apart_from(&train, others);
    let mut split = split_by_source(others, &ratios, seed)?;
    split.origin = SplitOrigin::Official;
    split.train = train;
    Ok((split, left_out))
}

/// Parts `others` into those that share neither source nor pair with `train`, directly or through each other, and the
/// rest.
fn apart_from(train: &[Comparison], others: Vec<Comparison>) -> (Vec<Comparison>, Vec<Comparison>) {
    let mut all = train.to_vec();
    all.extend(others);
    let names = unit_names(&all);
    let trained: HashSet<&String> = names.iter().take(train.len()).collect();
    let others = all.into_iter().zip(&names).skip(train.len());
    let (apart, shared): (Vec<_>, Vec<_>) = others.partition(|(_, name)| !trained.contains(name));
    let items = |list: Vec<(Comparison, &String)>| list.into_iter().map(|(item, _)| item).collect();
    (items(apart), items(shared))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::Prompt;

    fn comparison(source: &str, chosen: &str, rejected: &str) -> Comparison {
        Comparison {
            user: Some("u".into()),
            user_text: None,
            prompt: Prompt::Text("the same prompt".into()),
            chosen: chosen.into(),
            rejected: rejected.into(),
            source: source.into(),
            template: Default::default(),
            place: Default::default(),
            group: None,
            thumb: None,
        }
    }

    /// Three comparisons of each of 20 posts.
    fn twenty_posts() -> Vec<Comparison> {
        (0..60)
            .map(|n| comparison(&format!("s{}", n % 20), &format!("c{n}"), &format!("r{n}")))
            .collect()
    }

    #[test]
    fn official_training_stays_and_what_touches_it_is_left_out() {
        let train = vec![comparison("t", "x", "y")];
        let mut others = twenty_posts();
        others.push(comparison("t", "a", "b")); // the same post
        others.push(comparison("other", "y", "x")); // the swapped pair
        others.push(comparison("other", "m", "n")); // connected through its post
        let ratios = SplitRatios::default();
        let (split, left_out) = split_official(train.clone(), others, &ratios, 3).unwrap();
        split.validate_disjoint().unwrap();
        assert_eq!(split.train, train);
        assert_eq!(split.origin, SplitOrigin::Official);
        assert_eq!(left_out.len(), 3);
        // 20 posts at 1 to 2, three comparisons each.
        assert_eq!((split.validation.len(), split.test.len()), (21, 39));
    }

    #[test]
    fn without_a_share_for_evaluation_there_is_no_split() {
        let ratios = SplitRatios {
            train: 1.0,
            validation: 0.0,
            test: 0.0,
        };
        let found = split_official(twenty_posts(), twenty_posts(), &ratios, 1);
        assert!(matches!(found, Err(SplitError::Ratios { .. })));
    }
}
