use super::*;

#[test]
fn words_are_what_people_count() {
    assert_eq!(
        words("It's a well-known fact - really!"),
        ["It's", "a", "well-known", "fact", "really"]
    );
    assert!(words(" ... !?").is_empty());
}

#[test]
fn sentences_end_at_marks_and_lines_and_not_within_numbers() {
    assert_eq!(sentences("One. Two! Three?"), 3);
    assert_eq!(sentences("Pi is 3.14 or so. See example.com now"), 2);
    assert_eq!(sentences("He said \"stop.\" Then he left..."), 2);
    assert_eq!(sentences("- first\n- second\n\n---"), 2);
    assert_eq!(sentences(""), 0);
    assert_eq!(sentences("...!"), 0);
}

#[test]
fn the_grade_equals_the_hand_calculation() {
    // 6 words in 1 sentence, 1 syllable each: 0.39 * 6 + 11.8 - 15.59.
    let found = grade("The cat sat on the mat.").unwrap();
    assert!((found - -1.45).abs() < 1e-9, "{found}");
    // 4 words in 2 sentences, 1 + 4 + 1 + 5 syllables: 0.39 * 2 + 11.8 * 11 / 4 - 15.59.
    let found = grade("Try education. Try thermodynamics.").unwrap();
    assert!((found - 17.64).abs() < 1e-9, "{found}");
    assert_eq!(grade("?"), None);
}

#[test]
fn shares_are_per_hundred_words() {
    let text = "You really should! You're good at that, yourself!"; // 8 words
    let value = |measure: Measure| (measure.value)(text).unwrap();
    assert_eq!(value(WORDS), 8.0);
    assert_eq!(value(SENTENCES), 2.0);
    assert_eq!(value(EXCLAMATIONS), 25.0);
    assert_eq!(value(SECOND_PERSON), 37.5);
    assert_eq!(value(LONG_WORDS), 12.5); // `yourself`; `really` has six letters
    assert_eq!((EXCLAMATIONS.value)("!!!"), None);
    assert_eq!((WORDS.value)(""), Some(0.0));
}

#[test]
fn lists_hedges_and_readability_are_measured_as_by_hand() {
    let text = "Perhaps you might like it. Try!\n\n1. First item\n- second, at 3.5 km\n* \n";
    // Words: 5 + 1 + (1, First, item) + (second, at, 3, 5, km).
    assert_eq!(words(text).len(), 14);
    assert_eq!(list_items(text), 2);
    // Of the third line, `1.` is one of its own.
    assert_eq!(sentences(text), 5);
    assert_eq!(
        (hedges(text), second_person(text), long_words(text)),
        (2, 1, 1)
    );
    assert_eq!((WORDS_PER_SENTENCE.value)(text), Some(2.8));
    let exclamations = (EXCLAMATIONS.value)(text).unwrap();
    assert!((exclamations - 100.0 / 14.0).abs() < 1e-12);
    assert_eq!((QUESTIONS.value)("Is it? No."), Some(100.0 / 3.0));
    // 4 letters a word, 2 words a sentence.
    let found = readability("Make soup.").unwrap();
    assert!((found - (18.84 + 1.0 - 21.43)).abs() < 1e-12);
    assert_eq!(readability(" ... "), None);
}
