//! `prlhf score`: what texts are worth to users, by a reward model.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use terminal::{Bars, Output};
use trainer::TrainError;
use trainer::inference::Opened;
use trainer::pref_data::Comparison;
use trainer::pref_data::general::read_texts;
use trainer::task::Reward;

use crate::prepare::fit_responses;
use crate::trained::TrainedArgs;

/// Arguments of `prlhf score`.
#[derive(Args, Debug)]
pub struct ScoreArgs {
    /// The reward model.
    #[command(flatten)]
    pub trained: TrainedArgs,
    /// The texts: JSON Lines, CSV or Parquet with `prompt` (text or a list of messages), `response` (or `completion`) and
    /// optionally `user` and `user_text`, under the names that `[data.columns]` of the configuration gives them.
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
}

/// Writes one JSON object a line: user, prompt, response, `reward`, and `known`, false where the user is none of the model's and
/// the generic user's reward stands there.
///
/// # Errors
/// Adapters that are no reward model's, or a broken record.
pub fn run(args: &ScoreArgs, out: &mut Output<'_>) -> Result<(), TrainError> {
    let columns = args.trained.trained()?.config.data.columns;
    let (texts, noted) = read_texts(&args.data, columns).read_all()?;
    for note in noted.notes() {
        tracing::info!("{note}");
    }
    let model = RewardModel::open(&args.trained)?;
    let rewards = model.rewards(&texts)?;
    let mut unknown = 0;
    for (text, reward) in texts.iter().zip(rewards) {
        let user = text.user.as_ref().map(|user| user.as_str());
        let known = user.is_some_and(|user| model.knows(user));
        unknown += usize::from(user.is_some() && !known);
        out.json(json!({
            "user": user,
            "known": known,
            "prompt": text.prompt,
            "response": text.chosen,
            "reward": reward,
        }))?;
    }
    if unknown > 0 {
        let all = texts.len();
        tracing::warn!(
            "{unknown} of {all} texts are of users whom the model does not know: theirs are the generic user's rewards"
        );
    }
    Ok(())
}

/// A reward model, opened.
pub struct RewardModel {
    /// Adapters, users and head on the base model.
    pub opened: Opened,
    task: Reward,
}

impl RewardModel {
    /// Opens one.
    ///
    /// # Errors
    /// Files that cannot be read, or adapters that are no reward model's.
    pub fn open(of: &TrainedArgs) -> Result<Self, TrainError> {
        let opened = of.open()?;
        let Some(task) = opened.reward()? else {
            let problem =
                "these adapters are no reward model's: prlhf train --mode reward makes one";
            return Err(TrainError::format(of.trained()?.dir(), problem));
        };
        Ok(Self { opened, task })
    }

    /// Whether this user has rewards of their own.
    pub fn knows(&self, user: &str) -> bool {
        let table = self.opened.engine.table();
        table.is_some_and(|table| table.contains(user))
    }

    /// What the response of each text is worth to its user, or to the generic user where the model does not know them.
    ///
    /// # Errors
    /// A text that the tokenizer or the chat template fails on, or a reward that is no finite number.
    pub fn rewards(&self, texts: &[Comparison]) -> Result<Vec<f32>, TrainError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let engine = &self.opened.engine;
        let limits = fit_responses(engine)?;
        let dataset = engine.dataset(texts)?;
        if dataset.cut_responses > 0 {
            let (cut, all) = (dataset.cut_responses, texts.len());
            let limit = limits.config().max_response_length;
            tracing::warn!("{cut} of {all} responses above {limit} tokens lost their end");
        }
        engine.rewards(&self.task, &dataset, &Bars::default())
    }
}
