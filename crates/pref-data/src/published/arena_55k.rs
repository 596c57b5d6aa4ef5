//! `lmsys/lmsys-arena-human-preference-55k`: votes without voters. `prompt`, `response_a` and `response_b` are lists of texts, one a
//! round, as JSON in a text; one of `winner_model_a`, `winner_model_b` and `winner_tie` is 1.

use super::{Json, Judged, vote};
use crate::error::DataError;
use crate::general::{Verdict, listed};
use crate::message::Message;
use crate::records::Fields;

pub(super) const FIELDS: &[&str] = &[
    "prompt",
    "response_a",
    "response_b",
    "winner_model_a",
    "winner_model_b",
    "winner_tie",
];

pub(super) fn decode(fields: &Fields) -> Result<Judged, DataError> {
    const NO_ANSWER: &str = "a round without a question or an answer";
    let verdict = winner(fields)?;
    let [prompts, first, second] = [
        texts(fields, "prompt")?,
        texts(fields, "response_a")?,
        texts(fields, "response_b")?,
    ];
    let rounds = prompts.len();
    for (name, answers) in [("response_a", &first), ("response_b", &second)] {
        if answers.len() != rounds || rounds == 0 {
            let found = format!("a list of {}", answers.len());
            let expected = format!("as many as in `prompt`, {rounds}, and not none");
            return Err(fields.error(name, found, &expected));
        }
    }
    let conversation = |answers: &[Option<String>]| {
        let rounds = prompts.iter().zip(answers);
        let rounds = rounds.map(|(asked, answered)| {
            let asked = Message::new("user", asked.as_ref()?);
            Some([asked, Message::new("assistant", answered.as_ref()?)])
        });
        let rounds: Option<Vec<_>> = rounds.collect();
        rounds.map(|rounds| rounds.concat())
    };
    match (conversation(&first), conversation(&second)) {
        (Some(first), Some(second)) => vote(fields, None, [first, second], verdict),
        _ => {
            let mut judged = Judged::new(fields);
            judged.left_out.push(NO_ANSWER);
            Ok(judged)
        }
    }
}

fn winner(fields: &Fields) -> Result<Verdict, DataError> {
    let is_one = |name| match fields.whole(name)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(fields.wrong(name, "0 or 1")),
    };
    match (
        is_one("winner_model_a")?,
        is_one("winner_model_b")?,
        is_one("winner_tie")?,
    ) {
        (true, false, false) => Ok(Verdict::First),
        (false, true, false) => Ok(Verdict::Second),
        (false, false, true) => Ok(Verdict::Tie),
        _ => {
            let found = "none or several of the three".into();
            let expected = "1 in one of `winner_model_a`, `winner_model_b` and `winner_tie`";
            Err(fields.error("winner_model_a", found, expected))
        }
    }
}

/// The texts of a list; none for null.
fn texts(fields: &Fields, name: &str) -> Result<Vec<Option<String>>, DataError> {
    const EXPECTED: &str = "a list of texts, or the same as JSON in a text";
    let Some(items) = listed(fields, name) else {
        return Err(fields.wrong(name, EXPECTED));
    };
    let text = |item: &Json| match item {
        Json::Null => Ok(None),
        Json::Text(text) => Ok(Some(text.to_string())),
        _ => Err(fields.wrong(name, EXPECTED)),
    };
    items.iter().map(text).collect()
}
