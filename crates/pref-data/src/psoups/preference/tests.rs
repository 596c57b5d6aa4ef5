//! The preference text: found in the data, removed exactly, its other spellings noticed.

use proptest::prelude::*;

use super::{find, remove, still_contains};

const WISH: &str = "Please rhyme. Do it well.";

fn found(instructions: &[String]) -> Option<String> {
    find(instructions.iter().map(String::as_str))
}

fn with_each(count: usize, form: impl Fn(usize) -> String) -> Vec<String> {
    (0..count).map(form).collect()
}

#[test]
fn the_common_ending_is_found_whatever_the_instructions_end_with() {
    for end in ["?", ".", "", "!", ":"] {
        let inputs = with_each(10, |n| format!("Ask about {n}{end} {WISH}"));
        assert_eq!(found(&inputs).as_deref(), Some(WISH), "{end:?}");
    }
}

#[test]
fn the_common_opening_is_found_up_to_its_sentences_end() {
    let inputs = with_each(10, |n| format!("{WISH} What is {n}?"));
    assert_eq!(found(&inputs).as_deref(), Some(WISH));
    let inputs = with_each(10, |n| format!("In verse please: name {n}"));
    assert_eq!(found(&inputs).as_deref(), Some("In verse please:"));
}

#[test]
fn a_word_that_instructions_share_before_the_text_does_not_belong_to_it() {
    let inputs = with_each(10, |n| format!("What is number {n} for us? {WISH}"));
    // `for us?` ends all instructions: it begins in the middle of a sentence.
    assert_eq!(found(&inputs).as_deref(), Some(WISH));
    let inputs = with_each(10, |n| format!("Name {n}. please rhyme now. be short."));
    assert_eq!(
        found(&inputs).as_deref(),
        Some("please rhyme now. be short.")
    );
}

#[test]
fn white_space_does_not_count() {
    let gaps = [" ", "\n", "\n\n", "  ", "\t"];
    let inputs = with_each(10, |n| format!("Ask {n}?{}{WISH}\n", gaps[n % 5]));
    assert_eq!(found(&inputs).as_deref(), Some(WISH));
    for input in &inputs {
        assert!(!remove(input, WISH).contains("rhyme"));
        assert!(remove(input, WISH).ends_with('?'));
    }
}

#[test]
fn six_of_ten_are_enough_and_fewer_are_not() {
    let share = |with: usize| {
        found(&with_each(10, |n| {
            if n < with {
                format!("Ask {n}? {WISH}")
            } else {
                format!("Ask word{n}")
            }
        }))
    };
    assert_eq!(share(6).as_deref(), Some(WISH));
    assert_eq!(share(5), None);
}

#[test]
fn repeated_instructions_count_once_and_few_show_no_pattern() {
    let mut inputs = vec![format!("The same? {WISH}"); 50];
    assert_eq!(found(&inputs), None);
    inputs.extend(with_each(4, |n| format!("Ask {n}? {WISH}")));
    assert_eq!(found(&inputs).as_deref(), Some(WISH));
    assert_eq!(found(&[]), None);
}

#[test]
fn two_words_are_no_wish() {
    assert_eq!(
        found(&with_each(10, |n| format!("Ask {n}? Please rhyme."))),
        None
    );
}

#[test]
fn removing_leaves_the_rest_as_it_was() {
    for (input, rest) in [
        ("Ask  twice? Please rhyme. Do it well.", "Ask  twice?"),
        ("Please rhyme. Do it well. Ask?", "Ask?"),
        ("Ask. Please rhyme.\nDo it  well. Now!", "Ask. Now!"),
        ("Ask?Please rhyme. Do it well.", "Ask?"),
        ("Please rhyme. Do it well. Please rhyme. Do it well.", ""),
        ("  Ask?  ", "Ask?"),
        (
            "Ask? please rhyme. Do it well.",
            "Ask? please rhyme. Do it well.",
        ),
        (
            "Ask? Please rhyme. Do it well.!",
            "Ask? Please rhyme. Do it well.!",
        ),
    ] {
        assert_eq!(remove(input, WISH), rest, "{input}");
    }
    assert_eq!(remove("Ask?", ""), "Ask?");
}

#[test]
fn other_case_and_punctuation_are_noticed_other_words_are_not() {
    for input in [
        "Ask? please rhyme, do it WELL",
        "Ask? Please rhyme. Do it well.!",
        "please  rhyme do\nit well: ask?",
    ] {
        assert!(still_contains(input, WISH), "{input}");
    }
    for input in [
        "Ask? Please rhyme. Do it.",
        "Pleaserhyme doit well",
        "",
        "Ask?",
    ] {
        assert!(!still_contains(input, WISH), "{input}");
    }
    assert!(still_contains("Ask? dont shout now", "Don't shout now."));
    assert!(!still_contains("Ask?", "..."));
}

proptest! {
    #[test]
    fn a_text_behind_random_instructions_is_found_and_removed(
        asks in prop::collection::hash_set("[a-z]{1,6}( [a-z]{1,6}){0,4}[.?!]", 8..20),
        wish in "[A-Z][a-z]{1,7}( [a-z]{1,7}){2,9}[.!]",
    ) {
        let asks: Vec<String> = asks.into_iter().collect();
        let inputs: Vec<String> = asks.iter().map(|ask| format!("{ask} {wish}")).collect();
        // Instructions may share their last word by chance, which still ends a sentence before the wish.
        if let Some(text) = found(&inputs) {
            prop_assert!(text.ends_with(&wish), "{text} / {wish}");
        } else {
            prop_assert!(false, "not found: {wish}");
        }
        for (input, ask) in inputs.iter().zip(&asks) {
            prop_assert_eq!(&remove(input, &wish), ask);
        }
    }

    #[test]
    fn any_texts_are_taken(texts in prop::collection::vec(".{0,40}", 0..12), wish in ".{0,20}") {
        let _found = found(&texts);
        for text in &texts {
            let rest = remove(text, &wish);
            prop_assert!(rest.len() <= text.len());
            let _leaks = still_contains(&rest, &wish);
        }
    }
}
