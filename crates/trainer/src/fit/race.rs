//! Which of some rows explains a user's answers best, without computing what every row makes of every answer.
//!
//! After the first few answers the less likely half of the rows drops out, and again each time the answers have doubled (successive
//! halving, Jamieson and Talwalkar, arXiv 1502.07943): of trained users, few answers tell most apart, and those that are hard to tell
//! apart are alike.

use user_model::{Question, log_likelihood};

use super::answering::Answering;
use crate::error::TrainError;
use crate::progress::Progress;
use crate::task::Ranking;

/// Answers after which the first rows drop out.
const FIRST: usize = 3;

/// What rows make of answers, as far as it was computed.
pub(super) struct Race {
    /// Of each row the margins of the first answers, until it dropped out.
    margins: Vec<Vec<f64>>,
}

impl Race {
    /// Of some rows, of which `contenders`, the first ones, may drop out; the very first and the others never do.
    ///
    /// # Errors
    /// From scoring.
    pub(super) fn of<T: Ranking>(
        rows: &[Vec<f32>],
        contenders: usize,
        answering: &Answering<'_, T>,
        progress: &dyn Progress,
    ) -> Result<Self, TrainError> {
        let count = answering.count();
        let mut race = Self {
            margins: vec![Vec::new(); rows.len()],
        };
        let mut left: Vec<usize> = (0..contenders).collect();
        let (mut done, mut next) = match answering.scores_all_alike() {
            true => (0, count),
            false => (0, FIRST.min(count)),
        };
        loop {
            let stays = |place: &usize| left.contains(place) || *place == 0 || *place >= contenders;
            let running: Vec<usize> = (0..rows.len()).filter(stays).collect();
            let of: Vec<&[f32]> = running.iter().map(|&row| &rows[row][..]).collect();
            let scored = answering.scored(&of, done..next, progress)?;
            for (row, scored) in running.into_iter().zip(scored) {
                race.margins[row].extend(scored);
            }
            if next == count {
                return Ok(race);
            }
            (done, next) = (next, (2 * next).min(count));
            left.sort_by(|&a, &b| race.likely(b).total_cmp(&race.likely(a)));
            left.truncate(left.len().div_ceil(2));
        }
    }

    /// How likely the answers are that a row has seen, as a logarithm.
    pub(super) fn likely(&self, row: usize) -> f64 {
        log_likelihood(&self.margins[row])
    }

    /// The most likely of the contenders that have seen all answers; the first of equals.
    pub(super) fn winner(&self, contenders: usize) -> usize {
        let all = self.margins[0].len();
        let whole = (0..contenders).filter(|&row| self.margins[row].len() == all);
        let best = whole
            .rev()
            .max_by(|&a, &b| self.likely(a).total_cmp(&self.likely(b)));
        best.unwrap_or(0)
    }

    /// The answers as questions, of which the first row is the middle and the other contenders are trained users. Where a
    /// trained user's margin is not known, it is taken for that of the middle: then the answer tells nothing of likeness to them.
    pub(super) fn questions(&self, contenders: usize) -> Vec<Question> {
        let [middle, trained @ ..] = &self.margins[..contenders] else {
            return Vec::new();
        };
        let question = |(answer, &middle): (usize, &f64)| {
            let of = |margins: &Vec<f64>| margins.get(answer).copied().unwrap_or(middle);
            Question::new(middle, &trained.iter().map(of).collect::<Vec<f64>>())
        };
        middle.iter().enumerate().map(question).collect()
    }
}
