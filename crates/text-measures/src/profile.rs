//! What measures of the texts that a reader chose say of the reader, in a sentence.

use crate::{GRADE, Measure, WARMTH, WORDS};

/// A measure, and what somebody wants who prefers more of it, and less.
const WISHES: [(Measure, [&str; 2]); 3] = [
    (WORDS, ["long", "short"]),
    (GRADE, ["expert", "simple"]),
    (WARMTH, ["warm", "sober"]),
];
/// Of the answers whose texts differ in a measure, at least so large a share goes one way, or the measure is left out.
const CLEAR: f64 = 0.75;

/// A sentence, such as `The user likes short, simple responses of about 6 words.`, of answers: the text that the reader liked, and the one
/// that the reader liked less. Of a text judged alone the other one is `None`. The number is the median of the words of what was liked;
/// `None` where nothing was.
pub fn profile(answers: &[[Option<&str>; 2]]) -> Option<String> {
    let liked = answers.iter().filter_map(|[liked, _]| *liked);
    let words = liked.filter_map(WORDS.value).collect();
    let words = statistics::median(words)?;
    let wishes = WISHES.iter().filter_map(|(measure, [more, less])| {
        let share = share_of_more(answers, measure)?;
        let clear = share.max(1.0 - share) >= CLEAR;
        clear.then_some(if share > 0.5 { *more } else { *less })
    });
    let wishes: Vec<&str> = wishes.chain(["responses"]).collect();
    let wishes = wishes.join(", ").replace(", responses", " responses");
    Some(format!(
        "The user likes {wishes} of about {words:.0} words."
    ))
}

/// Of the answers whose texts differ in a measure, those whose liked text has more of it.
fn share_of_more(answers: &[[Option<&str>; 2]], measure: &Measure) -> Option<f64> {
    let more = answers.iter().filter_map(|&[liked, other]| {
        let (liked, other) = ((measure.value)(liked?)?, (measure.value)(other?)?);
        (liked != other).then(|| f64::from(u8::from(liked > other)))
    });
    statistics::mean(&more.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_says_what_most_answers_agree_in() {
        let answers = [
            ["Go home now.", "You should all go to your homes!"],
            ["Dogs bark.", "A dog is one that barks!"],
            ["Cats sit here now.", "They all sit!"],
            ["I am one.", "I am, and you are!"],
        ];
        // 3, 2, 4 and 3 words; the third is the longer one; no marks and no "you" in any that was liked.
        let found = profile(&answers.map(|pair| pair.map(Some))).unwrap();
        assert!(
            found.contains("short") && found.contains("sober"),
            "{found}"
        );
        assert!(found.ends_with("responses of about 3 words."), "{found}");
        assert_eq!(profile(&[]), None);
    }

    #[test]
    fn of_texts_judged_alone_only_the_length_of_what_was_liked_is_known() {
        let answers = [
            [Some("One two three."), None],
            [Some("One."), None],
            [None, Some("No.")],
        ];
        let found = profile(&answers);
        let expected = "The user likes responses of about 2 words.";
        assert_eq!(found.as_deref(), Some(expected));
        assert_eq!(profile(&answers[2..]), None);
    }
}
