//! A user from a few answers: only their row moves, and everything that is trained stays as it is.

pub(crate) mod answering;

use user_model::{Belief, Fit, Mix, Question, TableError, UserBelief, UserRef, UserTable};

use crate::error::TrainError;
use crate::example::Example;
use crate::inference::Engine;
use crate::progress::{Progress, Quiet};
use crate::task::Ranking;
use answering::Answering;

/// Trained users at most whose rows a fit may begin at, and that a user is taken for a [`Mix`] of.
pub const TRAINED: usize = 8;

/// What was made of a user's answers.
#[derive(Clone, Debug)]
pub struct FittedUser {
    /// The most probable row, how sure it is, and how well it explains the answers.
    pub fit: Fit,
    /// What is believed of how the user mixes trained users.
    pub mix: Mix,
    /// How likely the generic user finds the answers, as a logarithm.
    pub generic_log_likelihood: f64,
    /// The generic user's row.
    generic: Vec<f32>,
}

impl FittedUser {
    /// The user's row, and whether it explains the answers at least as well as the generic user's, which it else is.
    pub fn row(&self) -> (Vec<f32>, bool) {
        let better = self.fit.log_likelihood() >= self.generic_log_likelihood;
        let row = match better {
            true => self.fit.belief.mean(),
            false => &self.generic,
        };
        (row.to_vec(), better)
    }

    /// How much better a user of their own explains the answers than the generic user does, in nats.
    pub fn evidence(&self) -> f64 {
        self.fit.log_evidence - self.generic_log_likelihood
    }

    /// What is believed of the user, for further answers.
    pub fn belief(&self) -> UserBelief {
        UserBelief {
            row: self.fit.belief.clone(),
            mix: self.mix.clone(),
        }
    }
}

impl Engine {
    /// The row that explains a user's answers best, given what is believed of users before any answer ([`UserTable::belief`]), or
    /// of this one after others, which are not to be among these. The answers' own ids do not matter.
    ///
    /// # Errors
    /// A policy without users, whose users own no rows, no answers, or [`TrainError::Stopped`].
    pub fn fit<T: Ranking>(
        &self,
        task: &T,
        answers: &[Example],
        prior: &Belief,
        before: Option<&UserBelief>,
        progress: &dyn Progress,
    ) -> Result<FittedUser, TrainError> {
        const WHAT: &str = "fit";
        let answering = Answering::new(self, task, answers)?;
        if answers.is_empty() {
            let after = "to fit a user to".into();
            return Err(TrainError::Empty { after });
        }
        task.prepare(&answers.iter().collect::<Vec<_>>(), progress)?;
        let generic = self.generic_row()?;
        let at_generic = answering.margins(&generic)?;
        let rows = rows_of_questions(prior);
        let mut scored = Vec::new();
        for row in &rows {
            scored.push(match *row == generic {
                true => at_generic.values.clone(),
                false => answering.scored(row, &Quiet)?,
            });
        }
        // One who has answered is not asked to begin at trained users' rows again.
        let starts: Vec<f64> = match before {
            None => scored[1..]
                .iter()
                .map(|s| user_model::log_likelihood(s))
                .collect(),
            Some(_) => Vec::new(),
        };
        let belief = before.map_or(prior, |before| &before.row);
        let mut rounds = 0;
        let fit = belief.fit(&starts, |row| {
            if progress.stopped() {
                return Err(TrainError::Stopped);
            }
            rounds += 1;
            progress.report(WHAT, rounds, Belief::ROUNDS);
            match *row == *generic {
                true => Ok(at_generic.clone()),
                false => answering.margins(row),
            }
        })?;
        progress.report(WHAT, Belief::ROUNDS, Belief::ROUNDS);
        let mix = match before {
            None => Mix::new(starts.len()),
            Some(before) => before.mix.clone(),
        };
        Ok(FittedUser {
            generic_log_likelihood: user_model::log_likelihood(&at_generic.values),
            mix: mix.after(&questions(&scored)),
            fit,
            generic,
        })
    }

    /// How far each comparison's margin at a user's row may be from what it is, as a variance: `g^T S g` of its gradient `g` and the
    /// covariance `S` of what is believed of the row. The examples' own ids do not matter.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn margin_variances<T: Ranking>(
        &self,
        task: &T,
        examples: &[Example],
        belief: &Belief,
        progress: &dyn Progress,
    ) -> Result<Vec<f64>, TrainError> {
        const WHAT: &str = "spread";
        const AT_A_TIME: usize = 64;
        task.prepare(&examples.iter().collect::<Vec<_>>(), progress)?;
        let mut variances = Vec::with_capacity(examples.len());
        for some in examples.chunks(AT_A_TIME) {
            if progress.stopped() {
                return Err(TrainError::Stopped);
            }
            progress.report(WHAT, variances.len(), examples.len());
            let margins = Answering::new(self, task, some)?.margins(belief.mean())?;
            let gradients = margins.gradients.iter();
            variances.extend(gradients.map(|gradient| belief.variance(gradient)));
        }
        progress.report(WHAT, variances.len(), examples.len());
        Ok(variances)
    }

    /// What there is to know of comparisons to ask users about, whoever is asked: their margins in the middle of the trained users
    /// of `prior`, and at the rows of some, `[comparisons, 1 + K]`.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn margins_of_questions<T: Ranking>(
        &self,
        task: &T,
        examples: &[Example],
        prior: &Belief,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<f64>>, TrainError> {
        let answering = Answering::new(self, task, examples)?;
        task.prepare(&examples.iter().collect::<Vec<_>>(), progress)?;
        let mut margins = vec![Vec::new(); examples.len()];
        for row in rows_of_questions(prior) {
            let scored = answering.scored(&row, progress)?;
            for (margins, scored) in margins.iter_mut().zip(scored) {
                margins.push(scored);
            }
        }
        Ok(margins)
    }

    /// The row that makes a user the generic one.
    fn generic_row(&self) -> Result<Vec<f32>, TrainError> {
        let row_len = |table: &UserTable| table.config().row_len();
        let Some(table) = self.table() else {
            return Ok(Vec::new());
        };
        match table.row(&UserRef::Generic) {
            Err(TableError::NoRow { .. }) => Ok(vec![0.0; row_len(table)]),
            row => Ok(row?),
        }
    }
}

/// The middle, and the rows of trained users far from each other.
fn rows_of_questions(prior: &Belief) -> Vec<Vec<f32>> {
    let mut rows = vec![prior.mean().to_vec()];
    rows.extend(prior.starts(TRAINED));
    rows
}

/// From the margins of all at each row.
fn questions(scored: &[Vec<f64>]) -> Vec<Question> {
    let [middle, trained @ ..] = scored else {
        return Vec::new();
    };
    let at = |i: usize| -> Vec<f64> { trained.iter().map(|margins| margins[i]).collect() };
    let each = middle.iter().enumerate();
    each.map(|(i, &middle)| Question::new(middle, &at(i)))
        .collect()
}
