//! The longest part of a text that fits.
//!
//! Candidates are tried from the shortest on, in steps that double: a text that is far too long is never made as a whole, so
//! the work grows with what is kept.

use crate::error::TrainError;

/// The tokens of a text if it fits as a whole. Of one that is far too long only the end is looked at.
///
/// # Errors
/// Those of `ids`.
pub(super) fn whole(
    text: &str,
    budget: usize,
    ids: impl Fn(&str) -> Result<Vec<u32>, TrainError>,
) -> Result<Option<Vec<u32>>, TrainError> {
    if is_far_too_long(text, budget, |end| Ok(ids(end)?.len()))? {
        return Ok(None);
    }
    let ids = ids(text)?;
    Ok((ids.len() <= budget).then_some(ids))
}

/// Whether a text is so long that not even its end fits, by far: then nothing need be made of the whole, which may be a megabyte.
/// `count` gives the number of tokens.
fn is_far_too_long(
    text: &str,
    budget: usize,
    count: impl FnOnce(&str) -> Result<usize, TrainError>,
) -> Result<bool, TrainError> {
    /// More than a token has in any usual text.
    const BYTES: usize = 64;
    let start = text.len().saturating_sub(budget.saturating_mul(BYTES));
    if start == 0 {
        return Ok(false);
    }
    let end = &text[text.ceil_char_boundary(start)..];
    // Where it is cut, it may have some tokens that the whole does not have.
    Ok(count(end)? > budget.saturating_mul(2))
}

/// The first of `count` candidates that fits, each longer than the next; `make` gives what it makes of one that fits.
///
/// # Errors
/// Those of `make`.
pub(super) fn longest<T>(
    count: usize,
    mut make: impl FnMut(usize) -> Result<Option<T>, TrainError>,
) -> Result<Option<(usize, T)>, TrainError> {
    let mut best = None;
    // Candidates below `low` do not fit, as far as is known; those from `high` on do.
    let (mut low, mut high, mut step) = (0, count, 1);
    while low < high {
        let at = match step {
            0 => low.midpoint(high),
            _ => high.saturating_sub(step).max(low),
        };
        match make(at)? {
            Some(made) => {
                best = Some((at, made));
                high = at;
                step *= 2;
            }
            None => {
                low = at + 1;
                step = 0;
            }
        }
    }
    Ok(best)
}

/// The longest end of `text` that fits: from a word on, or from inside the last one if that alone is too long; empty if
/// nothing fits. With what `make` makes of it.
///
/// # Errors
/// Those of `make`.
pub(super) fn end<T>(
    text: &str,
    mut make: impl FnMut(&str) -> Result<Option<T>, TrainError>,
) -> Result<(&str, Option<T>), TrainError> {
    let words = text.char_indices().zip(text.chars().skip(1));
    let words = words
        .filter(|((_, a), b)| a.is_whitespace() && !b.is_whitespace())
        .map(|((at, a), _)| at + a.len_utf8());
    let words: Vec<usize> = words.collect();
    if let Some((i, made)) = longest(words.len(), |i| make(&text[words[i]..]))? {
        return Ok((&text[words[i]..], Some(made)));
    }
    let characters = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let characters: Vec<usize> = characters.collect();
    match longest(characters.len(), |i| make(&text[characters[i]..]))? {
        Some((i, made)) => Ok((&text[characters[i]..], Some(made))),
        None => Ok(("", None)),
    }
}

/// The longest beginning of `text` that fits: up to the end of a word, or inside the first one; empty if nothing fits. With
/// what `make` makes of it.
///
/// # Errors
/// Those of `make`.
pub(super) fn beginning<T>(
    text: &str,
    mut make: impl FnMut(&str) -> Result<Option<T>, TrainError>,
) -> Result<(&str, Option<T>), TrainError> {
    let words = text.char_indices().zip(text.chars().skip(1));
    let words = words
        .filter(|((_, a), b)| !a.is_whitespace() && b.is_whitespace())
        .map(|((at, a), _)| at + a.len_utf8());
    let mut words: Vec<usize> = words.collect();
    words.reverse();
    let mut characters: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    characters.reverse();
    for ends in [words, characters] {
        let fitting = longest(ends.len(), |i| make(&text[..ends[i]]))?;
        if let Some((i, made)) = fitting {
            return Ok((&text[..ends[i]], Some(made)));
        }
    }
    Ok(("", None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_candidate_that_fits_is_found_without_making_the_far_too_long() {
        for (count, first) in [(1, 0), (1, 1), (7, 3), (1000, 990), (1000, 0), (1000, 1000)] {
            let mut made = Vec::new();
            let found = longest(count, |i| {
                made.push(i);
                Ok((i >= first).then_some(i))
            });
            let expected = (first < count).then_some((first, first));
            assert_eq!(found.expect("no error"), expected, "{count} {first}");
            assert!(
                made.iter().all(|i| count - i <= 2 * (count - first) + 2),
                "{made:?}"
            );
        }
    }

    #[test]
    fn of_a_text_that_is_far_too_long_only_the_end_is_looked_at() {
        let long = "é ".repeat(100_000);
        let mut seen = 0;
        let mut words = |text: &str| {
            seen = text.len();
            Ok(text.split(' ').count())
        };
        assert!(is_far_too_long(&long, 10, &mut words).expect("text"));
        assert!(seen <= 640, "{seen}");
        // Few tokens although it is long, and a short one.
        let one = |_: &str| Ok(1);
        assert!(!is_far_too_long(&long, 10, one).expect("text"));
        assert!(!is_far_too_long("one two", 1, one).expect("text"));
    }

    #[test]
    fn ends_begin_and_beginnings_end_at_words_where_they_can() {
        let short = |limit: usize| move |text: &str| Ok((text.len() <= limit).then_some(()));
        let text = "one two three";
        assert_eq!(end(text, short(9)).expect("text").0, "two three");
        assert_eq!(end(text, short(8)).expect("text").0, "three");
        assert_eq!(end(text, short(2)).expect("text").0, "ee");
        assert_eq!(beginning(text, short(12)).expect("text").0, "one two");
        assert_eq!(beginning(text, short(2)).expect("text").0, "on");
        assert_eq!(end(text, |_| Ok(None::<()>)).expect("text").0, "");
    }
}
