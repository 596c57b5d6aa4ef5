//! `prlhf eval --answers`: what else users' own answers could be used for, beside what was trained.

mod answers;
mod report;
mod serve;

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use terminal::Output;
use trainer::TrainError;
use trainer::config::DataSection;
use trainer::inference::Engine;

use super::Loaded;
use crate::prepare::cuts;
pub use answers::Answered;
pub use report::{AnsweredReport, print};
pub use serve::{Served, Serving};

/// Arguments of `prlhf eval` that ask for other ways to serve users.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Baselines from answers")]
pub struct WaysArgs {
    /// Comparisons that the users of --data have judged, in files or folders as for --data: what each of --ways makes of them stands beside
    /// what the run makes of the user. The run need not know the users, and is not changed.
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "compare")]
    pub answers: Vec<PathBuf>,
    /// What to do with a user's answers. Default: all that the run can do.
    #[arg(
        long,
        value_name = "WAY,...",
        value_enum,
        value_delimiter = ',',
        requires = "answers"
    )]
    pub ways: Vec<Way>,
    /// The longest request of the ways in the prompt, in tokens: user, answers, prompt and response together. As many answers as fit are
    /// shown. Default: 2048, or the model's context if that is shorter.
    #[arg(long, value_name = "N", requires = "answers")]
    pub in_context_tokens: Option<NonZeroUsize>,
}

/// What a user's answers are used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// A row fitted to them, as `users fit` makes it; it is not kept.
    Fitted,
    /// The row of the trained user who explains them best: one pass over them for each trained user.
    Nearest,
    /// They stand in the prompt of the generic user, with what was preferred: the first ones, as many as fit.
    FirstInPrompt,
    /// The same of those whose prompts are most like the one to answer (cosine of the means of the last hidden states).
    NearestInPrompt,
    /// A sentence of what measures of them (words, grade, warmth) agree in stands in the prompt of the generic user.
    Profile,
}

impl Way {
    const IN_PROMPT: [Self; 2] = [Self::FirstInPrompt, Self::NearestInPrompt];

    /// As a person reads it.
    fn title(self) -> &'static str {
        match self {
            Self::Fitted => "row fitted to the answers",
            Self::Nearest => "nearest trained user's row",
            Self::FirstInPrompt => "first answers in the prompt",
            Self::NearestInPrompt => "nearest answers in the prompt",
            Self::Profile => "profile in words",
        }
    }

    /// Why an engine cannot go this way; `None` where it can.
    fn obstacle(self, engine: &Engine) -> Option<&'static str> {
        if !matches!(self, Self::Fitted | Self::Nearest) {
            return None;
        }
        let Some(table) = engine.table() else {
            return Some("the run has no user model, and so no rows");
        };
        match table.belief() {
            Some(_) => None,
            None => Some("the run has no trained users' rows, or they are all alike"),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// What is done with whose answers.
#[derive(Debug)]
pub struct Plan {
    /// In the order of [`Way`], each once.
    pub ways: Vec<Way>,
    /// Tokens of a request with answers in its prompt, at most; none where no way puts any there.
    pub in_context_tokens: Option<usize>,
    /// Who answered what.
    pub answered: Answered,
}

impl WaysArgs {
    /// The answers, where there are any to read.
    ///
    /// # Errors
    /// As [`Loaded::read`].
    pub fn read(&self, lenient: bool, section: &DataSection) -> Result<Option<Loaded>, TrainError> {
        match self.answers.is_empty() {
            true => Ok(None),
            false => Loaded::read(&self.answers, lenient, section).map(Some),
        }
    }

    /// What to do with the answers that were read.
    ///
    /// # Errors
    /// A way that the engine cannot go, a limit that nobody reads, answers that cannot be made ready, or nobody with answers and tests.
    pub fn plan(
        &self,
        (answers, lenient): (&Loaded, bool),
        tests: &Loaded,
        engine: &Engine,
        out: &mut Output<'_>,
    ) -> Result<Plan, TrainError> {
        let ways = self.ways(engine)?;
        let in_prompt = Way::IN_PROMPT.iter().any(|way| ways.contains(way));
        if self.in_context_tokens.is_some() && !in_prompt {
            let [first, nearest] = Way::IN_PROMPT;
            return Err(TrainError::Usage(format!(
                "--in-context-tokens is not read: neither {first} nor {nearest} is among --ways"
            )));
        }
        let (answers, tokens) = answers.tokenised(lenient, engine)?;
        let (count, skipped) = (answers.comparisons.len(), &answers.skipped);
        let cut = cuts(std::iter::once(&tokens), engine.formatter().config());
        out.fact("answers", format_args!("{count}; {skipped}; {cut}"))?;
        Ok(Plan {
            ways,
            in_context_tokens: in_prompt.then(|| self.limit(engine)),
            answered: Answered::new(tests, (&answers, &tokens), engine)?,
        })
    }

    /// The ways that an engine can go, of those asked for.
    fn ways(&self, engine: &Engine) -> Result<Vec<Way>, TrainError> {
        let mut ways = self.ways.clone();
        for way in &ways {
            if let Some(obstacle) = way.obstacle(engine) {
                return Err(TrainError::Usage(format!("--ways {way}: {obstacle}")));
            }
        }
        if ways.is_empty() {
            let all = Way::value_variants().iter().copied();
            ways = all.filter(|way| way.obstacle(engine).is_none()).collect();
        }
        ways.sort_unstable();
        ways.dedup();
        Ok(ways)
    }

    /// The most tokens of a request with answers in its prompt; warns where the model's context is shorter than was asked for.
    fn limit(&self, engine: &Engine) -> usize {
        const DEFAULT: usize = 2048;
        let context = engine.policy().model.config().max_positions();
        let asked = self.in_context_tokens.map_or(DEFAULT, NonZeroUsize::get);
        if self.in_context_tokens.is_some() && asked > context {
            tracing::warn!(
                "--in-context-tokens {asked}: the model's context has {context}, and that is the limit"
            );
        }
        asked.min(context)
    }
}
