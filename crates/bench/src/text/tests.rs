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
