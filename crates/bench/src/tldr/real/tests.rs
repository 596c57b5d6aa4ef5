use super::*;
use trainer::pref_data::{Prompt, UserId};

fn comparison(user: &str, source: &str, [chosen, rejected]: [&str; 2]) -> Comparison {
    Comparison {
        user: Some(UserId::from(user)),
        user_text: None,
        prompt: Prompt::Text("Post.".into()),
        template: Default::default(),
        chosen: chosen.into(),
        rejected: rejected.into(),
        source: source.into(),
        place: Default::default(),
        group: None,
    }
}

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
    let expected = [
        Some(true),
        Some(true),
        Some(false),
        Some(false),
        None,
        None,
        None,
    ];
    assert_eq!(found, expected);
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
}
