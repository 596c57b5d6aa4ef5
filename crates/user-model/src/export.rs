//! One user's row on its own: to move it, back it up, or hand it to its owner.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::file::{read, write_atomically};
use crate::{
    DatedBelief, FileError, Fitted, FittedRow, TableError, UserModel, UserModelKind, UserRef,
    UserTable,
};

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
    /// Of the shared tensors, [`UserModel::shared_sha256`]; files of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_sha256: Option<String>,
    /// What the row was fitted to, if it was not trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted: Option<Fitted>,
    /// What is believed of a fitted user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub belief: Option<DatedBelief>,
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
    /// One user's row, without its optimiser state, and what is believed of a fitted one; `model` has the shared tensors of this table.
    ///
    /// # Errors
    ///
    /// [`TableError::UnknownUser`] with near matches, [`TableError::Device`], [`TableError::File`].
    pub fn export_user(&self, id: &str, model: &UserModel) -> Result<ExportedUser, TableError> {
        let user = self.user(id)?;
        let fitted = match self.owns(id) {
            true => None,
            false => self.fitted().get(id)?,
        };
        let (row, fitted, belief) = match fitted {
            Some(row) => (Some(row.values), Some(row.fitted), row.belief),
            None => (
                self.rows.get(&user).map(|row| row.values.clone()),
                None,
                None,
            ),
        };
        Ok(ExportedUser {
            id: id.to_owned(),
            kind: self.config.kind,
            user_tokens: self.config.user_tokens,
            d_model: self.config.d_model,
            row,
            shared_sha256: Some(model.shared_sha256()?),
            fitted,
            belief,
        })
    }

    /// Adds an exported user under its id; training on goes on with fresh moments. `model` has the shared tensors of this table;
    /// whether they are the user's cannot be told of a file of an earlier version. A fitted user is not added but returned: it is for
    /// [`FittedUsers::set`](crate::FittedUsers::set) to keep.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the id is none for a new user or known, or the row comes from a user model of another form or beside other
    /// shared tensors.
    pub fn import_user(
        &mut self,
        user: ExportedUser,
        model: &UserModel,
    ) -> Result<Option<FittedRow>, TableError> {
        Self::validate_new_id(&user.id)?;
        if self.contains(&user.id) {
            return Err(TableError::KnownUser { id: user.id });
        }
        self.validate_form(&user)?;
        let expected = model.shared_sha256()?;
        if let Some(found) = user.shared_sha256.filter(|found| *found != expected) {
            let id = user.id;
            return Err(TableError::OtherShared {
                id,
                found,
                expected,
            });
        }
        let id = UserRef::id(&user.id);
        match (user.row, user.fitted) {
            (Some(values), Some(fitted)) => {
                self.validate_row(&id, &values)?;
                return Ok(Some(FittedRow {
                    values,
                    fitted,
                    belief: user.belief,
                }));
            }
            (Some(values), None) => self.set_row(&id, values)?,
            (None, _) => {
                self.add(user.id);
            }
        }
        Ok(None)
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
