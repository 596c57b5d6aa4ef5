//! `prlhf users`: who the user model knows.

mod ask;
mod fit;
mod merge;
mod profile;
mod show;
mod transfer;
mod written;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use terminal::Output;
use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::config::Setting;
use trainer::forget::HeldUsers;
use trainer::pref_data::{Prompt, TemplateInputs};
use trainer::user_model::{self, MANIFEST_FILE, UserRef, UserTable};

use crate::trained::TrainedArgs;

/// Arguments of `prlhf users`.
#[derive(Args, Debug)]
pub struct UsersArgs {
    /// A folder of adapters with a user model.
    #[arg(long, global = true, value_name = "DIR")]
    pub adapters: Option<PathBuf>,
    /// The folder of a run, for its adapters.
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "adapters")]
    pub run: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

impl UsersArgs {
    /// The adapters, on a base model and a device.
    fn trained(&self, on: &OnArgs) -> TrainedArgs {
        TrainedArgs {
            run: self.run.clone(),
            adapters: self.adapters.clone(),
            model: on.model.clone(),
            config: None,
            set: on.set.clone(),
            device: on.device.clone(),
        }
    }
}

/// What the adapters are opened on, where the model is needed.
#[derive(Args, Debug)]
pub struct OnArgs {
    /// The base model. Default: the one that the run or the adapters name.
    #[arg(long, value_name = "SOURCE")]
    pub model: Option<String>,
    /// Sets one key of the configuration, as in `--set prompt.max_prompt_length=256`; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
    /// `flex` (the CPU), `cuda:N`, `wgpu` or `wgpu:N`.
    #[arg(long, default_value = "flex", value_name = "NAME")]
    pub device: String,
}

/// What to do with users.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// Every user, and whether training has moved their row.
    List,
    /// Make a user known; they start as every user does, and differ once trained on.
    Add {
        /// The new id.
        id: String,
    },
    /// Make a user from a few answers: their row alone, the rest stays as trained.
    Fit(fit::FitArgs),
    /// How a user came to be, how sure their row is, and whom they are like; without an id, all users in short.
    Show {
        /// A known id.
        id: Option<String>,
    },
    /// Which comparisons to show a user next: those whose answers are expected to tell most.
    Ask(ask::AskArgs),
    /// In what responses for a user differ from the generic user's: length, readability, lists, hedges and the like; and in words
    /// (--paragraph).
    Profile(profile::ProfileArgs),
    /// Make two users one, who has the row of the one with more answers or training steps; the other is forgotten.
    Merge(merge::MergeArgs),
    /// Forget a user: id, row, and all that the run's folder holds of them, checkpoint and metrics included. What was trained on is
    /// yours and stays.
    Remove {
        /// A known id.
        id: String,
    },
    /// Write one user's row to a file of its own, and what is believed of them.
    Export {
        /// A known id.
        id: String,
        /// A JSON file to write.
        file: PathBuf,
    },
    /// Add a user from such a file. The row means something only beside the shared tensors it was trained with.
    Import {
        /// A JSON file that `export` wrote.
        file: PathBuf,
    },
}

/// Puts a prompt, and what its chat template is given, into a record of the general layout.
fn put_prompt(record: &mut Map<String, Value>, prompt: &Prompt, template: &TemplateInputs) {
    record.insert("prompt".into(), json!(prompt));
    if let Some(tools) = &template.tools {
        record.insert("tools".into(), tools.clone());
    }
    if !template.chat_template_kwargs.is_empty() {
        let variables = template.chat_template_kwargs.clone();
        record.insert("chat_template_kwargs".into(), variables.into());
    }
}

/// Lists or changes users; a change is written to a temporary name first, then put in place.
///
/// # Errors
/// An unknown or already known id, or files that cannot be read or written.
pub fn run(args: &UsersArgs, out: &mut Output<'_>) -> Result<(), TrainError> {
    let dir = match (&args.adapters, &args.run) {
        (Some(dir), _) => dir.clone(),
        (None, Some(run)) => run.join("adapters"),
        (None, None) => return Err(TrainError::Usage("give --run or --adapters".into())),
    };
    if !dir.join(MANIFEST_FILE).is_file() {
        let problem = format!("no user model here: expected {MANIFEST_FILE}");
        return Err(TrainError::format(&dir, problem));
    }
    let done = match &args.action {
        Action::Fit(fit) => return fit::run(args, fit, out),
        Action::Ask(ask) => return ask::run(args, ask, out),
        Action::Profile(profile) => return profile::run(args, profile, out),
        Action::Show { id } => return show::run(&dir, id.as_deref(), out),
        Action::List => return list(&user_model::load(&dir, &Device::flex())?.1, out),
        Action::Export { id, file } => return transfer::export(&dir, id, file, out),
        Action::Import { file } => transfer::import(&dir, file)?,
        Action::Merge(merge) => merge::run(&dir, merge)?,
        Action::Add { id } => {
            UserTable::validate_new_id(id)?;
            change(&dir, |users| {
                match !users.table.contains(id) && users.table.add(id) {
                    true => Ok(()),
                    false => Err(user_model::TableError::KnownUser { id: id.clone() }.into()),
                }
            })?;
            format!("user {} is known", printable::quoted(id))
        }
        Action::Remove { id } => {
            remove(&dir, id)?;
            format!("user {} is forgotten", printable::quoted(id))
        }
    };
    if matches!(&args.action, Action::Add { .. } | Action::Import { .. }) {
        warn_of_resume(&dir);
    }
    out.line(done)
}

/// Changes the users of the adapters in `dir`, while nobody else does.
fn change(
    dir: &Path,
    change: impl FnOnce(&mut HeldUsers) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    let mut users = HeldUsers::open(dir)?;
    change(&mut users)?;
    warn_of_lost(users.save()?);
    Ok(())
}

/// Forgets a user who is known to the adapters or to the checkpoint.
fn remove(dir: &Path, id: &str) -> Result<(), TrainError> {
    let mut users = HeldUsers::open(dir)?;
    let in_checkpoint = users.of_checkpoint()?;
    let in_checkpoint = in_checkpoint.is_some_and(|(_, table)| table.contains(id));
    if users.table.owns(id) || !(in_checkpoint || users.table.contains(id)) {
        users.table.remove(id)?;
    }
    warn_of_lost(users.save_without(id, |table| table.remove(id))?);
    warn_of_data(dir, id);
    Ok(())
}

/// Says that fits have to be made anew.
fn warn_of_lost(lost: usize) {
    if lost > 0 {
        tracing::warn!(
            "the trained users are others now: how sure the rows of {lost} fitted user(s) were is no longer known; the rows stay, and `users fit` with all answers brings it back"
        );
    }
}

fn list(table: &UserTable, out: &mut Output<'_>) -> Result<(), TrainError> {
    for id in table.ids() {
        let origin = origin(table, id);
        let id = printable::id(id);
        out.line(format_args!("{id}\t{origin}"))?;
    }
    for (id, _) in table.fitted().all()? {
        out.line(format_args!("{}\tfitted", printable::id(&id)))?;
    }
    Ok(())
}

/// How a known user's row came to be.
fn origin(table: &UserTable, id: &str) -> &'static str {
    match (table.owns(id), table.is_touched(&UserRef::id(id))) {
        (false, _) => "fitted",
        (true, true) => "trained",
        (true, false) => "as it began",
    }
}

/// What was trained on lies outside of the run, and names users.
fn warn_of_data(adapters: &Path, id: &str) {
    if adapters.join("../config.toml").is_file() {
        tracing::warn!(
            "the training data, and what was exported or evaluated, may still hold {}: these files are yours and were not touched; `train --resume` on that data makes the user known again",
            printable::quoted(id)
        );
    }
}

/// A run that goes on has the users of its checkpoint as these were then.
fn warn_of_resume(adapters: &Path) {
    if adapters.join("../checkpoint").is_dir() {
        tracing::warn!(
            "the checkpoint beside the adapters does not know of this: `train --resume` may replace these adapters by its own; say it again then"
        );
    }
}
