//! The trained user whose row makes a user's answers most probable.

use user_model::{UserRef, log_likelihood};

use crate::error::TrainError;
use crate::example::Example;
use crate::inference::Engine;
use crate::progress::Progress;
use crate::task::Ranking;

/// What every trained user makes of somebody's answers.
#[derive(Debug)]
pub struct Nearest {
    users: Vec<UserRef>,
    /// Of each user the margins of all answers.
    margins: Vec<Vec<f64>>,
}

impl Nearest {
    /// Has the trained users of an engine judge the answers, but for the one called `but`, which may be whose answers they are: one pass
    /// over the answers for each. There is nobody where the policy has no users.
    ///
    /// # Errors
    /// From scoring.
    pub fn of<T: Ranking>(
        engine: &Engine,
        task: &T,
        (answers, but): (&[Example], Option<&str>),
        progress: &dyn Progress,
    ) -> Result<Self, TrainError> {
        let users = trained(engine, but);
        let margins = users.iter().map(|user| {
            let as_user = answers.iter().map(|answer| answer.of(user));
            let examples: Vec<Example> = as_user.collect();
            let scored = engine.score(task, &examples, progress)?;
            let margins = scored.iter().map(|row| row.margin().into());
            Ok(margins.collect())
        });
        let margins = margins.collect::<Result<_, TrainError>>()?;
        Ok(Self { users, margins })
    }

    /// The one to whom the first answers, so many, are most probable; none where there is nobody.
    pub fn after(&self, answers: usize) -> Option<&UserRef> {
        let likely = self.margins.iter().map(|of| likelihood(of, answers));
        let nearest = likely.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
        nearest.map(|(place, _)| &self.users[place])
    }
}

/// Users with rows that were trained.
fn trained(engine: &Engine, but: Option<&str>) -> Vec<UserRef> {
    let Some(table) = engine.table() else {
        return Vec::new();
    };
    let ids = table.ids().into_iter().filter(|&id| Some(id) != but);
    let users = ids.map(UserRef::id);
    users.filter(|user| table.is_touched(user)).collect()
}

/// How likely the first answers are.
fn likelihood(margins: &[f64], answers: usize) -> f64 {
    log_likelihood(&margins[..answers.min(margins.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answers_alone_count() {
        let two = 2.0 * (1.0_f64 / (1.0 + (-1.0_f64).exp())).ln();
        assert!((likelihood(&[1.0, 1.0, -9.0], 2) - two).abs() < 1e-6);
        assert!((likelihood(&[1.0, 1.0], 5) - two).abs() < 1e-6);
        assert_eq!(likelihood(&[], 3), 0.0);
        let users = ["a", "b"].map(UserRef::id).to_vec();
        let margins = vec![vec![1.0, -9.0], vec![0.5, 9.0]];
        let nearest = Nearest { users, margins };
        assert_eq!(nearest.after(1), Some(&UserRef::id("a")));
        assert_eq!(nearest.after(2), Some(&UserRef::id("b")));
    }
}
