//! Ids, names and texts that others wrote, as they may be printed.
//!
//! A terminal obeys control characters, and some characters are invisible or turn the direction of what follows. Printed as
//! they are, they hide what a text holds, or move the cursor. [`line()`] shows them as `\n`, `\t`, `\r` or `\u{1b}`; [`text`] leaves
//! line ends and tabs. All else stays as it is, a backslash too. What goes into files is never escaped.

mod alike;
mod fit;

use std::borrow::Cow;
use std::fmt::Write as _;

pub use alike::{difference, folded};
pub use fit::{json, short};

/// For one line: an id, a file's name, a key, a message.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden)
}

/// For text of several lines, such as what a model wrote: line ends and tabs stay.
pub fn text(text: &str) -> Cow<'_, str> {
    escaped(text, |character| {
        is_hidden(character) && !matches!(character, '\n' | '\t')
    })
}

/// An id between back ticks, in one line: `` `anna` ``.
pub fn quoted(id: &str) -> String {
    format!("`{}`", line(id))
}

fn escaped(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            _ if !hidden(character) => shown.push(character),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            // Writing into a `String` cannot fail.
            _ => drop(write!(shown, "\\u{{{:x}}}", u32::from(character))),
        }
    }
    Cow::Owned(shown)
}

/// Controls, separators of lines, marks of direction, and what has no width. The joiners of emoji and of some scripts
/// (U+200C, U+200D) and the selectors of emoji stay: they belong to how a text is written.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
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
    fn text_keeps_its_lines() {
        assert_eq!(text("a\n\tb\u{1b}[2J\r"), "a\n\tb\\u{1b}[2J\\r");
    }
}
