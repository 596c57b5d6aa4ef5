//! Two evaluations of the same comparisons side by side.

use std::collections::BTreeMap;

use serde::Serialize;
use statistics::PairedDifference;

use super::accuracy::Tally;
use super::report::SavedEval;
use super::rows::{self, EvalRow};
use trainer::TrainError;

/// Draws of the bootstrap.
pub const DRAWS: usize = 2000;

/// What two evaluations, A and B, say of the same comparisons. Differences are B minus A.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Versus {
    /// The first.
    pub a: Side,
    /// The second.
    pub b: Side,
    /// A name for the set of comparisons.
    pub comparisons_hash: String,
    /// Draws of the paired bootstrap.
    pub draws: usize,
    /// Its seed.
    pub seed: u64,
    /// All comparisons.
    pub all: Group,
    /// Those of users whom both know; none if there are none.
    pub seen: Option<Group>,
    /// Those of users whom neither knows.
    pub unseen: Option<Group>,
    /// Users by which side ranks more of their comparisons right.
    pub users_better: Count,
    /// By user.
    pub users: BTreeMap<String, Outcomes>,
    /// Every comparison, in the order of A's data.
    pub rows: Vec<PairRow>,
}

/// One evaluation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// What was asked for: a folder or a file.
    pub name: String,
    /// The base model.
    pub model: String,
    /// The folder of adapters.
    pub adapters: String,
    /// All comparisons.
    pub tally: Tally,
    /// Expected calibration error.
    pub expected_calibration_error: Option<f64>,
    /// Brier score.
    pub brier: Option<f64>,
}

/// Some comparisons under both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Who ranked what right.
    #[serde(flatten)]
    pub outcomes: Outcomes,
    /// Users; a comparison without a user counts as a user of its own.
    pub users: usize,
    /// Mean over users of A's accuracy.
    pub a_over_users: Option<f64>,
    /// The same of B.
    pub b_over_users: Option<f64>,
    /// B minus A with paired bootstrap intervals over users and, within them, comparisons.
    pub difference: Option<PairedDifference>,
}

/// Counts of users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// A is better.
    pub a: usize,
    /// B is better.
    pub b: usize,
    /// Neither is.
    pub same: usize,
}

/// Some comparisons by who ranked them right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// How many.
    pub comparisons: usize,
    /// Both right.
    pub both: usize,
    /// A alone: losses of B.
    pub only_a: usize,
    /// B alone: wins of B.
    pub only_b: usize,
    /// Both wrong.
    pub neither: usize,
}

/// One comparison under both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairRow {
    /// Its id.
    pub id: String,
    /// Whose judgement it is.
    pub user: Option<String>,
    /// A's margin: reward of the preferred response minus that of the other.
    pub margin_a: f64,
    /// B's.
    pub margin_b: f64,
    /// Whether A ranks it right.
    pub correct_a: bool,
    /// Whether B does.
    pub correct_b: bool,
}

impl Outcomes {
    fn of<'a>(pairs: impl IntoIterator<Item = &'a Pair<'a>>) -> Self {
        let mut outcomes = Self::default();
        for (a, b) in pairs {
            outcomes.comparisons += 1;
            *match (a.correct, b.correct) {
                (true, true) => &mut outcomes.both,
                (true, false) => &mut outcomes.only_a,
                (false, true) => &mut outcomes.only_b,
                (false, false) => &mut outcomes.neither,
            } += 1;
        }
        outcomes
    }

    /// A's and B's accuracy; none without comparisons.
    pub fn accuracies(&self) -> Option<[f64; 2]> {
        let share = |correct: usize| correct as f64 / self.comparisons as f64;
        let both = [self.only_a, self.only_b].map(|only| share(self.both + only));
        (self.comparisons > 0).then_some(both)
    }
}

/// A comparison in A and in B.
type Pair<'a> = (&'a EvalRow, &'a EvalRow);

impl Versus {
    /// Puts B beside A; each comes with the name it was asked for by.
    ///
    /// # Errors
    /// Evaluations of different comparisons, or of none.
    pub fn new(
        (name_a, a): (&str, &SavedEval),
        (name_b, b): (&str, &SavedEval),
        seed: u64,
    ) -> Result<Self, TrainError> {
        let pairs = pair((name_a, &a.rows), (name_b, &b.rows))?;
        let group = |seen: Option<bool>| {
            let kept = pairs
                .iter()
                .filter(|(a, b)| seen.is_none() || (a.seen_user == seen && b.seen_user == seen));
            Group::of(&kept.copied().collect::<Vec<_>>(), seed)
        };
        let users = by_user(&pairs);
        Ok(Self {
            a: Side::of(name_a, a),
            b: Side::of(name_b, b),
            comparisons_hash: a.comparisons_hash.clone(),
            draws: DRAWS,
            seed,
            all: group(None),
            seen: Some(group(Some(true))).filter(Group::is_some),
            unseen: Some(group(Some(false))).filter(Group::is_some),
            users_better: better(&users),
            users,
            rows: pairs.iter().map(PairRow::of).collect(),
        })
    }

    /// Users from B's greatest loss against A to its greatest gain, in accuracy.
    pub fn worst_first(&self) -> Vec<(&str, &Outcomes)> {
        let mut users: Vec<(&str, &Outcomes)> =
            self.users.iter().map(|(id, u)| (id.as_str(), u)).collect();
        users.sort_by(|(_, x), (_, y)| {
            let gain = |u: &Outcomes| u.accuracies().map_or(0.0, |[a, b]| b - a);
            let by_size = y.comparisons.cmp(&x.comparisons);
            gain(x).total_cmp(&gain(y)).then(by_size)
        });
        users
    }
}

impl Side {
    fn of(name: &str, saved: &SavedEval) -> Self {
        let calibration = rows::calibration(&saved.rows);
        Self {
            name: name.into(),
            model: saved.model.clone(),
            adapters: saved.adapters.clone(),
            tally: Tally::of(&saved.rows),
            expected_calibration_error: calibration.expected_calibration_error,
            brier: calibration.brier,
        }
    }
}

impl Group {
    fn of(pairs: &[Pair<'_>], seed: u64) -> Self {
        let users = clusters(pairs);
        let over_users = |side: usize| {
            let mean = |user: &Vec<[f64; 2]>| {
                statistics::mean(&user.iter().map(|values| values[side]).collect::<Vec<_>>())
            };
            statistics::mean(&users.iter().filter_map(mean).collect::<Vec<_>>())
        };
        Self {
            outcomes: Outcomes::of(pairs),
            users: users.len(),
            a_over_users: over_users(0),
            b_over_users: over_users(1),
            difference: statistics::paired_bootstrap(&users, DRAWS, seed),
        }
    }

    /// The same comparisons, in the same order, under A and B.
    pub fn between(a: &[EvalRow], b: &[EvalRow], seed: u64) -> Self {
        let pairs: Vec<Pair<'_>> = a.iter().zip(b).collect();
        Self::of(&pairs, seed)
    }

    fn is_some(&self) -> bool {
        self.outcomes.comparisons > 0
    }
}

impl PairRow {
    fn of((a, b): &Pair<'_>) -> Self {
        Self {
            id: a.id.clone(),
            user: a.user.clone(),
            margin_a: a.margin(),
            margin_b: b.margin(),
            correct_a: a.correct,
            correct_b: b.correct,
        }
    }
}

/// Both rewards of every comparison, by user; a comparison without a user stands alone.
fn clusters(pairs: &[Pair<'_>]) -> Vec<Vec<[f64; 2]>> {
    let values = |(a, b): &Pair<'_>| [a, b].map(|row| f64::from(u8::from(row.correct)));
    let mut users: BTreeMap<&str, Vec<[f64; 2]>> = BTreeMap::new();
    let mut alone = Vec::new();
    for pair in pairs {
        match &pair.0.user {
            Some(user) => users.entry(user).or_default().push(values(pair)),
            None => alone.push(vec![values(pair)]),
        }
    }
    users.into_values().chain(alone).collect()
}

fn by_user(pairs: &[Pair<'_>]) -> BTreeMap<String, Outcomes> {
    let mut users: BTreeMap<&str, Vec<&Pair<'_>>> = BTreeMap::new();
    for pair in pairs {
        if let Some(user) = &pair.0.user {
            users.entry(user).or_default().push(pair);
        }
    }
    users
        .into_iter()
        .map(|(user, pairs)| (user.to_string(), Outcomes::of(pairs)))
        .collect()
}

fn better(users: &BTreeMap<String, Outcomes>) -> Count {
    let mut count = Count::default();
    for user in users.values() {
        *match user.only_a.cmp(&user.only_b) {
            std::cmp::Ordering::Greater => &mut count.a,
            std::cmp::Ordering::Less => &mut count.b,
            std::cmp::Ordering::Equal => &mut count.same,
        } += 1;
    }
    count
}

/// Matches rows by id, whatever their order; judgements that occur more than once are matched in their order.
fn pair<'a>(
    (name_a, a): (&str, &'a [EvalRow]),
    (name_b, b): (&str, &'a [EvalRow]),
) -> Result<Vec<Pair<'a>>, TrainError> {
    let mut left: BTreeMap<&str, Vec<&EvalRow>> = BTreeMap::new();
    for row in b.iter().rev() {
        left.entry(&row.id).or_default().push(row);
    }
    let mut partner = |row: &EvalRow| left.get_mut(row.id.as_str()).and_then(Vec::pop);
    let pairs: Vec<Pair<'_>> = a
        .iter()
        .filter_map(|row| Some((row, partner(row)?)))
        .collect();
    if pairs.len() == a.len() && pairs.len() == b.len() && !pairs.is_empty() {
        return Ok(pairs);
    }
    Err(TrainError::Usage(format!(
        "{name_a} and {name_b} hold different comparisons: {} only in the first, {} only in the second, {} in both; evaluate both on the same --data",
        a.len() - pairs.len(),
        b.len() - pairs.len(),
        pairs.len()
    )))
}

#[cfg(test)]
mod tests {
    use super::super::report::VERSION;
    use super::super::rows::comparisons_hash;
    use super::super::rows::tests::row;
    use super::*;

    fn saved(rows: Vec<EvalRow>) -> SavedEval {
        SavedEval {
            version: VERSION,
            model: "m".into(),
            adapters: "a".into(),
            comparisons_hash: comparisons_hash(&rows),
            rows,
            answered: None,
        }
    }

    /// anna: four comparisons, ben: one, nobody: one.
    fn side(margins: [f32; 6]) -> SavedEval {
        let users = [
            Some("anna"),
            Some("anna"),
            Some("anna"),
            Some("anna"),
            Some("ben"),
            None,
        ];
        let rows = users.into_iter().zip(margins).enumerate();
        saved(
            rows.map(|(i, (user, margin))| row(i, user, margin))
                .collect(),
        )
    }

    #[test]
    fn outcomes_are_counted_over_all_and_by_user() {
        let a = side([1.0, 1.0, -1.0, -1.0, 1.0, 1.0]);
        let b = side([1.0, -1.0, 1.0, 1.0, -1.0, 1.0]);
        let versus = Versus::new(("a", &a), ("b", &b), 0).unwrap();
        let all = versus.all.outcomes;
        assert_eq!((all.comparisons, all.both, all.neither), (6, 2, 0));
        assert_eq!((all.only_a, all.only_b), (2, 2));
        assert_eq!(all.accuracies(), Some([4.0 / 6.0, 4.0 / 6.0]));
        assert_eq!(
            versus.users_better,
            Count {
                a: 1,
                b: 1,
                same: 0
            }
        );
        assert_eq!(versus.users["anna"].accuracies(), Some([0.5, 0.75]));
        assert_eq!(versus.worst_first()[0].0, "ben");
        // Users anna, ben and one for the comparison without a user: (1/2 + 1 + 1) / 3 and (3/4 + 0 + 1) / 3.
        assert_eq!(versus.all.users, 3);
        assert!((versus.all.a_over_users.unwrap() - 2.5 / 3.0).abs() < 1e-12);
        let difference = versus.all.difference.unwrap();
        assert!(difference.pooled.abs() < 1e-12);
        assert!((difference.over_users + 0.25).abs() < 1e-12);
        assert!(
            difference
                .over_users_interval
                .contains(difference.over_users)
        );
        assert!(versus.unseen.is_none());
        assert_eq!(versus.seen.unwrap().outcomes.comparisons, 5);
    }

    #[test]
    fn an_evaluation_does_not_differ_from_itself() {
        let a = side([1.0, 1.0, -1.0, -1.0, 1.0, 1.0]);
        let difference = Versus::new(("a", &a), ("a", &a), 7)
            .unwrap()
            .all
            .difference
            .unwrap();
        let interval = difference.pooled_interval;
        assert_eq!(
            (difference.pooled, interval.low, interval.high),
            (0.0, 0.0, 0.0)
        );
    }

    #[test]
    fn rows_are_matched_by_id_and_not_by_place() {
        let a = side([1.0, 1.0, 1.0, -1.0, -1.0, -1.0]);
        let mut b = a.clone();
        b.rows.reverse();
        let versus = Versus::new(("a", &a), ("b", &b), 0).unwrap();
        assert_eq!(
            (versus.all.outcomes.only_a, versus.all.outcomes.only_b),
            (0, 0)
        );
    }

    #[test]
    fn other_comparisons_are_refused_with_counts() {
        let a = side([1.0; 6]);
        let mut other = a.rows.clone();
        other[0].id = "another".into();
        other.pop();
        let error = Versus::new(("x.json", &a), ("y.json", &saved(other)), 0).unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with("x.json and y.json hold different comparisons"),
            "{error}"
        );
        assert!(
            error.contains("2 only in the first, 1 only in the second, 4 in both"),
            "{error}"
        );
        let none = saved(Vec::new());
        assert!(Versus::new(("a", &none), ("b", &none), 0).is_err());
    }
}
