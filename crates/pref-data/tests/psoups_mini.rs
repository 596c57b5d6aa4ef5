//! The project's own P-SOUPS data: what the generator promises, and that the shipped files are its work.
#![allow(clippy::print_stdout)]

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use pref_data::mini::psoups::{
    EQUAL_ROWS, LEAKING_ROWS, QUESTIONS, REPEATED_ROWS, SEED, json_array, rows,
};
use pref_data::psoups::ProfileId;
use pref_data::{Comparison, PsoupsData, PsoupsOptions, Skipped};

fn shipped() -> PsoupsData {
    PsoupsData::prepare(rows(SEED), Skipped::default(), &PsoupsOptions::default()).unwrap()
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

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Letters a word.
fn word_length(text: &str) -> f64 {
    text.chars().filter(|c| c.is_alphabetic()).count() as f64 / words(text) as f64
}

#[test]
fn shipped_files_are_what_the_generator_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini/psoups");
    if !folder.parent().is_some_and(Path::exists) {
        println!("skipped: the data folder of the project is not here");
        return;
    }
    for (profile, rows) in rows(SEED) {
        let path = folder.join(format!("rm_training/{profile}.json"));
        let text = fs::read_to_string(path).unwrap();
        assert!(
            text == json_array(&rows),
            "{profile}: write it anew with the example make_mini_psoups"
        );
    }
    let data = PsoupsData::load(&[folder], &PsoupsOptions::default()).unwrap();
    assert_eq!(data.split, shipped().split);
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
    data.split.check_disjoint().unwrap();
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
        let swapped: HashSet<(String, String, String)> = of(&data, profile.opposite())
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
        if profile.dimension() == 2 {
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
        let data = PsoupsData::prepare(rows(seed), Skipped::default(), &PsoupsOptions::default());
        assert_eq!(data.unwrap().stats().total().kept, 6 * QUESTIONS);
    }
    assert_ne!(rows(1), rows(2));
}
