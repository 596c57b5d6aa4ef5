use super::*;
use crate::tests::{case, results, right, system, with_users, wrote};

const USERS: [(&str, &str); 4] = [
    ("1", "minority"),
    ("2", "minority"),
    ("3", "majority"),
    ("4", "majority"),
];

/// E1 where the minority's two workers get responses of so many words, and the majority's of 20.
fn e1_of(minority: &[usize]) -> Claim {
    e1_of_both(minority, &[20; 6])
}

fn e1_of_both(minority: &[usize], majority: &[usize]) -> Claim {
    let words = [
        ("1", minority),
        ("2", minority),
        ("3", majority),
        ("4", majority),
    ];
    let seeds = [with_users(
        &USERS,
        &[],
        &[("pdpo-individual", wrote(&words))],
    )];
    let results = Results { seeds: &seeds };
    let texts = texts::gather(&results);
    e1(
        &results,
        &texts,
        &[system("sft"), system("pdpo-individual")],
    )
}

#[test]
fn e1_holds_in_the_direction_down_to_two_words_and_a_fifth() {
    let claim = e1_of(&[1, 1, 2, 2, 1, 2]);
    assert_eq!(claim.verdict(), "holds in the direction", "{}", claim.text);
    assert_eq!(claim.findings[0].value, 1.5);
    assert_eq!(claim.findings[1].value, 0.075);
    assert_eq!(e1_of(&[3, 4, 3, 5, 4, 3]).holds, Some(false));
    // Two words are more than a fifth of six.
    assert_eq!(e1_of_both(&[2; 6], &[6; 6]).holds, Some(false));
    // The median of 1, 1, 1, 9, 9, 9 may be anything.
    let open = e1_of(&[1, 1, 1, 9, 9, 9]);
    assert_eq!((open.holds, open.verdict().as_str()), (None, "undecided"));
    assert!(open.text.contains("undecided"), "{}", open.text);
}

#[test]
fn e1_holds_as_in_the_paper_where_most_responses_are_empty() {
    let claim = e1_of(&[0, 0, 0, 0, 0, 0]);
    assert_eq!(claim.verdict(), "holds as in the paper", "{}", claim.text);
    // Half are empty: surely in the direction, perhaps as in the paper.
    let claim = e1_of(&[0, 0, 0, 1, 1, 1]);
    assert_eq!(claim.verdict(), "holds in the direction", "{}", claim.text);
    // A majority that gets nothing either is no sign of anything.
    assert_eq!(e1_of_both(&[0; 6], &[0; 6]).holds, Some(false));
}

#[test]
fn e1_needs_both_groups() {
    let seeds = [with_users(
        &USERS,
        &[],
        &[("pdpo-individual", wrote(&[("1", &[1, 2])]))],
    )];
    let results = Results { seeds: &seeds };
    let texts = texts::gather(&results);
    let claim = e1(&results, &texts, &[system("pdpo-individual")]);
    assert_eq!(claim.verdict(), "not measured");
}

/// E2 on so many unseen workers with ten comparisons each; vanilla DPO is right on the first 6 of each, and P-DPO on as many from the
/// place `from` on.
fn e2_of(workers: usize, from: usize, count: usize) -> Claim {
    let users: Vec<String> = (0..workers).map(|worker| format!("w{worker}")).collect();
    let cases: Vec<_> = users
        .iter()
        .flat_map(|user| (0..10).map(|_| case(user, false)))
        .collect();
    let correct = |from: usize, count: usize| -> Vec<bool> {
        (0..10 * workers)
            .map(|i| (from..from + count).contains(&(i % 10)))
            .collect()
    };
    let systems = [
        (VANILLA, right(&correct(0, 6))),
        ("pdpo-cluster", right(&correct(from, count))),
    ];
    let seeds = [results(&cases, &systems)];
    e2(
        &Results { seeds: &seeds },
        &[system(VANILLA), system("pdpo-cluster")],
    )
}

#[test]
fn e2_is_a_test_of_equivalence() {
    // The same comparisons: no difference at all.
    let same = e2_of(8, 0, 6);
    assert_eq!((same.holds, same.findings[0].value), (Some(true), 0.0));
    assert_eq!((same.findings[0].low, same.findings[0].high), (0.0, 0.0));
    // As many, but others: eight of ten answers differ, so the difference of 80 comparisons is known to 0.2 and more.
    let others = e2_of(8, 4, 6);
    assert_eq!(
        (others.holds, others.findings[0].value),
        (None, 0.0),
        "{}",
        others.text
    );
    // Three of ten fewer with every worker.
    let worse = e2_of(20, 0, 3);
    assert_eq!(worse.holds, Some(false), "{}", worse.text);
    assert!((worse.findings[0].value + 0.3).abs() < 1e-12);
}

#[test]
fn the_generic_users_words_are_compared_prompt_by_prompt() {
    let of = |ours: &[usize]| {
        let systems = [
            (VANILLA, wrote(&[("", &[10, 20, 30, 20])])),
            ("pdpo-cluster", wrote(&[("", ours)])),
        ];
        let seeds = [results(&[], &systems)];
        let texts = texts::gather(&Results { seeds: &seeds });
        e2_words(&texts, &[system(VANILLA), system("pdpo-cluster")])
    };
    let longer = of(&[11, 22, 33, 22]);
    assert_eq!(longer.holds, Some(true));
    // A tenth more to every prompt: whichever prompts are drawn, the ratio is the same.
    let finding = &longer.findings[0];
    assert!((finding.low - 1.1).abs() < 1e-9 && (finding.high - 1.1).abs() < 1e-9);
    assert_eq!(of(&[20, 40, 60, 40]).holds, Some(false));
    assert_eq!(of(&[30, 10, 20, 20]).holds, None);
}
