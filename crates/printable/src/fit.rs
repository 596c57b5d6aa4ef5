//! Names in little room, and texts within JSON.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::{is_hidden, line};

/// For a cell of a table: as [`line()`], and of more than `limit` characters the middle becomes `…`.
pub fn short(name: &str, limit: usize) -> Cow<'_, str> {
    let name = line(name);
    let length = name.chars().count();
    if length <= limit {
        return name;
    }
    let kept = limit.saturating_sub(1);
    let end = kept / 3;
    let first = name.chars().take(kept - end);
    let last = name.chars().skip(length - end);
    Cow::Owned(first.chain(['…']).chain(last).collect())
}

/// For JSON on a terminal: hidden characters in its texts become `\u202e`, so that it still says the same.
pub fn json(document: &str) -> Cow<'_, str> {
    let is_shown = |c: char| matches!(c, '\n' | '\t' | '\r') || !is_hidden(c);
    if document.chars().all(is_shown) {
        return Cow::Borrowed(document);
    }
    let mut shown = String::with_capacity(document.len() + 8);
    for character in document.chars() {
        if is_shown(character) {
            shown.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing into a `String` cannot fail.
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_its_ends() {
        assert_eq!(short("abcdefghij", 10), "abcdefghij");
        assert_eq!(short("abcdefghijk", 10), "abcdef…ijk");
        assert_eq!(short("abc", 1), "…");
        assert_eq!(short("a\nb", 9), "a\\nb");
        assert_eq!(short(&"x".repeat(100_000), 60).chars().count(), 60);
    }

    #[test]
    fn json_says_the_same() {
        let plain = "{\"a\": \"Zoë\\n\"}\n";
        assert!(matches!(json(plain), Cow::Borrowed(_)));
        assert_eq!(
            json("[\"\u{202e}\u{7f}\u{e0041}\"]"),
            r#"["\u202e\u007f\udb40\udc41"]"#
        );
    }
}
