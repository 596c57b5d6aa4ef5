//! How often the policy ranks comparisons as their users did: over all, by seen and unseen users and prompts, by user.

use std::collections::BTreeMap;

use serde::Serialize;
use statistics::Interval;

use super::rows::EvalRow;

/// Accuracy of an evaluation.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Accuracy {
    /// All comparisons.
    pub all: Tally,
    /// Those of seen users.
    pub seen: Tally,
    /// Those of unseen users, ranked with the generic user's soft prompt.
    pub unseen: Tally,
    /// Those without a user, likewise.
    pub without_user: Tally,
    /// The same by prompt; none where the training data is not known.
    pub grid: Option<Grid>,
    /// Means over users.
    pub over_users: OverUsers,
    /// By user.
    pub users: BTreeMap<String, UserTally>,
}

/// Some comparisons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Tally {
    /// How many.
    pub comparisons: usize,
    /// Ranked as the user did: the preferred response has strictly the higher reward.
    pub correct: usize,
    /// Both rewards are equal; counted as wrong.
    pub ties: usize,
    /// `correct / comparisons`; none for no comparisons.
    pub accuracy: Option<f64>,
    /// Wilson's 95 % interval of the accuracy.
    pub interval: Option<Interval>,
    /// Mean implicit reward of the preferred response minus that of the other.
    pub margin: Option<f64>,
}

/// Users by prompts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Grid {
    /// Users that were trained on.
    pub seen_users: GridRow,
    /// Others.
    pub unseen_users: GridRow,
    /// Nobody in particular.
    pub without_user: GridRow,
}

/// Some users by prompts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct GridRow {
    /// Prompts that were trained on.
    pub seen_prompts: Tally,
    /// Others.
    pub unseen_prompts: Tally,
}

/// Means over users of each user's accuracy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct OverUsers {
    /// All users.
    pub all: UserMean,
    /// Seen ones.
    pub seen: UserMean,
    /// Unseen ones.
    pub unseen: UserMean,
}

/// A mean over users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct UserMean {
    /// How many users.
    pub users: usize,
    /// The mean of their accuracies; none without users.
    pub mean: Option<f64>,
    /// Its standard error; none for fewer than two users.
    pub standard_error: Option<f64>,
}

/// One user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct UserTally {
    /// Whether the user is a seen one.
    pub seen: bool,
    /// Their comparisons.
    #[serde(flatten)]
    pub tally: Tally,
}

impl Tally {
    /// Counts rows.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a EvalRow>) -> Self {
        let (mut tally, mut margins) = (Self::default(), 0.0);
        for row in rows {
            tally.comparisons += 1;
            tally.correct += usize::from(row.correct);
            tally.ties += usize::from(row.tied());
            margins += row.margin();
        }
        let n = tally.comparisons as f64;
        if tally.comparisons > 0 {
            tally.accuracy = Some(tally.correct as f64 / n);
            tally.margin = Some(margins / n);
        }
        tally.interval = statistics::wilson(tally.correct as u64, tally.comparisons as u64);
        tally
    }
}

impl GridRow {
    fn of(rows: &[EvalRow], user: Option<bool>) -> Self {
        let cell = |prompt: bool| {
            Tally::of(
                rows.iter()
                    .filter(|row| row.seen_user == user && row.seen_prompt == Some(prompt)),
            )
        };
        Self {
            seen_prompts: cell(true),
            unseen_prompts: cell(false),
        }
    }
}

impl UserMean {
    /// Mean and standard error over users.
    pub fn of<'a>(users: impl IntoIterator<Item = &'a UserTally>) -> Self {
        let values: Vec<f64> = users.into_iter().filter_map(|u| u.tally.accuracy).collect();
        Self {
            users: values.len(),
            mean: statistics::mean(&values),
            standard_error: statistics::standard_error(&values),
        }
    }
}

impl Accuracy {
    /// Counts rows. The grid needs to know of every row whether its prompt was seen.
    pub fn of(rows: &[EvalRow]) -> Self {
        let of_users = |seen: Option<bool>| Tally::of(rows.iter().filter(|r| r.seen_user == seen));
        let known = !rows.is_empty() && rows.iter().all(|row| row.seen_prompt.is_some());
        let users = by_user(rows);
        let over = |seen: Option<bool>| {
            UserMean::of(users.values().filter(|u| seen.is_none_or(|s| u.seen == s)))
        };
        Self {
            all: Tally::of(rows),
            seen: of_users(Some(true)),
            unseen: of_users(Some(false)),
            without_user: of_users(None),
            grid: known.then(|| Grid {
                seen_users: GridRow::of(rows, Some(true)),
                unseen_users: GridRow::of(rows, Some(false)),
                without_user: GridRow::of(rows, None),
            }),
            over_users: OverUsers {
                all: over(None),
                seen: over(Some(true)),
                unseen: over(Some(false)),
            },
            users,
        }
    }

    /// Users from the worst accuracy to the best; of equal ones, the one with more comparisons first.
    pub fn worst_first(&self) -> Vec<(&str, &UserTally)> {
        let mut users: Vec<(&str, &UserTally)> =
            self.users.iter().map(|(id, u)| (id.as_str(), u)).collect();
        users.sort_by(|(_, a), (_, b)| {
            let accuracy = |u: &UserTally| u.tally.accuracy.unwrap_or_default();
            let by_size = b.tally.comparisons.cmp(&a.tally.comparisons);
            accuracy(a).total_cmp(&accuracy(b)).then(by_size)
        });
        users
    }
}

fn by_user(rows: &[EvalRow]) -> BTreeMap<String, UserTally> {
    let mut of_user: BTreeMap<&str, Vec<&EvalRow>> = BTreeMap::new();
    for row in rows {
        if let Some(user) = &row.user {
            of_user.entry(user).or_default().push(row);
        }
    }
    of_user
        .into_iter()
        .map(|(user, rows)| {
            let seen = rows.iter().any(|row| row.seen_user == Some(true));
            let tally = Tally::of(rows);
            (user.to_string(), UserTally { seen, tally })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::row;
    use super::*;

    /// anna (seen): 3 of 4, half of it on seen prompts; ben (unseen): 0 of 1; nobody: 1 of 1.
    fn rows() -> Vec<EvalRow> {
        let mut rows = vec![
            row(0, Some("anna"), 1.0),
            row(1, Some("anna"), 2.0),
            row(2, Some("anna"), -1.0),
            row(3, Some("anna"), 2.0),
            row(4, Some("ben"), 0.0),
            row(5, None, 2.0),
        ];
        rows[0].seen_prompt = Some(true);
        rows[2].seen_prompt = Some(true);
        rows[4].seen_user = Some(false);
        rows
    }

    #[test]
    fn cells_of_the_grid_are_counted_apart() {
        let accuracy = Accuracy::of(&rows());
        let counts = |t: &Tally| (t.correct, t.comparisons);
        assert_eq!(counts(&accuracy.all), (4, 6));
        assert_eq!(counts(&accuracy.seen), (3, 4));
        assert_eq!(counts(&accuracy.unseen), (0, 1));
        assert_eq!(counts(&accuracy.without_user), (1, 1));
        let grid = accuracy.grid.unwrap();
        assert_eq!(counts(&grid.seen_users.seen_prompts), (1, 2));
        assert_eq!(counts(&grid.seen_users.unseen_prompts), (2, 2));
        assert_eq!(counts(&grid.unseen_users.seen_prompts), (0, 0));
        assert_eq!(counts(&grid.unseen_users.unseen_prompts), (0, 1));
        assert_eq!(counts(&grid.without_user.unseen_prompts), (1, 1));
        assert_eq!(accuracy.all.ties, 1);
        assert_eq!(accuracy.all.margin, Some(1.0));
        assert_eq!(accuracy.all.interval, statistics::wilson(4, 6));
        assert_eq!(grid.unseen_users.seen_prompts, Tally::default());
    }

    #[test]
    fn without_training_data_there_is_no_grid() {
        let mut rows = rows();
        rows[1].seen_prompt = None;
        assert_eq!(Accuracy::of(&rows).grid, None);
        assert_eq!(Accuracy::of(&[]), Accuracy::default());
    }

    #[test]
    fn means_over_users_give_every_user_the_same_weight() {
        // 3/4 and 0: mean 0.375, sample sd 0.75 / sqrt 2, standard error 0.375.
        let over = Accuracy::of(&rows()).over_users;
        assert_eq!((over.all.users, over.all.mean), (2, Some(0.375)));
        assert!((over.all.standard_error.unwrap() - 0.375).abs() < 1e-12);
        assert_eq!(
            (over.seen.mean, over.seen.standard_error),
            (Some(0.75), None)
        );
        assert_eq!(over.unseen.mean, Some(0.0));
    }

    #[test]
    fn the_worst_user_comes_first() {
        let mut rows = rows();
        rows.extend([row(6, Some("carl"), -1.0), row(7, Some("carl"), -1.0)]);
        let accuracy = Accuracy::of(&rows);
        let order: Vec<&str> = accuracy.worst_first().iter().map(|(id, _)| *id).collect();
        assert_eq!(order, ["carl", "ben", "anna"]);
    }
}
