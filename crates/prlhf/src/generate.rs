//! `prlhf generate`: responses for users.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use terminal::{Bars, Output};
use trainer::TrainError;
use trainer::inference::{Engine, Job};
use trainer::pref_data::general::{PromptRecord, read_prompts};
use trainer::pref_data::{Columns, Message, Prompt, TemplateInputs};
use trainer::tokenise::SpecialTokens;
use trainer::user_model::UserRef;

use crate::best_of::{BestOf, BestOfArgs};
use crate::prepare::fit_prompts;
use crate::sampling::SamplingArgs;
use crate::trained::TrainedArgs;

/// Arguments of `prlhf generate`.
#[derive(Args, Debug)]
pub struct GenerateArgs {
    /// What writes.
    #[command(flatten)]
    pub trained: TrainedArgs,
    /// One prompt.
    #[arg(
        long,
        value_name = "TEXT",
        required_unless_present = "prompts",
        conflicts_with = "prompts"
    )]
    pub prompt: Option<String>,
    /// Many prompts: JSON Lines, CSV or Parquet with `prompt` (text or a list of messages) and optionally `user` and
    /// `user_text`, under the names that `[data.columns]` of the configuration gives them; or plain text (`.txt`) with a prompt a line. A
    /// prompt with a user is answered as that user.
    #[arg(long, value_name = "FILE")]
    pub prompts: Option<PathBuf>,
    /// For this user, unless the prompt names its own; may be given several times.
    #[arg(long, value_name = "ID")]
    pub user: Vec<String>,
    /// Also for the generic user, which is the default where no --user is given.
    #[arg(long)]
    pub generic: bool,
    /// What the user says of themselves; stands before every prompt that has none of its own.
    #[arg(long, value_name = "TEXT")]
    pub user_text: Option<String>,
    /// Sequences at a time.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub batch: usize,
    /// One JSON object a line: user (null: generic), prompt, response.
    #[arg(long)]
    pub json: bool,
    /// How tokens are chosen.
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// The best of several responses.
    #[command(flatten)]
    pub best_of: BestOfArgs,
}

/// Writes a response for every prompt and user.
///
/// # Errors
/// An unknown user (with near matches), a broken line, or adapters that cannot be opened.
pub fn run(args: &GenerateArgs, out: &mut Output<'_>) -> Result<(), TrainError> {
    let lines = lines(args)?;
    let mut opened = args.trained.open()?;
    opened.engine.validate_writer()?;
    if args.prompts.is_none() {
        // What is typed is text; a file may be rendered already.
        opened.engine = opened.engine.with_special_tokens(SpecialTokens::Text);
    }
    let (engine, sampling) = (
        &opened.engine,
        args.sampling.over(&opened.config().sampling),
    );
    let users = users(args, engine)?;
    warn_of_cuts(engine, &lines, sampling.max_new_tokens)?;
    let own = own_users(args, engine, &lines)?;
    let mut jobs = Vec::new();
    for (line, own) in lines.iter().zip(&own) {
        for user in own.as_ref().map_or(&*users, std::slice::from_ref) {
            jobs.push(Job {
                user_text: line.user_text.clone(),
                template: line.template.clone(),
                ..Job::new(line.prompt.clone(), user.clone(), sampling.clone())
            });
        }
    }
    let how = (sampling.greedy, args.prompts.is_none());
    let Some(best_of) = BestOf::open(&args.best_of, how, &args.trained.device)? else {
        let responses = engine.respond(&jobs, args.batch, &Bars::default())?;
        for (job, response) in jobs.iter().zip(&responses) {
            let line = json!({"response": response.text});
            print(job, line, args.json, jobs.len() > 1, out)?;
        }
        return Ok(());
    };
    best_of.validate(&jobs)?;
    let samples = best_of.samples(&jobs);
    let responses = engine.respond(&samples, args.batch, &Bars::default())?;
    for (job, chosen) in jobs.iter().zip(best_of.choose(&samples, responses)?) {
        let line = json!({
            "response": chosen.response.text,
            "reward": chosen.reward,
            "rewards": chosen.rewards,
        });
        print(job, line, args.json, jobs.len() > 1, out)?;
    }
    Ok(())
}

/// Says how many prompts are, with the user's text, longer than allowed.
fn warn_of_cuts(engine: &Engine, lines: &[PromptRecord], room: usize) -> Result<(), TrainError> {
    let formatter = fit_prompts(engine, room)?;
    let mut cut = 0;
    for line in lines {
        let prompt = formatter.prompt(&line.prompt, &line.template, line.user_text.as_deref())?;
        cut += usize::from(prompt.cut || prompt.user_text_cut);
    }
    if cut > 0 {
        let (all, limit) = (lines.len(), formatter.config().max_prompt_length);
        tracing::warn!("{cut} of {all} prompts above {limit} tokens were cut");
    }
    Ok(())
}

fn users(args: &GenerateArgs, engine: &Engine) -> Result<Vec<UserRef>, TrainError> {
    let ids = args.user.iter();
    let mut users = ids
        .map(|id| engine.user(id))
        .collect::<Result<Vec<_>, _>>()?;
    if args.generic || users.is_empty() {
        users.push(UserRef::Generic);
    }
    Ok(users)
}

/// The users that prompts name. Where the run knows no users, everybody is the generic one.
fn own_users(
    args: &GenerateArgs,
    engine: &Engine,
    lines: &[PromptRecord],
) -> Result<Vec<Option<UserRef>>, TrainError> {
    let named = lines.iter().filter(|line| line.user.is_some()).count();
    if named > 0 && engine.table().is_none() {
        tracing::warn!("{named} prompts name a user, but these adapters know no users");
        return Ok(vec![None; lines.len()]);
    }
    let user = |(at, line): (usize, &PromptRecord)| {
        let Some(id) = &line.user else {
            return Ok(None);
        };
        engine.user(id.as_str()).map(Some).map_err(|error| {
            let path = args.prompts.as_deref().unwrap_or(Path::new("--prompt"));
            TrainError::format(path, format!("prompt {}: {error}", at + 1))
        })
    };
    lines.iter().enumerate().map(user).collect()
}

fn lines(args: &GenerateArgs) -> Result<Vec<PromptRecord>, TrainError> {
    let mut lines = match (&args.prompt, &args.prompts) {
        (_, Some(path)) => read(path, args.trained.trained()?.config.data.columns)?,
        (text, None) => vec![PromptRecord {
            prompt: Prompt::Text(text.clone().unwrap_or_default()),
            template: TemplateInputs::default(),
            user: None,
            user_text: None,
        }],
    };
    for line in &mut lines {
        if line.user_text.is_none() {
            line.user_text.clone_from(&args.user_text);
        }
    }
    Ok(lines)
}

/// Reads prompts of a file, with what it has to say of them.
///
/// # Errors
/// A broken line, or a file that cannot be read.
pub fn read(path: &Path, columns: Columns) -> Result<Vec<PromptRecord>, TrainError> {
    let (lines, noted) = read_prompts(path, columns).read_all()?;
    for note in noted.notes() {
        tracing::info!("{note}");
    }
    Ok(lines)
}

/// Writes `line`, or the response in it.
fn print(
    job: &Job,
    mut line: Value,
    as_json: bool,
    several: bool,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let user = match &job.user {
        UserRef::Generic => None,
        UserRef::Id(id) => Some(id),
    };
    if as_json {
        line["user"] = json!(user);
        line["prompt"] = json!(job.prompt);
        return out.json(line);
    }
    if several {
        let user = job.user.to_string();
        let user = printable::line(&user);
        out.line(format_args!("== {user} | {}", shown(&job.prompt)))?;
    }
    out.line(line["response"].as_str().unwrap_or_default())
}

/// The end of a prompt, in one line.
fn shown(prompt: &Prompt) -> String {
    let text = match prompt {
        Prompt::Text(text) => text.into(),
        Prompt::Chat(messages) => messages.last().map(Message::content).unwrap_or_default(),
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let from = words.len().saturating_sub(12);
    words[from..].join(" ")
}
