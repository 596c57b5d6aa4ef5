//! Near matches of an unknown id.

use strsim::levenshtein;

/// Up to `n` of `known`, the nearest first: at an edit distance (letter case aside) of at most a
/// third of `id`'s length, and 2 at least.
pub(crate) fn nearest<'a>(id: &str, known: impl Iterator<Item = &'a str>, n: usize) -> Vec<String> {
    let wanted = id.to_lowercase();
    let limit = (wanted.chars().count() / 3).max(2);
    let mut near: Vec<(usize, &str)> = known
        .filter(|other| other.len().abs_diff(id.len()) <= 4 * limit)
        .map(|other| (levenshtein(&wanted, &other.to_lowercase()), other))
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
}
