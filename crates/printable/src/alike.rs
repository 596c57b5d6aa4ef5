//! Ids that look alike and are not the same.

use unicode_normalization::UnicodeNormalization as _;

use crate::{is_blank, is_hidden};

/// The key under which ids that a person takes for one another meet: composed letters, lower case, no white space at the
/// ends, nothing without width or ink.
pub fn folded(id: &str) -> String {
    let seen = id
        .chars()
        .filter(|&c| !is_hidden(c) && !is_blank(c) && !matches!(c, '\u{200c}' | '\u{200d}'));
    let composed: String = seen.nfkc().collect();
    composed.trim().to_lowercase()
}

/// What tells `other` from `id`, where the eye may not: the characters in which they differ, by number, if one of them is
/// not plain ASCII. `None` where both can be told apart by looking.
pub fn difference(id: &str, other: &str) -> Option<String> {
    let (mine, theirs): (Vec<char>, Vec<char>) = (id.chars().collect(), other.chars().collect());
    let same = |(a, b): &(&char, &char)| a == b;
    let start = mine.iter().zip(&theirs).take_while(same).count();
    let (mine, theirs) = (&mine[start..], &theirs[start..]);
    let end = mine.iter().rev().zip(theirs.iter().rev());
    let end = end.take_while(same).count();
    let (mine, theirs) = (&mine[..mine.len() - end], &theirs[..theirs.len() - end]);
    let plain = |c: &char| c.is_ascii_graphic();
    if mine.iter().chain(theirs).all(plain) {
        return None;
    }
    Some(format!("{} in place of {}", numbers(theirs), numbers(mine)))
}

/// At most six characters as `U+0065 U+0308`.
fn numbers(characters: &[char]) -> String {
    const SHOWN: usize = 6;
    if characters.is_empty() {
        return "nothing".into();
    }
    let number = |c: &char| format!("U+{:04X}", u32::from(*c));
    let mut all: Vec<String> = characters.iter().take(SHOWN).map(number).collect();
    if characters.len() > SHOWN {
        all.push("...".into());
    }
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unicode_forms_letter_case_and_edges_fold_together() {
        assert_eq!(folded("Zo\u{eb}"), folded("zoe\u{308}"));
        assert_eq!(folded(" u1\u{200b}"), folded("U1"));
        assert_eq!(folded("u\u{3164}1\u{2800}"), folded("u1"));
        assert_ne!(folded("u1"), folded("u2"));
    }

    #[test]
    fn the_difference_is_told_by_number() {
        assert_eq!(
            difference("Zoe\u{308}", "Zo\u{eb}").as_deref(),
            Some("U+00EB in place of U+0065 U+0308")
        );
        assert_eq!(
            difference("u1", " u1").as_deref(),
            Some("U+0020 in place of nothing")
        );
        // A Cyrillic letter in a Latin word.
        assert_eq!(
            difference("anna", "\u{430}nna").as_deref(),
            Some("U+0430 in place of U+0061")
        );
        assert_eq!(difference("worker-1", "worker-2"), None);
    }
}
