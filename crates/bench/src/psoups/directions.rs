//! Whether texts go the way their users want: a check on the texts themselves, without a judge.

use statistics::{Estimated, Interval, signed};
use text_measures::{GRADE, LONG_WORDS, Measure, WARMTH, WORDS};

use crate::claims::{personalised, word};
use crate::report::{Claim, Finding, Report, all, any};
use crate::texts::{Texts, difference};

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

/// One claim per dimension: all of a measure's interval lies on the right side of 0.
pub fn claims(report: &Report, texts: &Texts) -> Vec<(&'static str, Claim)> {
    let all = DIRECTIONS.iter();
    all.map(|one| (one.key, claim(report, texts, one)))
        .collect()
}

fn claim(report: &Report, texts: &Texts, direction: &Direction) -> Claim {
    let user = |profile: &str| {
        let users = report.data.users.iter();
        let mut users = users.filter(|u| u.group.as_deref() == Some(profile));
        users.next().map(|u| u.id.clone())
    };
    let (Some(less), Some(more)) = (user(direction.less), user(direction.more)) else {
        return Claim::not_measured("the data lack a profile");
    };
    let (mut parts, mut findings, mut systems) = (Vec::new(), Vec::new(), Vec::new());
    for system in personalised(&report.systems) {
        let writer = |user: &String| (system.name.clone(), Some(user.clone()));
        let mut ways = Vec::new();
        for measure in direction.measures {
            let found = difference(texts, *measure, (&writer(&less), &writer(&more)));
            let (Some(value), Some(low), Some(high)) = (found.value, found.low, found.high) else {
                continue;
            };
            let interval = Interval { low, high };
            let holds = interval.is_above(0.0);
            let (name, title, word) = (system.title(), measure.title, word(holds));
            let [shown, from, to] = [value, low, high].map(|x| signed(x, 1));
            parts.push(format!("{name}, {title}: {shown} [{from}, {to}] ({word})"));
            let figure = Estimated { value, interval };
            findings.push(Finding::new(&system.name, title, figure, holds));
            ways.push(holds);
        }
        systems.extend((!ways.is_empty()).then(|| any(ways)));
    }
    match parts.is_empty() {
        true => Claim::not_measured("too few texts were sampled"),
        false => Claim {
            holds: all(systems),
            grade: None,
            text: format!("{}: {}.", direction.statement, parts.join("; ")),
            findings,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Results;
    use crate::report::{Data, UserInfo};
    use crate::tests::{results, system, wrote};
    use crate::texts::gather;

    #[test]
    fn a_direction_holds_where_all_of_the_interval_does() {
        let user = |id: &str, profile: &str| UserInfo {
            id: id.into(),
            group: Some(profile.into()),
            ..UserInfo::default()
        };
        let report = Report {
            data: Data {
                users: vec![user("1", "P2A"), user("2", "P2B")],
                ..Data::default()
            },
            systems: vec![system("sft"), system("pdpo-individual")],
            ..Report::default()
        };
        let of = |short: &[usize], full: &[usize]| {
            let ours = wrote(&[("1", short), ("2", full)]);
            let seeds = [results(&[], &[("pdpo-individual", ours)])];
            claim(&report, &gather(&Results { seeds: &seeds }), &DIRECTIONS[1])
        };
        let short = [3, 4, 5, 3, 4, 5];
        assert_eq!(of(&short, &[8, 9, 10, 8, 9, 10]).holds, Some(true));
        assert_eq!(of(&short, &[1, 2, 3, 1, 2, 3]).holds, Some(false));
        let open = of(&short, &[9, 1, 9, 1, 9, 1]);
        assert_eq!(open.holds, None, "{}", open.text);
        assert_eq!(of(&[], &[]).verdict(), "not measured");
    }
}
