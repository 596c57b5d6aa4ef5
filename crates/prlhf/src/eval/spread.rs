//! Probabilities that know how sure a fitted user's row is.

use std::collections::BTreeMap;

use serde::Serialize;
use statistics::Calibration;
use terminal::Bars;
use trainer::TrainError;
use trainer::example::Example;
use trainer::inference::Engine;
use trainer::task::Ranking;
use trainer::user_model::{UserRef, preference_probability};

use super::rows::{self, EvalRow};

/// Calibration on the comparisons of fitted users of whom it is kept how sure their rows are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpreadReport {
    /// How many users.
    pub users: usize,
    /// How many comparisons.
    pub comparisons: usize,
    /// By the margin `m` alone, `sigma(m)`.
    pub without: Calibration,
    /// By its standard deviation `s` too, `sigma(m / sqrt(1 + pi s^2 / 8))`.
    pub with: Calibration,
}

/// How far the margins of fitted users' comparisons may be from what they are.
#[derive(Debug)]
pub struct Spreads {
    users: usize,
    /// Of each example a standard deviation, where it is known.
    deviations: Vec<Option<f64>>,
}

impl Spreads {
    /// Those of some examples, as `task` rewards.
    ///
    /// # Errors
    /// A broken file of a fitted user, or what scoring may end in.
    pub fn of<T: Ranking>(
        engine: &Engine,
        task: &T,
        examples: &[Example],
    ) -> Result<Self, TrainError> {
        let mut by_user: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, example) in examples.iter().enumerate() {
            if let UserRef::Id(id) = &example.user {
                by_user.entry(id).or_default().push(at);
            }
        }
        let (mut users, mut deviations) = (0, vec![None; examples.len()]);
        let table = engine.table();
        let Some((table, prior)) = table.and_then(|table| Some((table, table.belief()?))) else {
            return Ok(Self { users, deviations });
        };
        by_user.retain(|id, _| !table.owns(id));
        for (id, places) in by_user {
            let fitted = table.fitted().get(id)?;
            let Some(belief) = fitted.and_then(|fitted| fitted.belief_beside(&prior)) else {
                continue;
            };
            users += 1;
            let own: Vec<Example> = places.iter().map(|&at| examples[at].clone()).collect();
            let variances = engine.margin_variances(task, &own, &belief.row, &Bars::default())?;
            for (at, variance) in places.into_iter().zip(variances) {
                deviations[at] = Some(variance.sqrt());
            }
        }
        Ok(Self { users, deviations })
    }

    /// Gives rows their spread, and measures them.
    pub fn give(self, rows: &mut [EvalRow]) -> SpreadReport {
        for (row, deviation) in rows.iter_mut().zip(self.deviations) {
            row.spread = deviation;
        }
        SpreadReport::of(rows, self.users)
    }
}

impl SpreadReport {
    fn of(rows: &[EvalRow], users: usize) -> Self {
        let known = rows.iter().filter(|row| row.spread.is_some());
        let known: Vec<EvalRow> = known.cloned().collect();
        let with =
            |row: &EvalRow| preference_probability(row.margin(), row.spread.unwrap_or(0.0).powi(2));
        Self {
            users,
            comparisons: known.len(),
            without: rows::calibration(&known),
            with: Calibration::of_probabilities(&known.iter().map(with).collect::<Vec<_>>()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::row;
    use super::*;

    #[test]
    fn a_spread_moves_confidence_and_not_the_order() {
        // sqrt(1 + pi s^2 / 8) is 2: a margin of 2 is worth 1.
        let spread = Some((24.0 / std::f64::consts::PI).sqrt());
        let mut rows = [2.0, -2.0, 5.0].map(|margin| row(0, None, margin));
        rows[0].spread = spread;
        rows[1].spread = spread;
        let found = SpreadReport::of(&rows, 1);
        assert_eq!((found.users, found.comparisons), (1, 2));
        let sigma = |x: f64| 1.0 / (1.0 + (-x).exp());
        let brier = |p: f64| ((1.0 - p).powi(2) + p.powi(2)) / 2.0;
        let close = |found: Option<f64>, expected: f64| {
            assert!(
                (found.unwrap() - expected).abs() < 1e-6,
                "{found:?} {expected}"
            );
        };
        close(found.without.brier, brier(sigma(2.0)));
        close(found.with.brier, brier(sigma(1.0)));
        // One of two is right.
        close(found.with.expected_calibration_error, sigma(1.0) - 0.5);
    }
}
