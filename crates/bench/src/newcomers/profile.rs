//! What measures of a user's answers say of the user, in a sentence for the prompt.

use std::collections::BTreeMap;

use trainer::pref_data::{Comparison, UserId};

use crate::text::{GRADE, Measure, WARMTH, WORDS};

/// A measure, and what somebody wants who prefers more of it, and less.
const WISHES: [(Measure, [&str; 2]); 3] = [
    (WORDS, ["long", "short"]),
    (GRADE, ["expert", "simple"]),
    (WARMTH, ["warm", "sober"]),
];
/// Of the answers whose responses differ in a measure, at least so large a share goes one way, or the measure is left out.
const CLEAR: f64 = 0.75;

/// A sentence, such as `The user likes short, simple responses of about 6 words.`; from answers alone. `None` without any.
pub fn sentence<'a>(answers: impl IntoIterator<Item = &'a Comparison>) -> Option<String> {
    let answers: Vec<&Comparison> = answers.into_iter().collect();
    let words = answers.iter().map(|answer| words(&answer.chosen)).collect();
    let words = statistics::median(words)?;
    let wishes = WISHES.iter().filter_map(|(measure, [more, less])| {
        let share = share_of_more(&answers, measure)?;
        let clear = share.max(1.0 - share) >= CLEAR;
        clear.then_some(if share > 0.5 { *more } else { *less })
    });
    let wishes: Vec<&str> = wishes.chain(["responses"]).collect();
    let wishes = wishes.join(", ").replace(", responses", " responses");
    Some(format!(
        "The user likes {wishes} of about {words:.0} words."
    ))
}

/// A sentence for everybody who judged these.
pub fn of_users(comparisons: &[Comparison]) -> BTreeMap<&UserId, String> {
    let mut answers = BTreeMap::<&UserId, Vec<&Comparison>>::new();
    for comparison in comparisons {
        if let Some(user) = &comparison.user {
            answers.entry(user).or_default().push(comparison);
        }
    }
    let users = answers.into_iter();
    users
        .filter_map(|(user, answers)| Some((user, sentence(answers)?)))
        .collect()
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

fn words(text: &str) -> f64 {
    (WORDS.value)(text).unwrap_or(0.0)
}

/// Of the answers whose responses differ in a measure, those whose preferred response has more of it.
fn share_of_more(answers: &[&Comparison], measure: &Measure) -> Option<f64> {
    let more = answers.iter().filter_map(|answer| {
        let of = |text: &str| (measure.value)(text);
        let (chosen, rejected) = (of(&answer.chosen)?, of(&answer.rejected)?);
        (chosen != rejected).then(|| f64::from(u8::from(chosen > rejected)))
    });
    statistics::mean(&more.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::comparison;

    #[test]
    fn a_sentence_says_what_most_answers_agree_in() {
        let answers = [
            comparison(
                "a",
                "p",
                ["Go home now.", "You should all go to your homes!"],
            ),
            comparison("a", "q", ["Dogs bark.", "A dog is one that barks!"]),
            comparison("a", "r", ["Cats sit here now.", "They all sit!"]),
            comparison("a", "s", ["I am one.", "I am, and you are!"]),
        ];
        // 3, 2, 4 and 3 words; the third is the longer one; no marks and no "you" in any that was preferred.
        let found = sentence(&answers).unwrap();
        assert!(
            found.contains("short") && found.contains("sober"),
            "{found}"
        );
        assert!(found.ends_with("responses of about 3 words."), "{found}");
        assert_eq!(sentence(&[]), None);
        let both = of_users(&answers);
        assert_eq!(both.values().collect::<Vec<_>>(), [&found]);
    }

    #[test]
    fn a_sentence_stands_before_what_a_user_says() {
        assert_eq!(before(None, "S."), "S.\n");
        assert_eq!(before(Some("I am 30."), "S."), "S. I am 30.");
        let plain = comparison("a", "p", ["x", "y"]);
        let behind = behind(std::slice::from_ref(&plain), "S.");
        assert_eq!(behind[0].user_text.as_deref(), Some("S.\n"));
        assert_eq!(
            (&behind[0].prompt, &behind[0].chosen),
            (&plain.prompt, &plain.chosen)
        );
    }
}
