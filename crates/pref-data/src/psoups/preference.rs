//! The text in every instruction that says what the profile wants: finding it and taking it out.
//!
//! Nobody's sentence is written down here. The text is what most instructions of a file end with, or begin with, word by
//! word; white space does not count. Removing is exact in words, so an instruction in which punctuation or case differ
//! keeps the text, which would tell a model the label: [`still_contains`] finds those.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A shorter text is no wish.
const MIN_WORDS: usize = 3;
/// Fewer different instructions show no pattern.
const MIN_INSTRUCTIONS: usize = 5;
/// Share of the different instructions that must have the text.
const MIN_SHARE: f64 = 0.6;
/// One more word belongs to the text if at least this share of the instructions with the shorter text have it.
const MIN_KEPT: f64 = 0.9;

/// The longest text that ends, or begins, most of the different instructions: at least three words in six of ten, cut
/// at a sentence's boundary where words of the instructions themselves happen to agree. Words are joined by one space.
pub(super) fn find<'a>(instructions: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let different: HashSet<&str> = instructions.into_iter().collect();
    if different.len() < MIN_INSTRUCTIONS {
        return None;
    }
    let needed = (different.len() as f64 * MIN_SHARE).ceil() as usize;
    let ending = shared(
        different.iter().map(|text| text.split_whitespace().rev()),
        needed,
    );
    let opening = shared(different.iter().map(|text| text.split_whitespace()), needed);
    let ending = ending.map(|mut found| {
        found.words.reverse();
        (found.rows, from_sentence_start(&found))
    });
    let opening = opening.map(|found| (found.rows, up_to_sentence_end(&found.words)));
    match (ending, opening) {
        (Some(ending), Some(opening)) if opening.0 > ending.0 => Some(opening.1),
        (Some(ending), _) => Some(ending.1),
        (None, opening) => opening.map(|(_, text)| text),
    }
}

/// Words that many texts share at one end, outermost first.
struct Shared<'a> {
    words: Vec<&'a str>,
    /// Texts that have them.
    rows: usize,
    /// Whether the next word inwards ends a sentence, in most of them.
    after_sentence: bool,
}

/// Goes inwards word by word with the texts that have the most frequent next word.
fn shared<'a, I>(texts: impl Iterator<Item = I>, needed: usize) -> Option<Shared<'a>>
where
    I: Iterator<Item = &'a str>,
{
    let mut texts: Vec<I> = texts.collect();
    let (mut words, mut needed) = (Vec::new(), needed);
    loop {
        let rows = texts.len();
        let next: Vec<(Option<&str>, I)> = texts
            .into_iter()
            .map(|mut text| (text.next(), text))
            .collect();
        let (word, count) = most_frequent(next.iter().filter_map(|(word, _)| *word));
        if count < needed {
            let ends = |word: Option<&str>| word.is_some_and(ends_sentence);
            let after = next.iter().filter(|(word, _)| ends(*word)).count();
            let after_sentence = after * 2 > rows;
            return (words.len() >= MIN_WORDS).then_some(Shared {
                words,
                rows,
                after_sentence,
            });
        }
        words.push(word);
        if words.len() >= MIN_WORDS {
            needed = needed.max((count as f64 * MIN_KEPT).ceil() as usize);
        }
        texts = next
            .into_iter()
            .filter(|(other, _)| *other == Some(word))
            .map(|(_, text)| text)
            .collect();
    }
}

/// The word and its count; of equally frequent ones the alphabetically first.
fn most_frequent<'a>(words: impl Iterator<Item = &'a str>) -> (&'a str, usize) {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(a.0)))
        .unwrap_or(("", 0))
}

fn ends_sentence(word: &str) -> bool {
    word.trim_end_matches(['"', '\'', ')', '”', '’'])
        .ends_with(['.', '!', '?', ':'])
}

/// The ending, in reading order, without words before its first sentence if it begins in the middle of one.
fn from_sentence_start(found: &Shared) -> String {
    let words = &found.words;
    let capital = words
        .first()
        .is_some_and(|word| word.starts_with(char::is_uppercase));
    let start = if capital || found.after_sentence {
        0
    } else {
        let end = words.iter().position(|word| ends_sentence(word));
        let start = end.map_or(0, |end| end + 1);
        if words.len() - start < MIN_WORDS {
            0
        } else {
            start
        }
    };
    words[start..].join(" ")
}

/// The opening without words after its last whole sentence, if it has one.
fn up_to_sentence_end(words: &[&str]) -> String {
    let end = words.iter().rposition(|word| ends_sentence(word));
    let end = end.map_or(words.len(), |end| end + 1);
    let end = if end < MIN_WORDS { words.len() } else { end };
    words[..end].join(" ")
}

/// The instruction without the text, wherever it stands and however its words are spaced, trimmed. Words must be equal
/// character by character.
pub(super) fn remove(instruction: &str, text: &str) -> String {
    let wanted: Vec<&str> = text.split_whitespace().collect();
    let mut rest = instruction.trim().to_owned();
    while let Some(range) = place(&rest, &wanted) {
        let (before, after) = (
            rest[..range.start].trim_end(),
            rest[range.end..].trim_start(),
        );
        let gap = if before.is_empty() || after.is_empty() {
            ""
        } else {
            " "
        };
        rest = format!("{before}{gap}{after}");
    }
    rest
}

/// The bytes from the first to the last of the wanted words, as they follow each other in the text; the first one may
/// follow a sentence without a space.
fn place(text: &str, wanted: &[&str]) -> Option<Range<usize>> {
    if wanted.is_empty() {
        return None;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let Some(at) = words
        .windows(wanted.len())
        .rposition(|window| window == wanted)
    else {
        return glued_place(text, &wanted.join(" "));
    };
    let offset = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    let last = words[at + wanted.len() - 1];
    Some(offset(words[at])..offset(last) + last.len())
}

fn glued_place(text: &str, wanted: &str) -> Option<Range<usize>> {
    let start = text.rfind(wanted)?;
    let end = start + wanted.len();
    let before = text[..start].chars().next_back();
    let after = text[end..].chars().next();
    let apart = !before.is_some_and(char::is_alphanumeric) && after.is_none_or(char::is_whitespace);
    apart.then_some(start..end)
}

/// Whether the text is still there if punctuation, case and white space are left aside.
pub(super) fn still_contains(instruction: &str, text: &str) -> bool {
    let text = bare(text);
    text.len() > 2 && bare(instruction).contains(&text)
}

/// Letters and digits in lower case, words between single spaces.
fn bare(text: &str) -> String {
    let mut bare = String::from(" ");
    // An apostrophe parts no word: `don't` and `dont` are alike.
    let letters = text.chars().filter(|c| !matches!(c, '\'' | '’'));
    for character in letters.flat_map(char::to_lowercase) {
        if character.is_alphanumeric() {
            bare.push(character);
        } else if !bare.ends_with(' ') {
            bare.push(' ');
        }
    }
    if !bare.ends_with(' ') {
        bare.push(' ');
    }
    bare
}

#[cfg(test)]
mod tests;
