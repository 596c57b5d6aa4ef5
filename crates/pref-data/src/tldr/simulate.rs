//! Simulated judgements: some workers prefer the longer summary, the others the shorter one.

use super::{Group, TldrRecord};
use crate::comparison::Comparison;

/// The reason under which records with two equal texts are counted.
pub(super) const EQUAL_TEXTS: &str = "the two summaries are equal";

/// The comparison as a worker of this group decides it (reference 4.1, step 4): by the number of Unicode characters of
/// the summary's text as published; of two equally long texts the first is chosen by both groups. The human choice is not
/// looked at. `None` if the two texts are equal; the caller counts them under [`EQUAL_TEXTS`].
pub(super) fn simulate(record: &TldrRecord, group: Group) -> Option<Comparison> {
    let [first, second] = &record.summaries;
    let (first, second) = (first.text.chars().count(), second.text.chars().count());
    let chosen = match group {
        Group::Majority => usize::from(second > first),
        Group::Minority => usize::from(second < first),
    };
    let comparison = record.comparison(chosen)?;
    Some(Comparison {
        group: Some(group.as_str().to_owned()),
        ..comparison
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::Prompt;
    use crate::tldr::Summary;

    fn record(texts: [&str; 2]) -> TldrRecord {
        TldrRecord {
            id: Some("p".into()),
            title: Some("Title".into()),
            text: "Post.".into(),
            subreddit: Some("pets".into()),
            summaries: texts.map(|text| Summary {
                text: text.into(),
                policy: "sup".into(),
            }),
            choice: 0,
            worker: "w".into(),
            split: "train".into(),
        }
    }

    #[test]
    fn majority_prefers_longer_minority_shorter_and_both_the_first_of_equals() {
        let chosen = |texts, group| simulate(&record(texts), group).unwrap().chosen;
        for texts in [["aa", "bbb"], ["bbb", "aa"]] {
            assert_eq!(chosen(texts, Group::Majority), "bbb");
            assert_eq!(chosen(texts, Group::Minority), "aa");
        }
        for group in [Group::Majority, Group::Minority] {
            assert_eq!(chosen(["aa", "bb"], group), "aa");
            // Two characters each, four bytes and two.
            assert_eq!(chosen(["éé", "bb"], group), "éé");
            assert_eq!(simulate(&record(["same", "same"]), group), None);
        }
        let comparison = simulate(&record(["a", "bb"]), Group::Minority).unwrap();
        assert_eq!(comparison.group.as_deref(), Some("minority"));
        assert_eq!(
            (comparison.source.as_str(), comparison.user),
            ("p", Some("w".into()))
        );
        assert_eq!(
            comparison.prompt,
            Prompt::Text("SUBREDDIT: r/pets\nTITLE: Title\nPOST: Post.\nTL;DR: ".into())
        );
    }
}
