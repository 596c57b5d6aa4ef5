//! `prlhf users export` and `import`: one user in a file of its own.

use std::path::Path;

use terminal::Output;
use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::user_model::{self, ExportedBelief, ExportedUser, KeptBeliefs};

use super::change;

/// Writes a user, with what is believed of them where that is kept.
pub fn export(dir: &Path, id: &str, file: &Path, out: &mut Output<'_>) -> Result<(), TrainError> {
    let (model, table) = user_model::load(dir, &Device::flex())?;
    let mut user = table.export_user(id, &model)?;
    let mut beliefs = KeptBeliefs::read(dir)?;
    beliefs.retain_of(&table);
    user.belief = beliefs.get(id).map(|(prior_sha256, kept)| ExportedBelief {
        prior_sha256: prior_sha256.to_owned(),
        kept: kept.clone(),
    });
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
    let (id, row) = (user.id.clone(), user.row.clone());
    if row.is_some() && user.shared_sha256.is_none() {
        tracing::warn!(
            "{}: of an earlier version, and does not say beside which shared tensors the row was made; if these are others, it means nothing",
            file.display()
        );
    }
    let belief = user.belief.clone().filter(|_| user.fitted.is_some());
    change(dir, |users| {
        users.table.import_user(user, &users.model)?;
        let (Some(belief), Some(row)) = (belief, row) else {
            return Ok(());
        };
        let prior = users.table.belief();
        let prior = prior.filter(|prior| prior.prior_sha256() == belief.prior_sha256);
        match prior.and_then(|prior| belief.kept.after(&prior, row)) {
            Some(_) => users.beliefs.insert(belief.prior_sha256, &id, belief.kept),
            None => tracing::warn!(
                "{}: how sure the row is was told beside other trained users, and is left out",
                file.display()
            ),
        }
        Ok(())
    })?;
    Ok(format!("user {} is known", printable::quoted(&id)))
}
