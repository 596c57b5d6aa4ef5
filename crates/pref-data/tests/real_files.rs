//! The two official files that can be had; skipped where they are not.
#![allow(clippy::print_stdout)]

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use pref_data::tldr::{
    self, PolicyFilter, PopulationChoice, PopulationConfig, TldrData, TldrOptions, TldrRecord,
};
use pref_data::{DataError, Layout, ReadOptions, Skipped, SplitOrigin, UserId};

fn real_data() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/tldr_comparisons");
    if !path.exists() {
        println!("skipped: the official files are not here");
        return None;
    }
    Some(path)
}

fn read(path: &Path) -> (Vec<TldrRecord>, Skipped) {
    tldr::read(&[path], ReadOptions::default())
        .unwrap()
        .read_all()
        .unwrap()
}

#[test]
fn folder_holds_1771_records_of_30_workers() {
    let Some(folder) = real_data() else { return };
    let (records, skipped) = read(&folder);
    assert_eq!(records.len(), 1771);
    assert!(skipped.is_empty());
    let workers: HashSet<&str> = records
        .iter()
        .map(|record| record.worker.as_str())
        .collect();
    assert_eq!(workers.len(), 30);
    assert!(
        records
            .iter()
            .all(|record| record.summaries[0].text.starts_with(' '))
    );
    assert_eq!(Layout::detect(&[folder]).unwrap(), Layout::Tldr);
}

#[test]
fn files_have_the_documented_counts() {
    let Some(folder) = real_data() else { return };
    for (name, count, posts, filtered) in [
        ("batch13.json", 1097, 905, 0),
        ("batch18.json", 674, 110, 335),
    ] {
        let (records, _) = read(&folder.join(name));
        assert_eq!(records.len(), count);
        let keys: HashSet<String> = records.iter().map(TldrRecord::post_key).collect();
        assert_eq!(keys.len(), posts);
        let kept = records
            .iter()
            .filter(|record| PolicyFilter::Sft.keeps(record));
        assert_eq!(kept.count(), filtered);
    }
}

#[test]
fn experiment_splits_by_post_and_finds_a_draw_with_the_wanted_share() {
    let Some(folder) = real_data() else { return };
    let options = TldrOptions {
        filter: PolicyFilter::All,
        population: PopulationChoice::DrawForShare {
            start: PopulationConfig::default(),
            low: 0.25,
            high: 0.40,
        },
        ..TldrOptions::default()
    };
    for split_seed in 0..3 {
        let data = TldrData::load(
            &[&folder],
            &TldrOptions {
                split_seed,
                ..options.clone()
            },
        )
        .unwrap();
        assert_eq!(data.split.origin, SplitOrigin::BySource);
        data.split.validate_disjoint().unwrap();
        assert!((0.25..=0.40).contains(&data.population.minority_share(&data.workers)));
        assert_eq!(
            data.workers.seen()[0].id.as_str(),
            "RMwrIV50cNusBthNvLs1wSNdqFpQAg"
        );
        assert_eq!(data.workers.seen()[0].count, 168);
        let kept = data.split.train.len() + data.split.validation.len() + data.split.test.len();
        assert_eq!(kept as u64 + data.skipped.total(), 1771);
        let ratio = data.stats().length_ratio.unwrap();
        assert!((1.2..1.5).contains(&ratio.median), "{ratio:?}");
    }
}

#[test]
fn papers_filter_leaves_335_comparisons() {
    let Some(folder) = real_data() else { return };
    let data = TldrData::load(&[folder], &TldrOptions::default()).unwrap();
    let counted: usize = data
        .workers
        .ranked()
        .iter()
        .map(|worker| worker.count)
        .sum();
    assert_eq!(counted, 335);
    let empty = TldrData::load(
        &[real_data().unwrap().join("batch13.json")],
        &TldrOptions::default(),
    );
    assert!(matches!(empty, Err(DataError::Empty { .. })));
}

/// SOURCES.md beside the files: of the workers with 30 comparisons and more, the least choose the longer summary in 45 % of theirs, the
/// most in 85 %.
#[test]
fn real_annotators_differ_in_how_much_they_like_length() {
    let Some(folder) = real_data() else { return };
    let options = TldrOptions {
        filter: PolicyFilter::All,
        population: PopulationChoice::Real,
        top_workers: 30,
        max_characters: None,
        ..TldrOptions::default()
    };
    let data = TldrData::load(&[&folder], &options).unwrap();
    let sides = [&data.split.train, &data.split.validation, &data.split.test];
    let mut by_worker: HashMap<&UserId, [usize; 2]> = HashMap::new();
    for comparison in sides.into_iter().flatten() {
        let tally = by_worker
            .entry(comparison.user.as_ref().unwrap())
            .or_default();
        let (chosen, rejected) = comparison.lengths();
        tally[0] += usize::from(chosen >= rejected);
        tally[1] += 1;
    }
    let [longer, all] = by_worker
        .values()
        .fold([0, 0], |sum, one| [sum[0] + one[0], sum[1] + one[1]]);
    assert_eq!([longer, all], [1163, 1771]);
    let shares = by_worker.values().filter(|[_, all]| *all >= 30);
    let shares: Vec<f64> = shares
        .map(|[longer, all]| *longer as f64 / *all as f64)
        .collect();
    let least = shares.iter().copied().fold(1.0, f64::min);
    let most = shares.iter().copied().fold(0.0, f64::max);
    assert_eq!(
        [least, most].map(|share| (100.0 * share).round()),
        [45.0, 85.0]
    );
}
