//! The general layout, from JSON, CSV, Parquet or Arrow.
//!
//! | column | holds |
//! |---|---|
//! | `prompt` | text, or a list of `{role, content}`; may be absent if `chosen` and `rejected` are lists that begin alike |
//! | `chosen`, `rejected` | text, one message, or a list of messages whose last one, the assistant's, is the response |
//! | `completion`, `label` | instead of `chosen` and `rejected`: one response (as these), and whether the user liked it ([`Thumb`]) |
//! | `user` | text, an integer, or null: nobody in particular |
//! | `user_text` | text or null |
//! | `source` | what splits keep together: text, an integer, or null (then a hash of the prompt) |
//! | `tools` | a list of functions for the chat template, or the same as JSON in a text |
//! | `chat_template_kwargs` | an object of further variables for the chat template, or the same as JSON in a text |
//! | `group` | text or null |
//!
//! Other columns are not read, which a note tells. What other tools write is read too, and said in a note: other names of columns ([`Columns`] may
//! name any), Alpaca's `instruction` and `input`, ShareGPT's `from` and `value`, HH's dialogues in one text, messages that
//! stand as JSON or in Python's notation in a text, responses that repeat the prompt, `response_a` and `response_b` beside a
//! `winner`. A record whose two responses are equal, equal but for white space at their ends, or judged a tie, says nothing; it is
//! left out and counted, strict or lenient.
//!
//! Who judged stands in `user`, or in a column of another tool's name (`user_id`, `uid`, `annotator`, `worker`, ...). A value of our
//! own column counts before all others. Where it is null, or there is none, the others count, and two that disagree are an
//! error; so null means nobody only where no column names somebody. `[data.columns]` with `user = "user"` looks at that column alone.

mod cell;
mod chat;
mod choice;
mod columns;
mod others;
mod python;
mod repeated;
mod thumb;
mod transcript;
mod unread;

use std::path::Path;

use serde_json::{Map, Value};

pub(crate) use self::cell::listed;
pub(crate) use self::chat::{Said, said};
pub(crate) use self::choice::{Verdict, verdict};
pub use self::columns::Columns;
use self::unread::Unread;
use crate::comparison::{Comparison, Prompt, Thumb, UserId};
use crate::error::DataError;
use crate::hash::text_hash;
use crate::message::TemplateInputs;
use crate::reader::{Decoded, ReadOptions, Reader};
use crate::records::{DataFile, Fields, Format, Found, list};

/// The reason under which records with two equal responses are counted.
pub(crate) const EQUAL_RESPONSES: &str = "chosen and rejected are equal";
/// The reason under which records are counted in which no response is preferred.
pub(crate) const TIE: &str = "a tie: neither response is preferred";
/// The reason under which records are counted in which nothing is said of the response.
const UNSAID: &str = "neither a thumb up nor down";
const EQUAL_BUT_SPACE: &str = "chosen and rejected are equal but for white space at their ends";
/// What missing values become in text.
pub(crate) const MISSING: [&str; 6] = ["nan", "NaN", "None", "null", "NULL", "<NA>"];
const ONLY_SPACE: &str = "chosen and rejected differ in white space only";

/// Streams comparisons from files and folders, one after the other; formats may be mixed.
///
/// # Errors
/// [`DataError`] if no file is found or an ending is unknown; the iterator yields what goes wrong later.
pub fn read<P: AsRef<Path>>(
    paths: &[P],
    options: ReadOptions,
) -> Result<Reader<Comparison>, DataError> {
    read_columns(paths, options, Columns::default())
}

/// As [`read`], with columns by other names.
///
/// # Errors
/// As [`read`].
pub fn read_columns<P: AsRef<Path>>(
    paths: &[P],
    options: ReadOptions,
    columns: Columns,
) -> Result<Reader<Comparison>, DataError> {
    let used = columns.clone();
    let unread = Unread::default();
    Ok(Reader::of(
        list(paths, &Format::ALL)?,
        options,
        move |name| used.may_use(name),
        move |fields| {
            let decoded = decode(fields, &columns)?;
            unread.note(fields, &columns);
            Ok(decoded)
        },
    ))
}

/// A prompt to answer.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptRecord {
    /// What is to be answered.
    pub prompt: Prompt,
    /// What the chat template is given beside the prompt's messages.
    pub template: TemplateInputs,
    /// For whom; `None`: it is not said.
    pub user: Option<UserId>,
    /// What the user says about herself.
    pub user_text: Option<String>,
}

/// Streams prompts from a file with the columns of comparisons, of which it needs none but the prompt, or from plain text (`.txt`), of which
/// every line but blank ones is a prompt.
pub fn read_prompts(path: &Path, columns: Columns) -> Reader<PromptRecord> {
    let file = DataFile::of_prompts(path);
    let columns = match file.is_lines() {
        true => Columns::default(),
        false => columns,
    };
    read_one(file, columns, decode_prompt)
}

/// Streams what `decode` makes of the records of one file.
fn read_one<T>(
    file: DataFile,
    columns: Columns,
    decode: impl Fn(&Fields, &Columns) -> Result<Decoded<T>, DataError> + 'static,
) -> Reader<T> {
    let used = columns.clone();
    let found = Found {
        files: vec![file],
        passed_over: Vec::new(),
    };
    Reader::of(
        found,
        ReadOptions::default(),
        move |name| used.may_use(name),
        move |fields| decode(fields, &columns),
    )
}

fn decode_prompt(fields: &Fields, columns: &Columns) -> Result<Decoded<PromptRecord>, DataError> {
    let prompt = match others::prompt(fields, columns, true)? {
        Some(Said::Text(text)) => Prompt::Text(text),
        Some(Said::Chat(messages)) => Prompt::Chat(messages),
        None => return Err(fields.missing("prompt", chat::EXPECTED)),
    };
    let prompt = others::with_beside(fields, columns, prompt)?;
    let user = columns.user(fields)?;
    let user_text = text_of(fields, columns, "user_text")?;
    Ok(Decoded::Keep(PromptRecord {
        prompt,
        template: template_inputs(fields)?,
        user: user.map(UserId::new),
        user_text,
    }))
}

/// Streams texts that are to be judged, from a file with the columns of thumbs, of which it needs no label: prompt and
/// `completion` (or `response`, `output`), and whose eyes they are seen with. Each comes as a thumb up, whose response it is.
pub fn read_texts(path: &Path, columns: Columns) -> Reader<Comparison> {
    read_one(DataFile::at(path), columns, |fields, columns| {
        let (name, said) = thumb::response(fields, columns)?;
        decode_alone(fields, columns, (name, said, Thumb::Up))
    })
}

fn decode(fields: &Fields, columns: &Columns) -> Result<Decoded<Comparison>, DataError> {
    match thumb::is_thumb(fields, columns) {
        true => decode_thumb(fields, columns),
        false => decode_pair(fields, columns),
    }
}

fn decode_thumb(fields: &Fields, columns: &Columns) -> Result<Decoded<Comparison>, DataError> {
    match thumb::read(fields, columns)? {
        Some(thumbed) => decode_alone(fields, columns, thumbed),
        None => Ok(Decoded::Skip(UNSAID)),
    }
}

fn decode_alone(
    fields: &Fields,
    columns: &Columns,
    (name, said, thumb): thumb::Thumbed<'_>,
) -> Result<Decoded<Comparison>, DataError> {
    // Read as a pair of equal responses, so that every shape of a pair is one of a thumb.
    let pair = [(name, said.clone()), (name, said)];
    let (prompt, response, _) = parted(fields, columns, pair, true)?;
    let [chosen, rejected] = match thumb {
        Thumb::Up => [response, String::new()],
        Thumb::Down => [String::new(), response],
    };
    judged(fields, columns, prompt, [chosen, rejected], Some(thumb))
}

fn decode_pair(fields: &Fields, columns: &Columns) -> Result<Decoded<Comparison>, DataError> {
    let Some(pair) = others::responses(fields, columns)? else {
        return Ok(Decoded::Skip(TIE));
    };
    thumb::note_beside_pair(fields, columns);
    let (prompt, chosen, rejected) = parted(fields, columns, pair, false)?;
    if let Some(reason) = no_signal(&chosen, &rejected) {
        return Ok(Decoded::Skip(reason));
    }
    if chosen.split_whitespace().eq(rejected.split_whitespace()) {
        fields.note(ONLY_SPACE);
    }
    judged(fields, columns, prompt, [chosen, rejected], None)
}

/// The record with what stands beside prompt and responses.
fn judged(
    fields: &Fields,
    columns: &Columns,
    prompt: Prompt,
    [chosen, rejected]: [String; 2],
    thumb: Option<Thumb>,
) -> Result<Decoded<Comparison>, DataError> {
    let prompt = others::without_answer(fields, prompt, [&chosen, &rejected])?;
    let prompt = others::with_beside(fields, columns, prompt)?;
    for text in [&chosen, &rejected] {
        if MISSING.contains(&text.as_str()) {
            fields.note(format!(
                "a response is `{text}`: a missing value that became text?"
            ));
        }
    }
    let source = name_of(fields, columns, "source")?;
    Ok(Decoded::Keep(Comparison {
        user: columns.user(fields)?.map(UserId::new),
        user_text: text_of(fields, columns, "user_text")?,
        source: source.unwrap_or_else(|| source_of(&prompt)),
        prompt,
        template: template_inputs(fields)?,
        place: fields.place(),
        chosen,
        rejected,
        thumb,
        group: text_of(fields, columns, "group")?,
    }))
}

/// Why a pair of responses says nothing, if so.
pub(crate) fn no_signal(chosen: &str, rejected: &str) -> Option<&'static str> {
    match () {
        () if chosen == rejected => Some(EQUAL_RESPONSES),
        () if chosen.trim() == rejected.trim() => Some(EQUAL_BUT_SPACE),
        () => None,
    }
}

/// The name in the column of a role, if there is one.
fn name_of(
    fields: &Fields,
    columns: &Columns,
    role: &'static str,
) -> Result<Option<String>, DataError> {
    match columns.find(fields, role)? {
        Some(column) => fields.optional_name(column),
        None => Ok(None),
    }
}

/// The text in the column of a role, if there is one.
fn text_of(
    fields: &Fields,
    columns: &Columns,
    role: &'static str,
) -> Result<Option<String>, DataError> {
    match columns.find(fields, role)? {
        Some(column) => fields.optional_text(column),
        None => Ok(None),
    }
}

/// A prompt and two responses, each said once; both are the same one of a thumb, which is `alone`.
fn parted(
    fields: &Fields,
    columns: &Columns,
    [(chosen_name, chosen), (rejected_name, rejected)]: [(&str, Said); 2],
    alone: bool,
) -> Result<(Prompt, String, String), DataError> {
    match (chosen, rejected) {
        (Said::Chat(chosen), Said::Chat(rejected)) => {
            let leads = chosen.len() > 1;
            let prompt = others::prompt(fields, columns, !leads)?;
            chat::split_prompt(
                fields,
                prompt,
                [(chosen_name, chosen), (rejected_name, rejected)],
            )
        }
        (Said::Chat(_), Said::Text(_)) => {
            let expected = format!("a list of messages, as in `{chosen_name}`");
            Err(fields.wrong(rejected_name, &expected))
        }
        (Said::Text(_), Said::Chat(_)) => {
            let expected = format!("a list of messages, as in `{rejected_name}`");
            Err(fields.wrong(chosen_name, &expected))
        }
        (Said::Text(chosen), Said::Text(rejected)) => {
            let prompt = others::prompt(fields, columns, true)?;
            repeated::split(fields, (rejected_name, alone), prompt, chosen, rejected)
        }
    }
}

/// What the record holds for the chat template.
fn template_inputs(fields: &Fields) -> Result<TemplateInputs, DataError> {
    let wrong = |name, expected| Err(fields.wrong(name, expected));
    let of_input = || {
        let input = others::chat_in_input(fields)?;
        Some(input.get("tools")?.to_value())
    };
    let tools = match fields.json_value("tools").or_else(of_input) {
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
