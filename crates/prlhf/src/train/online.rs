//! `prlhf train --mode online`: a policy on responses that it writes itself, against a reward model.

use std::path::Path;
use std::sync::Arc;

use terminal::Output;
use trainer::TrainError;
use trainer::config::Config;
use trainer::dataset::Dataset;
use trainer::inference::RewardModel;
use trainer::pdpo_loss::PolicyGradient;
use trainer::scorer::Scorer;
use trainer::sides::Sides;
use trainer::training::{Place, Training};

use super::{Mode, TrainArgs, ranking};
use crate::best_of::of_run;
use crate::score;

/// Refuses a reward model that nobody asks or that the run into `out` would replace, and an online run that has none.
pub(super) fn validate_args(args: &TrainArgs, out: &Path) -> Result<(), TrainError> {
    match (args.mode, &args.reward) {
        (Mode::Online, None) => Err(TrainError::Usage(
            "--mode online needs --reward DIR, a run of `prlhf train --mode reward`, which says what responses are worth".into(),
        )),
        (Mode::Pdpo | Mode::Sft | Mode::Reward, Some(dir)) => Err(TrainError::Usage(format!(
            "--reward {} is for --mode online, which scores what the policy writes",
            dir.display()
        ))),
        (Mode::Online, Some(dir)) if is_same(dir, out) => Err(TrainError::Usage(format!(
            "--reward and --out are both {}: the run would take the place of its reward model",
            dir.display()
        ))),
        _ => Ok(()),
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let found = [one, other].map(|path| path.canonicalize().ok());
    found[0].is_some() && found[0] == found[1]
}

/// Trains.
pub(super) fn run(
    args: &TrainArgs,
    config: &Config,
    (training, sides): (&Training, &Sides),
    place: Place,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let dir = place.dir.clone();
    let users = training.datasets().flat_map(Dataset::users);
    let model = open(args)?.with_users(users.collect())?;
    for warning in warnings(config, training, &model) {
        tracing::warn!("{warning}");
    }
    let online = config.online.said();
    let method = match config.online.gradient() {
        Some(PolicyGradient::Rloo(rloo)) => format!("RLOO with beta {}", rloo.beta),
        Some(PolicyGradient::Grpo(grpo)) => format!("GRPO with beta {}", grpo.beta),
        None => format!(
            "online DPO with objective.loss = \"{}\"",
            config.objective.loss.name()
        ),
    };
    out.fact(
        "online",
        format_args!(
            "{} responses of up to {} tokens to each prompt and branch, {method}",
            online.generations(),
            online.most_tokens()
        ),
    )?;
    let session = training.online(place, sides, Arc::new(model))?;
    ranking(session, (config, training, &dir), args, out)?;
    let dir = dir.display();
    out.fact(
        "next",
        format_args!("prlhf generate --run {dir} --user ID --prompt TEXT, or prlhf chat --run {dir} --user ID"),
    )
}

/// The reward model that the arguments name.
fn open(args: &TrainArgs) -> Result<RewardModel, TrainError> {
    let Some(reward) = &args.reward else {
        return Err(TrainError::Usage("--mode online needs --reward DIR".into()));
    };
    // Of several devices the first.
    let device = args.device.split(',').next().unwrap_or_default();
    score::open(&of_run(reward, device))
}

/// What is odd about these rewards for these users and responses, in sentences.
fn warnings(config: &Config, training: &Training, model: &RewardModel) -> Vec<String> {
    let mut found = Vec::new();
    let users = training.train.users();
    let unknown = users.iter().filter(|user| !model.knows(user)).count();
    if unknown > 0 && config.users.is_some() {
        let all = users.len();
        found.push(format!(
            "{unknown} of {all} users are none of the reward model's: their responses are scored as the generic user's"
        ));
    }
    if let Some(longest) = model.longest()
        && longest <= config.online.most_tokens()
    {
        let most = config.online.most_tokens();
        found.push(format!(
            "`online.max_new_tokens` is {most}, and the reward model reads up to {longest} tokens (its prompt.max_response_length): longer responses lose their end before they are scored"
        ));
    }
    found
}
