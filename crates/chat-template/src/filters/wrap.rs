//! `wordwrap`, as Python's `textwrap` does it.

use std::sync::Arc;

use crate::budget::{Budget, Writer};
use crate::calls::{Passed, integer, size, text};
use crate::error::{Fallible, failed};
use crate::methods;
use crate::value::Value;

pub(super) fn word_wrap(budget: &Budget, value: &Value, passed: &Passed) -> Fallible<Value> {
    let names = [
        "width",
        "break_long_words",
        "wrapstring",
        "break_on_hyphens",
    ];
    let [width, long, between, hyphens] = passed.bind("wordwrap", names, 0)?;
    let found = text("wordwrap", value)?;
    let width = match width {
        None => 79,
        Some(width) => size(integer("wordwrap", width)?),
    };
    if width == 0 {
        return Err(failed("wordwrap: expected a width above 0"));
    }
    let between = match between {
        None | Some(Value::None) => Arc::from("\n"),
        Some(between) => Arc::clone(text("wordwrap", between)?),
    };
    let [long, hyphens] = [long, hyphens].map(|flag| flag.is_none_or(Value::truth));
    budget.step(found.len() as u64)?;
    let mut out = Writer::new(budget);
    for (at, paragraph) in methods::lines(found, false).into_iter().enumerate() {
        if at > 0 {
            out.push(&between)?;
        }
        let lines = wrapped(paragraph, width, long, hyphens);
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                out.push(&between)?;
            }
            out.push(line)?;
        }
    }
    Ok(out.finish())
}

/// A piece of a text, and how many characters it has.
type Chunk<'t> = (&'t str, usize);

fn is_blank((chunk, _): &Chunk<'_>) -> bool {
    chunk.chars().all(char::is_whitespace)
}

/// The lines of a paragraph.
fn wrapped(text: &str, width: usize, long: bool, hyphens: bool) -> Vec<String> {
    let mut chunks = chunks(text, hyphens);
    chunks.reverse();
    let mut lines = Vec::new();
    while !chunks.is_empty() {
        let mut line: Vec<Chunk<'_>> = Vec::new();
        let mut length = 0;
        if !lines.is_empty() && chunks.last().is_some_and(is_blank) {
            chunks.pop();
        }
        while let Some((_, size)) = chunks.last() {
            if length + size > width {
                break;
            }
            length += size;
            line.extend(chunks.pop());
        }
        if chunks.last().is_some_and(|(_, size)| *size > width) {
            break_word(&mut chunks, &mut line, width - length, long);
        }
        if line.last().is_some_and(is_blank) {
            line.pop();
        }
        if !line.is_empty() {
            lines.push(line.into_iter().map(|(chunk, _)| chunk).collect());
        }
    }
    lines
}

/// Puts the beginning of a word that is longer than a line into the line.
fn break_word<'t>(chunks: &mut Vec<Chunk<'t>>, line: &mut Vec<Chunk<'t>>, room: usize, long: bool) {
    if long && room > 0 {
        if let Some((word, size)) = chunks.pop() {
            let end = word.char_indices().nth(room);
            let (start, rest) = word.split_at(end.map_or(word.len(), |(end, _)| end));
            line.push((start, room.min(size)));
            if !rest.is_empty() {
                chunks.push((rest, size - room));
            }
        }
    } else if line.is_empty() {
        line.extend(chunks.pop());
    }
}

/// Words and the white space between them; a word with hyphens between letters is several.
fn chunks(text: &str, hyphens: bool) -> Vec<Chunk<'_>> {
    let mut chunks = Vec::new();
    let (mut start, mut size) = (0, 0);
    let mut before: [Option<char>; 2] = [None; 2];
    for (at, c) in text.char_indices() {
        let [earlier, last] = before;
        let turns = last.is_some_and(|last| last.is_whitespace() != c.is_whitespace());
        let after_hyphen = hyphens
            && last == Some('-')
            && earlier.is_some_and(char::is_alphabetic)
            && c.is_alphabetic();
        if turns || after_hyphen {
            chunks.push((&text[start..at], size));
            (start, size) = (at, 0);
        }
        size += 1;
        before = [last, Some(c)];
    }
    if start < text.len() {
        chunks.push((&text[start..], size));
    }
    chunks
}
