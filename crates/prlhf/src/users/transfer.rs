//! `prlhf users export` and `import`: one user in a file of its own.

use std::path::Path;

use terminal::Output;
use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::forget::HeldUsers;
use trainer::user_model::{self, ExportedUser};

use super::warn_of_lost;

/// Writes a user, with what is believed of them where that is kept.
pub fn export(dir: &Path, id: &str, file: &Path, out: &mut Output<'_>) -> Result<(), TrainError> {
    let (model, table) = user_model::load(dir, &Device::flex())?;
    let user = table.export_user(id, &model)?;
    if file.exists() && ExportedUser::read(file).is_err() {
        let problem = "there is such a file, and it is no exported user: choose another name";
        return Err(TrainError::format(file, problem));
    }
    user.write(file)?;
    let id = printable::quoted(id);
    out.line(format_args!("user {id} is in {}", file.display()))
}

/// Adds a user from such a file.
pub fn import(dir: &Path, file: &Path) -> Result<String, TrainError> {
    let user = ExportedUser::read(file)?;
    let id = user.id.clone();
    if user.row.is_some() && user.shared_sha256.is_none() {
        tracing::warn!(
            "{}: of an earlier version, and does not say beside which shared tensors the row was made; if these are others, it means nothing",
            file.display()
        );
    }
    let mut users = HeldUsers::open(dir)?;
    let lost = match users.table.import_user(user, &users.model)? {
        None => users.save()?,
        Some(mut row) => {
            let prior = users.table.belief();
            let known = prior.and_then(|prior| row.belief_beside(&prior)).is_some();
            if !known && row.belief.take().is_some() {
                tracing::warn!(
                    "{}: how sure the row is was told beside other trained users, and is left out",
                    file.display()
                );
            }
            users.keep_fitted(&id, &row)?
        }
    };
    warn_of_lost(lost);
    Ok(format!("user {} is known", printable::quoted(&id)))
}
