//! `user_model.json`: configuration, ids, and which ids have rows.

use std::collections::BTreeSet;
use std::path::Path;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::sha256;
use crate::table::Row;
use crate::{FileError, UserModelConfig, UserRef, UserTable};

/// Version of the two files' format.
const VERSION: u32 = 1;

/// The JSON file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// Version of the format, 1.
    version: u32,
    /// The form of the user model.
    pub config: UserModelConfig,
    /// Known ids in the order of addition.
    users: Vec<String>,
    /// Whether the first row is the generic user's own.
    generic_row: bool,
    /// The following rows' owners, as positions in `users`.
    rows: Vec<usize>,
    /// SHA-256 of the tensor file that belongs to this one; not checked if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tensor_sha256: Option<String>,
    /// Users whom a development version fitted, which kept their rows among those of trained users; refused.
    #[serde(default, skip_serializing)]
    fitted: Option<IgnoredAny>,
}

impl Manifest {
    /// Describes `table`, whose rows stand in `tensors`.
    pub fn new(table: &UserTable, tensors: &[u8]) -> Self {
        let ids = table.ids();
        let place: std::collections::HashMap<&str, usize> =
            ids.iter().enumerate().map(|(at, &id)| (id, at)).collect();
        let rows = table.rows.keys().filter_map(|user| match user {
            UserRef::Generic => None,
            UserRef::Id(id) => place.get(id.as_str()).copied(),
        });
        Self {
            version: VERSION,
            config: table.config.clone(),
            generic_row: table.rows.contains_key(&UserRef::Generic),
            rows: rows.collect(),
            users: ids.into_iter().map(str::to_owned).collect(),
            tensor_sha256: Some(sha256(tensors)),
            fitted: None,
        }
    }

    /// Reads and checks everything that the tensor file is not needed for.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, FileError> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(FileError::json(path))?;
        if manifest.version != VERSION {
            return Err(FileError::content(
                path,
                "version",
                manifest.version,
                VERSION,
            ));
        }
        if manifest.fitted.is_some() {
            let expected = "no such key: fitted users are files in fitted/ now; write the adapters anew with train, and fit these users again";
            return Err(FileError::content(
                path,
                "fitted",
                "a list of users whom an earlier version fitted",
                expected,
            ));
        }
        manifest
            .config
            .validate()
            .map_err(|source| FileError::Config {
                path: path.to_owned(),
                source,
            })?;
        manifest.validate_users(path)?;
        manifest.validate_rows(path)?;
        Ok(manifest)
    }

    fn validate_users(&self, path: &Path) -> Result<(), FileError> {
        let wrong =
            |found: String, expected: &str| Err(FileError::content(path, "users", found, expected));
        let mut blank = self.users.iter();
        if let Some(id) = blank.find(|id| UserTable::validate_id(id).is_err()) {
            let found = format!("a list with {}", printable::quoted(id));
            return wrong(found, "ids that are not blank");
        }
        let mut seen = BTreeSet::new();
        match self.users.iter().find(|id| !seen.insert(id.as_str())) {
            Some(id) => {
                let found = format!("a list with {} twice", printable::quoted(id));
                wrong(found, "distinct ids")
            }
            None => Ok(()),
        }
    }

    fn validate_rows(&self, path: &Path) -> Result<(), FileError> {
        let wrong = |found: String, expected: String| {
            Err(FileError::content(path, "rows", found, expected))
        };
        let mut seen = BTreeSet::new();
        for &at in &self.rows {
            if at >= self.users.len() {
                let expected = format!("positions below {}", self.users.len());
                return wrong(format!("a list with {at}"), expected);
            }
            if !seen.insert(at) {
                let found = format!("a list with {at} twice");
                return wrong(found, "distinct positions".into());
            }
        }
        if self.config.row_len() == 0 && !self.rows.is_empty() {
            let found = format!("a list of {}", self.rows.len());
            return wrong(found, "an empty list: users own no rows".into());
        }
        if self.generic_row && !self.config.owns_row(&UserRef::Generic) {
            return Err(FileError::content(
                path,
                "generic_row",
                true,
                "false: the generic user owns no row in this kind of model",
            ));
        }
        Ok(())
    }

    /// The number of rows in the tensor file.
    pub fn row_count(&self) -> usize {
        self.rows.len() + usize::from(self.generic_row)
    }

    /// That the tensor file is the one this file was written with.
    pub fn validate_tensor_file(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        match &self.tensor_sha256 {
            Some(expected) if *expected != sha256(bytes) => Err(FileError::content(
                path,
                "sha256",
                sha256(bytes),
                format!("{expected}, named by {}", super::MANIFEST_FILE),
            )),
            _ => Ok(()),
        }
    }

    /// The table, with the rows in the tensor file's order.
    pub fn into_table(self, path: &Path, rows: Vec<Row>) -> Result<UserTable, FileError> {
        let generic = self.generic_row.then_some(UserRef::Generic);
        let named = self.rows.iter().map(|&at| UserRef::id(&self.users[at])); // invariant: see `validate_rows`
        let owners: Vec<UserRef> = generic.into_iter().chain(named).collect();
        let mut table = UserTable::new(self.config).map_err(|source| FileError::Config {
            path: path.to_owned(),
            source,
        })?;
        for id in self.users {
            table.add(id);
        }
        table.rows = owners.into_iter().zip(rows).collect();
        Ok(table)
    }
}
