//! Checkpoints, which write only the rows that changed.
//!
//! | file | |
//! |---|---|
//! | `user_model.json`, `user_model.safetensors` | a whole save; the following checkpoints link to the same files |
//! | `user_model.changes-N.safetensors` | rows that changed since the save before, with their moments, and what users share |
//! | `user_model.changes.json` | which changes belong to which whole save |
//!
//! Once the changes hold as many rows as there are, the next checkpoint is whole again; so is one after ids came or went.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::manifest::sha256;
use super::{MANIFEST_FILE, Moments, TENSOR_FILE, read, tensors, write_atomically};
use crate::table::Row;
use crate::{FileError, UserModel, UserRef, UserTable};

/// Name of the file that lists the changes.
const CHANGES_FILE: &str = "user_model.changes.json";
/// The key of the safetensors header under which the rows' owners stand.
const USERS: &str = "users";

/// What a table has that its last checkpoint lacks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unsaved {
    /// Users whose rows moved.
    pub rows: BTreeSet<UserRef>,
    /// That checkpoint; none before the first, and after ids changed.
    since: Option<Saved>,
}

/// What a checkpoint consists of: give it back to [`UserTable::mark_saved`] once the checkpoint is in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// SHA-256 of the whole save's `user_model.json`, which holds that of its tensors.
    whole: String,
    /// SHA-256 of every file of changes, in order.
    changes: Vec<String>,
    /// Rows in all of these.
    rows: usize,
}

impl UserTable {
    /// Notes that `saved` holds the table as it stands, so that the next checkpoint writes what changes from now on.
    pub fn mark_saved(&mut self, saved: Saved) {
        self.unsaved = Unsaved {
            rows: BTreeSet::new(),
            since: Some(saved),
        };
    }
}

/// Writes a checkpoint of model and table, with the rows' optimiser state, into the directory `dir`, which must exist.
/// Where `previous` holds the table's last checkpoint, its files are linked and only changed rows are written; without it
/// the checkpoint is whole.
///
/// # Errors
///
/// As [`save`](super::save).
pub fn save_checkpoint(
    dir: &Path,
    previous: Option<&Path>,
    model: &UserModel,
    table: &UserTable,
) -> Result<Saved, FileError> {
    let unsaved = &table.unsaved;
    let next = match (previous, &unsaved.since) {
        (Some(previous), Some(since)) if since.rows + unsaved.rows.len() <= table.touched() => {
            let same = saved_in(previous)?.as_ref() == Some(since);
            same.then(|| (previous, since.clone()))
        }
        _ => None,
    };
    let saved = match next {
        Some((previous, since)) => save_changes(dir, previous, model, table, since)?,
        None => {
            super::save(dir, model, table, Moments::Keep)?;
            Saved {
                whole: sha256(&read(&dir.join(MANIFEST_FILE))?),
                changes: Vec::new(),
                rows: 0,
            }
        }
    };
    let path = dir.join(CHANGES_FILE);
    let text = serde_json::to_vec_pretty(&saved).map_err(FileError::json(&path))?;
    write_atomically(&[(&path, &text)])?;
    Ok(saved)
}

/// Reads what [`save_checkpoint`] wrote; the numbers are the same to the bit.
///
/// # Errors
///
/// As [`load`](super::load).
pub fn load_checkpoint(dir: &Path, device: &Device) -> Result<(UserModel, UserTable), FileError> {
    let (mut model, mut table) = super::load(dir, device)?;
    let path = dir.join(CHANGES_FILE);
    let Some(saved) = saved_in(dir)? else {
        return Err(FileError::io(&path)(std::io::ErrorKind::NotFound.into()));
    };
    let found = sha256(&read(&dir.join(MANIFEST_FILE))?);
    if found != saved.whole {
        let expected = format!("{found}, the SHA-256 of {MANIFEST_FILE}");
        return Err(FileError::content(&path, "whole", saved.whole, expected));
    }
    for (number, expected) in (1..).zip(&saved.changes) {
        let path = changes_path(dir, number);
        let bytes = read(&path)?;
        let found = sha256(&bytes);
        if found != *expected {
            let expected = format!("{expected}, named by {CHANGES_FILE}");
            return Err(FileError::content(&path, "sha256", found, expected));
        }
        let owners = owners(&path, &bytes, &table)?;
        let read = tensors::decode(&path, &bytes, table.config(), owners.len())?;
        model = UserModel::from_shared(table.config().clone(), read.shared, device);
        table.rows.extend(owners.into_iter().zip(read.rows));
    }
    table.mark_saved(saved);
    Ok((model, table))
}

/// Links the files of `previous` and adds the rows that changed since.
fn save_changes(
    dir: &Path,
    previous: &Path,
    model: &UserModel,
    table: &UserTable,
    since: Saved,
) -> Result<Saved, FileError> {
    for name in [TENSOR_FILE, MANIFEST_FILE] {
        link(&previous.join(name), &dir.join(name))?;
    }
    for number in 1..=since.changes.len() {
        link(&changes_path(previous, number), &changes_path(dir, number))?;
    }
    let moved = table.unsaved.rows.iter();
    let (users, rows): (Vec<&UserRef>, Vec<&Row>) = moved
        .filter_map(|user| Some((user, table.rows.get(user)?)))
        .unzip();
    let path = changes_path(dir, since.changes.len() + 1);
    let ids: Vec<Option<&str>> = users
        .into_iter()
        .map(|user| match user {
            UserRef::Generic => None,
            UserRef::Id(id) => Some(id.as_str()),
        })
        .collect();
    let ids = serde_json::to_string(&ids).map_err(FileError::json(&path))?;
    let metadata = HashMap::from([(USERS.to_owned(), ids)]);
    let bytes = tensors::encode(model, &rows, Moments::Keep, Some(metadata))?;
    write_atomically(&[(&path, &bytes)])?;
    let mut saved = since;
    saved.changes.push(sha256(&bytes));
    saved.rows += rows.len();
    Ok(saved)
}

/// Who the rows of a file of changes belong to.
fn owners(path: &Path, bytes: &[u8], table: &UserTable) -> Result<Vec<UserRef>, FileError> {
    let damaged = |source| FileError::Safetensors {
        path: path.to_owned(),
        source,
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let metadata = header.metadata().as_ref();
    let Some(ids) = metadata.and_then(|metadata| metadata.get(USERS)) else {
        return Err(FileError::content(path, USERS, "missing", "a list of ids"));
    };
    let ids: Vec<Option<String>> = serde_json::from_str(ids).map_err(FileError::json(path))?;
    let users = ids.into_iter().map(|id| {
        let user = id.map_or(UserRef::Generic, UserRef::Id);
        let known = table.check_known(&user).is_ok() && table.config().owns_row(&user);
        match known {
            true => Ok(user),
            false => Err(FileError::content(path, USERS, user, "users with a row")),
        }
    });
    users.collect()
}

/// The checkpoint in `dir`, if it is one.
fn saved_in(dir: &Path) -> Result<Option<Saved>, FileError> {
    let path = dir.join(CHANGES_FILE);
    match fs::read(&path) {
        Ok(bytes) => {
            let saved = serde_json::from_slice(&bytes).map_err(FileError::json(&path))?;
            Ok(Some(saved))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::io(&path)(error)),
    }
}

fn changes_path(dir: &Path, number: usize) -> PathBuf {
    dir.join(format!("user_model.changes-{number}.safetensors"))
}

/// A second name for a file, or a copy where the file system has no such thing.
fn link(from: &Path, to: &Path) -> Result<(), FileError> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(_) => fs::copy(from, to).map(|_| ()).map_err(FileError::io(to)),
    }
}
