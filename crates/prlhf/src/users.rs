//! `prlhf users`: who the user model knows.

mod fit;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use terminal::Output;
use trainer::TrainError;
use trainer::adapters;
use trainer::burn::tensor::Device;
use trainer::folder::RunFolder;
use trainer::user_model::{self, ExportedUser, MANIFEST_FILE, UserRef, UserTable};

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
    /// Forget a user: id and row.
    Remove {
        /// A known id.
        id: String,
    },
    /// Write one user's row to a file of its own.
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
        Action::List => return list(&user_model::load(&dir, &Device::flex())?.1, out),
        Action::Export { id, file } => {
            let user = user_model::load(&dir, &Device::flex())?.1.export_user(id)?;
            if file.exists() && ExportedUser::read(file).is_err() {
                let problem =
                    "there is such a file, and it is no exported user: choose another name";
                return Err(TrainError::format(file, problem));
            }
            user.write(file)?;
            let id = printable::quoted(id);
            return out.line(format_args!("user {id} is in {}", file.display()));
        }
        Action::Add { id } => {
            UserTable::validate_id(id)?;
            change(&dir, |table| match table.add(id) {
                true => Ok(()),
                false => Err(user_model::TableError::KnownUser { id: id.clone() }.into()),
            })?;
            format!("user {} is known", printable::quoted(id))
        }
        Action::Remove { id } => {
            change(&dir, |table| Ok(table.remove(id)?))?;
            warn_of_checkpoint(&dir, id);
            format!("user {} is forgotten", printable::quoted(id))
        }
        Action::Import { file } => {
            let user = ExportedUser::read(file)?;
            let done = format!("user {} is known", printable::quoted(&user.id));
            change(&dir, |table| Ok(table.import_user(user)?))?;
            done
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
    change: impl FnOnce(&mut UserTable) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    let _held = RunFolder::hold(dir)?;
    let (model, mut table) = user_model::load(dir, &Device::flex())?;
    change(&mut table)?;
    adapters::save_users(dir, &model, &table)
}

fn list(table: &UserTable, out: &mut Output<'_>) -> Result<(), TrainError> {
    for id in table.ids() {
        let row = match table.is_touched(&UserRef::id(id)) {
            true => "trained",
            false => "as it began",
        };
        let id = printable::id(id);
        out.line(format_args!("{id}\t{row}"))?;
    }
    Ok(())
}

fn warn_of_checkpoint(adapters: &Path, id: &str) {
    let checkpoint = adapters.join("../checkpoint");
    if checkpoint.is_dir() {
        tracing::warn!(
            "the checkpoint beside the adapters still holds the row of {}, the training data their comparisons",
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
