//! What the generator promises, as `pref-data` reads it.

use std::collections::HashSet;
use std::fs;

use pref_data::Comparison;
use pref_data::psoups::{ProfileId, PsoupsData, PsoupsOptions};

use super::*;

/// Questions, each of which every profile answers once.
const QUESTIONS: usize = 90;

/// The files of a seed, read from a folder.
fn read(seed: u64) -> PsoupsData {
    let folder = tempfile::tempdir().unwrap();
    for (profile, rows) in rows(seed) {
        let path = folder.path().join(format!("{profile}.json"));
        fs::write(path, crate::json_array(&rows)).unwrap();
    }
    PsoupsData::load(&[folder.path()], &PsoupsOptions::default()).unwrap()
}

fn shipped() -> PsoupsData {
    read(SEED)
}

/// Comparisons of one profile.
fn of(data: &PsoupsData, profile: ProfileId) -> Vec<Comparison> {
    let sides = [&data.split.train, &data.split.validation, &data.split.test];
    let items = sides.into_iter().flatten();
    items
        .filter(|item| item.group.as_deref() == Some(profile.name()))
        .cloned()
        .collect()
}

fn opposite(profile: ProfileId) -> ProfileId {
    match profile {
        ProfileId::P1A => ProfileId::P1B,
        ProfileId::P1B => ProfileId::P1A,
        ProfileId::P2A => ProfileId::P2B,
        ProfileId::P2B => ProfileId::P2A,
        ProfileId::P3A => ProfileId::P3B,
        ProfileId::P3B => ProfileId::P3A,
    }
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Letters a word.
fn word_length(text: &str) -> f64 {
    text.chars().filter(|c| c.is_alphabetic()).count() as f64 / words(text) as f64
}

#[test]
fn every_profile_has_ninety_comparisons_and_the_odd_rows() {
    let data = shipped();
    let stats = data.stats();
    assert_eq!(stats.per_profile.len(), 6);
    for counts in &stats.per_profile {
        assert_eq!(
            counts.read,
            QUESTIONS + EQUAL_ROWS + REPEATED_ROWS + LEAKING_ROWS
        );
        assert_eq!(counts.equal, EQUAL_ROWS);
        assert_eq!(counts.duplicates, REPEATED_ROWS);
        assert_eq!(counts.leaking, LEAKING_ROWS);
        assert_eq!(counts.kept, QUESTIONS);
        assert_eq!((counts.train, counts.validation, counts.test), (63, 9, 18));
    }
    data.split.validate_disjoint().unwrap();
}

#[test]
fn preference_texts_are_found_whole_and_gone_from_the_instructions() {
    let data = shipped();
    let texts: HashSet<&str> = data
        .profiles()
        .iter()
        .map(|profile| profile.preference.as_deref().unwrap())
        .collect();
    assert_eq!(texts.len(), 6);
    for profile in ProfileId::ALL {
        for item in of(&data, profile) {
            assert!(item.source.ends_with(['?', '.']), "{}", item.source);
            assert!(texts.iter().all(|text| !item.source.contains(text)));
            assert!((3..=11).contains(&words(&item.source)), "{}", item.source);
        }
    }
}

#[test]
fn both_profiles_of_a_dimension_judge_the_same_pairs_swapped() {
    let data = shipped();
    for profile in ProfileId::ALL {
        let swapped: HashSet<(String, String, String)> = of(&data, opposite(profile))
            .into_iter()
            .map(|item| (item.source, item.rejected, item.chosen))
            .collect();
        for item in of(&data, profile) {
            assert!(swapped.contains(&(item.source, item.chosen, item.rejected)));
        }
    }
}

#[test]
fn simple_words_are_short_and_expert_words_are_long() {
    for item in of(&shipped(), ProfileId::P1A) {
        let (simple, expert) = (&item.chosen, &item.rejected);
        assert!(word_length(simple) < 4.7, "{simple}");
        assert!(word_length(expert) > 6.3, "{expert}");
        for text in [simple, expert] {
            assert!((12..=25).contains(&words(text)), "{} {text}", words(text));
        }
    }
}

#[test]
fn short_and_full_answers_have_the_promised_lengths() {
    for item in of(&shipped(), ProfileId::P2A) {
        let (short, full) = (words(&item.chosen), words(&item.rejected));
        assert!((8..=15).contains(&short), "{short}: {}", item.chosen);
        assert!((30..=45).contains(&full), "{full}: {}", item.rejected);
        let body = item.chosen.split(": ").last().unwrap();
        assert!(item.rejected.contains(body), "{} / {body}", item.rejected);
    }
}

#[test]
fn warm_answers_speak_to_the_reader_and_cold_ones_do_not() {
    for item in of(&shipped(), ProfileId::P3A) {
        let (warm, cold) = (&item.chosen, &item.rejected);
        assert!(warm.matches('!').count() >= 2, "{warm}");
        assert!(warm.to_lowercase().contains("you"), "{warm}");
        assert!(!cold.contains('!'), "{cold}");
        for text in [warm, cold] {
            assert!((12..=25).contains(&words(text)), "{} {text}", words(text));
        }
    }
}

#[test]
fn openings_vary_within_a_small_set() {
    let data = shipped();
    for profile in ProfileId::ALL {
        if profile.name().starts_with("P2") {
            continue; // half of these begin with the answer itself
        }
        let first = |item: &Comparison| item.chosen.split_whitespace().next().unwrap().to_owned();
        let openings: HashSet<String> = of(&data, profile).iter().map(first).collect();
        assert!((3..=4).contains(&openings.len()), "{profile}: {openings:?}");
    }
}

#[test]
fn any_seed_works_and_the_seed_decides() {
    for seed in [0, 7, u64::MAX] {
        assert_eq!(rows(seed), rows(seed));
        assert_eq!(read(seed).stats().total().kept, 6 * QUESTIONS);
    }
    assert_ne!(rows(1), rows(2));
}
