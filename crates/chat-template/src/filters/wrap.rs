//! `wordwrap`, as Python's `textwrap` does it.

use std::sync::Arc;

use crate::budget::Budget;
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
    budget.look(found.len().saturating_mul(64))?;
    let paragraphs = methods::lines(found, false);
    let wrapped = paragraphs
        .into_iter()
        .map(|line| wrapped(line, width, long, hyphens).join(&*between));
    budget.text(wrapped.collect::<Vec<_>>().join(&*between))
}

/// The lines of a paragraph.
fn wrapped(text: &str, width: usize, long: bool, hyphens: bool) -> Vec<String> {
    let mut chunks = chunks(text, hyphens);
    chunks.reverse();
    let mut lines = Vec::new();
    while !chunks.is_empty() {
        let mut line: Vec<String> = Vec::new();
        let mut length = 0;
        let is_blank = |chunk: &String| chunk.chars().all(char::is_whitespace);
        if !lines.is_empty() && chunks.last().is_some_and(is_blank) {
            chunks.pop();
        }
        while let Some(chunk) = chunks.last() {
            let size = chunk.chars().count();
            if length + size > width {
                break;
            }
            length += size;
            line.extend(chunks.pop());
        }
        if chunks
            .last()
            .is_some_and(|chunk| chunk.chars().count() > width)
        {
            break_word(&mut chunks, &mut line, width - length, long);
        }
        if line.last().is_some_and(is_blank) {
            line.pop();
        }
        if !line.is_empty() {
            lines.push(line.concat());
        }
    }
    lines
}

/// Puts the beginning of a word that is longer than a line into the line.
fn break_word(chunks: &mut Vec<String>, line: &mut Vec<String>, room: usize, long: bool) {
    if long && room > 0 {
        if let Some(word) = chunks.pop() {
            let (start, rest): (String, String) = (
                word.chars().take(room).collect(),
                word.chars().skip(room).collect(),
            );
            line.push(start);
            if !rest.is_empty() {
                chunks.push(rest);
            }
        }
    } else if line.is_empty() {
        line.extend(chunks.pop());
    }
}

/// Words and the white space between them; a word with hyphens between letters is several.
fn chunks(text: &str, hyphens: bool) -> Vec<String> {
    let mut chunks: Vec<String> = Vec::new();
    let mut was_space = None;
    let letters: Vec<char> = text.chars().collect();
    for (at, &c) in letters.iter().enumerate() {
        let is_space = c.is_whitespace();
        let after_hyphen = hyphens
            && at >= 2
            && letters[at - 1] == '-'
            && letters[at - 2].is_alphabetic()
            && c.is_alphabetic();
        if was_space != Some(is_space) || after_hyphen {
            chunks.push(String::new());
        }
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(c);
        }
        was_space = Some(is_space);
    }
    chunks
}
