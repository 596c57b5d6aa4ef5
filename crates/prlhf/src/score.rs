//! `prlhf score`: what texts are worth to users, by a reward model.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use terminal::{Bars, Output};
use trainer::TrainError;
use trainer::inference::RewardModel;
use trainer::pref_data::general::read_texts;
use trainer::scorer::{Beside, Scorer};

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
    let model = open(&args.trained)?;
    let rewards = model.rewards(&texts, Beside::Group(1), &Bars::default())?;
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

/// Opens a reward model.
///
/// # Errors
/// Files that cannot be read, or adapters that are no reward model's.
pub fn open(of: &TrainedArgs) -> Result<RewardModel, TrainError> {
    let model = RewardModel::of(of.open()?, of.trained()?.dir())?;
    fit_responses(model.engine())?;
    Ok(model)
}
