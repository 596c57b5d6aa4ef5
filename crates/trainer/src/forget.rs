//! A user taken out of a run, or two made one: out of everything in its folder that knows their id or their row.
//!
//! That is the adapters' user model and the fitted users beside it, the checkpoint with its moments, the metrics, which
//! name users, and the margins of candidates, which are computed at trained users' rows. The adapters come last, so that what was
//! stopped half-way can be said again. Files of others are left alone: the data that was trained on, evaluations, exported users,
//! reports of an experiment.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use user_model::{FittedRow, TableError, UserModel, UserTable};

use crate::adapters;
use crate::ask::Candidates;
use crate::checkpoint;
use crate::error::TrainError;
use crate::files::replace_file;
use crate::folder::{self, REFERENCE, RunFolder};
use crate::session;

/// The users beside some adapters while they are changed, which no other process does meanwhile.
#[derive(Debug)]
pub struct HeldUsers {
    held: RunFolder,
    dir: PathBuf,
    /// What trained users were like.
    prior_sha256: Option<String>,
    /// The shared tensors.
    pub model: UserModel,
    /// The users, without moments.
    pub table: UserTable,
}

impl HeldUsers {
    /// Those of the adapters in `dir`.
    ///
    /// # Errors
    /// [`TrainError::InUse`], or files that cannot be read.
    pub fn open(dir: &Path) -> Result<Self, TrainError> {
        Self::of(RunFolder::hold(dir)?, dir)
    }

    /// The same where the folder is `held` already.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn of(held: RunFolder, dir: &Path) -> Result<Self, TrainError> {
        let (model, table) = user_model::load(dir, &burn::tensor::Device::flex())?;
        Ok(Self {
            held,
            dir: dir.canonicalize().map_err(|e| TrainError::io(dir, e))?,
            prior_sha256: prior_of(&table),
            model,
            table,
        })
    }

    /// The users of the run's checkpoint; none where there is none.
    ///
    /// # Errors
    /// A broken checkpoint.
    pub fn of_checkpoint(&self) -> Result<Option<(UserModel, UserTable)>, TrainError> {
        match self.run() {
            Some(run) => checkpoint::users(&run.join(checkpoint::FOLDER)),
            None => Ok(None),
        }
    }

    /// The folder of the run that the adapters are of; none for adapters alone.
    fn run(&self) -> Option<&Path> {
        let run = self.dir.parent()?;
        let is_run = run != self.held.dir()
            || run.join(folder::MARKER).is_file()
            || run.join(checkpoint::FOLDER).is_dir();
        (is_run && self.dir.ends_with(adapters::FOLDER)).then_some(run)
    }

    /// Keeps a fitted user. A row that the table has of them goes; else the table stays as it is, and what this takes does not
    /// depend on how many users there are. Returns of how many fitted users it is no longer known how sure they were.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn keep_fitted(mut self, id: &str, row: &FittedRow) -> Result<usize, TrainError> {
        self.table.fitted().set(id, row)?;
        match self.table.owns(id) {
            true => {
                self.table.remove(id)?;
                self.save()
            }
            false => Ok(0),
        }
    }

    /// Writes the table in the place of the one that was there. What is believed of fitted users is dropped where trained users are
    /// others than they were; returns of how many.
    ///
    /// # Errors
    /// A folder that cannot be written; what was there is then as it was.
    pub fn save(self) -> Result<usize, TrainError> {
        let prior_sha256 = prior_of(&self.table);
        let others = self.prior_sha256 != prior_sha256;
        if let (true, Some(run)) = (others, self.run()) {
            Candidates::forget(&run.join(REFERENCE))?;
        }
        adapters::save_users(&self.dir, &self.model, &self.table)?;
        match others {
            true => Ok(self.table.fitted().void_beliefs(prior_sha256.as_deref())?),
            false => Ok(0),
        }
    }

    /// The same, and leaves no trace of user `gone`, who is not in the table any more, in the folder of the run; `change` is made to the checkpoint's users too, where
    /// it knows that user.
    ///
    /// # Errors
    /// As [`save`](Self::save), or a broken checkpoint or metrics file.
    pub fn save_without(
        self,
        gone: &str,
        change: impl FnOnce(&mut UserTable) -> Result<(), TableError>,
    ) -> Result<usize, TrainError> {
        self.held.sweep()?;
        if let Some(run) = self.run() {
            let folder = run.join(checkpoint::FOLDER);
            if let Some((users, mut table)) = checkpoint::users(&folder)?
                && table.contains(gone)
            {
                change(&mut table)?;
                checkpoint::save_users(&folder, &users, &table)?;
            }
            forget_in_metrics(&run.join(session::METRICS), gone)?;
        }
        self.table.fitted().remove(gone)?;
        self.save()
    }
}

fn prior_of(table: &UserTable) -> Option<String> {
    table.belief().map(|prior| prior.prior_sha256())
}

/// Takes a user's entries out of the lines of a metrics file. The lines keep their lengths, which a checkpoint counts, by blanks.
fn forget_in_metrics(path: &Path, id: &str) -> Result<(), TrainError> {
    if !path.is_file() {
        return Ok(());
    }
    let text = fs::read(path).map_err(|e| TrainError::io(path, e))?;
    let mut kept = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        match without_user(line, id) {
            Some(line) => kept.extend(line),
            None => kept.extend_from_slice(line),
        }
    }
    match kept == text {
        true => Ok(()),
        false => replace_file(path, kept),
    }
}

/// A line without a user's entries, as long as before; none where it has none, or is no line of metrics.
fn without_user(line: &[u8], id: &str) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(line).ok()?;
    let fields = value.as_object_mut()?.values_mut();
    let mut found = false;
    for by_user in fields.filter_map(Value::as_object_mut) {
        found |= by_user.shift_remove(id).is_some();
    }
    let mut text = found.then(|| value.to_string().into_bytes())?;
    let end = line.ends_with(b"\n");
    text.resize(line.len().max(text.len() + 1) - usize::from(end), b' ');
    if end {
        text.push(b'\n');
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lose_a_user_and_keep_their_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let lines = concat!(
            "{\"step\":1,\"loss\":0.6931471805599453,\"by_user\":{\"anna\":0.5,\"bo\":1.0}}\n",
            "{\"step\":2,\"by_user\":{\"bo\":0.25}}\n",
            "{\"step\":3,\"by_user\":{\"anna\":1e-7}}"
        );
        fs::write(&path, lines).unwrap();
        forget_in_metrics(&path, "anna").unwrap();
        let found = fs::read_to_string(&path).unwrap();
        let padded = |text: &str, length: usize| format!("{text:<length$}");
        let expected = [
            padded(
                "{\"step\":1,\"loss\":0.6931471805599453,\"by_user\":{\"bo\":1.0}}",
                lines.lines().next().unwrap().len(),
            ),
            "{\"step\":2,\"by_user\":{\"bo\":0.25}}".to_owned(),
            padded(
                "{\"step\":3,\"by_user\":{}}",
                lines.lines().last().unwrap().len(),
            ),
        ];
        assert_eq!(found, expected.join("\n"));
        assert_eq!(found.len(), lines.len());
    }
}
