//! From files to [`TldrRecord`]s.

use std::path::Path;

use super::{Summary, TldrRecord};
use crate::comparison::{Comparison, UserId};
use crate::error::DataError;
use crate::general::EQUAL_RESPONSES;
use crate::reader::{Decoded, ReadOptions, Reader};
use crate::records::{Fields, Format, describe};
use crate::skipped::Skipped;

/// Streams official comparison files: `.json` or `.jsonl`, in both cases one record a line or one array.
///
/// What the real files hold besides the plain case, and what becomes of it: no `info.id` (the post is then named by a
/// hash of its text), news articles instead of posts. Equal texts are read; they are left out and counted where comparisons
/// are made of records.
///
/// # Errors
/// [`DataError`] if no file is found; the iterator yields what goes wrong later.
pub fn read<P: AsRef<Path>>(
    paths: &[P],
    options: ReadOptions,
) -> Result<Reader<TldrRecord>, DataError> {
    Reader::open(paths, &[Format::Json], options, decode)
}

/// As the annotators decided.
pub(crate) fn read_comparisons<P: AsRef<Path>>(
    paths: &[P],
    options: ReadOptions,
) -> Result<(Vec<Comparison>, Skipped), DataError> {
    let (records, mut skipped) = read(paths, options)?.read_all()?;
    let mut comparisons = Vec::with_capacity(records.len());
    for record in records {
        match record.stated() {
            Some(comparison) => comparisons.push(comparison),
            None => skipped.add(EQUAL_RESPONSES, record.post_key()),
        }
    }
    Ok((comparisons, skipped))
}

fn decode(fields: &Fields) -> Result<Decoded<TldrRecord>, DataError> {
    let info = fields.object("info")?;
    let worker = fields.optional_name("worker")?;
    let post = info.optional_text("post")?;
    let subreddit = match post {
        Some(_) => info.optional_text("subreddit")?,
        None => None,
    };
    let text = match post {
        Some(text) => Some(text),
        None => info.optional_text("article")?,
    };
    Ok(Decoded::Keep(TldrRecord {
        id: info.optional_name("id")?,
        title: info.optional_text("title")?,
        text: text.ok_or_else(|| info.wrong("post", "the text of a post, or of an `article`"))?,
        subreddit,
        summaries: summaries(fields)?,
        choice: choice(fields)?,
        worker: UserId::new(worker.ok_or_else(|| fields.wrong("worker", "the annotator's name"))?),
        split: fields.text("split")?,
    }))
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
    })
}

fn choice(fields: &Fields) -> Result<usize, DataError> {
    match fields.optional_integer("choice")? {
        Some(0) => Ok(0),
        Some(1) => Ok(1),
        _ => Err(fields.error("choice", describe(fields.get("choice")), "0 or 1")),
    }
}
