//! Ids, names and texts that others wrote, as they may be printed.
//!
//! A terminal obeys control characters, and some characters are invisible, print blank, or turn the direction of what follows.
//! Printed as they are, they hide what a text holds, or move the cursor. They are shown as `\n`, `\t`, `\r` or `\u{1b}`:
//!
//! - [`id()`] and [`quoted`], for ids: two ids never print alike. So white space other than a plain space is escaped too, and a
//!   backslash is doubled where what follows could be taken for an escape: `a\n` of two characters prints as `a\\n`, `team\ada` stays.
//! - [`line()`], for names of files, keys, messages: a backslash stays, so that a path of Windows can be copied.
//! - [`text`], for text of several lines: line ends, tabs and the blank of Braille, with which pictures are drawn, stay.
//!
//! What goes into files is never escaped.

mod alike;
mod fit;

use std::borrow::Cow;
use std::fmt::Write as _;

pub use alike::{difference, folded};
pub use fit::{json, short};

/// For an id, so that no two print alike; once, since an escaped id is another text.
pub fn id(id: &str) -> Cow<'_, str> {
    let is_odd = |c: char| is_hidden(c) || is_blank(c) || c != ' ' && c.is_whitespace();
    if !id.chars().any(|c| is_odd(c) || c == '\\') {
        return Cow::Borrowed(id);
    }
    let mut shown = String::with_capacity(id.len() + 8);
    let mut characters = id.chars().peekable();
    while let Some(character) = characters.next() {
        if is_odd(character) {
            escape(&mut shown, character);
            continue;
        }
        shown.push(character);
        let next = characters.peek().copied();
        let begins_escape = |c: char| is_odd(c) || matches!(c, 'n' | 'r' | 't' | 'u' | '\\');
        if character == '\\' && next.is_some_and(begins_escape) {
            shown.push('\\');
        }
    }
    Cow::Owned(shown)
}

/// For one line: a file's name, a key, a message.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |character| {
        is_hidden(character) || is_blank(character)
    })
}

/// For text of several lines, such as what a model wrote: line ends and tabs stay.
pub fn text(text: &str) -> Cow<'_, str> {
    escaped(text, |character| {
        is_hidden(character) && !matches!(character, '\n' | '\t')
    })
}

/// An id between back ticks, in one line: `` `anna` ``; see [`id()`].
pub fn quoted(name: &str) -> String {
    format!("`{}`", id(name))
}

fn escaped(text: &str, is_odd: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_odd) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match is_odd(character) {
            true => escape(&mut shown, character),
            false => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

fn escape(shown: &mut String, character: char) {
    match character {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        // Writing into a `String` cannot fail.
        _ => drop(write!(shown, "\\u{{{:x}}}", u32::from(character))),
    }
}

/// The blank of Braille: it has the width of a letter and shows nothing.
fn is_blank(character: char) -> bool {
    character == '\u{2800}'
}

/// Controls, separators of lines, marks of direction, what has no width, and fillers that print blank: what Unicode calls
/// default ignorable, and more. The joiners of emoji and of some scripts (U+200C, U+200D) and the selectors of variants (U+FE00 to
/// U+FE0F, U+E0100 to U+E01EF) stay: they belong to how a text is written.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e00ff}'
                | '\u{e01f0}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_texts_stay_as_they_are() {
        for plain in ["anna", "team/a b\\c", "Zoë", "漢字", "👩\u{200d}🔧", ""] {
            assert!(matches!(line(plain), Cow::Borrowed(_)), "{plain}");
            assert_eq!(line(plain), plain);
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(line("x\ny\r\tz"), "x\\ny\\r\\tz");
        assert_eq!(
            line("\u{1b}]0;title\u{7}\u{1b}[2J"),
            "\\u{1b}]0;title\\u{7}\\u{1b}[2J"
        );
        assert_eq!(line("a\u{202e}b\u{9b}31m"), "a\\u{202e}b\\u{9b}31m");
        assert_eq!(line("a\u{200b}b\u{feff}"), "a\\u{200b}b\\u{feff}");
        assert_eq!(quoted("x\ny"), "`x\\ny`");
    }

    #[test]
    fn what_prints_blank_is_written_out() {
        for blank in [
            '\u{34f}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180b}',
            '\u{180e}',
            '\u{2800}',
            '\u{3164}',
            '\u{ffa0}',
            '\u{1d173}',
            '\u{e0001}',
        ] {
            let expected = format!("a\\u{{{:x}}}", u32::from(blank));
            assert_eq!(line(&format!("a{blank}")), expected);
            assert_eq!(id(&format!("a{blank}")), expected);
        }
        // White space of other widths is usual in texts, in an id it hides.
        assert_eq!(
            line("12\u{202f}%\u{a0}: \u{3000}"),
            "12\u{202f}%\u{a0}: \u{3000}"
        );
        assert_eq!(id("a\u{a0}b c\u{3000}"), "a\\u{a0}b c\\u{3000}");
        assert_eq!(text("\u{2801}\u{2800}"), "\u{2801}\u{2800}");
    }

    #[test]
    fn no_two_ids_print_alike() {
        for (name, shown) in [
            ("a\nb", "a\\nb"),
            ("a\\nb", "a\\\\nb"),
            ("a\\\nb", "a\\\\\\nb"),
            ("a\\u{200b}", "a\\\\u{200b}"),
            ("team\\ada", "team\\ada"),
            ("end\\", "end\\"),
        ] {
            assert_eq!(id(name), shown, "{name:?}");
        }
        // Every id of up to five of these characters.
        let letters = ['\\', 'n', 'u', '\n', '\u{3164}', 'x'];
        let mut ids = vec![String::new()];
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..5 {
            let longer = ids
                .iter()
                .flat_map(|one| letters.map(|letter| format!("{one}{letter}")));
            ids = longer.collect();
            for one in &ids {
                assert!(seen.insert(id(one).into_owned()), "{one:?}");
            }
        }
    }

    #[test]
    fn a_path_of_windows_stays() {
        assert_eq!(line("C:\\new\\train.jsonl"), "C:\\new\\train.jsonl");
    }

    #[test]
    fn text_keeps_its_lines() {
        assert_eq!(text("a\n\tb\u{1b}[2J\r"), "a\n\tb\\u{1b}[2J\\r");
    }
}
