//! Records as other tools write them: which fields make the prompt and the two responses.

use super::Columns;
use super::chat::{self, Said};
use super::columns::CONVERSATIONS;
use crate::error::DataError;
use crate::message::Message;
use crate::records::{Fields, Json};

/// A response with the name of its column.
type Response<'c> = (&'c str, Said);

/// The two responses, the preferred one first.
pub(super) fn responses<'c>(
    fields: &Fields,
    columns: &'c Columns,
) -> Result<[Response<'c>; 2], DataError> {
    let chosen = columns.find(fields, "chosen")?;
    let rejected = columns.find(fields, "rejected")?;
    match (chosen, rejected) {
        (Some(chosen), Some(rejected)) => {
            Ok([response(fields, chosen)?, response(fields, rejected)?])
        }
        (None, None) => match pair(fields)? {
            Some(pair) => Ok(pair),
            None => Err(fields.missing("chosen", "text")),
        },
        (None, Some(rejected)) => match beside(fields, rejected)? {
            Some(pair) => Ok(pair),
            None => Err(fields.missing("chosen", "text")),
        },
        (Some(_), None) => Err(fields.missing("rejected", "text")),
    }
}

fn response<'c>(fields: &Fields, name: &'c str) -> Result<Response<'c>, DataError> {
    match chat::said(fields, name)? {
        Some(said) => Ok((name, said)),
        None => Err(fields.wrong(name, "text")),
    }
}

/// The older files of LLaMA-Factory: both responses as a list in `output`.
fn pair(fields: &Fields) -> Result<Option<[Response<'static>; 2]>, DataError> {
    const OUTPUT: &str = "output";
    let Some(Json::List(items)) = fields.get(OUTPUT) else {
        return Ok(None);
    };
    let [Json::Text(chosen), Json::Text(rejected)] = &**items else {
        return Ok(None);
    };
    fields.note("the two texts of column `output` are taken for `chosen` and `rejected`");
    Ok(Some(
        [chosen, rejected].map(|text| (OUTPUT, Said::Text(text.to_string()))),
    ))
}

/// ms-swift's files: the preferred response is `response`, or the last of the `messages`, beside `rejected_response`.
fn beside<'c>(
    fields: &Fields,
    rejected_name: &'c str,
) -> Result<Option<[Response<'c>; 2]>, DataError> {
    const RESPONSE: &str = "response";
    const MESSAGES: &str = "messages";
    let rejected = response(fields, rejected_name)?;
    if fields.get(RESPONSE).is_some() {
        fields.note("column `response` is taken for `chosen`");
        return Ok(Some([response(fields, RESPONSE)?, rejected]));
    }
    let Some(Said::Chat(mut messages)) = chat::said(fields, MESSAGES)? else {
        return Ok(None);
    };
    fields.note("the last of column `messages` is taken for `chosen`");
    let chosen = messages.clone();
    if let (Some(last), (name, Said::Text(text))) = (messages.last_mut(), &rejected) {
        *last = Message::new(last.role(), text);
        return Ok(Some([
            (MESSAGES, Said::Chat(chosen)),
            (*name, Said::Chat(messages)),
        ]));
    }
    Ok(Some([(MESSAGES, Said::Chat(chosen)), rejected]))
}

/// The prompt, if a field holds one. Without a field of its own a conversation is one, if `conversations` may be.
pub(super) fn prompt(
    fields: &Fields,
    columns: &Columns,
    conversations: bool,
) -> Result<Option<Said>, DataError> {
    let name = match columns.find(fields, "prompt")? {
        Some(name) => name,
        None => {
            let mut others = CONVERSATIONS.into_iter();
            let found = others.find(|name| conversations && fields.get(name).is_some());
            let Some(name) = found else { return Ok(None) };
            fields.note(format!("column `{name}` is taken for `prompt`"));
            name
        }
    };
    let said = chat::said(fields, name)?;
    match said {
        Some(Said::Text(text)) if name != "prompt" && columns.prompt.is_none() => {
            turns(fields, name, text).map(Some)
        }
        other => Ok(other),
    }
}

/// A question with what Alpaca and its kin put beside it: `input`, `system` and `history`.
fn turns(fields: &Fields, name: &str, question: String) -> Result<Said, DataError> {
    let beside = |column: &str| -> Result<Option<String>, DataError> {
        let text = fields.optional_text(column)?;
        Ok(text.filter(|text| !text.trim().is_empty()))
    };
    let mut text = question;
    if name == "instruction"
        && let Some(input) = beside("input")?
    {
        fields.note("column `input` follows `instruction` on a line of its own");
        text = format!("{text}\n{input}");
    }
    let mut messages = Vec::new();
    if let Some(system) = beside("system")? {
        fields.note("column `system` is the system message");
        messages.push(Message::new("system", system));
    }
    if let Some(Json::List(rounds)) = fields.get("history") {
        for round in rounds {
            let Json::List(round) = round else {
                return Err(fields.wrong("history", HISTORY));
            };
            let [Json::Text(asked), Json::Text(answered)] = &**round else {
                return Err(fields.wrong("history", HISTORY));
            };
            messages.push(Message::new("user", asked.as_ref()));
            messages.push(Message::new("assistant", answered.as_ref()));
        }
    }
    if messages.is_empty() {
        return Ok(Said::Text(text));
    }
    messages.push(Message::new("user", text));
    Ok(Said::Chat(messages))
}

const HISTORY: &str = "a list of pairs of texts, question and answer";
