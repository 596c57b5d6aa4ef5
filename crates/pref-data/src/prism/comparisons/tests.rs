//! From turns to comparisons.

use super::*;
use crate::comparison::UserId;

fn turn(message: &str, responses: &[(&str, bool)]) -> Turn {
    let responses = responses.iter().map(|&(text, chosen)| Response {
        text: text.into(),
        model: "m".into(),
        score: 50,
        chosen,
    });
    Turn {
        message: Some(message.into()),
        responses: responses.collect(),
    }
}

fn dialogue(turns: Vec<Turn>) -> Dialogue {
    Dialogue {
        id: "c1".into(),
        user: UserId::new("user1"),
        turns,
    }
}

fn made(turns: Vec<Turn>, options: ComparisonOptions) -> (Vec<Comparison>, Skipped) {
    let mut skipped = Skipped::default();
    let made = dialogue(turns).comparisons(Some("text"), options, &mut skipped);
    (made, skipped)
}

fn pairs(comparisons: &[Comparison]) -> Vec<(&str, &str)> {
    comparisons
        .iter()
        .map(|one| (one.chosen.as_str(), one.rejected.as_str()))
        .collect()
}

/// The messages as `role: content`.
fn messages(prompt: &Prompt) -> Vec<String> {
    match prompt {
        Prompt::Text(text) => vec![text.clone()],
        Prompt::Chat(messages) => messages
            .iter()
            .map(|message| format!("{}: {}", message.role(), message.content()))
            .collect(),
    }
}

#[test]
fn every_rejected_response_gives_a_pair_with_the_history_before_it() {
    let turns = vec![
        turn("q1", &[("a", false), ("b", true), ("c", false)]),
        turn("q2", &[("d", true), ("e", false)]),
    ];
    let (all, skipped) = made(turns.clone(), ComparisonOptions::default());
    assert_eq!(pairs(&all), [("b", "a"), ("b", "c"), ("d", "e")]);
    assert_eq!(messages(&all[1].prompt), ["user: q1"]);
    assert_eq!(
        messages(&all[2].prompt),
        ["user: q1", "assistant: b", "user: q2"]
    );
    assert_eq!(all[0].user, Some(UserId::new("user1")));
    assert_eq!(all[0].user_text.as_deref(), Some("text"));
    assert_eq!((all[0].source.as_str(), &all[0].group), ("c1", &None));
    assert!(skipped.is_empty());
    let options = ComparisonOptions {
        rejected: Rejected::First,
        ..ComparisonOptions::default()
    };
    assert_eq!(pairs(&made(turns, options).0), [("b", "a"), ("d", "e")]);
}

#[test]
fn odd_turns_are_counted_and_give_no_comparison() {
    let good = turn("q", &[("y", true), ("n", false)]);
    let nothing = Turn {
        message: None,
        ..good.clone()
    };
    // The odd turn, its pairs, the reasons, and whether it is part of the history.
    let cases = [
        (nothing, vec![], vec![NO_MESSAGE], false),
        (
            turn("EMPTY STRING", &[("a", true), ("b", false)]),
            vec![],
            vec![NO_MESSAGE],
            false,
        ),
        (
            turn("o", &[("a", false), ("b", false)]),
            vec![],
            vec![NO_CHOSEN],
            false,
        ),
        (turn("o", &[]), vec![], vec![NO_CHOSEN], false),
        (
            turn("o", &[("EMPTY STRING", true), ("b", false)]),
            vec![],
            vec![EMPTY_CHOSEN],
            false,
        ),
        (turn("o", &[("a", true)]), vec![], vec![NO_REJECTED], true),
        (
            turn("o", &[("a", true), ("EMPTY STRING", false), ("b", false)]),
            vec![("a", "b")],
            vec![EMPTY_REJECTED],
            true,
        ),
        (
            turn("o", &[("a", true), ("a", true)]),
            vec![],
            vec![NO_REJECTED, SECOND_CHOSEN],
            true,
        ),
        (
            turn("o", &[("a", true), ("b", true), ("c", false), ("b", false)]),
            vec![("a", "c")],
            vec![EQUAL_TEXTS, SECOND_CHOSEN],
            true,
        ),
        (
            turn("o", &[("a", false), ("a", true), ("b", false)]),
            vec![("a", "b")],
            vec![EQUAL_TEXTS],
            true,
        ),
    ];
    for (odd, expected, reasons, in_history) in cases {
        let (all, skipped) = made(vec![odd, good.clone()], ComparisonOptions::default());
        let (last, before) = all.split_last().unwrap();
        assert_eq!(pairs(before), expected);
        let mut reasons = reasons.clone();
        reasons.sort_unstable();
        assert_eq!(skipped.reasons(), reasons);
        let history: &[&str] = if in_history {
            &["user: o", "assistant: a", "user: q"]
        } else {
            &["user: q"]
        };
        assert_eq!(messages(&last.prompt), history);
    }
}

#[test]
fn released_limits_cut_old_exchanges_and_leave_long_pairs_out() {
    let long = |n: usize| "x".repeat(n);
    let first = turn("q1", &[(&long(700), true), ("b", false)]);
    let second = turn("q2", &[(&long(690), true), ("e", false)]);
    let third = turn("q3", &[("f", true), ("g", false), (&long(1800), false)]);
    let released = ComparisonOptions {
        released_limits: true,
        ..ComparisonOptions::default()
    };
    let turns = vec![first, second, third];
    // The history of turn 3 is 702 + 692 characters; with the four of the user's text 1398 of 1400.
    let (all, skipped) = made(turns.clone(), released);
    assert_eq!(all.len(), 3);
    assert_eq!(messages(&all[2].prompt).len(), 5);
    assert_eq!(skipped.count(TOO_LONG), 1);
    let mut longer = turns.clone();
    longer[0].message = Some("q1 and".into());
    let (all, _) = made(longer, released);
    assert_eq!(
        messages(&all[2].prompt),
        [
            "user: q2".to_owned(),
            format!("assistant: {}", long(690)),
            "user: q3".to_owned()
        ]
    );
    let (all, skipped) = made(turns, ComparisonOptions::default());
    assert_eq!((all.len(), skipped.total()), (4, 0));
    let hopeless = turn("q", &[("f", true), (&long(2300), false)]);
    let (all, skipped) = made(vec![hopeless], released);
    assert_eq!((all.len(), skipped.count(TOO_LONG)), (0, 1));
}
