//! Ways to serve users from their answers, side by side.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use statistics::signed;
use terminal::Output;
use trainer::TrainError;

use super::Plan;
use super::answers::{Beside, some};
use super::serve::{By, Served};
use crate::eval::accuracy::Tally;
use crate::eval::compare::{DRAWS, Group};
use crate::eval::rows::EvalRow;
use crate::eval::tables::cell;

/// What `--answers` asked for. All is of the tests of users with answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnsweredReport {
    /// Users with answers and tests.
    pub users: usize,
    /// How many answers they gave.
    pub answers: usize,
    /// How many tests they have.
    pub comparisons: usize,
    /// What does not go together, and what stands in both.
    #[serde(flatten)]
    pub beside: Beside,
    /// Tokens of a request with answers in its prompt, at most; none where no way puts any there.
    pub in_context_tokens: Option<usize>,
    /// Draws of the paired bootstrap.
    pub draws: usize,
    /// Its seed.
    pub seed: u64,
    /// The ways; the generic user, whom the others are measured against, comes first.
    pub served: Vec<ServedReport>,
}

/// Users served in one way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServedReport {
    /// `generic`, `own` (by what the run knows of the user), or one of `--ways`.
    pub way: String,
    /// As a person reads it.
    #[serde(skip)]
    pub title: String,
    /// The tests.
    #[serde(flatten)]
    pub tally: Tally,
    /// Against the generic user: A is the generic user, B this way.
    pub against_generic: Option<Group>,
    /// Tokens that a request has for its user: the mean over the tests.
    pub tokens: f64,
    /// Seconds that a user takes once the answers are there: the mean.
    pub seconds: Option<f64>,
    /// Answers in the prompt: the mean over the tests.
    pub answers_shown: Option<f64>,
    /// Users whose answers this way makes nothing of, and who are served as the generic user: how many, by why.
    pub served_as_generic: BTreeMap<&'static str, usize>,
    /// The tests by user.
    pub users: BTreeMap<String, Tally>,
    /// Every test, in the order of the data.
    pub rows: Vec<EvalRow>,
}

impl AnsweredReport {
    /// What a plan came to. `rows` are what the run itself makes of all comparisons, in the order of the data.
    ///
    /// # Errors
    /// A reward that is no finite number.
    pub fn new(
        plan: &Plan,
        served: Vec<Served>,
        rows: &[EvalRow],
        seed: u64,
    ) -> Result<Self, TrainError> {
        let places = plan.answered.places();
        let mut ways: Vec<ServedReport> = Vec::with_capacity(served.len());
        for served in served {
            let each = places.iter().zip(&served.scored);
            let each = each.map(|(&place, scored)| rows[place].with(scored));
            let mut own: Vec<EvalRow> = each.collect::<Result<_, _>>()?;
            own.sort_by_key(|row| row.index);
            let generic = ways.first().map(|generic| &generic.rows);
            ways.push(ServedReport {
                way: key(served.by),
                title: title(served.by, &own),
                tally: Tally::of(&own),
                against_generic: generic.map(|generic| Group::between(generic, &own, seed)),
                tokens: served.tokens,
                seconds: served.seconds,
                answers_shown: served.shown,
                served_as_generic: served.as_generic,
                users: by_user(&own),
                rows: own,
            });
        }
        Ok(Self {
            users: plan.answered.users.len(),
            answers: plan.answered.answers(),
            comparisons: places.len(),
            beside: plan.answered.beside.clone(),
            in_context_tokens: plan.in_context_tokens,
            draws: DRAWS,
            seed,
            served: ways,
        })
    }
}

fn by_user(rows: &[EvalRow]) -> BTreeMap<String, Tally> {
    let mut users: BTreeMap<&str, Vec<&EvalRow>> = BTreeMap::new();
    for row in rows {
        if let Some(user) = &row.user {
            users.entry(user).or_default().push(row);
        }
    }
    let users = users.into_iter();
    users
        .map(|(user, rows)| (user.to_owned(), Tally::of(rows)))
        .collect()
}

/// As JSON calls it.
fn key(by: By) -> String {
    match by {
        By::Generic => "generic".into(),
        By::Own => "own".into(),
        By::Answers(way) => way.to_string(),
    }
}

/// Who has no row of their own in the run is the generic user.
fn title(by: By, rows: &[EvalRow]) -> String {
    match by {
        By::Generic => "generic user".into(),
        By::Own => {
            let users = |rows: &mut dyn Iterator<Item = &EvalRow>| {
                let ids = rows.map(|row| row.user.as_deref());
                ids.collect::<BTreeSet<Option<&str>>>().len()
            };
            let all = users(&mut rows.iter());
            let known = users(&mut rows.iter().filter(|row| row.seen_user == Some(true)));
            format!("own row in the run ({known} of {all} users)")
        }
        By::Answers(way) => way.title().into(),
    }
}

/// Prints what goes together, and a line for each way.
///
/// # Errors
/// A broken stream.
pub fn print(report: &AnsweredReport, out: &mut Output<'_>) -> Result<(), TrainError> {
    let AnsweredReport {
        users,
        answers,
        comparisons,
        beside,
        ..
    } = report;
    out.fact(
        "answers",
        format_args!("{answers} of {users} users, who have {comparisons} of the comparisons"),
    )?;
    for line in beside.lines() {
        out.fact("left out", line)?;
    }
    if let Some(first) = &beside.first_leak {
        let leaks = beside.leaks;
        out.fact(
            "leak",
            format_args!(
                "{leaks} of the comparisons are among their users' answers (first: {}): what ways make of these is no test",
                printable::line(first)
            ),
        )?;
    }
    out.line("")?;
    let head = [
        "served by",
        "accuracy [95 %]",
        "above generic [95 %]",
        "tokens",
        "seconds",
        "answers shown",
    ];
    let rows: Vec<Vec<String>> = report.served.iter().map(row).collect();
    out.table(&head, &rows)?;
    let limit = report.in_context_tokens;
    let limit = limit.map_or(String::new(), |limit| {
        format!("; answers are put into the prompt up to {limit}")
    });
    out.fact(
        "tokens",
        format_args!("of a request for its user, soft ones or of the prompt{limit}"),
    )?;
    for served in &report.served {
        let way = &served.way;
        for (why, some) in &served.served_as_generic {
            out.fact(
                "as generic",
                format_args!("{way}: {some} of {users} users, {why}"),
            )?;
        }
    }
    out.fact(
        "interval",
        format_args!(
            "of accuracy Wilson's; of differences paired bootstrap over users and their comparisons, {} draws, seed {}",
            report.draws, report.seed
        ),
    )
}

fn row(served: &ServedReport) -> Vec<String> {
    let decimal = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.1}"));
    let difference = served.against_generic.as_ref();
    let difference = difference.and_then(|group| group.difference.as_ref());
    vec![
        served.title.clone(),
        cell(&served.tally),
        difference.map_or("-".into(), |difference| {
            let interval = &difference.pooled_interval;
            let [pooled, low, high] =
                [difference.pooled, interval.low, interval.high].map(|value| signed(value, 3));
            format!("{pooled} [{low}, {high}]")
        }),
        decimal(Some(served.tokens)),
        served
            .seconds
            .map_or("-".into(), |seconds| format!("{seconds:.2}")),
        decimal(served.answers_shown),
    ]
}

impl Beside {
    /// What is left out, in words.
    fn lines(&self) -> Vec<String> {
        let count = |users: &BTreeMap<String, usize>| users.values().sum::<usize>();
        let mut lines = Vec::new();
        let without = &self.tests_without_answers;
        if !without.is_empty() {
            let (tests, users) = (count(without), some(without));
            lines.push(format!("{tests} comparisons of {users}, without answers"));
        }
        if self.tests_without_user > 0 {
            let tests = self.tests_without_user;
            lines.push(format!("{tests} comparisons that name no user"));
        }
        let without = &self.answers_without_tests;
        if !without.is_empty() {
            let (answers, users) = (count(without), some(without));
            lines.push(format!(
                "{answers} answers of {users}, who are not in --data"
            ));
        }
        if self.answers_without_user > 0 {
            let answers = self.answers_without_user;
            lines.push(format!("{answers} answers that name no user"));
        }
        lines
    }
}
