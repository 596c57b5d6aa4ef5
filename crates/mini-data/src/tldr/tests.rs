//! What the generator promises, as `pref-data` reads it.

use std::collections::{BTreeMap, HashSet};
use std::fs;

use pref_data::tldr::{self, PolicyFilter, TldrData, TldrOptions, TldrRecord};
use pref_data::{ReadOptions, Skipped, SplitOrigin};

use super::*;

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// The records as they are read from a file.
fn read(records: &[Value]) -> Vec<TldrRecord> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tldr.jsonl");
    fs::write(&path, crate::json_lines(records)).unwrap();
    let reader = tldr::read(&[path], ReadOptions::default()).unwrap();
    reader.map(Result::unwrap).collect()
}

fn shipped() -> Vec<TldrRecord> {
    read(&records(SEED, POSTS))
}

#[test]
fn posts_have_25_to_60_words() {
    for record in shipped() {
        let post = words(&record.text);
        assert!((25..=60).contains(&post), "{post} words: {}", record.text);
        assert!(PolicyFilter::Sft.keeps(&record));
    }
}

#[test]
fn of_two_summaries_the_one_with_more_words_has_more_characters() {
    for record in shipped() {
        let [a, b] = [0, 1].map(|place: usize| record.summaries[place].text.as_str());
        let (by_words, by_characters) = (
            words(a).cmp(&words(b)),
            a.chars().count().cmp(&b.chars().count()),
        );
        assert!(by_words.is_ne() && by_words == by_characters, "{a}\n{b}");
        assert!(a.starts_with(' ') && b.starts_with(' '));
    }
}

#[test]
fn summaries_have_any_number_of_words_and_every_octave_has_as_many() {
    let mut counts = [0usize; 29];
    let mut all = 0;
    for record in shipped() {
        for summary in &record.summaries {
            counts[words(&summary.text)] += 1;
            all += 1;
        }
    }
    assert_eq!(counts[0], 0);
    assert!(
        counts[1..=25].iter().all(|&count| count >= 40),
        "{counts:?}"
    );
    // Log-uniform from 1 to 28 words: ln 2 / ln 29 = 0.206 for one word, two or three, four to seven, eight to 15; a little
    // less for one word, since pairs of equally many words are drawn again.
    for octave in [1..2, 2..4, 4..8, 8..16] {
        let share = counts[octave].iter().sum::<usize>() as f64 / f64::from(all);
        assert!((0.17..0.24).contains(&share), "{share}: {counts:?}");
    }
}

#[test]
fn most_pairs_differ_clearly_and_some_are_nearly_equal() {
    let ratio = |record: &TldrRecord| {
        let [a, b] = [0, 1].map(|place: usize| words(&record.summaries[place].text) as f64);
        a.max(b) / a.min(b)
    };
    let ratios: Vec<f64> = shipped().iter().map(ratio).collect();
    let share = |wanted: &dyn Fn(f64) -> bool| {
        ratios.iter().filter(|&&ratio| wanted(ratio)).count() as f64 / ratios.len() as f64
    };
    assert!(share(&|ratio| ratio >= 1.5) > 0.75);
    assert!((0.03..0.15).contains(&share(&|ratio| ratio < 1.25)));
}

#[test]
fn both_orders_are_about_equally_frequent() {
    let records = shipped();
    let longer_first =
        |record: &&TldrRecord| record.summaries[0].text.len() > record.summaries[1].text.len();
    let share = records.iter().filter(longer_first).count() as f64 / records.len() as f64;
    assert!((0.4..0.6).contains(&share), "{share}");
}

#[test]
fn vocabulary_is_small() {
    let mut vocabulary = HashSet::new();
    for record in shipped() {
        let text = record.prompt() + &record.summaries[0].text + &record.summaries[1].text;
        let lower = text.to_lowercase();
        let split = lower.split(|c: char| !c.is_alphanumeric());
        vocabulary.extend(split.map(str::to_owned));
    }
    assert!(vocabulary.len() < 450, "{}", vocabulary.len());
}

#[test]
fn the_experiment_runs_on_it_as_on_the_papers_files() {
    let records = shipped();
    let count = records.len();
    let data = TldrData::prepare(records, Skipped::default(), &TldrOptions::default()).unwrap();
    assert_eq!(data.split.origin, SplitOrigin::Official);
    data.split.validate_disjoint().unwrap();
    assert_eq!(
        (data.workers.seen().len(), data.workers.unseen().len()),
        (10, 40)
    );
    assert_eq!(data.population.minority_ranks()[..3], [4, 5, 6]);
    let stats = data.stats();
    let share = stats.train.minority as f64 / stats.train.total() as f64;
    assert!((0.25..0.4).contains(&share), "{share}");
    assert!(stats.evaluation_unseen.total() >= 800);
    assert_eq!(stats.yardsticks.always_longer.majority, Some(1.0));
    assert_eq!(stats.yardsticks.always_longer.minority, Some(0.0));
    assert_eq!(
        stats.train.total() + stats.evaluation() + data.skipped.total() as usize,
        count
    );
}

#[test]
fn forty_workers_can_be_seen_and_ten_are_left() {
    let options = TldrOptions {
        top_workers: 40,
        ..TldrOptions::default()
    };
    let data = TldrData::prepare(shipped(), Skipped::default(), &options).unwrap();
    assert_eq!(
        (data.workers.seen().len(), data.workers.unseen().len()),
        (40, 10)
    );
    assert!(data.workers.seen().iter().all(|worker| worker.count >= 15));
    assert!(data.stats().evaluation_unseen.total() >= 300);
}

#[test]
fn ten_workers_have_more_than_a_hundred_training_comparisons_and_no_two_have_as_many() {
    let records = shipped();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut posts: HashSet<(String, &str)> = HashSet::new();
    for record in &records {
        *counts.entry(record.worker.as_str()).or_default() += usize::from(record.is_train());
        assert_eq!(record.worker.as_str().len(), 30);
        assert!(
            posts.insert((record.post_key(), record.worker.as_str())),
            "a worker judged a post twice"
        );
    }
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(counts.len(), 50);
    assert!(
        counts.windows(2).all(|pair| pair[0] > pair[1]),
        "a tie makes the ranking by training comparisons arbitrary: {counts:?}"
    );
    assert!(counts[9] > 100 && counts[10] < 50, "{counts:?}");
}

#[test]
fn any_seed_and_size_works() {
    for (seed, posts) in [(0, 0), (1, 1), (2, 3), (3, 30), (u64::MAX, 400)] {
        let written = super::records(seed, posts);
        assert_eq!(written, super::records(seed, posts));
        let records = read(&written);
        let ids: HashSet<&str> = records
            .iter()
            .filter_map(|record| record.id.as_deref())
            .collect();
        assert!(ids.len() <= posts && (posts < 3 || ids.len() == posts));
        for record in &records {
            let [a, b] = [0, 1].map(|place| &record.summaries[place].text);
            let by_words = words(a).cmp(&words(b));
            assert_eq!(
                by_words,
                a.chars().count().cmp(&b.chars().count()),
                "{a}\n{b}"
            );
            assert!(by_words.is_ne());
        }
    }
    assert_ne!(super::records(1, 30), super::records(2, 30));
}
