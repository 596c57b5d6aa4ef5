//! Whether texts go the way their users want: a check on the texts themselves, without a judge.

use crate::report::{Report, Verdict};
use crate::text::by_user::{Texts, difference};
use crate::text::{GRADE, LONG_WORDS, Measure, WARMTH, WORDS};
use crate::verdicts::{personalised, undecided};

/// A dimension: the profile that should have less of a measure, the one that should have more, and the measures of which
/// one must go that way.
struct Direction {
    key: &'static str,
    claim: &'static str,
    less: &'static str,
    more: &'static str,
    measures: &'static [Measure],
}

const DIRECTIONS: [Direction; 3] = [
    Direction {
        key: "wording",
        claim: "P1B (expert) reads harder than P1A (simple), by grade or by long words",
        less: "P1A",
        more: "P1B",
        measures: &[GRADE, LONG_WORDS],
    },
    Direction {
        key: "length",
        claim: "P2B (full) is longer than P2A (short)",
        less: "P2A",
        more: "P2B",
        measures: &[WORDS],
    },
    Direction {
        key: "tone",
        claim: "P3A (friendly) exclaims and speaks to the reader more than P3B (unfriendly)",
        less: "P3B",
        more: "P3A",
        measures: &[WARMTH],
    },
];

/// One verdict per dimension. The interval shows how sure the direction is; the verdict is about the direction alone.
pub fn verdicts(report: &Report, texts: &Texts, seed: u64) -> Vec<(&'static str, Verdict)> {
    let all = DIRECTIONS.iter();
    all.map(|one| (one.key, verdict(report, texts, one, seed)))
        .collect()
}

fn verdict(report: &Report, texts: &Texts, direction: &Direction, seed: u64) -> Verdict {
    let user = |profile: &str| {
        let users = report.data.users.iter();
        let mut users = users.filter(|u| u.group.as_deref() == Some(profile));
        users.next().map(|u| u.id.clone())
    };
    let (Some(less), Some(more)) = (user(direction.less), user(direction.more)) else {
        return undecided("the data lack a profile");
    };
    let mut parts = Vec::new();
    let mut holds = true;
    for system in personalised(&report.systems) {
        let writer = |user: &String| (system.name.clone(), Some(user.clone()));
        let mut right = false;
        for measure in direction.measures {
            let found = difference(texts, *measure, (&writer(&less), &writer(&more)), seed);
            let (Some(value), Some(low), Some(high)) = (found.value, found.low, found.high) else {
                continue;
            };
            right |= value > 0.0;
            parts.push(format!(
                "{}, {}: {value:+.1} [{low:.1}, {high:.1}]",
                system.title(),
                measure.title
            ));
        }
        holds &= right;
    }
    match parts.is_empty() {
        true => undecided("too few texts were sampled"),
        false => Verdict::new(holds, format!("{}: {}.", direction.claim, parts.join("; "))),
    }
}
