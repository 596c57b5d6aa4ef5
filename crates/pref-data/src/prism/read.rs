//! From JSON to what is used of the records of the three files.

use std::collections::BTreeMap;
use std::path::Path;

use super::dialogue::{Dialogue, Response, Turn, Utterance};
use super::survey::{Preference, PreferenceNumbers, Survey};
use crate::comparison::UserId;
use crate::error::DataError;
use crate::reader::{Decoded, ReadOptions, Reader};
use crate::records::{Fields, Format, describe};

/// Streams the dialogues of `conversations.jsonl` (or the same records as a JSON array).
///
/// # Errors
/// [`DataError`] if no file is found; the iterator yields what goes wrong later.
pub fn read_dialogues<P: AsRef<Path>>(
    paths: &[P],
    options: ReadOptions,
) -> Result<Reader<Dialogue>, DataError> {
    Reader::open(paths, &[Format::Json], options, dialogue)
}

/// Streams `survey.jsonl` in the same way.
pub(super) fn read_survey<P: AsRef<Path>>(
    paths: &[P],
    options: ReadOptions,
) -> Result<Reader<Survey>, DataError> {
    Reader::open(paths, &[Format::Json], options, survey)
}

/// Streams `utterances.jsonl` in the same way.
pub(super) fn read_utterances<P: AsRef<Path>>(
    paths: &[P],
    options: ReadOptions,
) -> Result<Reader<Utterance>, DataError> {
    Reader::open(paths, &[Format::Json], options, utterance)
}

fn survey(fields: &Fields) -> Result<Decoded<Survey>, DataError> {
    Ok(Decoded::Keep(Survey {
        user_id: UserId::new(fields.name("user_id")?),
        survey_only: fields.flag("survey_only")?,
        num_completed_conversations: fields.whole("num_completed_conversations")?,
        self_description: fields.text("self_description")?,
        system_string: fields.text("system_string")?,
        age: fields.text("age")?,
        gender: fields.text("gender")?,
        employment_status: fields.text("employment_status")?,
        education: fields.text("education")?,
        marital_status: fields.text("marital_status")?,
        english_proficiency: fields.text("english_proficiency")?,
        stated_prefs: preference_numbers(&fields.object("stated_prefs")?)?,
        order_stated_prefs: preference_numbers(&fields.object("order_stated_prefs")?)?,
    }))
}

fn preference_numbers(fields: &Fields) -> Result<PreferenceNumbers, DataError> {
    let mut numbers = PreferenceNumbers::default();
    for (number, preference) in numbers.iter_mut().zip(Preference::ALL) {
        *number = fields.whole(preference.name())?;
    }
    Ok(numbers)
}

/// Of several messages of the user in one turn the first counts.
fn dialogue(fields: &Fields) -> Result<Decoded<Dialogue>, DataError> {
    const HISTORY: &str = "conversation_history";
    let mut turns: BTreeMap<i64, Turn> = BTreeMap::new();
    for (index, value) in fields.list(HISTORY)?.iter().enumerate() {
        let item = fields.item(HISTORY, index, value)?;
        let turn = turns.entry(item.whole("turn")?).or_default();
        let content = item.text("content")?;
        match item.text("role")?.as_str() {
            "user" => {
                turn.message.get_or_insert(content);
            }
            "model" => turn.responses.push(Response {
                text: content,
                model: item.text("model_name")?,
                score: item.whole("score")?,
                chosen: item.flag("if_chosen")?,
            }),
            _ => return Err(item.error("role", describe(item.get("role")), "`user` or `model`")),
        }
    }
    Ok(Decoded::Keep(Dialogue {
        id: fields.name("conversation_id")?,
        user: UserId::new(fields.name("user_id")?),
        turns: turns.into_values().collect(),
    }))
}

fn utterance(fields: &Fields) -> Result<Decoded<Utterance>, DataError> {
    Ok(Decoded::Keep(Utterance {
        conversation: fields.name("conversation_id")?,
        user: UserId::new(fields.name("user_id")?),
        turn: fields.whole("turn")?,
        place: fields.whole("within_turn_id")?,
        message: fields.text("user_prompt")?,
        response: Response {
            text: fields.text("model_response")?,
            model: fields.text("model_name")?,
            score: fields.whole("score")?,
            chosen: fields.flag("if_chosen")?,
        },
    }))
}
