//! Whether texts go the way their users want: a check on the texts themselves, without a judge.

use crate::claims::{personalised, undecided};
use crate::report::{Claim, Report};
use crate::text::by_user::{Texts, difference};
use crate::text::{GRADE, LONG_WORDS, Measure, WARMTH, WORDS};

/// A dimension: the profile that should have less of a measure, the one that should have more, and the measures of which
/// one must go that way.
struct Direction {
    key: &'static str,
    statement: &'static str,
    less: &'static str,
    more: &'static str,
    measures: &'static [Measure],
}

const DIRECTIONS: [Direction; 3] = [
    Direction {
        key: "wording",
        statement: "P1B (expert) reads harder than P1A (simple), by grade or by long words",
        less: "P1A",
        more: "P1B",
        measures: &[GRADE, LONG_WORDS],
    },
    Direction {
        key: "length",
        statement: "P2B (full) is longer than P2A (short)",
        less: "P2A",
        more: "P2B",
        measures: &[WORDS],
    },
    Direction {
        key: "tone",
        statement: "P3A (friendly) exclaims and speaks to the reader more than P3B (unfriendly)",
        less: "P3B",
        more: "P3A",
        measures: &[WARMTH],
    },
];

/// One claim per dimension. The interval shows how sure the direction is; the claim is about the direction alone.
pub fn claims(report: &Report, texts: &Texts, seed: u64) -> Vec<(&'static str, Claim)> {
    let all = DIRECTIONS.iter();
    all.map(|one| (one.key, claim(report, texts, one, seed)))
        .collect()
}

fn claim(report: &Report, texts: &Texts, direction: &Direction, seed: u64) -> Claim {
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
        false => Claim::new(
            holds,
            format!("{}: {}.", direction.statement, parts.join("; ")),
        ),
    }
}
