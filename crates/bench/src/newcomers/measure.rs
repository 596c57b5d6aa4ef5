//! A trained policy, and users it has not met.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Instant;

use trainer::TrainError;
use trainer::dataset::Dataset;
use trainer::eval;
use trainer::example::Example;
use trainer::inference::Engine;
use trainer::progress::{Part, Progress};
use trainer::task::Preference;
use trainer::user_model::{self, Belief, By, Mix, Question, UserRef, UserTable};

use super::{How, Newcomers, Served};

/// The comparisons of one newcomer in tokens.
pub(crate) struct Tokenised {
    pub(crate) answers: Dataset,
    pub(crate) tests: Dataset,
}

/// Serves every newcomer in each way that the policy has: all as the generic user; where `trained` says that their answers were among the
/// training comparisons, by their own row; else, with a user model, by a row fitted to their first answers, and as the nearest trained user.
///
/// # Errors
/// From scoring and fitting.
pub(crate) fn measure(
    (engine, task, micro_rows): (&Engine, &Preference, usize),
    (newcomers, tokenised): (&Newcomers, &[Tokenised]),
    trained: bool,
    progress: &dyn Progress,
) -> Result<Vec<Served>, TrainError> {
    const WHAT: &str = "new users";
    let scorer = Scorer {
        engine,
        task,
        micro_rows,
        progress: &Part(progress),
    };
    let mut served = Vec::new();
    let all = newcomers.users.len();
    for (number, (user, tokenised)) in newcomers.users.iter().zip(tokenised).enumerate() {
        progress.report(WHAT, number, all);
        let found = match (trained, engine.table()) {
            (true, Some(table)) => vec![scorer.trained(&user.id, table, tokenised)?],
            (false, Some(table)) => {
                scorer.untrained(&user.id, table, tokenised, &newcomers.counts)?
            }
            (_, None) => vec![scorer.generic(&user.id, tokenised)?],
        };
        served.extend(found);
    }
    progress.report(WHAT, all, all);
    Ok(served)
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

struct Scorer<'a> {
    engine: &'a Engine,
    task: &'a Preference,
    micro_rows: usize,
    progress: &'a Part<'a>,
}

impl Scorer<'_> {
    fn generic(&self, id: &str, of: &Tokenised) -> Result<Served, TrainError> {
        let margins = self.margins(self.engine.table(), &UserRef::Generic, &of.tests)?;
        Ok(served(id, How::Generic, 0, margins, 0.0))
    }

    fn trained(&self, id: &str, table: &UserTable, of: &Tokenised) -> Result<Served, TrainError> {
        let margins = self.margins(Some(table), &UserRef::id(id), &of.tests)?;
        let answers = of.answers.items.len();
        Ok(served(id, How::Trained, answers, margins, 0.0))
    }

    fn untrained(
        &self,
        id: &str,
        table: &UserTable,
        of: &Tokenised,
        counts: &[usize],
    ) -> Result<Vec<Served>, TrainError> {
        let mut found = vec![self.generic(id, of)?];
        found.extend(self.nearest(id, table, of, counts)?);
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
        let margins = self
            .engine
            .margins_of_questions(self.task, answers, prior, self.progress)?;
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
            .fit(self.task, answers, prior, None, self.progress)?;
        let mut table = UserTable::clone(table);
        let user = UserRef::id(*id);
        table.set_row(&user, fitted.row().0)?;
        let seconds = start.elapsed().as_secs_f64();
        let margins = self.margins(Some(&table), &user, &of.tests)?;
        let belief = &fitted.fit.belief;
        let tests = of.tests.examples(None);
        let variances = self
            .engine
            .margin_variances(self.task, &tests, belief, self.progress)?;
        let probabilities = margins.iter().zip(variances);
        let probabilities = probabilities
            .map(|(&margin, variance)| user_model::preference_probability(margin.into(), variance));
        Ok(Served {
            spread_probabilities: probabilities.collect(),
            ..served(id, how, answers.len(), margins, seconds)
        })
    }

    /// The trained user whose row makes the first answers most probable.
    fn nearest(
        &self,
        id: &str,
        table: &UserTable,
        of: &Tokenised,
        counts: &[usize],
    ) -> Result<Vec<Served>, TrainError> {
        let start = Instant::now();
        let users = table.ids().into_iter().map(UserRef::id);
        let users: Vec<UserRef> = users.filter(|user| table.is_touched(user)).collect();
        let margins = users
            .iter()
            .map(|user| self.margins(Some(table), user, &of.answers));
        let margins: Vec<Vec<f32>> = margins.collect::<Result<_, _>>()?;
        let each = start.elapsed().as_secs_f64() / of.answers.items.len().max(1) as f64;
        let mut tests: HashMap<usize, Vec<f32>> = HashMap::new();
        let mut found = Vec::new();
        for &count in counts {
            let likely = margins.iter().map(|margins| likelihood(margins, count));
            let nearest = likely.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
            let Some((nearest, _)) = nearest else { break };
            let margins = match tests.entry(nearest) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(place) => {
                    let margins = self.margins(Some(table), &users[nearest], &of.tests)?;
                    place.insert(margins).clone()
                }
            };
            let seconds = each * count as f64;
            found.push(served(id, How::Nearest, count, margins, seconds));
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
        let items = of.items.iter();
        let examples: Vec<Example> = items
            .map(|item| Example {
                item: item.clone(),
                user: user.clone(),
            })
            .collect();
        let (policy, rows) = (self.engine.policy(), self.micro_rows);
        let scored = eval::evaluate(self.task, policy, table, &examples, rows, self.progress)?;
        let margins = scored.iter().map(|r| r.reward_chosen - r.reward_rejected);
        Ok(margins.collect())
    }
}

fn served(id: &str, how: How, answers: usize, margins: Vec<f32>, seconds: f64) -> Served {
    Served {
        newcomer: id.into(),
        how,
        answers,
        margins,
        spread_probabilities: Vec::new(),
        seconds,
    }
}

/// How likely the first answers are.
fn likelihood(margins: &[f32], count: usize) -> f64 {
    let first: Vec<f64> = margins.iter().take(count).map(|&m| m.into()).collect();
    user_model::log_likelihood(&first)
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

    #[test]
    fn the_first_answers_alone_count() {
        let two = 2.0 * (1.0_f64 / (1.0 + (-1.0_f64).exp())).ln();
        assert!((likelihood(&[1.0, 1.0, -9.0], 2) - two).abs() < 1e-6);
        assert!((likelihood(&[1.0, 1.0], 5) - two).abs() < 1e-6);
        assert_eq!(likelihood(&[], 3), 0.0);
    }
}
