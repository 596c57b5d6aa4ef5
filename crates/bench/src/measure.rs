//! From scored comparisons and sampled texts to the figures of a report.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use trainer::metrics::Line;
use trainer::pref_data::{Comparison, UserId};

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
    /// Tells the pair of responses from others, for this prompt and whoever judges it.
    pub pair: u64,
    /// Whether several users judged this pair, and not all alike; `None` where one did, or nobody looked.
    pub disputed: Option<bool>,
}

impl Case {
    /// A comparison of a seen user or of another.
    pub fn new(comparison: &Comparison, seen: bool) -> Self {
        Self {
            user: comparison.user.as_ref().map_or("", UserId::as_str).into(),
            group: comparison.group.clone().unwrap_or_default(),
            seen,
            ratio: comparison.length_ratio(),
            pair: pair(comparison),
            disputed: None,
        }
    }
}

/// A number for the two responses of a comparison, whichever was chosen, and for what they answer.
pub fn pair(comparison: &Comparison) -> u64 {
    let (one, other) = (&comparison.chosen, &comparison.rejected);
    let mut hash = DefaultHasher::new();
    (&comparison.source, one.min(other), one.max(other)).hash(&mut hash);
    hash.finish()
}

/// Seen workers and their groups.
pub type Users = BTreeMap<String, String>;

/// The share of runs in which each comparison was right; `None` for one that no run has a score of.
pub fn shares(runs: &[Vec<Option<bool>>]) -> Vec<Option<f64>> {
    let count = runs.iter().map(Vec::len).min().unwrap_or(0);
    let share = |case: usize| {
        let scored = runs.iter().filter_map(|run| run[case]);
        let right: Vec<f64> = scored.map(|right| f64::from(u8::from(right))).collect();
        statistics::mean(&right)
    };
    (0..count).map(share).collect()
}

/// Accuracy-top, Accuracy-generic and Accuracy-average (reference, section 5). Of every comparison, `shares` has the share of runs in
/// which it was right.
pub fn accuracy(cases: &[Case], shares: &[Option<f64>], bands: &[f64]) -> Accuracy {
    let rows = cases.iter().zip(shares);
    let rows: Vec<(&Case, f64)> = rows.filter_map(|(case, s)| Some((case, (*s)?))).collect();
    let pooled = |keep: &dyn Fn(&Case) -> bool| {
        let chosen = rows.iter().filter(|(case, _)| keep(case));
        let (right, all) = chosen.fold((0.0, 0), |(right, all), (_, share)| {
            (right + share, all + 1)
        });
        Estimate::proportion(right, all)
    };
    let top = pooled(&|c| c.seen);
    let generic = pooled(&|c| !c.seen);
    let mut tally: BTreeMap<&str, (&str, f64, u64)> = BTreeMap::new();
    for (case, share) in rows.iter().filter(|(case, _)| case.seen) {
        let entry = tally.entry(&case.user).or_insert((&case.group, 0.0, 0));
        entry.1 += share;
        entry.2 += 1;
    }
    let of_group = |group: Option<&str>| -> Vec<f64> {
        tally
            .values()
            .filter(|(g, _, _)| group.is_none_or(|group| *g == group))
            .map(|(_, k, n)| k / *n as f64)
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
            .map(|(user, (_, k, n))| (user.to_string(), Some(k / *n as f64)))
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

/// The median of a statistic of sampled texts: over the texts for every user, and over all texts for the users of each group.
pub fn medians(
    texts: &[(Option<String>, String)],
    users: &Users,
    value: fn(&str) -> f64,
) -> ByGroup {
    let median = |keep: &dyn Fn(Option<&str>) -> bool| {
        let kept = texts.iter().filter(|(user, _)| keep(user.as_deref()));
        statistics::median(kept.map(|(_, text)| value(text)).collect())
    };
    let group = |group: &str| {
        median(&|user| user.is_some_and(|user| users.get(user).is_some_and(|g| g == group)))
    };
    let named: BTreeSet<&String> = texts.iter().filter_map(|(user, _)| user.as_ref()).collect();
    ByGroup {
        majority: group(MAJORITY),
        minority: group(MINORITY),
        generic: median(&|user| user.is_none()),
        per_user: (named.into_iter())
            .map(|name| (name.clone(), median(&|user| user == Some(name.as_str()))))
            .collect(),
    }
}

/// No word of ordinary text is longer, in characters.
const LONGEST_WORD: usize = 24;

/// Words of a text: what stands between blanks. What is longer than any word counts as several, so that noise without blanks is no short
/// response.
pub fn words(text: &str) -> f64 {
    let pieces = text.split_whitespace();
    let count = |piece: &str| piece.chars().count().div_ceil(LONGEST_WORD);
    pieces.map(count).sum::<usize>() as f64
}

/// 1 for a text without words.
pub fn empty(text: &str) -> f64 {
    f64::from(u8::from(text.trim().is_empty()))
}

/// Figures on validation over training, from the lines of `metrics.jsonl`.
pub fn curve(lines: &[Line], users: &Users) -> Vec<CurvePoint> {
    let validations = lines.iter().filter(|line| line.split == "validation");
    let in_group =
        |group: &'static str| move |user: &str| users.get(user).is_some_and(|g| g == group);
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
            let ends = |keep: &dyn Fn(&str) -> bool| {
                let kept = line
                    .ends_at_once_by_user
                    .iter()
                    .filter(|(user, _)| keep(user));
                statistics::mean(&kept.map(|(_, value)| *value).collect::<Vec<_>>())
            };
            CurvePoint {
                step: line.step as u64,
                loss: Some(line.loss),
                top: share(&|user| users.contains_key(user)),
                generic: share(&|user| !users.contains_key(user)),
                majority: share(&in_group(MAJORITY)),
                minority: share(&in_group(MINORITY)),
                ends_majority: ends(&in_group(MAJORITY)),
                ends_minority: ends(&in_group(MINORITY)),
                ends_generic: ends(&str::is_empty),
            }
        })
        .collect()
}

/// The mean of several runs' curves at the steps of the first, over the runs that were there.
pub fn mean_curve(curves: &[&[CurvePoint]]) -> Vec<CurvePoint> {
    let first = curves.first().copied().unwrap_or_default();
    let at = |point: &CurvePoint| {
        let same: Vec<&CurvePoint> = (curves.iter())
            .filter_map(|curve| curve.iter().find(|other| other.step == point.step))
            .collect();
        let mean = |pick: fn(&CurvePoint) -> Option<f64>| {
            statistics::mean(
                &same
                    .iter()
                    .filter_map(|point| pick(point))
                    .collect::<Vec<_>>(),
            )
        };
        CurvePoint {
            step: point.step,
            loss: mean(|p| p.loss),
            top: mean(|p| p.top),
            generic: mean(|p| p.generic),
            majority: mean(|p| p.majority),
            minority: mean(|p| p.minority),
            ends_majority: mean(|p| p.ends_majority),
            ends_minority: mean(|p| p.ends_minority),
            ends_generic: mean(|p| p.ends_generic),
        }
    };
    first.iter().map(at).collect()
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
            pair: 0,
            disputed: None,
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
        let rows = [1.0, 1.0, 0.0, 0.0, 1.0, 0.0].map(Some);
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

    #[test]
    fn noise_without_blanks_is_not_one_word() {
        assert_eq!(words("Well-known, internationalization!"), 2.0);
        assert_eq!(words(&"Er...E".repeat(20)), 5.0);
        assert_eq!((words(" \n"), words("no")), (0.0, 1.0));
    }

    #[test]
    fn several_runs_count_every_comparison_once() {
        let cases = [
            case("a", MAJORITY, true, 1.0),
            case("b", MINORITY, true, 1.0),
        ];
        let runs = [[true, true], [true, false], [true, false]];
        let shares = shares(&runs.map(|run| run.map(Some).to_vec()));
        assert_eq!(shares, [Some(1.0), Some(1.0 / 3.0)]);
        let found = accuracy(&cases, &shares, &[1.0]);
        assert_eq!(found.top, Some(2.0 / 3.0));
        assert_eq!(found.minority.mean, Some(1.0 / 3.0));
        assert_eq!(found.by_ratio.unwrap()[0].n, 2);
    }

    #[test]
    fn what_a_system_has_no_score_of_counts_nowhere() {
        let cases = [
            case("a", MAJORITY, true, 1.0),
            case("b", MINORITY, true, 1.0),
            case("z", MINORITY, false, 1.0),
        ];
        let found = accuracy(&cases, &shares(&[vec![Some(true), None, None]]), &[]);
        assert_eq!((found.top, found.generic), (Some(1.0), None));
        assert_eq!(found.per_user.len(), 1);
    }

    #[test]
    fn a_groups_median_is_over_its_texts() {
        let users = Users::from([("a".into(), MINORITY.into()), ("b".into(), MINORITY.into())]);
        let text = |user: Option<&str>, text: &str| (user.map(String::from), text.to_string());
        let texts = [
            text(Some("a"), ""),
            text(Some("a"), "one"),
            text(Some("b"), "one two three four"),
            text(None, "one two"),
        ];
        let found = medians(&texts, &users, words);
        assert_eq!((found.minority, found.majority), (Some(1.0), None));
        assert_eq!((found.per_user["a"], found.generic), (Some(0.5), Some(2.0)));
    }

    #[test]
    fn curves_have_the_chance_of_an_empty_response_by_group() {
        let users = Users::from([("a".into(), MINORITY.into()), ("b".into(), MINORITY.into())]);
        let chances = [("", 0.5), ("a", 0.1), ("b", 0.3)].map(|(u, p)| (u.to_owned(), p));
        let line = Line {
            split: "validation".into(),
            step: 40,
            ends_at_once_by_user: chances.into(),
            ..Line::default()
        };
        let found = curve(&[line], &users);
        assert_eq!(found[0].ends_minority, Some(0.2));
        assert_eq!(
            (found[0].ends_majority, found[0].ends_generic),
            (None, Some(0.5))
        );
        let other = CurvePoint {
            ends_minority: Some(0.4),
            ..found[0]
        };
        let mean = mean_curve(&[&found, &[other]]);
        assert!((mean[0].ends_minority.unwrap() - 0.3).abs() < 1e-12);
    }
}
