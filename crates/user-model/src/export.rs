//! One user's row on its own: to move it, back it up, or hand it to its owner.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::file::{read, write_atomically};
use crate::{FileError, TableError, UserModelKind, UserRef, UserTable};

/// One user, as a small JSON file. A row means something only beside the shared tensors (`e_0` or
/// `V`) that it was trained with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedUser {
    /// The user's id.
    pub id: String,
    /// The kind of user model that the row belongs to.
    pub kind: UserModelKind,
    /// `T_u` of that model.
    pub user_tokens: usize,
    /// `d_model` of that model.
    pub d_model: usize,
    /// Offsets, row-major `[T_u, width]`, or weights before the softmax, `[K]`. `None` if the
    /// row was never touched.
    pub row: Option<Vec<f32>>,
}

impl ExportedUser {
    /// Reads an exported user.
    ///
    /// # Errors
    ///
    /// [`FileError`] if the file cannot be read or is of another form.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        serde_json::from_slice(&read(path)?).map_err(FileError::json(path))
    }

    /// Writes it, to a temporary name first.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`]; then what stood at `path` before still does.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        let text = serde_json::to_vec(self).map_err(FileError::json(path))?;
        write_atomically(&[(path, &text)])
    }
}

impl UserTable {
    /// One user's row, without its optimiser state.
    ///
    /// # Errors
    ///
    /// [`TableError::UnknownUser`] with near matches.
    pub fn export_user(&self, id: &str) -> Result<ExportedUser, TableError> {
        let user = self.user(id)?;
        Ok(ExportedUser {
            id: id.to_owned(),
            kind: self.config.kind,
            user_tokens: self.config.user_tokens,
            d_model: self.config.d_model,
            row: self.rows.get(&user).map(|row| row.values.clone()),
        })
    }

    /// Adds an exported user under its id; training on goes on with fresh moments.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the id is blank or known, or the row comes from a user model of another form.
    pub fn import_user(&mut self, user: ExportedUser) -> Result<(), TableError> {
        Self::validate_id(&user.id)?;
        if self.contains(&user.id) {
            return Err(TableError::KnownUser { id: user.id });
        }
        self.validate_form(&user)?;
        match user.row {
            Some(values) => self.set_row(&UserRef::id(user.id), values)?,
            None => {
                self.add(user.id);
            }
        }
        Ok(())
    }

    fn validate_form(&self, user: &ExportedUser) -> Result<(), TableError> {
        let form = |kind: UserModelKind| format!("{kind:?}");
        let pairs = [
            ("kind", form(user.kind), form(self.config.kind)),
            (
                "user_tokens",
                user.user_tokens.to_string(),
                self.config.user_tokens.to_string(),
            ),
            (
                "d_model",
                user.d_model.to_string(),
                self.config.d_model.to_string(),
            ),
        ];
        for (key, found, expected) in pairs {
            if found != expected {
                return Err(TableError::Incompatible {
                    id: user.id.clone(),
                    key,
                    found,
                    expected,
                });
            }
        }
        Ok(())
    }
}
