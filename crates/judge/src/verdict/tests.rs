use proptest::prelude::*;

use super::*;

fn labels() -> Labels {
    Labels {
        marker: "Verdict:".into(),
        first: "Output (a)".into(),
        second: "Output (b)".into(),
        tie: "TIE".into(),
    }
}

#[test]
fn answers_are_read_as_a_person_would_read_them() {
    use Choice::{First, Second, Tie};
    for (answer, choice) in [
        ("Verdict: Output (a)", Some(First)),
        ("It is kind.\nVerdict: Output (b)\n", Some(Second)),
        ("verdict: tie.", Some(Tie)),
        ("**Verdict:** Output (a)", Some(First)),
        ("**Verdict**: `Output  (b)`", Some(Second)),
        ("Verdict:\n\n**Output (b)**\nBye", Some(Second)),
        ("Verdict: I choose Output (b)!", Some(Second)),
        // The last marker counts, also after a change of mind.
        (
            "Verdict: Output (a)\nNo.\nVerdict: Output (b)",
            Some(Second),
        ),
        ("Verdict: Output (a), wait, Verdict: TIE", Some(Tie)),
        (
            "<think>Verdict: Output (a)?</think>\nVerdict: TIE",
            Some(Tie),
        ),
        // Nothing but a label.
        ("Output (a).", Some(First)),
        (" tie\n", Some(Tie)),
        // Nothing that could be relied upon.
        ("Output (a) is better, I think.", None),
        ("Verdict: Output (a) or Output (b)", None),
        ("Verdict: Output (a)\nVerdict:", None),
        ("Verdict: Output (c)", None),
        ("Verdict: a necktie", None),
        ("Verdict: tied", None),
        ("", None),
    ] {
        assert_eq!(labels().read(answer), choice, "{answer:?}");
    }
}

#[test]
fn labels_that_cannot_be_told_apart_are_refused() {
    assert_eq!(labels().validate(), Ok(()));
    let mut same = labels();
    same.second = "**output (a)**".into();
    assert!(same.validate().unwrap_err().contains("verdict.first"));
    let mut within = labels();
    within.tie = "Output (a) and Output (b)".into();
    assert!(within.validate().is_err());
    let mut none = labels();
    none.marker = " ".into();
    assert!(none.validate().unwrap_err().contains("verdict.marker"));
}

#[test]
fn the_order_decides_whose_choice_it_is() {
    assert_eq!(Choice::First.verdict(true), Verdict::Win);
    assert_eq!(Choice::First.verdict(false), Verdict::Loss);
    assert_eq!(Choice::Second.verdict(true), Verdict::Loss);
    assert_eq!(Choice::Second.verdict(false), Verdict::Win);
    assert_eq!(Choice::Tie.verdict(false), Verdict::Tie);
}

#[test]
fn a_seeded_coin_is_fair_and_depends_on_seed_user_and_id() {
    assert_eq!(Position::Swapped.orders("u", "1"), [true, false]);
    assert_eq!(Position::default(), Position::Seeded(123));
    let tosses = |seed: u64, user: &str| -> Vec<bool> {
        let ids = (0..1000).map(|id| id.to_string());
        ids.map(|id| Position::Seeded(seed).orders(user, &id)[0])
            .collect()
    };
    let first = tosses(123, "u");
    assert_eq!(first, tosses(123, "u"));
    let heads = first.iter().filter(|&&ours| ours).count();
    assert!((440..=560).contains(&heads), "{heads}");
    for other in [tosses(124, "u"), tosses(123, "v")] {
        let same = first.iter().zip(&other).filter(|(a, b)| a == b).count();
        assert!((440..=560).contains(&same), "{same}");
    }
}

proptest! {
    #[test]
    fn any_answer_is_read_without_a_crash(answer in "(?s).{0,80}") {
        labels().read(&answer);
        labels().read(&format!("İ Verdict:{answer}"));
    }

    #[test]
    fn a_clear_verdict_is_found_behind_any_thoughts(thoughts in "(?s).{0,80}", which in 0..3_usize) {
        let (label, choice) = [
            ("Output (a)", Choice::First),
            ("Output (b)", Choice::Second),
            ("TIE", Choice::Tie),
        ][which];
        let answer = format!("{thoughts}\nVerdict: {label}");
        prop_assert_eq!(labels().read(&answer), Some(choice));
    }
}
