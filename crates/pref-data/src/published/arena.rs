//! `lmsys/chatbot_arena_conversations` and `lmsys/mt_bench_human_judgments`: who voted, for which of two conversations.
//!
//! `winner` is `model_a`, `model_b`, `tie` or `tie (bothbad)`, `judge` the annotator. `turn` is how many rounds were judged: MT-Bench
//! keeps both rounds of a conversation in every record, and judges the first one or both.

use super::{Judged, vote};
use crate::error::DataError;
use crate::general::{Said, said, verdict};
use crate::message::Message;
use crate::records::Fields;

pub(super) const FIELDS: &[&str] = &[
    "winner",
    "judge",
    "turn",
    "conversation_a",
    "conversation_b",
];

pub(super) fn decode(fields: &Fields) -> Result<Judged, DataError> {
    let verdict = verdict(fields, "winner", &["a", "b"])?;
    let judge = fields.name("judge")?;
    let rounds = match usize::try_from(fields.whole("turn")?) {
        Ok(rounds) if rounds > 0 => rounds,
        _ => return Err(fields.wrong("turn", "how many rounds were judged, from 1")),
    };
    let first = conversation(fields, "conversation_a", rounds)?;
    let second = conversation(fields, "conversation_b", rounds)?;
    vote(fields, Some(&judge), [first, second], verdict)
}

/// A conversation up to the answer of this round.
fn conversation(
    fields: &Fields,
    name: &'static str,
    rounds: usize,
) -> Result<Vec<Message>, DataError> {
    let Some(Said::Chat(mut messages)) = said(fields, name)? else {
        return Err(fields.wrong(name, "a list of messages"));
    };
    let answers = messages.iter().enumerate();
    let mut answers = answers.filter(|(_, message)| message.role() == "assistant");
    let Some((last, _)) = answers.nth(rounds - 1) else {
        let found = format!("{} messages", messages.len());
        let expected = format!("as many answers as `turn` says, {rounds}");
        return Err(fields.error(name, found, &expected));
    };
    messages.truncate(last + 1);
    Ok(messages)
}
