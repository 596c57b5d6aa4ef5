//! P-SOUPS: finding files, finding and removing the preference text, counts, and both splits.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use pref_data::psoups::{ProfileId, PsoupsData, PsoupsOptions, PsoupsRow, SplitBy};
use pref_data::{DataError, Prompt, ReadOptions, Skipped, SplitError, SplitOrigin, SplitRatios};
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

const WISH: &str = "Please rhyme. Do it well.";

fn row(input: impl Into<String>, a: impl Into<String>, b: impl Into<String>) -> PsoupsRow {
    PsoupsRow {
        user_input: input.into(),
        completion_a: a.into(),
        completion_b: b.into(),
    }
}

/// `count` different instructions with the wish behind them.
fn plain(count: usize) -> Vec<PsoupsRow> {
    (0..count)
        .map(|n| row(format!("Ask {n}? {WISH}"), format!("a{n}"), format!("b{n}")))
        .collect()
}

fn prepare(rows: Vec<PsoupsRow>, options: &PsoupsOptions) -> Result<PsoupsData, DataError> {
    PsoupsData::prepare(vec![(ProfileId::P2B, rows)], Skipped::default(), options)
}

fn all(data: &PsoupsData) -> Vec<pref_data::Comparison> {
    let split = &data.split;
    [&split.train, &split.validation, &split.test]
        .into_iter()
        .flatten()
        .cloned()
        .collect()
}

#[test]
fn a_row_becomes_a_comparison_of_its_profiles_user() {
    let data = prepare(plain(10), &PsoupsOptions::default()).unwrap();
    assert_eq!(data.profiles()[0].id, "P2B");
    assert_eq!(data.profiles()[0].user.as_str(), "4");
    assert_eq!(data.profiles()[0].preference.as_deref(), Some(WISH));
    let mut items = all(&data);
    items.sort_by(|a, b| a.source.cmp(&b.source));
    let first = &items[0];
    assert_eq!(first.user.as_ref().unwrap().as_str(), "4");
    assert_eq!(first.group.as_deref(), Some("P2B"));
    assert_eq!(first.prompt, Prompt::Text("Ask 0?".into()));
    assert_eq!(first.source, "Ask 0?");
    assert_eq!(
        (first.chosen.as_str(), first.rejected.as_str()),
        ("a0", "b0")
    );
    assert_eq!(first.user_text, None);
}

#[test]
fn every_row_is_counted_under_its_reason() {
    let mut rows = plain(10);
    rows.push(row(format!("Ask 3? {WISH}"), "same", "same"));
    rows.push(rows[2].clone());
    rows.push(row("Ask 1? please rhyme - do it WELL", "a", "b"));
    rows.push(row(WISH, "a", "b"));
    rows.push(row(format!("Ask 5? {WISH}"), "x".repeat(50), "b"));
    // 6 characters of the instruction and 50 of the longer completion.
    let options = PsoupsOptions {
        max_characters: Some(55),
        ..PsoupsOptions::default()
    };
    let data = prepare(rows, &options).unwrap();
    for reason in [
        "completion_a and completion_b are equal",
        "same instruction and completions as an earlier row of the profile",
        "instruction still contains the preference text in another spelling",
        "no instruction beside the preference text",
        "instruction and response have too many characters",
    ] {
        assert_eq!(data.skipped.count(reason), 1, "{reason}");
    }
    let stats = data.stats();
    let counts = &stats.per_profile[0];
    assert_eq!((counts.read, counts.kept), (15, 10));
    assert_eq!((counts.equal, counts.duplicates, counts.leaking), (1, 1, 1));
    assert_eq!((counts.blank, counts.too_long), (1, 1));
    assert_eq!((counts.train, counts.validation, counts.test), (7, 1, 2));
    let table = stats.to_string();
    let line = "P2B              15          1          1          1          1          1         10          7          1          2";
    assert!(table.contains(line), "{table}");
    assert!(table.contains("P1A: no file"), "{table}");
    assert!(table.contains(WISH), "{table}");
}

#[test]
fn the_limit_is_inclusive() {
    let options = PsoupsOptions {
        max_characters: Some(56),
        ..PsoupsOptions::default()
    };
    let mut rows = plain(9);
    rows.push(row(format!("Ask 9? {WISH}"), "é".repeat(50), "b"));
    assert_eq!(prepare(rows, &options).unwrap().skipped.total(), 0);
}

#[test]
fn leaking_rows_can_be_kept_and_are_counted_all_the_same() {
    let mut rows = plain(10);
    rows.push(row("Ask 1? Please rhyme! Do it well.", "a", "b"));
    let options = PsoupsOptions {
        keep_leaking: true,
        ..PsoupsOptions::default()
    };
    let data = prepare(rows, &options).unwrap();
    assert_eq!(data.stats().per_profile[0].leaking, 1);
    assert_eq!(data.stats().per_profile[0].kept, 11);
    assert!(data.skipped.is_empty());
}

#[test]
fn a_given_text_is_taken_instead_of_the_one_found() {
    let rows: Vec<PsoupsRow> = (0..6)
        .map(|n| row(format!("Be nice, {n}"), format!("a{n}"), "b"))
        .collect();
    let found = prepare(rows.clone(), &PsoupsOptions::default()).unwrap();
    assert_eq!(found.profiles()[0].preference, None);
    assert!(
        found.stats().to_string().contains("(none"),
        "{}",
        found.stats()
    );
    let options = PsoupsOptions {
        preferences: BTreeMap::from([(ProfileId::P2B, "Be nice,".to_owned())]),
        ..PsoupsOptions::default()
    };
    let given = prepare(rows, &options).unwrap();
    let sources: HashSet<String> = all(&given).into_iter().map(|item| item.source).collect();
    assert_eq!(sources, (0..6).map(|n| n.to_string()).collect());
}

/// Files of all six profiles that share their instructions.
fn six(instructions: usize) -> Vec<(ProfileId, Vec<PsoupsRow>)> {
    let of = |profile: ProfileId| {
        let wish = format!("Answer as user {} wants.", profile.user());
        let one = |n| row(format!("Ask {n}? {wish}"), format!("{profile} {n}"), "b");
        (profile, (0..instructions).map(one).collect())
    };
    ProfileId::ALL.map(of).to_vec()
}

#[test]
fn no_instruction_is_on_two_sides_across_profiles() {
    let data = PsoupsData::prepare(six(20), Skipped::default(), &PsoupsOptions::default()).unwrap();
    data.split.validate_disjoint().unwrap();
    assert_eq!(data.split.origin, SplitOrigin::ByInstruction);
    // 14, 2 and 4 of 20 instructions, each with six users.
    let sides = [&data.split.train, &data.split.validation, &data.split.test].map(Vec::len);
    assert_eq!(sides, [84, 12, 24]);
    let stats = data.stats();
    assert_eq!(
        (stats.instructions, stats.shared_instructions),
        ([14, 2, 4], 0)
    );
    for counts in &stats.per_profile {
        assert_eq!((counts.train, counts.validation, counts.test), (14, 2, 4));
    }
    let train: HashSet<&str> = data.split.train.iter().map(|item| &*item.source).collect();
    assert!(
        data.split
            .test
            .iter()
            .all(|item| !train.contains(&*item.source))
    );
}

#[test]
fn another_seed_gives_another_split_and_the_same_seed_the_same() {
    let split = |split_seed| {
        let options = PsoupsOptions {
            split_seed,
            ..PsoupsOptions::default()
        };
        PsoupsData::prepare(six(20), Skipped::default(), &options)
            .unwrap()
            .split
    };
    assert_eq!(split(1), split(1));
    assert_ne!(split(1).test, split(2).test);
}

#[test]
fn the_released_split_is_by_row_nine_to_one_and_shares_instructions() {
    let data =
        PsoupsData::prepare(six(20), Skipped::default(), &PsoupsOptions::released()).unwrap();
    assert_eq!(data.split.origin, SplitOrigin::ByRow);
    let sides = [&data.split.train, &data.split.validation, &data.split.test].map(Vec::len);
    assert_eq!(sides, [108, 0, 12]);
    let different: HashSet<_> = all(&data).into_iter().collect();
    assert_eq!(different.len(), 120);
    let stats = data.stats();
    let [train, validation, test] = stats.instructions;
    assert_eq!((train, validation), (20, 0));
    assert_eq!(stats.shared_instructions, test, "every one of them leaks");
    assert!(data.split.validate_disjoint().is_err());
}

#[test]
fn held_out_rows_are_rounded_up_and_shared_by_validation_and_test() {
    let options = PsoupsOptions {
        split_by: SplitBy::Row,
        ratios: SplitRatios {
            train: 0.8,
            validation: 0.1,
            test: 0.1,
        },
        ..PsoupsOptions::default()
    };
    let split = prepare(plain(11), &options).unwrap().split;
    assert_eq!(
        [split.train, split.validation, split.test].map(|side| side.len()),
        [8, 2, 1]
    );
    let large = PsoupsOptions {
        split_seed: 1 << 32,
        ..options
    };
    let error = prepare(plain(11), &large).unwrap_err();
    assert!(
        matches!(error, DataError::Split(SplitError::Seed { .. })),
        "{error}"
    );
}

/// The row in the official layout.
fn text(row: &PsoupsRow) -> String {
    json!({
        "user_input": row.user_input,
        "completion_a": row.completion_a,
        "completion_b": row.completion_b,
    })
    .to_string()
}

/// The rows of all six profiles, before, between and after these marks.
fn write_six(folder: &Path, [open, between, close]: [&str; 3]) {
    fs::create_dir_all(folder).unwrap();
    for (profile, rows) in six(20) {
        let rows: Vec<String> = rows.iter().map(text).collect();
        let path = folder.join(format!("{profile}.json"));
        fs::write(path, format!("{open}{}{close}", rows.join(between))).unwrap();
    }
}

const ARRAY: [&str; 3] = ["[\n", ",\n", "\n]\n"];
const LINES: [&str; 3] = ["", "\n", "\n"];

fn load(path: &Path) -> Result<PsoupsData, DataError> {
    PsoupsData::load(&[path], &PsoupsOptions::default())
}

#[test]
fn the_unpacked_archive_its_inner_folder_and_single_files_are_found() {
    let folder = TempDir::new().unwrap();
    let inner = folder.path().join("data/rm_training");
    write_six(&inner, ARRAY);
    fs::write(inner.join("notes.txt"), "no data").unwrap();
    fs::write(inner.join("other.json"), "[]").unwrap();
    for path in [
        folder.path().to_path_buf(),
        folder.path().join("data"),
        inner.clone(),
    ] {
        let data = load(&path).unwrap();
        let users: Vec<&str> = data
            .profiles()
            .iter()
            .map(|one| one.user.as_str())
            .collect();
        assert_eq!(users, ["1", "2", "3", "4", "5", "6"]);
    }
    let files = [inner.join("P3A.json"), inner.join("P1B.json")];
    let data = PsoupsData::load(&files, &PsoupsOptions::default()).unwrap();
    let ids: Vec<&str> = data.profiles().iter().map(|profile| profile.id).collect();
    assert_eq!(ids, ["P1B", "P3A"]);
}

#[test]
fn arrays_and_lines_give_the_same_data() {
    let folder = TempDir::new().unwrap();
    let [arrays, lines] = ["arrays", "lines"].map(|name| folder.path().join(name));
    write_six(&arrays, ARRAY);
    write_six(&lines, LINES);
    assert_eq!(load(&arrays).unwrap().split, load(&lines).unwrap().split);
}

#[test]
fn archives_other_names_and_empty_folders_are_errors_that_say_what_is_wanted() {
    let folder = TempDir::new().unwrap();
    let zip = folder.path().join("data.zip");
    fs::write(&zip, "PK").unwrap();
    let message = |path: &Path| load(path).unwrap_err().to_string();
    assert!(
        message(&zip).contains("unpack it first"),
        "{}",
        message(&zip)
    );
    assert!(message(folder.path()).contains("P1A.json"));
    let other = folder.path().join("P9.json");
    fs::write(&other, "[]").unwrap();
    assert!(message(&other).contains("P9.json: ") || message(&other).contains("P1A.json"));
    assert!(message(&folder.path().join("absent")).contains("absent"));
    assert!(PsoupsData::load::<&Path>(&[], &PsoupsOptions::default()).is_err());
    let empty = folder.path().join("P1A.json");
    fs::write(&empty, "[]").unwrap();
    let error = load(&empty).unwrap_err();
    assert!(matches!(&error, DataError::Empty { .. }), "{error}");
    assert!(error.to_string().contains("P1A.json"), "{error}");
}

#[test]
fn a_broken_row_names_file_line_item_and_field_or_is_counted() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("P1A.json");
    let good = |n| text(&row(format!("Ask {n}?"), "a", "b"));
    let bad = r#"{"user_input":"x","completion_a":null,"completion_b":"b"}"#;
    fs::write(
        &path,
        format!("[{},\n{bad},{}, {}]", good(1), good(2), good(3)),
    )
    .unwrap();
    let error = load(&path).unwrap_err();
    let expected = format!(
        "{}:2: item 2, field `completion_a`: expected text, found null",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
    let options = PsoupsOptions {
        read: ReadOptions { lenient: true },
        ..PsoupsOptions::default()
    };
    let data = PsoupsData::load(&[&path], &options).unwrap();
    assert_eq!((all(&data).len(), data.skipped.total()), (3, 1));
}

proptest! {
    #[test]
    fn the_split_by_instruction_never_leaks(
        picks in prop::collection::vec((0usize..6, 0usize..12, 0usize..4, 0usize..4), 20..120),
        split_seed in any::<u64>(),
    ) {
        let mut files: BTreeMap<ProfileId, Vec<PsoupsRow>> = BTreeMap::new();
        for (profile, ask, a, b) in picks {
            let profile = ProfileId::ALL[profile];
            let input = format!("Ask {ask}? Answer as user {} wants.", profile.user());
            files.entry(profile).or_default().push(row(input, format!("{a}"), format!("{b}")));
        }
        let read: usize = files.values().map(Vec::len).sum();
        let options = PsoupsOptions { split_seed, ..PsoupsOptions::default() };
        match PsoupsData::prepare(files.into_iter().collect(), Skipped::default(), &options) {
            Ok(data) => {
                data.split.validate_disjoint().unwrap();
                let items = all(&data);
                prop_assert_eq!(items.len() as u64 + data.skipped.total(), read as u64);
                prop_assert_eq!(data.stats().shared_instructions, 0);
                let total = data.stats().total();
                prop_assert_eq!(total.kept, items.len());
                prop_assert_eq!(total.train + total.validation + total.test, total.kept);
            }
            Err(error) => prop_assert!(matches!(error, DataError::Split(_) | DataError::Empty { .. }), "{error}"),
        }
    }

    #[test]
    fn the_split_by_row_keeps_every_row_once(count in 1usize..60, split_seed in 0u64..1000) {
        let options = PsoupsOptions { split_seed, ..PsoupsOptions::released() };
        let data = prepare(plain(count), &options).unwrap();
        prop_assert_eq!(data.split.test.len(), count.div_ceil(10));
        let different: HashSet<String> = all(&data).into_iter().map(|item| item.source).collect();
        prop_assert_eq!(different.len(), count);
    }
}
