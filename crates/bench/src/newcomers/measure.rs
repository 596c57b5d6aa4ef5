//! A trained policy, and users it has not met.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Instant;

use trainer::TrainError;
use trainer::dataset::Dataset;
use trainer::example::{Example, Item};
use trainer::inference::Engine;
use trainer::pdpo_loss::ScoredRow;
use trainer::progress::{Part, Progress};
use trainer::task::Preference;
use trainer::user_model::{self, Belief, By, Mix, Question, UserRef, UserTable};
use trainer::ways::{Nearest, against_plain, longer_by};

use super::figures::Way;
use super::{How, Newcomers, Served};

/// The comparisons of one newcomer in tokens.
pub(crate) struct Tokenised {
    pub(crate) answers: Dataset,
    pub(crate) tests: Dataset,
    /// The tests behind a profile made of the first answers, for each number of these; empty where no profiles are asked for.
    pub(crate) profiled: Vec<Dataset>,
}

/// What a policy was trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trained {
    /// Nothing: it is the reference.
    Not,
    /// Others' comparisons.
    OnOthers,
    /// The same, behind profiles of those who judged them.
    OnProfiles,
    /// Newcomers' answers, too.
    OnThem,
}

/// A policy that newcomers are served by.
pub(crate) struct Scorer<'a> {
    pub(super) engine: &'a Engine,
    pub(super) task: &'a Preference,
    trained: Trained,
    pub(super) progress: Part<'a>,
}

impl<'a> Scorer<'a> {
    /// A policy, and what it learnt.
    pub(crate) fn new(
        (engine, task): (&'a Engine, &'a Preference),
        trained: Trained,
        progress: &'a dyn Progress,
    ) -> Self {
        Self {
            engine,
            task,
            trained,
            progress: Part(progress),
        }
    }

    /// Serves every newcomer in each way that the policy has: as the generic user; where their answers were trained on, by their own row;
    /// else, with a user model, by a row fitted to their first answers, and as the nearest trained user, and without one, as the
    /// alternatives say.
    ///
    /// # Errors
    /// From scoring and fitting.
    pub(crate) fn serve(
        &self,
        newcomers: &Newcomers,
        tokenised: &[Tokenised],
    ) -> Result<Vec<Served>, TrainError> {
        const WHAT: &str = "new users";
        let mut served = Vec::new();
        let all = newcomers.users.len();
        for (number, (user, tokenised)) in newcomers.users.iter().zip(tokenised).enumerate() {
            self.progress.0.report(WHAT, number, all);
            let found = match (self.trained, self.engine.table()) {
                (Trained::OnThem, Some(table)) => vec![self.own(&user.id, table, tokenised)?],
                (_, Some(table)) => {
                    self.untrained(&user.id, table, tokenised, &newcomers.counts)?
                }
                (_, None) => self.without_users(&user.id, tokenised, newcomers)?,
            };
            served.extend(found);
        }
        self.progress.0.report(WHAT, all, all);
        Ok(served)
    }
}

/// Somebody who has not answered, beside the trained users.
struct NewUser<'a> {
    id: &'a str,
    table: &'a UserTable,
    prior: Belief,
}

/// Places of questions, each the one whose answer is expected to tell most once those before it are answered.
fn asking_order(questions: &[Question], trained: usize) -> Vec<usize> {
    let (mut order, mut asked) = (Vec::new(), Vec::new());
    let mut left: Vec<usize> = (0..questions.len()).collect();
    while !left.is_empty() {
        let mix = Mix::new(trained).after(&asked);
        let open: Vec<Question> = left.iter().map(|&at| questions[at].clone()).collect();
        let chosen = mix.choose(&open, 1, By::Information);
        let place = chosen.first().map_or(0, |chosen| chosen.index);
        let next = left.remove(place);
        asked.push(questions[next].clone());
        order.push(next);
    }
    order
}

impl Scorer<'_> {
    fn generic(&self, id: &str, of: &Tokenised) -> Result<Served, TrainError> {
        let margins = self.margins(self.engine.table(), &UserRef::Generic, &of.tests)?;
        Ok(self.served(id, (How::Generic, 0), margins, 0.0))
    }

    fn own(&self, id: &str, table: &UserTable, of: &Tokenised) -> Result<Served, TrainError> {
        let margins = self.margins(Some(table), &UserRef::id(id), &of.tests)?;
        let answers = of.answers.items.len();
        Ok(self.served(id, (How::Trained, answers), margins, 0.0))
    }

    /// What a policy without users makes of answers.
    fn without_users(
        &self,
        id: &str,
        of: &Tokenised,
        newcomers: &Newcomers,
    ) -> Result<Vec<Served>, TrainError> {
        let mut found = Vec::new();
        // The reference prefers nothing to what the reference prefers.
        if self.trained != Trained::Not {
            found.push(self.generic(id, of)?);
        }
        if self.trained == Trained::OnThem {
            return Ok(found);
        }
        let (counts, others) = (&newcomers.counts, &newcomers.alternatives);
        if others.length_rule {
            found.extend(counts.iter().map(|&count| self.by_length(id, of, count)));
        }
        found.extend(self.profiled(id, of, counts)?);
        if others.in_context > 0 && self.trained != Trained::OnProfiles {
            found.extend(self.in_context(id, of, counts, others.in_context)?);
        }
        Ok(found)
    }

    /// The longer response, or the shorter one, as most of the answers were; a tie is for the longer one. Equally long ones have no margin.
    fn by_length(&self, id: &str, of: &Tokenised, count: usize) -> Served {
        let longer_by = |item: &Arc<Item>| {
            let [chosen, rejected] = item.characters.map(|count| count as f32);
            chosen - rejected
        };
        let first = of.answers.items.iter().take(count);
        let balance: f32 = first.map(|item| sign(longer_by(item))).sum();
        let wanted = if balance < 0.0 { -1.0 } else { 1.0 };
        let tests = of.tests.items.iter();
        let margins = tests.map(|item| wanted * sign(longer_by(item))).collect();
        Served {
            tokens: 0.0,
            ..self.served(id, (How::Length, count), margins, 0.0)
        }
    }

    /// Behind a profile; a policy that was not trained with profiles is compared with the reference that reads none.
    fn profiled(
        &self,
        id: &str,
        of: &Tokenised,
        counts: &[usize],
    ) -> Result<Vec<Served>, TrainError> {
        let plain = of.tests.examples(None);
        let mut found = Vec::new();
        for (&count, profiled) in counts.iter().zip(&of.profiled) {
            let mut examples = profiled.examples(None);
            if self.trained != Trained::OnProfiles {
                let pairs = profiled.items.iter().map(|item| item.pair.clone());
                examples = against_plain(self.task, &plain, pairs, &self.progress)?;
            }
            let margins = self.margins_of(None, &examples)?;
            found.push(Served {
                tokens: statistics::mean(&longer_by(&examples, &plain)).unwrap_or(0.0),
                ..self.served(id, (How::Profile, count), margins, 0.0)
            });
        }
        Ok(found)
    }

    /// The tests by adapters that were trained on the first answers in so many seconds.
    ///
    /// # Errors
    /// From scoring.
    pub(crate) fn adapted(
        &self,
        id: &str,
        of: &Tokenised,
        (answers, seconds): (usize, f64),
    ) -> Result<Served, TrainError> {
        let margins = self.margins(None, &UserRef::Generic, &of.tests)?;
        Ok(self.served(id, (How::Adapters, answers), margins, seconds))
    }

    fn untrained(
        &self,
        id: &str,
        table: &UserTable,
        of: &Tokenised,
        counts: &[usize],
    ) -> Result<Vec<Served>, TrainError> {
        let mut found = vec![self.generic(id, of)?];
        found.extend(self.nearest(id, of, counts)?);
        let Some(prior) = table.belief() else {
            let after = "of trained users to learn from".into();
            return Err(TrainError::Empty { after });
        };
        let answers = of.answers.examples(None);
        let user = NewUser { id, table, prior };
        for &count in counts {
            found.push(self.fitted(&user, (How::Fitted, &answers[..count]), of)?);
        }
        let order = self.asked(&answers, &user.prior)?;
        let asked: Vec<Example> = order.iter().map(|&at| answers[at].clone()).collect();
        // All of them, in whatever order, say the same.
        for &count in counts.iter().filter(|&&count| count < answers.len()) {
            found.push(self.fitted(&user, (How::Asked, &asked[..count]), of)?);
        }
        Ok(found)
    }

    /// In what order the answers are asked for, each chosen by what it tells once those before it are known.
    fn asked(&self, answers: &[Example], prior: &Belief) -> Result<Vec<usize>, TrainError> {
        let margins =
            self.engine
                .margins_of_questions(self.task, answers, prior, &self.progress)?;
        let questions: Vec<Question> = margins
            .iter()
            .filter_map(|margins| margins.split_first())
            .map(|(&middle, trained)| Question::new(middle, trained))
            .collect();
        let trained = margins.first().map_or(0, |margins| margins.len() - 1);
        Ok(asking_order(&questions, trained))
    }

    fn fitted(
        &self,
        NewUser { id, table, prior }: &NewUser<'_>,
        (how, answers): (How, &[Example]),
        of: &Tokenised,
    ) -> Result<Served, TrainError> {
        let start = Instant::now();
        let fitted = self
            .engine
            .fit(self.task, answers, prior, None, &self.progress)?;
        let mut table = UserTable::clone(table);
        let user = UserRef::id(*id);
        table.set_row(&user, fitted.row().0)?;
        let seconds = start.elapsed().as_secs_f64();
        let margins = self.margins(Some(&table), &user, &of.tests)?;
        let belief = &fitted.fit.belief;
        let tests = of.tests.examples(None);
        let variances = self
            .engine
            .margin_variances(self.task, &tests, belief, &self.progress)?;
        let probabilities = margins.iter().zip(variances);
        let probabilities = probabilities
            .map(|(&margin, variance)| user_model::preference_probability(margin.into(), variance));
        Ok(Served {
            spread_probabilities: probabilities.collect(),
            ..self.served(id, (how, answers.len()), margins, seconds)
        })
    }

    /// The trained user whose row makes the first answers most probable.
    fn nearest(
        &self,
        id: &str,
        of: &Tokenised,
        counts: &[usize],
    ) -> Result<Vec<Served>, TrainError> {
        let start = Instant::now();
        let answers = of.answers.examples(None);
        let nearest = Nearest::of(self.engine, self.task, (&answers, None), &self.progress)?;
        let each = start.elapsed().as_secs_f64() / answers.len().max(1) as f64;
        let mut tests: HashMap<&UserRef, Vec<f32>> = HashMap::new();
        let mut found = Vec::new();
        for &count in counts {
            let Some(user) = nearest.after(count) else {
                break;
            };
            let margins = match tests.entry(user) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(place) => {
                    let margins = self.margins(self.engine.table(), user, &of.tests)?;
                    place.insert(margins).clone()
                }
            };
            let seconds = each * count as f64;
            found.push(self.served(id, (How::Nearest, count), margins, seconds));
        }
        Ok(found)
    }

    /// How far the preferred responses are rewarded beyond the others, for that user.
    fn margins(
        &self,
        table: Option<&UserTable>,
        user: &UserRef,
        of: &Dataset,
    ) -> Result<Vec<f32>, TrainError> {
        let plain = of.examples(None);
        let examples: Vec<Example> = plain.iter().map(|example| example.of(user)).collect();
        self.margins_of(table, &examples)
    }

    /// The same of examples.
    pub(super) fn margins_of(
        &self,
        table: Option<&UserTable>,
        examples: &[Example],
    ) -> Result<Vec<f32>, TrainError> {
        let (engine, task) = (self.engine, self.task);
        let scored = engine.score_with(table, task, examples, &self.progress)?;
        Ok(scored.iter().map(ScoredRow::margin).collect())
    }

    /// What was found; a request has the policy's own positions for a user.
    pub(super) fn served(
        &self,
        id: &str,
        (how, answers): Way,
        margins: Vec<f32>,
        seconds: f64,
    ) -> Served {
        Served {
            newcomer: id.into(),
            how,
            answers,
            margins,
            spread_probabilities: Vec::new(),
            seconds,
            tokens: self.engine.policy().user_tokens() as f64,
            shown: None,
        }
    }
}

/// 1, 0 or -1.
fn sign(number: f32) -> f32 {
    match number == 0.0 {
        true => 0.0,
        false => number.signum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_trained_users_differ_in_is_asked_first_and_its_like_later() {
        // Two trained users who differ in the first two questions alike, in the third in another way, and not in the last.
        let questions = [[4.0, -4.0], [4.0, -4.0], [3.0, 3.0], [0.1, 0.1]];
        let questions = questions.map(|at| Question::new(0.0, &at));
        assert_eq!(asking_order(&questions, 2), [0, 2, 1, 3]);
    }
}
