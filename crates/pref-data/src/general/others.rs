//! Records as other tools write them: which fields make the prompt and the two responses.

use super::Columns;
use super::cell;
use super::chat::{self, Said};
use super::choice;
use super::columns::CONVERSATIONS;
use crate::comparison::Prompt;
use crate::error::DataError;
use crate::message::Message;
use crate::records::{Fields, Json, Object};

/// A response with the name of its column.
type Response<'c> = (&'c str, Said);

/// The two responses, the preferred one first; none if none is preferred.
pub(super) fn responses<'c>(
    fields: &'c Fields,
    columns: &'c Columns,
) -> Result<Option<[Response<'c>; 2]>, DataError> {
    // Beside `response_a` and `response_b` a column of such a name says which is preferred.
    let chosen = columns.look(fields, "chosen")?;
    let rejected = columns.find(fields, "rejected")?;
    match (chosen, rejected) {
        (Some(chosen), Some(rejected)) => {
            columns.note(fields, "chosen", chosen);
            let pair = [response(fields, chosen)?, response(fields, rejected)?];
            Ok(Some(pair))
        }
        (None, None) => match pair(fields)? {
            Some(pair) => Ok(Some(pair)),
            None => side_by_side(fields, "chosen"),
        },
        (None, Some(rejected)) => match beside(fields, rejected)? {
            Some(pair) => Ok(Some(pair)),
            None => Err(fields.missing("chosen", "text")),
        },
        (Some(_), None) => side_by_side(fields, "rejected"),
    }
}

/// Responses of which another column says which is preferred.
fn side_by_side<'c>(
    fields: &'c Fields,
    missing: &str,
) -> Result<Option<[Response<'c>; 2]>, DataError> {
    match choice::pair(fields)? {
        Some((verdict, pair)) => Ok(verdict.order(pair)),
        None => Err(fields.missing(missing, "text")),
    }
}

fn response<'c>(fields: &Fields, name: &'c str) -> Result<Response<'c>, DataError> {
    let said = match chat::said(fields, name)? {
        Some(Said::Text(text)) if choice::is_response(&text) && fields.contains(&text) => {
            fields.note(format!("`{name}` names the column that holds the response"));
            chat::said(fields, &text)?
        }
        said => said,
    };
    match said {
        Some(said) => Ok((name, said)),
        None => Err(fields.wrong(name, "text")),
    }
}

/// Whether both responses stand in one list.
pub(super) fn has_pair(fields: &Fields) -> bool {
    matches!(fields.get("output"), Some(Json::List(_)))
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
            let found = found.or_else(|| chat_in_input(fields).map(|_| INPUT));
            let Some(name) = found else { return Ok(None) };
            fields.note(format!("column `{name}` is taken for `prompt`"));
            name
        }
    };
    let Some(said) = chat::said(fields, name)? else {
        return Ok(None);
    };
    with_input(fields, columns, name, said).map(Some)
}

const INPUT: &str = "input";

/// The object in `input` that holds `messages`, and perhaps `tools`, in OpenAI's files of preferences.
pub(super) fn chat_in_input<'f>(fields: &'f Fields<'_>) -> Option<&'f Object<'f>> {
    match fields.get(INPUT)? {
        Json::Object(input) if matches!(input.get("messages"), Some(Json::List(_))) => Some(input),
        _ => None,
    }
}

/// The question with Alpaca's `input` below it. A column `prompt` is whole; what is not used is noted.
fn with_input(
    fields: &Fields,
    columns: &Columns,
    name: &str,
    said: Said,
) -> Result<Said, DataError> {
    if name == INPUT || columns.is_mapped(INPUT) {
        return Ok(said);
    }
    let own = name == "prompt" && columns.prompt.is_none();
    match said {
        Said::Text(text) if !own => match text_beside(fields, columns, INPUT)? {
            Some(input) if !text.contains(input.trim()) => {
                fields.note(format!(
                    "column `input` follows `{name}` on a line of its own"
                ));
                Ok(Said::Text(format!("{text}\n{input}")))
            }
            _ => Ok(Said::Text(text)),
        },
        said => {
            let input = match fields.get(INPUT) {
                Some(Json::Text(text)) => text.trim(),
                _ => "",
            };
            let is_said = match &said {
                Said::Text(text) => text.contains(input),
                Said::Chat(messages) => messages.iter().any(|one| one.content().contains(input)),
            };
            if !is_said {
                fields.note(format!("column `input` beside `{name}` is not used"));
            }
            Ok(said)
        }
    }
}

/// The text of a column beside the prompt, unless it is blank or the configuration names it for something else.
fn text_beside(
    fields: &Fields,
    columns: &Columns,
    name: &str,
) -> Result<Option<String>, DataError> {
    if columns.is_mapped(name) {
        return Ok(None);
    }
    let text = fields.optional_text(name)?;
    Ok(text.filter(|text| !text.trim().is_empty()))
}

/// A conversation without its last turn where that is one of the responses. Another last word of the assistant is noted.
pub(super) fn without_answer(
    fields: &Fields,
    prompt: Prompt,
    responses: [&str; 2],
) -> Result<Prompt, DataError> {
    let Prompt::Chat(mut messages) = prompt else {
        return Ok(prompt);
    };
    if let Some(last) = messages.pop_if(|last| last.role() == "assistant") {
        let said = last.content();
        if responses.iter().any(|text| text.trim() == said.trim()) {
            fields.note("the prompt ends in one of the responses, which is left off");
        } else {
            fields.note("the prompt ends in what the assistant says, before the responses");
            messages.push(last);
        }
    }
    if messages.is_empty() {
        let expected = "a message before the responses";
        return Err(fields.error("prompt", "a response alone".into(), expected));
    }
    Ok(Prompt::Chat(messages))
}

/// A prompt behind what Alpaca and its kin put beside it: `system` and `history`.
pub(super) fn with_beside(
    fields: &Fields,
    columns: &Columns,
    prompt: Prompt,
) -> Result<Prompt, DataError> {
    let system = text_beside(fields, columns, "system")?;
    let history = match columns.is_mapped(HISTORY) {
        true => Vec::new(),
        false => history(fields)?,
    };
    if system.is_none() && history.is_empty() {
        return Ok(prompt);
    }
    let dialogue = prompt.dialogue();
    let mut messages = match prompt {
        Prompt::Chat(messages) => messages,
        Prompt::Text(text) => dialogue.unwrap_or_else(|| vec![Message::new("user", text)]),
    };
    let has_system = messages.first().is_some_and(|one| one.role() == "system");
    let at = usize::from(has_system);
    if messages[at..].starts_with(&history) {
        // The prompt says it already.
    } else {
        fields.note("column `history` comes before the question");
        messages.splice(at..at, history);
    }
    if let Some(system) = system {
        if !has_system {
            fields.note("column `system` is the system message");
            messages.insert(0, Message::new("system", system));
        } else if messages[0].content().trim() != system.trim() {
            fields.note("column `system` is not used: the messages have another system message");
        }
    }
    Ok(Prompt::Chat(messages))
}

const HISTORY: &str = "history";
const ROUNDS: &str = "a list of pairs of texts, question and answer, or of messages";

/// The turns before the question: pairs of texts or messages, in a list or as text in JSON or Python's notation.
fn history(fields: &Fields) -> Result<Vec<Message>, DataError> {
    let value = match fields.get(HISTORY) {
        None => return Ok(Vec::new()),
        Some(Json::Text(text)) if text.trim().is_empty() => return Ok(Vec::new()),
        Some(Json::Text(text)) => match cell::value(text.trim()) {
            Some((value, _)) => value,
            None => return Err(fields.wrong(HISTORY, ROUNDS)),
        },
        Some(value) => value.clone(),
    };
    let Json::List(rounds) = value else {
        return Err(fields.wrong(HISTORY, ROUNDS));
    };
    if matches!(rounds.first(), Some(Json::Object(_))) {
        return chat::messages(fields, HISTORY, &rounds);
    }
    let mut messages = Vec::new();
    for round in &rounds {
        let Json::List(round) = round else {
            return Err(fields.wrong(HISTORY, ROUNDS));
        };
        let [Json::Text(asked), Json::Text(answered)] = &**round else {
            return Err(fields.wrong(HISTORY, ROUNDS));
        };
        messages.push(Message::new("user", asked.as_ref()));
        messages.push(Message::new("assistant", answered.as_ref()));
    }
    Ok(messages)
}
