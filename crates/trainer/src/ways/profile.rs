//! A sentence of what measures of a user's answers agree in, which the model reads as what the user says of themselves.

use pref_data::Comparison;

/// The sentence of some answers ([`text_measures::profile`]); none where they prefer no text.
pub fn sentence<'a>(answers: impl IntoIterator<Item = &'a Comparison>) -> Option<String> {
    let answers = answers.into_iter().map(Comparison::responses);
    text_measures::profile(&answers.collect::<Vec<_>>())
}

/// Comparisons behind a sentence, which stands in front of what their users say of themselves.
pub fn behind(comparisons: &[Comparison], sentence: &str) -> Vec<Comparison> {
    let with = |comparison: &Comparison| Comparison {
        user_text: Some(before(comparison.user_text.as_deref(), sentence)),
        ..comparison.clone()
    };
    comparisons.iter().map(with).collect()
}

/// A sentence before a user's own text, which loses its end where there is too little room.
pub fn before(own: Option<&str>, sentence: &str) -> String {
    match own {
        Some(own) => format!("{sentence} {own}"),
        None => format!("{sentence}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pref_data::Thumb;
    use serde_json::json;

    fn plain() -> Comparison {
        let fields = json!({ "prompt": "p", "chosen": "x", "rejected": "y z", "source": "s" });
        serde_json::from_value(fields).expect("a comparison")
    }

    #[test]
    fn a_sentence_stands_before_what_a_user_says() {
        assert_eq!(before(None, "S."), "S.\n");
        assert_eq!(before(Some("I am 30."), "S."), "S. I am 30.");
        let plain = plain();
        let behind = behind(std::slice::from_ref(&plain), "S.");
        assert_eq!(behind[0].user_text.as_deref(), Some("S.\n"));
        assert_eq!(
            (&behind[0].prompt, &behind[0].chosen),
            (&plain.prompt, &plain.chosen)
        );
    }

    #[test]
    fn a_thumb_down_prefers_no_text() {
        assert!(sentence([&plain()]).is_some_and(|text| text.contains("short")));
        let thumb = Comparison {
            chosen: String::new(),
            thumb: Some(Thumb::Down),
            ..plain()
        };
        assert_eq!(sentence([&thumb]), None);
    }
}
