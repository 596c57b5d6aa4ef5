//! `prlhf train --mode online`: a policy on responses that it writes itself, against a reward model or a judge.

use std::collections::BTreeMap;
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
use crate::best_of::open_reward;
use crate::judge::{Judge, JudgeScorer, validate_section, without_secrets};

/// The judge of the run into `out`, which is written into its configuration; none where a reward model scores, or in other modes.
///
/// # Errors
/// Neither a reward model nor a judge, or both; one that nobody asks; a reward model that the run would replace; or a judge that cannot be
/// asked.
pub(super) fn judge_of(
    args: &TrainArgs,
    config: &mut Config,
    out: &Path,
) -> Result<Option<Judge>, TrainError> {
    let usage = |problem: String| Err(TrainError::Usage(problem));
    let judge_flag = args.judge.given();
    match (args.mode, &args.reward, judge_flag) {
        (Mode::Pdpo | Mode::Sft | Mode::Reward, Some(dir), _) => {
            return usage(format!(
                "--reward {} is for --mode online, which scores what the policy writes",
                dir.display()
            ));
        }
        (Mode::Pdpo | Mode::Sft | Mode::Reward, None, _) => args.judge.validate_absent()?,
        (Mode::Online, Some(_), Some(flag)) => {
            return usage(format!(
                "--reward and {flag}: either a reward model says what responses are worth, or a judge; give one of them"
            ));
        }
        (Mode::Online, Some(dir), None) if is_same(dir, out) => {
            return usage(format!(
                "--reward and --out are both {}: the run would take the place of its reward model",
                dir.display()
            ));
        }
        _ => {}
    }
    if args.mode != Mode::Online || args.reward.is_some() {
        validate_section(config)?;
        if args.mode == Mode::Online && config.judge.is_some() {
            tracing::warn!("the section [judge] has no effect with --reward");
        }
        without_secrets(config);
        return Ok(None);
    }
    let Some(judge) = args.judge.judge(config)? else {
        return usage(
            "--mode online needs --reward DIR, a run of `prlhf train --mode reward`, or --judge-url URL and --judge-model NAME, a language model: one of them says what responses are worth".into(),
        );
    };
    judge.words()?;
    config.judge = Some(judge.section()?);
    Ok(Some(judge.kept_in(out)))
}

fn is_same(one: &Path, other: &Path) -> bool {
    let found = [one, other].map(|path| path.canonicalize().ok());
    found[0].is_some() && found[0] == found[1]
}

/// Trains.
pub(super) fn run(
    args: &TrainArgs,
    (config, judge): (&Config, Option<Judge>),
    (training, sides): (&Training, &Sides),
    place: Place,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let dir = place.dir.clone();
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
    match judge {
        Some(judge) => {
            let groups = training.scored_groups(sides)?;
            out.fact("judge", judge.cost(groups, online.generations()))?;
            let personal = config.users.is_some();
            let scorer = Arc::new(JudgeScorer::new(judge, &sides.train, personal)?);
            if let Some(warning) = untold(config, sides, &scorer) {
                tracing::warn!("{warning}");
            }
            let session = training.online(place, sides, scorer.clone())?;
            let trained = ranking(session, (config, training, &dir), args, out);
            // What was asked counts however the run ended.
            out.fact("judge", scorer.summary())?;
            trained?;
        }
        None => {
            let model = Arc::new(reward_model(args, training)?);
            for warning in warnings(config, training, &*model) {
                tracing::warn!("{warning}");
            }
            let session = training.online(place, sides, model)?;
            ranking(session, (config, training, &dir), args, out)?;
        }
    }
    let dir = dir.display();
    out.fact(
        "next",
        format_args!("prlhf generate --run {dir} --user ID --prompt TEXT, or prlhf chat --run {dir} --user ID"),
    )
}

/// The reward model that the arguments name.
fn reward_model(args: &TrainArgs, training: &Training) -> Result<RewardModel, TrainError> {
    let Some(reward) = &args.reward else {
        return Err(TrainError::Usage("--mode online needs --reward DIR".into()));
    };
    // Of several devices the first.
    let device = args.device.split(',').next().unwrap_or_default();
    let model = open_reward(reward, device)?;
    let users = training.datasets().flat_map(Dataset::users);
    model.with_users(users.collect())
}

/// Of how many users a judge is told nothing, in a sentence; none where it is told of all, or asked for none.
pub fn untold(config: &Config, sides: &Sides, scorer: &JudgeScorer) -> Option<String> {
    config.users.as_ref()?;
    let mut users = BTreeMap::<&str, bool>::new();
    for comparison in sides.train.iter().chain(&sides.validation) {
        if let Some(user) = &comparison.user {
            let has_text = comparison.user_text.is_some();
            *users.entry(user.as_str()).or_default() |= has_text || scorer.knows(user.as_str());
        }
    }
    let (all, untold) = (users.len(), users.values().filter(|told| !**told).count());
    (untold > 0).then(|| {
        format!(
            "the judge is told nothing of {untold} of {all} users: they have neither user_text nor comparisons of two responses to train on"
        )
    })
}

/// What is odd about these rewards for these users and responses, in sentences.
fn warnings(config: &Config, training: &Training, model: &dyn Scorer) -> Vec<String> {
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
