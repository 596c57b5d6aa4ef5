//! A user from a few answers: only their row moves, and everything that is trained stays as it is.

pub(crate) mod answering;
mod race;

use user_model::{Belief, Fit, Mix, UserBelief};

use crate::error::TrainError;
use crate::example::Example;
use crate::inference::Engine;
use crate::progress::Progress;
use crate::task::Ranking;
use answering::Answering;
use race::Race;

/// Trained users at most whose rows a fit may begin at, and that a user is taken for a [`Mix`] of.
pub const TRAINED: usize = 8;

/// A fit ends where a round gains less, in nats: a row that is a quarter of a nat less probable than the best one lies well within what is not
/// known of it, and a round on a real language model takes seconds.
pub const ENOUGH: f64 = 0.25;

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
    /// The row that explains a user's answers best, given what is believed of users before any answer ([`user_model::UserTable::belief`]), or
    /// of this one after others, which are not to be among these. The answers' own ids do not matter.
    ///
    /// A user may be like a trained one, or like none: the prior is a mixture of as many normal distributions, one around each of up to
    /// [`TRAINED`] trained users' rows and one around the mean, all of the same covariance and alike probable. The fit takes the one at whose
    /// middle the answers are most probable.
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
        let generic = answering.table().generic_row()?;
        let mut rows = rows_of_questions(prior);
        let choices = rows.len();
        let at_generic = rows.iter().position(|row| *row == generic);
        let at_generic = at_generic.unwrap_or_else(|| {
            rows.push(generic.clone());
            choices
        });
        let race = Race::of(&rows, choices, &answering, progress)?;
        let mut rounds = 0;
        let margins = |row: &[f32]| {
            if progress.stopped() {
                return Err(TrainError::Stopped);
            }
            rounds += 1;
            progress.report(WHAT, rounds, Belief::ROUNDS);
            answering.margins(row)
        };
        let fit = match before {
            // One who has answered is not asked whom they are like again.
            Some(before) => before.row.fit(ENOUGH, margins)?,
            None => {
                let middle = rows[race.winner(choices)].clone();
                let mut fit = prior.clone().around(middle).fit(ENOUGH, margins)?;
                // Of a mixture, what the part made of the answers that was taken, which is a little less than what all parts did.
                fit.log_evidence -= (choices as f64).ln();
                fit
            }
        };
        progress.report(WHAT, Belief::ROUNDS, Belief::ROUNDS);
        let mix = match before {
            None => Mix::new(choices - 1),
            Some(before) => before.mix.clone(),
        };
        Ok(FittedUser {
            generic_log_likelihood: race.likely(at_generic),
            mix: mix.after(&race.questions(choices)),
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
        let rows = rows_of_questions(prior);
        let rows: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
        let scored = answering.scored(&rows, 0..examples.len(), progress)?;
        let of = |place: usize| scored.iter().map(|at_row| at_row[place]).collect();
        Ok((0..examples.len()).map(of).collect())
    }
}

/// The middle, and the rows of trained users far from each other.
fn rows_of_questions(prior: &Belief) -> Vec<Vec<f32>> {
    let mut rows = vec![prior.mean().to_vec()];
    rows.extend(prior.starts(TRAINED));
    rows
}
