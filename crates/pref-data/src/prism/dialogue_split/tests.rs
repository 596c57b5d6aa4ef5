//! Seen and unseen users, training and test dialogues: by hand, by property, and at the size of the real data.
#![allow(clippy::print_stdout)]

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;

type Pairs = Vec<(UserId, String)>;

fn split(pairs: &Pairs, options: &SplitOptions) -> Result<DialogueSplit, SplitError> {
    split_dialogues(pairs.iter().map(|(user, id)| (user, id.as_str())), options)
}

/// Users with so many dialogues.
fn users(counts: &[usize]) -> Pairs {
    let mut pairs = Pairs::new();
    for (user, &count) in counts.iter().enumerate() {
        for dialogue in 0..count {
            pairs.push((
                UserId::new(format!("u{user}")),
                format!("u{user}-{dialogue}"),
            ));
        }
    }
    pairs
}

/// What must hold of every split with the paper's shares.
fn check(pairs: &Pairs, split: &DialogueSplit, options: &SplitOptions) {
    let mut by_user: BTreeMap<&UserId, BTreeSet<&str>> = BTreeMap::new();
    for (user, dialogue) in pairs {
        by_user.entry(user).or_default().insert(dialogue);
    }
    assert!(split.seen.is_disjoint(&split.unseen));
    assert_eq!(split.seen.len() + split.unseen.len(), by_user.len());
    assert!(split.seen.len() <= by_user.len() * 9 / 10);
    let (mut train, mut validation) = (0, 0);
    for (user, dialogues) in by_user {
        let of = |part| {
            dialogues
                .iter()
                .filter(|id| split.parts[**id] == part)
                .count()
        };
        let not_test = of(Part::Train) + of(Part::Validation);
        if split.seen.contains(user) {
            assert!(dialogues.len() >= 2);
            assert_eq!(not_test, (dialogues.len() * 9 / 10).max(1));
            assert!(of(Part::Train) >= 1 && of(Part::Test) >= 1);
            assert!(of(Part::Validation) == 0 || of(Part::Train) >= 2);
        } else {
            assert_eq!(of(Part::Test), dialogues.len());
        }
        train += not_test;
        validation += of(Part::Validation);
    }
    assert!(validation <= (options.validation_share * train as f64).round() as usize);
}

#[test]
fn dialogues_are_rounded_down_but_one_is_trained_on() {
    let pairs = users(&[2, 3, 10, 11, 20, 19]);
    let options = SplitOptions {
        seen_share: 1.0,
        validation_share: 0.0,
        ..SplitOptions::default()
    };
    let split = split(&pairs, &options).unwrap();
    assert!(split.unseen.is_empty());
    let train = |user: usize| {
        let prefix = format!("u{user}-");
        let parts = split.parts.iter();
        parts
            .filter(|(id, part)| id.starts_with(&prefix) && **part == Part::Train)
            .count()
    };
    assert_eq!([0, 1, 2, 3, 4, 5].map(train), [1, 2, 9, 9, 18, 17]);
}

#[test]
fn users_with_one_dialogue_are_unseen_even_among_the_first() {
    let counts: Vec<usize> = (0..40)
        .map(|user| if user % 2 == 0 { 1 } else { 4 })
        .collect();
    let split = split(&users(&counts), &SplitOptions::default()).unwrap();
    assert!(split.seen.len() <= 20 && split.seen.len() >= 16);
    assert!(split.seen.iter().all(|user| {
        let number: usize = user.as_str()[1..].parse().unwrap();
        number % 2 == 1
    }));
}

#[test]
fn order_and_repetition_of_pairs_have_no_influence_but_the_seed_has() {
    let mut pairs = users(&[5; 30]);
    let options = SplitOptions::default();
    let first = split(&pairs, &options).unwrap();
    pairs.reverse();
    pairs.extend(pairs.clone());
    assert_eq!(split(&pairs, &options).unwrap(), first);
    let other = SplitOptions { seed: 1, ..options };
    assert_ne!(split(&pairs, &other).unwrap().seen, first.seen);
}

#[test]
fn impossible_wishes_are_errors() {
    let pairs = users(&[5; 4]);
    for (name, options) in [
        (
            "seen_share",
            SplitOptions {
                seen_share: 1.1,
                ..SplitOptions::default()
            },
        ),
        (
            "train_share",
            SplitOptions {
                train_share: -0.1,
                ..SplitOptions::default()
            },
        ),
        (
            "validation_share",
            SplitOptions {
                validation_share: f64::NAN,
                ..SplitOptions::default()
            },
        ),
    ] {
        let error = split(&pairs, &options).unwrap_err();
        assert!(matches!(error, SplitError::Share { name: found, .. } if found == name));
    }
    let error = split(&users(&[1; 5]), &SplitOptions::default());
    assert_eq!(error, Err(SplitError::NoSeenUser { users: 5 }));
    let mut shared = users(&[2, 2]);
    shared.push((UserId::new("u1"), "u0-0".into()));
    let error = split(&shared, &SplitOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "dialogue `u0-0`: found the users `u0` and `u1`, expected one"
    );
}

/// User and conversation of every line of the real tables.
fn real(name: &str) -> Option<Pairs> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/prism_meta");
    if !folder.exists() {
        println!("skipped: the real tables are not here");
        return None;
    }
    let text = fs::read_to_string(folder.join(name)).unwrap();
    let pair = |line: &str| {
        let mut cells = line.split(',');
        let (dialogue, user) = (cells.next().unwrap(), cells.next().unwrap());
        (UserId::new(user), dialogue.to_owned())
    };
    Some(text.lines().skip(1).map(pair).collect())
}

#[test]
fn real_tables_of_1396_users_and_8011_conversations_are_split_as_in_the_paper() {
    let Some(responses) = real("local_clusters_model_response_0-05.csv") else {
        return;
    };
    let prompts = real("local_clusters_opening_prompt_0-05.csv").unwrap();
    assert_eq!((responses.len(), prompts.len()), (68_371, 8_011));
    for seed in 0..5 {
        let options = SplitOptions {
            seed,
            ..SplitOptions::default()
        };
        let found = split(&responses, &options).unwrap();
        assert_eq!(found, split(&prompts, &options).unwrap());
        assert_eq!(found.parts.len(), 8_011);
        assert_eq!(found.seen.len() + found.unseen.len(), 1_396);
        check(&responses, &found, &options);
        // 1,256 less those with a single dialogue.
        assert!(
            (1_200..=1_256).contains(&found.seen.len()),
            "{}",
            found.seen.len()
        );
        let count = |part| found.parts.values().filter(|one| **one == part).count();
        let (train, validation) = (count(Part::Train), count(Part::Validation));
        assert_eq!(
            validation,
            ((train + validation) as f64 * 0.1).round() as usize
        );
        println!(
            "seed {seed}: {} seen, {train} train, {validation} validation, {} test",
            found.seen.len(),
            count(Part::Test)
        );
    }
}

proptest! {
    #[test]
    fn every_split_keeps_its_promises(
        counts in prop::collection::vec(1usize..24, 1..40),
        seed in any::<u64>(),
        validation_share in 0.0..=1.0,
    ) {
        let pairs = users(&counts);
        let options = SplitOptions { seed, validation_share, ..SplitOptions::default() };
        match split(&pairs, &options) {
            Ok(found) => check(&pairs, &found, &options),
            Err(error) => {
                let expected = SplitError::NoSeenUser { users: counts.len() };
                prop_assert_eq!(error, expected);
            }
        }
    }
}
