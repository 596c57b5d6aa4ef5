//! `prlhf users show`: what is known of a user.

use std::path::Path;

use terminal::Output;
use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::user_model::{self, Belief, TableError, UserModelKind, UserRef, UserTable};

use super::origin;

/// Users with a line of their own among the nearest.
const NEAREST: usize = 5;

/// Prints facts about one user, or a table of all.
///
/// # Errors
/// An unknown id, with near matches, or files that cannot be read.
pub fn run(dir: &Path, id: Option<&str>, out: &mut Output<'_>) -> Result<(), TrainError> {
    let (_, table) = user_model::load(dir, &Device::flex())?;
    match id {
        Some(id) => one(&table, id, out),
        None => all(&table, out),
    }
}

fn all(table: &UserTable, out: &mut Output<'_>) -> Result<(), TrainError> {
    let rows = Rows::of(table)?;
    let mut lines = Vec::new();
    let fitted = table.fitted().all()?;
    let own = table.ids().into_iter().map(|id| (id, None));
    let fitted = fitted.iter().map(|(id, fitted)| (&**id, Some(fitted)));
    for (id, fitted) in own.chain(fitted) {
        let away = rows.away(table, id)?;
        lines.push(vec![
            printable::id(id).into_owned(),
            origin(table, id).into(),
            fitted.map_or("-".into(), |fitted| fitted.answers.to_string()),
            away.map_or("-".into(), |away| format!("{:.3}", length(&away))),
        ]);
    }
    out.table(&["user", "row", "answers", "from generic"], &lines)
}

fn one(table: &UserTable, id: &str, out: &mut Output<'_>) -> Result<(), TrainError> {
    let user = table.user(id)?;
    out.fact("user", printable::quoted(id))?;
    let fitted = match table.owns(id) {
        true => None,
        false => table.fitted().get(id)?,
    };
    match &fitted {
        Some(row) => {
            let answers = row.fitted.answers;
            out.fact("row", format_args!("fitted to {answers} answers"))?;
        }
        None => out.fact("row", origin(table, id))?,
    }
    let rows = Rows::of(table)?;
    let Some(away) = rows.away(table, id)? else {
        return out.fact("numbers", "none: all users are alike in this user model");
    };
    let row = table.row(&user)?;
    let (norm, distance) = (length(&row), length(&away));
    out.fact("norm", format_args!("{norm:.3} of {} numbers", row.len()))?;
    out.fact("from generic", format_args!("{distance:.3}"))?;
    if let UserModelKind::Cluster { .. } = table.config().kind {
        let weights = softmax(&row);
        let shown: Vec<String> = weights.iter().map(|w| format!("{w:.3}")).collect();
        out.fact("clusters", shown.join(" "))?;
    }
    if let Some(fitted) = fitted {
        let evidence = fitted.fitted.evidence;
        out.fact(
            "evidence",
            format_args!("{evidence:.1} nats for a user of their own, against the generic user"),
        )?;
        let prior = table.belief();
        match prior.and_then(|prior| fitted.belief_beside(&prior)) {
            Some(belief) => out.fact("spread", spread(&belief.row))?,
            None => out.fact("spread", "not known: fit all answers again to know it")?,
        }
    }
    let near = rows.nearest(table, id, &away)?;
    let near: Vec<Vec<String>> = near
        .into_iter()
        .map(|(id, value)| vec![printable::id(&id).into_owned(), format!("{value:.3}")])
        .collect();
    match near.is_empty() {
        true => Ok(()),
        false => {
            out.line("")?;
            out.table(&["nearest trained users", rows.measure()], &near)
        }
    }
}

/// How far a row may be from what it is, in words.
pub fn spread(belief: &Belief) -> String {
    let (now, before) = (belief.spread(), belief.prior_spread());
    format!(
        "{now:.3}, a standard deviation; {:.0} % of the {before:.3} of a user who has not answered",
        100.0 * now / before
    )
}

/// Rows as they are compared: offsets from the generic user, or weights of clusters.
struct Rows {
    generic: Option<Vec<f32>>,
    clusters: bool,
}

impl Rows {
    fn of(table: &UserTable) -> Result<Self, TrainError> {
        let generic = match table.generic_row() {
            // Drawn from an embedding that is not here, until it is trained: nothing to be away from.
            Err(TableError::Config(_)) => vec![0.0; table.config().row_len()],
            row => row?,
        };
        Ok(Self {
            generic: Some(generic).filter(|row| !row.is_empty()),
            clusters: matches!(table.config().kind, UserModelKind::Cluster { .. }),
        })
    }

    /// How far a user is from the generic one: in their row, or in the weights of clusters. None where users have no rows.
    fn away(&self, table: &UserTable, id: &str) -> Result<Option<Vec<f64>>, TrainError> {
        let Some(generic) = &self.generic else {
            return Ok(None);
        };
        let row = match table.row(&UserRef::id(id)) {
            // Drawn from an embedding that is not here.
            Err(TableError::Config(_)) => return Ok(None),
            row => row?,
        };
        let (row, generic) = match self.clusters {
            true => (softmax(&row), softmax(generic)),
            false => (widened(&row), widened(generic)),
        };
        Ok(Some(row.iter().zip(generic).map(|(a, b)| a - b).collect()))
    }

    fn measure(&self) -> &'static str {
        match self.clusters {
            true => "distance of weights",
            false => "cosine of offsets",
        }
    }

    /// The trained users that are most like one.
    fn nearest(
        &self,
        table: &UserTable,
        id: &str,
        away: &[f64],
    ) -> Result<Vec<(String, f64)>, TrainError> {
        let mut near = Vec::new();
        for other in table.ids() {
            if other == id || origin(table, other) != "trained" {
                continue;
            }
            if let Some(found) = self.away(table, other)? {
                let value = match self.clusters {
                    true => length(&difference(&found, away)),
                    false => cosine(&found, away),
                };
                near.push((other.to_owned(), value));
            }
        }
        near.sort_by(|(_, a), (_, b)| match self.clusters {
            true => a.total_cmp(b),
            false => b.total_cmp(a),
        });
        near.truncate(NEAREST);
        Ok(near)
    }
}

fn widened(row: &[f32]) -> Vec<f64> {
    row.iter().map(|&x| x.into()).collect()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn length<T: Copy + Into<f64>>(row: &[T]) -> f64 {
    let squares = row.iter().map(|&x| x.into() * x.into());
    squares.sum::<f64>().sqrt()
}

/// The cosine of the angle between two offsets; 0 where one is none.
fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    match length(a) * length(b) {
        0.0 => 0.0,
        lengths => product / lengths,
    }
}

fn softmax(weights: &[f32]) -> Vec<f64> {
    let largest = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = weights.iter().map(|w| f64::from(w - largest).exp());
    let powers: Vec<f64> = powers.collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_is_that_of_the_hand_calculation() {
        assert!((cosine(&[3.0, 4.0], &[4.0, 3.0]) - 0.96).abs() < 1e-12);
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 2.0]), 0.0);
        let weights = softmax(&[2_f32.ln(), 0.0, 1000.0 - 1000.0]);
        for (found, expected) in weights.iter().zip([0.5, 0.25, 0.25]) {
            assert!((found - expected).abs() < 1e-6);
        }
        assert_eq!(length(&[3_f32, 4.0]), 5.0);
    }
}
