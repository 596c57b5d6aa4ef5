//! Splits that do not leak.

use std::collections::HashSet;

use pref_data::{Comparison, Prompt, Split, SplitError, SplitOrigin, SplitRatios, split_by_source};
use proptest::prelude::*;

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

fn ratios(train: f64, validation: f64, test: f64) -> SplitRatios {
    SplitRatios {
        train,
        validation,
        test,
    }
}

fn many(sources: usize) -> Vec<Comparison> {
    let one = |n: usize| {
        comparison(
            &format!("s{}", n % sources),
            &format!("c{n}"),
            &format!("r{n}"),
        )
    };
    (0..3 * sources).map(one).collect()
}

fn sources(items: &[Comparison]) -> HashSet<&str> {
    items.iter().map(|item| item.source.as_str()).collect()
}

#[test]
fn sources_are_cut_at_the_ratios() {
    let split = split_by_source(many(100), &ratios(0.7, 0.1, 0.2), 5).unwrap();
    split.validate_disjoint().unwrap();
    assert_eq!(
        (split.train.len(), split.validation.len(), split.test.len()),
        (210, 30, 60)
    );
    assert_eq!(split.origin, SplitOrigin::BySource);
}

#[test]
fn order_of_the_input_has_no_influence_and_the_seed_has() {
    let mut items = many(40);
    let first = split_by_source(items.clone(), &SplitRatios::default(), 5).unwrap();
    items.reverse();
    let second = split_by_source(items.clone(), &SplitRatios::default(), 5).unwrap();
    assert_eq!(sources(&first.train), sources(&second.train));
    assert_eq!(sources(&first.test), sources(&second.test));
    let third = split_by_source(items, &SplitRatios::default(), 6).unwrap();
    assert_ne!(sources(&first.test), sources(&third.test));
}

#[test]
fn sources_that_share_a_pair_or_its_swap_stay_together() {
    for seed in 0..30 {
        let mut items = many(6);
        items.push(comparison("s0", "x", "y"));
        items.push(comparison("s1", "y", "x"));
        items.push(comparison("s1", "v", "w"));
        items.push(comparison("s2", "v", "w"));
        let split = split_by_source(items, &ratios(0.5, 0.25, 0.25), seed).unwrap();
        split.validate_disjoint().unwrap();
        let side = |source| {
            [&split.train, &split.validation, &split.test]
                .map(|part| sources(part).contains(source))
        };
        assert_eq!(side("s0"), side("s1"));
        assert_eq!(side("s1"), side("s2"));
    }
}

#[test]
fn every_wanted_part_gets_a_source() {
    let split = split_by_source(many(3), &ratios(0.98, 0.01, 0.01), 1).unwrap();
    assert_eq!(
        (split.train.len(), split.validation.len(), split.test.len()),
        (3, 3, 3)
    );
    let error = split_by_source(many(2), &SplitRatios::default(), 1).unwrap_err();
    assert_eq!(
        error,
        SplitError::TooFewSources {
            found: 2,
            expected: 3
        }
    );
    let split = split_by_source(many(2), &ratios(0.5, 0.0, 0.5), 1).unwrap();
    assert!(split.validation.is_empty());
}

#[test]
fn ratios_that_are_no_shares_of_one_are_errors() {
    for bad in [
        ratios(0.5, 0.2, 0.2),
        ratios(1.2, -0.2, 0.0),
        ratios(f64::NAN, 0.5, 0.5),
    ] {
        assert!(matches!(
            split_by_source(many(9), &bad, 1),
            Err(SplitError::Ratios { .. })
        ));
    }
}

#[test]
fn leaks_are_found() {
    let leaking = |train, test| Split {
        train: vec![train],
        validation: vec![],
        test: vec![test],
        origin: SplitOrigin::BySource,
    };
    let source = leaking(comparison("s", "a", "b"), comparison("s", "c", "d"));
    assert!(
        source
            .validate_disjoint()
            .unwrap_err()
            .to_string()
            .contains("source `s` is in train and in test")
    );
    let swapped = leaking(comparison("s", "a", "b"), comparison("z", "b", "a"));
    assert!(
        swapped
            .validate_disjoint()
            .unwrap_err()
            .to_string()
            .contains("pair `z`")
    );
}

proptest! {
    #[test]
    fn no_split_leaks_and_none_loses_a_comparison(
        rows in prop::collection::vec((0u8..30, 0u8..6, 0u8..6), 1..80),
        seed in any::<u64>(),
    ) {
        let items: Vec<Comparison> = rows
            .iter()
            .map(|(source, chosen, rejected)| {
                let mut item = comparison(&source.to_string(), &chosen.to_string(), &rejected.to_string());
                item.prompt = Prompt::Text((source % 20).to_string());
                item
            })
            .collect();
        if let Ok(split) = split_by_source(items, &SplitRatios::default(), seed) {
            prop_assert!(split.validate_disjoint().is_ok());
            prop_assert_eq!(split.train.len() + split.validation.len() + split.test.len(), rows.len());
        }
    }
}
