//! What the generator promises.

use std::collections::{BTreeMap, HashSet};

use super::*;

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap()
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Training and test rows together.
fn all() -> Vec<Value> {
    records(SEED).concat()
}

#[test]
fn no_question_is_in_both_files_and_none_stands_twice() {
    let [train, test] = records(SEED);
    let questions = |rows: &[Value]| -> Vec<String> {
        let of_ada = rows.iter().filter(|row| row["user"] == "ada");
        of_ada
            .map(|row| text(row, "prompt").to_lowercase())
            .collect()
    };
    let (train, test) = (questions(&train), questions(&test));
    assert_eq!((train.len(), test.len()), (104, 26));
    let distinct: HashSet<&String> = train.iter().chain(&test).collect();
    assert_eq!(distinct.len(), 130);
}

#[test]
fn every_user_judges_every_question_once() {
    let mut judged: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in all() {
        let users = judged.entry(text(&row, "prompt").into()).or_default();
        users.push(text(&row, "user").into());
    }
    assert!(judged.values().all(|users| users == &USERS), "{judged:?}");
}

#[test]
fn thumbs_are_of_training_questions_and_half_of_each_user_s_are_up() {
    let [train, _] = records(SEED);
    let known: HashSet<&str> = train.iter().map(|row| text(row, "prompt")).collect();
    let thumbs = thumbs(SEED);
    assert_eq!(thumbs.len(), train.len());
    for user in USERS {
        let of_user: Vec<&Value> = thumbs.iter().filter(|row| row["user"] == user).collect();
        let asked: HashSet<&str> = of_user.iter().map(|row| text(row, "prompt")).collect();
        assert_eq!(asked, known);
        let up = of_user.iter().filter(|row| row["label"] == true).count();
        assert!((42..=62).contains(&up), "{user}: {up}");
    }
    // What ada likes is short, and of what she does not like nothing is.
    for row in thumbs.iter().filter(|row| row["user"] == "ada") {
        let short = words(text(row, "completion")) <= 7;
        assert_eq!(row["label"] == true, short, "{row}");
    }
}

/// The wishes show in the texts, by rules that the generator does not use.
#[test]
fn answers_show_what_their_users_want() {
    for row in all() {
        let (chosen, rejected) = (text(&row, "chosen"), text(&row, "rejected"));
        let is_friendly = |text: &str| text.contains('!') && text.contains('\'');
        let is_formal = |text: &str| text.contains("advisable") || text.contains("recommended");
        match text(&row, "user") {
            "ada" => assert!(words(chosen) <= 7 && words(chosen) < words(rejected)),
            "ben" => assert!(words(chosen) >= 35 && words(chosen) > words(rejected)),
            "chen" => assert!(is_formal(chosen) && !is_formal(rejected), "{rejected}"),
            _ => assert!(is_friendly(chosen) && !is_friendly(rejected), "{rejected}"),
        }
    }
}

#[test]
fn each_user_meets_all_three_other_kinds() {
    let mut rejected: BTreeMap<String, HashSet<usize>> = BTreeMap::new();
    for rows in all().chunks(USERS.len()) {
        let kinds: Vec<&str> = rows.iter().map(|row| text(row, "chosen")).collect();
        for row in rows {
            let kind = kinds.iter().position(|kind| *kind == text(row, "rejected"));
            let met = rejected.entry(text(row, "user").into()).or_default();
            met.extend(kind);
        }
    }
    assert!(
        rejected.values().all(|kinds| kinds.len() == 3),
        "{rejected:?}"
    );
}

#[test]
fn no_mark_is_left_and_no_formal_answer_has_a_contraction() {
    for row in all() {
        for key in ["chosen", "rejected"] {
            assert!(!text(&row, key).contains(['{', '}']), "{row}");
        }
        if row["user"] == "chen" {
            assert!(!text(&row, "chosen").contains('\''), "{row}");
        }
    }
}
