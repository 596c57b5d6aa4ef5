//! Near matches of an unknown id.

use strsim::levenshtein;

/// Up to `n` of `known`, the nearest first: at an edit distance (letter case, Unicode form and what is invisible aside) of at
/// most a third of `id`'s length, and 2 at least.
pub(crate) fn nearest<'a>(id: &str, known: impl Iterator<Item = &'a str>, n: usize) -> Vec<String> {
    let wanted = printable::folded(id);
    let limit = (wanted.chars().count() / 3).max(2);
    let mut near: Vec<(usize, &str)> = known
        .map(|other| (printable::folded(other), other))
        .filter(|(folded, _)| folded.len().abs_diff(wanted.len()) <= 4 * limit)
        .map(|(folded, other)| (levenshtein(&wanted, &folded), other))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    near.sort_unstable();
    near.into_iter()
        .take(n)
        .map(|(_, id)| id.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first_and_the_far_do_not_come() {
        let known = ["worker-11", "Worker-1", "worker-2", "somebody", "Würger-1"];
        let near = nearest("worker-1", known.into_iter(), 3);
        assert_eq!(near, ["Worker-1", "worker-11", "worker-2"]);
        assert!(nearest("nobody-here", known.into_iter(), 3).is_empty());
    }

    #[test]
    fn another_unicode_form_of_a_long_name_is_near() {
        let known = ["Jos\u{e9} N\u{fa}\u{f1}ez \u{c5}ngstr\u{f6}m"];
        let decomposed = "Jose\u{301} Nu\u{301}n\u{303}ez A\u{30a}ngstro\u{308}m";
        assert_eq!(nearest(decomposed, known.into_iter(), 3), known);
    }
}
