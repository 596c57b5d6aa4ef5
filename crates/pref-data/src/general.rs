//! The general layout: `prompt`, `chosen`, `rejected`, `user` and some optional columns, from JSON, CSV or Parquet.
//!
//! | column | holds |
//! |---|---|
//! | `prompt` | text, or a list of `{role, content}`; may be absent if `chosen` and `rejected` are lists that begin alike |
//! | `chosen`, `rejected` | text, or a list of messages whose last one, the assistant's, is the response |
//! | `user` | text, an integer, or null |
//! | `user_text` | text or null |
//! | `source` | what splits keep together: text, an integer, or null (then a hash of the prompt) |
//! | `tools` | a list of functions for the chat template, or the same as JSON in a text |
//! | `chat_template_kwargs` | an object of further variables for the chat template, or the same as JSON in a text |
//! | `group` | text or null |
//!
//! Other columns are ignored. In CSV and Parquet a list of messages may also stand as JSON in a text cell. A record whose
//! two responses are equal says nothing; it is left out and counted, strict or lenient.

mod chat;

use std::path::Path;

use serde_json::{Map, Value};

use crate::comparison::{Comparison, Prompt, UserId};
use crate::error::DataError;
use crate::hash::text_hash;
use crate::message::TemplateInputs;
use crate::reader::{Decoded, ReadOptions, Reader};
use crate::records::{Fields, Format, Json};

/// The reason under which records with two equal responses are counted.
pub(crate) const EQUAL_RESPONSES: &str = "chosen and rejected are equal";

/// Streams comparisons from files and folders, one after the other; formats may be mixed.
///
/// # Errors
/// [`DataError`] if no file is found or an ending is unknown; the iterator yields what goes wrong later.
pub fn read<P: AsRef<Path>>(
    paths: &[P],
    options: ReadOptions,
) -> Result<Reader<Comparison>, DataError> {
    Reader::open(paths, &Format::ALL, options, decode)
}

fn decode(fields: &Fields) -> Result<Decoded<Comparison>, DataError> {
    let (prompt, chosen, rejected) = texts(fields)?;
    if chosen == rejected {
        return Ok(Decoded::Skip(EQUAL_RESPONSES));
    }
    let source = fields.optional_name("source")?;
    Ok(Decoded::Keep(Comparison {
        user: fields.optional_name("user")?.map(UserId::new),
        user_text: fields.optional_text("user_text")?,
        source: source.unwrap_or_else(|| source_of(&prompt)),
        prompt,
        template: template_inputs(fields)?,
        chosen,
        rejected,
        group: fields.optional_text("group")?,
    }))
}

fn texts(fields: &Fields) -> Result<(Prompt, String, String), DataError> {
    let is_list = |name| matches!(fields.get(name), Some(Json::List(_)));
    match (is_list("chosen"), is_list("rejected")) {
        (true, true) => chat::split_prompt(fields),
        (true, false) => Err(fields.wrong("rejected", "a list of messages, as in `chosen`")),
        (false, true) => Err(fields.wrong("chosen", "a list of messages, as in `rejected`")),
        (false, false) => Ok((
            prompt(fields)?,
            fields.text("chosen")?,
            fields.text("rejected")?,
        )),
    }
}

fn prompt(fields: &Fields) -> Result<Prompt, DataError> {
    match fields.get("prompt") {
        Some(Json::Text(text)) => Ok(Prompt::Text(text.to_string())),
        Some(Json::List(_)) => Ok(Prompt::Chat(chat::messages(fields, "prompt")?)),
        _ => Err(fields.wrong("prompt", "text or a list of messages")),
    }
}

/// What the record holds for the chat template.
fn template_inputs(fields: &Fields) -> Result<TemplateInputs, DataError> {
    let wrong = |name, expected| Err(fields.wrong(name, expected));
    let tools = match fields.json_value("tools") {
        None | Some(Value::Null) => None,
        Some(tools @ Value::Array(_)) => Some(tools),
        Some(_) => return wrong("tools", "a list of functions, or a JSON list in a text"),
    };
    let chat_template_kwargs = match fields.json_value("chat_template_kwargs") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(variables)) => variables,
        Some(_) => {
            return wrong(
                "chat_template_kwargs",
                "an object, or a JSON object in a text",
            );
        }
    };
    Ok(TemplateInputs {
        tools,
        chat_template_kwargs,
    })
}

/// The default source: a hash of the prompt, so that equal prompts stay on one side of a split.
pub fn source_of(prompt: &Prompt) -> String {
    format!("prompt-{:016x}", text_hash(&prompt.texts()))
}
