//! Near matches of an unknown id.

/// Up to `n` of `known`, the nearest first: at an edit distance (letter case aside) of at most a
/// third of `id`'s length, and 2 at least.
pub(crate) fn nearest<'a>(id: &str, known: impl Iterator<Item = &'a str>, n: usize) -> Vec<String> {
    let wanted = letters(id);
    let limit = (wanted.len() / 3).max(2);
    let mut near: Vec<(usize, &str)> = known
        .filter(|other| other.len().abs_diff(id.len()) <= 4 * limit)
        .map(|other| (distance(&wanted, &letters(other)), other))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    near.sort_unstable();
    near.into_iter()
        .take(n)
        .map(|(_, id)| id.to_owned())
        .collect()
}

fn letters(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Levenshtein's distance: insertions, deletions and substitutions.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_textbook() {
        let d = |a, b| distance(&letters(a), &letters(b));
        assert_eq!(d("kitten", "sitting"), 3);
        assert_eq!(d("flaw", "lawn"), 2);
        assert_eq!(d("", "abc"), 3);
        assert_eq!(d("Anna", "anna"), 0);
    }

    #[test]
    fn the_nearest_come_first_and_the_far_do_not_come() {
        let known = ["worker-11", "Worker-1", "worker-2", "somebody", "Würger-1"];
        let near = nearest("worker-1", known.into_iter(), 3);
        assert_eq!(near, ["Worker-1", "worker-11", "worker-2"]);
        assert!(nearest("nobody-here", known.into_iter(), 3).is_empty());
    }
}
