use super::*;
use crate::tests::comparison;
use crate::tests::{results, right, system};

#[test]
fn a_pair_is_disputed_where_workers_chose_differently() {
    let comparisons = [
        comparison("a", "p", ["x", "y"]),
        comparison("b", "p", ["y", "x"]),
        comparison("a", "q", ["x", "y"]),
        comparison("b", "q", ["x", "y"]),
        comparison("a", "q", ["x", "z"]),
        // Twice by the same worker says nothing of others.
        comparison("a", "r", ["x", "y"]),
        comparison("a", "r", ["y", "x"]),
    ];
    let found = disputed(&comparisons);
    let of = |comparison: &Comparison| found.get(&pair(comparison)).copied();
    let expected = [
        Some(true),
        Some(true),
        Some(false),
        Some(false),
        None,
        None,
        None,
    ];
    assert_eq!(comparisons.each_ref().map(of), expected);
}

#[test]
fn workers_keep_to_the_length_that_they_chose_in_training() {
    let users = Users::from([("a".into(), String::new()), ("b".into(), String::new())]);
    let longer = |user: &str| comparison(user, "p", ["long", "s"]);
    let shorter = |user: &str| comparison(user, "p", ["s", "long"]);
    let train = [longer("a"), longer("a"), shorter("a"), shorter("b")];
    // The worker `z` is unknown: three of the four chose so, and a tie counts as longer.
    let test = [longer("a"), shorter("a"), shorter("b"), shorter("z")];
    let found = own_length(&train, &test, &users);
    assert_eq!(found.top, Some(2.0 / 3.0));
    assert_eq!(found.generic, Some(0.0));
    // Neither length is chosen: no rule of length is right.
    let tie = [comparison("b", "p", ["aa", "bb"])];
    assert_eq!(own_length(&train, &tie, &users).top, Some(0.0));
}

#[test]
fn seen_unseen_disputed_and_agreed_comparisons_are_counted_apart() {
    let case = |user: &str, seen, disputed| Case {
        disputed,
        ..crate::tests::case(user, seen)
    };
    let cases = [
        case("a", true, None),
        case("a", true, Some(true)),
        case("b", true, Some(true)),
        case("b", true, Some(false)),
        case("b", true, Some(false)),
        case("z", false, Some(true)),
        case("z", false, None),
    ];
    let vanilla = right(&[true, true, false, true, true, true, true]);
    let mut alone = right(&[true, true, true, true, true, false, false]);
    let rewards = alone.rewards.as_mut().unwrap();
    rewards[5] = None;
    rewards[6] = None;
    let seeds = [results(
        &cases,
        &[(VANILLA, vanilla), ("lora-per-worker", alone)],
    )];
    let results = Results { seeds: &seeds };
    let systems = [system(VANILLA), system("lora-per-worker")];
    let [found, difference] = &tables(&results, &systems)[..] else {
        panic!("two tables");
    };
    let row = |row: &[String]| -> Vec<String> {
        let cells = row[1..5].iter();
        let point = |cell: &String| cell.split(" [").next().unwrap().to_owned();
        cells.map(point).collect()
    };
    let dash = MISSING.to_owned();
    assert_eq!(
        row(&found.rows[0]),
        ["5: 80 %", "2: 100 %", "2: 50 %", "2: 100 %"]
    );
    assert_eq!(
        row(&found.rows[1]),
        ["5: 100 %", &dash, "2: 100 %", "2: 100 %"]
    );
    // No unseen worker's comparison has both scores: the column is not there.
    assert_eq!(difference.columns.len(), 4);
    assert!(
        difference.rows[0][1].starts_with("+20.0 points"),
        "{difference:?}"
    );

    let one = tables(&results, &systems[..1]);
    assert_eq!(one.len(), 1, "nothing to compare vanilla DPO with");
}
