//! From scored comparisons and sampled texts to the figures of a report.

use std::collections::BTreeMap;

use trainer::metrics::Line;

use crate::report::{Accuracy, ByGroup, CurvePoint, Estimate, MeanSe, RatioBand};

/// The groups.
pub const MAJORITY: &str = "majority";
/// The groups.
pub const MINORITY: &str = "minority";

/// What is known of an evaluated comparison.
#[derive(Clone, Debug)]
pub struct Case {
    /// The worker.
    pub user: String,
    /// The worker's simulated group.
    pub group: String,
    /// Whether the worker was trained on.
    pub seen: bool,
    /// Longer over shorter response, in characters.
    pub ratio: f64,
}

/// Seen workers and their groups.
pub type Users = BTreeMap<String, String>;

/// Accuracy-top, Accuracy-generic and Accuracy-average (reference, section 5).
pub fn accuracy(cases: &[Case], correct: &[bool], bands: &[f64]) -> Accuracy {
    let rows: Vec<(&Case, bool)> = cases.iter().zip(correct.iter().copied()).collect();
    let pooled = |keep: &dyn Fn(&Case) -> bool| {
        let chosen = rows.iter().filter(|(case, _)| keep(case));
        let (correct, all) = chosen.fold((0, 0), |(correct, all), (_, ok)| {
            (correct + u64::from(*ok), all + 1)
        });
        Estimate::proportion(correct, all)
    };
    let top = pooled(&|c| c.seen);
    let generic = pooled(&|c| !c.seen);
    let mut tally: BTreeMap<&str, (&str, u64, u64)> = BTreeMap::new();
    for (case, correct) in rows.iter().filter(|(case, _)| case.seen) {
        let entry = tally.entry(&case.user).or_insert((&case.group, 0, 0));
        entry.1 += u64::from(*correct);
        entry.2 += 1;
    }
    let of_group = |group: Option<&str>| -> Vec<f64> {
        tally
            .values()
            .filter(|(g, _, _)| group.is_none_or(|group| *g == group))
            .map(|(_, k, n)| *k as f64 / *n as f64)
            .collect()
    };
    Accuracy {
        top: top.value,
        top_interval: interval(&top),
        generic: generic.value,
        generic_interval: interval(&generic),
        average: Some(MeanSe::of(&of_group(None))),
        majority: MeanSe::of(&of_group(Some(MAJORITY))),
        minority: MeanSe::of(&of_group(Some(MINORITY))),
        per_user: tally
            .iter()
            .map(|(user, (_, k, n))| (user.to_string(), Some(*k as f64 / *n as f64)))
            .collect(),
        by_ratio: (!bands.is_empty()).then(|| by_ratio(bands, &pooled)),
    }
}

fn interval(estimate: &Estimate) -> Option<statistics::Interval> {
    Some(statistics::Interval {
        low: estimate.low?,
        high: estimate.high?,
    })
}

/// The share of correct rows among the cases that a condition keeps.
type Pooled<'a> = &'a dyn Fn(&dyn Fn(&Case) -> bool) -> Estimate;

fn by_ratio(bands: &[f64], pooled: Pooled<'_>) -> Vec<RatioBand> {
    let ends = bands.iter().skip(1).map(|b| Some(*b)).chain([None]);
    let apart = bands.get(1).filter(|_| bands.len() > 2);
    bands
        .iter()
        .zip(ends)
        .chain(apart.map(|lo| (lo, None)))
        .map(|(&lo, hi)| {
            let inside = move |c: &Case| c.ratio >= lo && hi.is_none_or(|hi| c.ratio < hi);
            let all = pooled(&|c| inside(c) && c.seen);
            RatioBand {
                lo,
                hi,
                n: all.n,
                top: all,
                majority: pooled(&|c| inside(c) && c.seen && c.group == MAJORITY),
                minority: pooled(&|c| inside(c) && c.seen && c.group == MINORITY),
            }
        })
        .collect()
}

/// A statistic of sampled texts by user: for every user with texts the mean, and the mean over the users of each group.
/// Texts for nobody in particular count as generic.
pub fn by_group(
    texts: &[(Option<String>, String)],
    users: &Users,
    value: fn(&str) -> f64,
) -> ByGroup {
    let mut of_user: BTreeMap<Option<&str>, Vec<f64>> = BTreeMap::new();
    for (user, text) in texts {
        of_user
            .entry(user.as_deref())
            .or_default()
            .push(value(text));
    }
    let means: BTreeMap<Option<&str>, f64> = of_user
        .into_iter()
        .filter_map(|(user, values)| Some((user, statistics::mean(&values)?)))
        .collect();
    let group = |group: &str| {
        let values: Vec<f64> = means
            .iter()
            .filter(|(user, _)| user.is_some_and(|u| users.get(u).is_some_and(|g| g == group)))
            .map(|(_, mean)| *mean)
            .collect();
        statistics::mean(&values)
    };
    ByGroup {
        majority: group(MAJORITY),
        minority: group(MINORITY),
        generic: means.get(&None).copied(),
        per_user: means
            .iter()
            .filter_map(|(user, mean)| Some((user.as_deref()?.to_string(), Some(*mean))))
            .collect(),
    }
}

/// Words of a text.
pub fn words(text: &str) -> f64 {
    text.split_whitespace().count() as f64
}

/// 1 for a text without words.
pub fn empty(text: &str) -> f64 {
    f64::from(u8::from(text.trim().is_empty()))
}

/// Accuracies on validation over training, from the lines of `metrics.jsonl`.
pub fn curve(lines: &[Line], users: &Users) -> Vec<CurvePoint> {
    let validations = lines.iter().filter(|line| line.split == "validation");
    validations
        .map(|line| {
            let share = |keep: &dyn Fn(&str) -> bool| {
                let counts = line.count_by_user.iter().filter(|(user, _)| keep(user));
                let measured = counts.filter_map(|(user, n)| Some((line.by_user.get(user)?, n)));
                let (correct, all) = measured.fold((0.0, 0.0), |(correct, all), (accuracy, n)| {
                    (correct + accuracy * *n as f64, all + *n as f64)
                });
                (all > 0.0).then(|| correct / all)
            };
            let in_group =
                |group: &'static str| move |user: &str| users.get(user).is_some_and(|g| g == group);
            CurvePoint {
                step: line.step as u64,
                loss: Some(line.loss),
                top: share(&|user| users.contains_key(user)),
                generic: share(&|user| !users.contains_key(user)),
                majority: share(&in_group(MAJORITY)),
                minority: share(&in_group(MINORITY)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(user: &str, group: &str, seen: bool, ratio: f64) -> Case {
        Case {
            user: user.into(),
            group: group.into(),
            seen,
            ratio,
        }
    }

    #[test]
    fn accuracies_are_pooled_over_rows_and_averaged_over_workers() {
        let cases = [
            case("a", MAJORITY, true, 1.1),
            case("a", MAJORITY, true, 2.0),
            case("a", MAJORITY, true, 2.0),
            case("b", MINORITY, true, 1.1),
            case("c", MINORITY, true, 2.0),
            case("z", MINORITY, false, 2.0),
        ];
        let rows = [true, true, false, false, true, false];
        let found = accuracy(&cases, &rows, &[1.0, 1.2]);
        assert_eq!(found.top, Some(3.0 / 5.0));
        assert_eq!(found.generic, Some(0.0));
        assert_eq!(found.majority.mean, Some(2.0 / 3.0));
        assert_eq!(found.minority.mean, Some(0.5));
        // Sample deviation of 0 and 1 is sqrt(1/2); over sqrt(2) workers it is 1/2.
        assert!((found.minority.se.unwrap() - 0.5).abs() < 1e-12);
        let bands = found.by_ratio.unwrap();
        assert_eq!(bands.len(), 2);
        assert_eq!((bands[0].n, bands[0].top.value), (2, Some(0.5)));
        assert_eq!((bands[1].n, bands[1].minority.value), (3, Some(1.0)));

        let bands = accuracy(&cases, &rows, &[1.0, 1.05, 1.2]).by_ratio.unwrap();
        let counts: Vec<_> = bands.iter().map(|b| (b.lo, b.hi, b.n)).collect();
        let apart = (1.05, None, 5);
        assert_eq!(
            counts[..3],
            [(1.0, Some(1.05), 0), (1.05, Some(1.2), 2), (1.2, None, 3)]
        );
        assert_eq!(counts[3..], [apart]);
    }

    #[test]
    fn lengths_are_means_over_the_users_of_a_group() {
        let users = Users::from([("a".into(), MAJORITY.into()), ("b".into(), MINORITY.into())]);
        let text = |user: Option<&str>, text: &str| (user.map(String::from), text.to_string());
        let texts = [
            text(Some("a"), "one two three"),
            text(Some("a"), "one"),
            text(Some("b"), ""),
            text(None, "one two"),
        ];
        let found = by_group(&texts, &users, words);
        assert_eq!((found.majority, found.minority), (Some(2.0), Some(0.0)));
        assert_eq!(found.generic, Some(2.0));
        assert_eq!(by_group(&texts, &users, empty).minority, Some(1.0));
    }
}
