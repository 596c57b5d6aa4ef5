//! From JSON to [`TldrRecord`].

use std::path::Path;

use crate::error::DataError;
use crate::fields::{Fields, describe};
use crate::files::Format;
use crate::options::ReadOptions;
use crate::reader::{Decoded, Reader};
use crate::tldr::record::{Body, Summary, TldrRecord};
use crate::types::UserId;

/// Streams official comparison files: `.json` or `.jsonl`, in both cases one record a line or one array.
///
/// What the real files hold besides the plain case, and what becomes of it: no `info.id` (the post is then named by a
/// hash of its text), `null` notes, news articles instead of posts, no `extra`. Equal texts are read; they are left out
/// and counted where comparisons are made of records.
///
/// # Errors
/// [`DataError`] if no file is found; the iterator yields what goes wrong later.
pub fn read<P: AsRef<Path>>(
    paths: &[P],
    options: ReadOptions,
) -> Result<Reader<TldrRecord>, DataError> {
    Reader::open(paths, &[Format::Json], options, decode)
}

fn decode(fields: &Fields) -> Result<Decoded<TldrRecord>, DataError> {
    let info = fields.object("info")?;
    let worker = fields.optional_name("worker")?;
    Ok(Decoded::Keep(TldrRecord {
        id: info.optional_name("id")?,
        title: info.optional_text("title")?,
        body: body(&info)?,
        summaries: summaries(fields)?,
        choice: choice(fields)?,
        worker: UserId::new(worker.ok_or_else(|| fields.wrong("worker", "the annotator's name"))?),
        batch: fields.optional_text("batch")?,
        split: fields.text("split")?,
        confidence: match fields.optional_object("extra")? {
            Some(extra) => extra.optional_integer("confidence")?,
            None => None,
        },
    }))
}

fn body(info: &Fields) -> Result<Body, DataError> {
    if let Some(text) = info.optional_text("post")? {
        let subreddit = info.optional_text("subreddit")?;
        return Ok(Body::Post { text, subreddit });
    }
    match info.optional_text("article")? {
        Some(text) => Ok(Body::Article {
            text,
            site: info.optional_text("site")?,
        }),
        None => Err(info.wrong("post", "the text of a post, or of an `article`")),
    }
}

fn summaries(fields: &Fields) -> Result<[Summary; 2], DataError> {
    match fields.list("summaries")? {
        [first, second] => Ok([
            summary(&fields.item("summaries", 0, first)?)?,
            summary(&fields.item("summaries", 1, second)?)?,
        ]),
        other => {
            let found = format!("a list of {}", other.len());
            Err(fields.error("summaries", found, "a list of two summaries"))
        }
    }
}

fn summary(fields: &Fields) -> Result<Summary, DataError> {
    Ok(Summary {
        text: fields.text("text")?,
        policy: fields.text("policy")?,
        note: fields.optional_text("note")?,
    })
}

fn choice(fields: &Fields) -> Result<usize, DataError> {
    match fields.optional_integer("choice")? {
        Some(0) => Ok(0),
        Some(1) => Ok(1),
        _ => Err(fields.error("choice", describe(fields.get("choice")), "0 or 1")),
    }
}
