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
fn posts_and_summaries_have_the_promised_lengths() {
    let (mut clear, mut all) = (0, 0);
    for record in shipped() {
        let post = words(&record.text);
        assert!((25..=60).contains(&post), "{post} words: {}", record.text);
        let [a, b] = &record.summaries;
        let (a, b) = if words(&a.text) < words(&b.text) {
            (a, b)
        } else {
            (b, a)
        };
        assert!(
            a.text.chars().count() < b.text.chars().count(),
            "{}\n{}",
            a.text,
            b.text
        );
        let (short, long) = (words(&a.text), words(&b.text));
        assert!(
            (5..=14).contains(&short) && (10..=28).contains(&long),
            "{}\n{}",
            a.text,
            b.text
        );
        assert!(short < long);
        clear += usize::from(short <= 9 && long >= 16);
        all += 1;
        assert!(PolicyFilter::Sft.keeps(&record));
        assert!(a.text.starts_with(' ') && b.text.starts_with(' '));
    }
    let share = clear as f64 / f64::from(all);
    assert!((0.85..0.95).contains(&share), "{share}");
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
    assert!((950..=1100).contains(&records.len()), "{}", records.len());
    let count = records.len();
    let data = TldrData::prepare(records, Skipped::default(), &TldrOptions::default()).unwrap();
    assert_eq!(data.split.origin, SplitOrigin::Official);
    data.split.validate_disjoint().unwrap();
    assert_eq!(
        (data.workers.seen().len(), data.workers.unseen().len()),
        (10, 6)
    );
    assert_eq!(data.population.minority_ranks()[..3], [4, 5, 6]);
    let stats = data.stats();
    let share = stats.train.minority as f64 / stats.train.total() as f64;
    assert!((0.25..0.4).contains(&share), "{share}");
    assert!(stats.evaluation_unseen.total() >= 200);
    assert_eq!(stats.yardsticks.always_longer.majority, Some(1.0));
    assert_eq!(stats.yardsticks.always_longer.minority, Some(0.0));
    assert_eq!(
        stats.train.total() + stats.evaluation() + data.skipped.total() as usize,
        count
    );
}

#[test]
fn six_workers_are_unseen_and_judge_mostly_held_out_posts() {
    let records = shipped();
    // Per worker: training and held-out comparisons.
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut posts: HashSet<(String, &str)> = HashSet::new();
    for record in &records {
        let entry = counts.entry(record.worker.as_str()).or_default();
        if record.is_train() {
            entry.0 += 1;
        } else {
            entry.1 += 1;
        }
        assert_eq!(record.worker.as_str().len(), 30);
        assert!(
            posts.insert((record.post_key(), record.worker.as_str())),
            "a worker judged a post twice"
        );
    }
    let mut counts: Vec<(usize, usize)> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    assert!(
        counts.windows(2).all(|pair| pair[0].0 > pair[1].0),
        "a tie makes the ranking by training comparisons arbitrary: {counts:?}"
    );
    assert!(
        counts[10..]
            .iter()
            .all(|&(train, held)| train <= 14 && held >= 40)
    );
    assert!(counts[..10].iter().all(|&(train, _)| train >= 28));
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
