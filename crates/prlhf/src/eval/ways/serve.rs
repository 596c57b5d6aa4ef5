//! What the run makes of the tests when it serves users in other ways than by what it knows of them.

use std::collections::BTreeMap;
use std::time::Instant;

use terminal::Bars;
use trainer::TrainError;
use trainer::example::Example;
use trainer::inference::Engine;
use trainer::pdpo_loss::ScoredRow;
use trainer::pref_data::Comparison;
use trainer::task::Ranking;
use trainer::user_model::{Belief, UserRef, UserTable};
use trainer::ways::{InPrompt, Nearest, against_plain, behind, longer_by, sentence};

use super::answers::AnsweredUser;
use super::{Plan, Way};

/// By what a user is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Nothing: as a user of whom nothing is known.
    Generic,
    /// What the run knows of the user.
    Own,
    /// The answers.
    Answers(Way),
}

/// Users served in one way.
#[derive(Debug)]
pub struct Served {
    /// By what.
    pub by: By,
    /// What the run makes of each test, in the order of [`super::Answered::places`].
    pub scored: Vec<ScoredRow>,
    /// Tokens that a request has for its user: the mean over the tests.
    pub tokens: f64,
    /// Seconds that a user takes once the answers are there: the mean; none where nothing is done with answers.
    pub seconds: Option<f64>,
    /// Answers in the prompt: the mean over the tests.
    pub shown: Option<f64>,
    /// Users whose answers this way makes nothing of, and who are served as the generic user: how many, by why.
    pub as_generic: BTreeMap<&'static str, usize>,
}

/// Whom there is nobody to be like.
const NO_OTHERS: &str = "no other user has a trained row, or all are alike";

/// Serves the users of a plan.
pub struct Serving<'a, T> {
    /// What was trained.
    pub engine: &'a Engine,
    /// How it ranks.
    pub task: &'a T,
    /// All comparisons of the data.
    pub comparisons: &'a [Comparison],
    /// The same, ready.
    pub examples: &'a [Example],
    /// What the run makes of them for their own users, where it knows these.
    pub scored: &'a [ScoredRow],
    /// What to do.
    pub plan: &'a Plan,
}

/// Examples of all users' tests, and what it took to make them.
#[derive(Default)]
struct Made {
    examples: Vec<Example>,
    seconds: f64,
    /// Of each test the tokens beyond those of the user's own positions.
    tokens: Vec<f64>,
    shown: Vec<f64>,
    as_generic: BTreeMap<&'static str, usize>,
}

impl Made {
    /// Why a user is served as the generic one.
    fn count_generic(&mut self, why: &'static str) {
        *self.as_generic.entry(why).or_default() += 1;
    }
}

impl<T: Ranking> Serving<'_, T> {
    /// In every way; the generic user comes first, then what the run knows, where it knows one of these users.
    ///
    /// # Errors
    /// From fitting and scoring.
    pub fn served(&self) -> Result<Vec<Served>, TrainError> {
        let places = self.plan.answered.places();
        let own = || places.iter().map(|&place| self.scored[place].clone());
        let mut served = vec![self.known(By::Generic, self.generic(&places)?)];
        let knows = |&place: &usize| self.examples[place].user != UserRef::Generic;
        if places.iter().any(knows) {
            served.push(self.known(By::Own, own().collect()));
        }
        for &way in &self.plan.ways {
            served.push(self.by_answers(way)?);
        }
        Ok(served)
    }

    /// What takes no answers.
    fn known(&self, by: By, scored: Vec<ScoredRow>) -> Served {
        Served {
            by,
            scored,
            tokens: self.engine.policy().user_tokens() as f64,
            seconds: None,
            shown: None,
            as_generic: BTreeMap::new(),
        }
    }

    /// What was scored as the generic user's already is not scored again.
    fn generic(&self, places: &[usize]) -> Result<Vec<ScoredRow>, TrainError> {
        let of = |&place: &usize| &self.examples[place];
        let known = places.iter().map(of);
        let known = known.filter(|example| example.user != UserRef::Generic);
        let others: Vec<Example> = known.map(|example| example.of(&UserRef::Generic)).collect();
        let scored = self.score(self.engine.table(), &others)?;
        let mut scored = scored.into_iter();
        let each = places.iter().map(|&place| {
            let again = match self.examples[place].user {
                UserRef::Generic => None,
                UserRef::Id(_) => scored.next(),
            };
            again.unwrap_or_else(|| self.scored[place].clone())
        });
        Ok(each.collect())
    }

    fn by_answers(&self, way: Way) -> Result<Served, TrainError> {
        let mut table = self.engine.table().cloned();
        let made = match way {
            Way::Fitted => self.fitted(table.as_mut())?,
            Way::Nearest => self.made(|user| self.nearest(user))?,
            Way::FirstInPrompt | Way::NearestInPrompt => {
                self.made(|user| self.in_prompt(way, user))?
            }
            Way::Profile => self.made(|user| self.profiled(user))?,
        };
        let users = self.plan.answered.users.len();
        let scored = self.score(table.as_ref(), &made.examples)?;
        let user_tokens = self.engine.policy().user_tokens() as f64;
        Ok(Served {
            by: By::Answers(way),
            scored,
            tokens: user_tokens + statistics::mean(&made.tokens).unwrap_or(0.0),
            seconds: Some(made.seconds / users.max(1) as f64),
            shown: statistics::mean(&made.shown),
            as_generic: made.as_generic,
        })
    }

    /// What is made for every user, one after the other.
    fn made(
        &self,
        of: impl Fn(&AnsweredUser) -> Result<Made, TrainError>,
    ) -> Result<Made, TrainError> {
        let mut all = Made::default();
        for user in &self.plan.answered.users {
            let made = of(user)?;
            all.examples.extend(made.examples);
            all.tokens.extend(made.tokens);
            all.shown.extend(made.shown);
            all.seconds += made.seconds;
            for (why, users) in made.as_generic {
                *all.as_generic.entry(why).or_default() += users;
            }
        }
        Ok(all)
    }

    /// Gives every user a row in `table`.
    fn fitted(&self, table: Option<&mut UserTable>) -> Result<Made, TrainError> {
        let (Some(table), Some(trained)) = (table, self.engine.table()) else {
            let id = "a new user".into();
            return Err(TrainError::NoUsers { id });
        };
        let of_all = trained.belief();
        let mut all = Made::default();
        for user in &self.plan.answered.users {
            let start = Instant::now();
            let as_user = UserRef::id(&*user.id);
            // A trained row is not to be what its user is fitted under.
            let of_others = match trained.owns(&user.id) {
                true => without(trained, &user.id)?,
                false => of_all.clone(),
            };
            let row = match of_others {
                Some(prior) => {
                    let (answers, bars) = (&user.examples, Bars::default());
                    let fitted = self.engine.fit(self.task, answers, &prior, None, &bars)?;
                    fitted.row().0
                }
                None => {
                    all.count_generic(NO_OTHERS);
                    trained.generic_row()?
                }
            };
            table.set_row(&as_user, row)?;
            all.seconds += start.elapsed().as_secs_f64();
            all.examples.extend(self.tests(user, &as_user));
        }
        Ok(all)
    }

    fn nearest(&self, user: &AnsweredUser) -> Result<Made, TrainError> {
        let start = Instant::now();
        let answers = (&user.examples[..], Some(&*user.id));
        let nearest = Nearest::of(self.engine, self.task, answers, &Bars::default())?;
        let nearest = nearest.after(user.examples.len());
        let mut made = Made {
            seconds: start.elapsed().as_secs_f64(),
            examples: self.tests(user, nearest.unwrap_or(&UserRef::Generic)),
            ..Made::default()
        };
        if nearest.is_none() {
            made.count_generic(NO_OTHERS);
        }
        Ok(made)
    }

    fn in_prompt(&self, way: Way, user: &AnsweredUser) -> Result<Made, TrainError> {
        let tests = self.tests(user, &UserRef::Generic);
        let most = self.plan.in_context_tokens.unwrap_or(0);
        let prompt = InPrompt::new(self.engine, &tests, &user.examples, most);
        let (all, bars) = (prompt.answers(), Bars::default());
        let (shown, seconds) = match way {
            Way::NearestInPrompt => {
                let start = Instant::now();
                let likeness = prompt.likeness(self.engine, &bars)?;
                // A test's own prompt would have to be read in any case.
                let share = all as f64 / (all + tests.len()) as f64;
                let seconds = start.elapsed().as_secs_f64() * share;
                (prompt.nearest(&likeness, all), seconds)
            }
            _ => (prompt.first(all), 0.0),
        };
        let examples = prompt.examples(self.task, &shown, &bars)?;
        let mut made = Made {
            tokens: longer_by(&examples, &tests),
            shown: shown.iter().map(|shown| shown.len() as f64).collect(),
            examples,
            seconds,
            ..Made::default()
        };
        if shown.iter().all(Vec::is_empty) {
            made.count_generic(match all {
                0 => "no answer prefers a text",
                _ => "no answer fits",
            });
        }
        Ok(made)
    }

    /// One whose answers prefer no text has no profile, and is served as the generic user.
    fn profiled(&self, user: &AnsweredUser) -> Result<Made, TrainError> {
        let start = Instant::now();
        let tests = self.tests(user, &UserRef::Generic);
        let Some(sentence) = sentence(&user.answers) else {
            let mut made = Made {
                examples: tests,
                ..Made::default()
            };
            made.count_generic("no measure of their answers agrees");
            return Ok(made);
        };
        let seconds = start.elapsed().as_secs_f64();
        let comparisons = user.tests.iter().map(|&place| &self.comparisons[place]);
        let comparisons: Vec<Comparison> = comparisons.cloned().collect();
        let tokenizer = self.engine.formatter().tokenizer();
        // And one for what stands between the sentence and what is behind it.
        let room = tokenizer
            .encode(&sentence, false)
            .map_err(TrainError::from)?
            .len()
            + 1;
        let told = self
            .engine
            .dataset_with_room(&behind(&comparisons, &sentence), room)?;
        let pairs = told.items.iter().map(|item| item.pair.clone());
        let examples = against_plain(self.task, &tests, pairs, &Bars::default())?;
        Ok(Made {
            tokens: longer_by(&examples, &tests),
            examples,
            seconds,
            ..Made::default()
        })
    }

    /// A user's tests, as somebody's.
    fn tests(&self, user: &AnsweredUser, of: &UserRef) -> Vec<Example> {
        let tests = user.tests.iter();
        tests.map(|&place| self.examples[place].of(of)).collect()
    }

    fn score(
        &self,
        table: Option<&UserTable>,
        examples: &[Example],
    ) -> Result<Vec<ScoredRow>, TrainError> {
        let bars = Bars::default();
        self.engine.score_with(table, self.task, examples, &bars)
    }
}

/// What all trained users but this one are like.
fn without(trained: &UserTable, id: &str) -> Result<Option<Belief>, TrainError> {
    let mut others = trained.clone();
    others.remove(id)?;
    Ok(others.belief())
}
