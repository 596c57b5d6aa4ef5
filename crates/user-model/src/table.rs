//! The user table: ids, and the rows that training has touched.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::gradients::length;
use crate::init::initial_row;
use crate::nearest::nearest;
use crate::{Belief, ConfigError, FittedUsers, RowBatch, TableError, UserModelConfig, Vocabulary};

/// Who a row of a batch is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserRef {
    /// Nobody in particular: the paper's user 0.
    Generic,
    /// A user of the table, by the caller's own id.
    Id(String),
}

impl UserRef {
    /// A user by id.
    pub fn id(id: impl Into<String>) -> Self {
        Self::Id(id.into())
    }
}

impl fmt::Display for UserRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generic => f.write_str("the generic user"),
            Self::Id(id) => write!(f, "user {}", printable::quoted(id)),
        }
    }
}

/// One touched row and its optimiser state, on the host.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// Offsets or weights, `[row_len]`.
    pub values: Vec<f32>,
    /// AdamW's state; none after an import or a load without moments.
    pub moments: Option<RowMoments>,
}

/// What a user's row was fitted to, where it was not trained.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fitted {
    /// How many answers.
    pub answers: u64,
    /// How much better a user of their own explains them than the generic user does, in nats
    /// ([`Fit::log_evidence`](crate::Fit::log_evidence) less the generic user's log-likelihood).
    pub evidence: f64,
}

/// AdamW's state of one row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RowMoments {
    /// Running mean of gradients, `[row_len]`.
    pub first: Vec<f32>,
    /// Running mean of squared gradients, `[row_len]`.
    pub second: Vec<f32>,
    /// Steps that this row has taken.
    pub steps: u64,
}

/// Maps string ids to rows. Ids cost their text; rows (offsets or weights, and optimiser moments)
/// exist once touched. An absent row has its initial value: zero, or a pure draw from (seed, id).
///
/// A table that was [`load`](crate::load)ed knows the [`FittedUsers`] beside it too, whose rows stay on disk until they are asked
/// for. No method of the table changes these.
#[derive(Debug, Clone)]
pub struct UserTable {
    pub(crate) config: UserModelConfig,
    vocabulary: Option<Vocabulary>,
    /// Known ids, each with its place in the order of addition.
    ids: BTreeMap<String, u64>,
    next_place: u64,
    pub(crate) rows: BTreeMap<UserRef, Row>,
    pub(crate) fitted: FittedUsers,
}

impl UserTable {
    /// A table without users.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if a setting is out of range.
    pub fn new(config: UserModelConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            config,
            vocabulary: None,
            ids: BTreeMap::new(),
            next_place: 0,
            rows: BTreeMap::new(),
            fitted: FittedUsers::default(),
        })
    }

    /// The same with the base model's token embedding, which
    /// [`RowInit::Vocabulary`](crate::RowInit::Vocabulary) draws first rows from. It is not saved.
    pub fn with_vocabulary(mut self, vocabulary: Vocabulary) -> Self {
        self.vocabulary = Some(vocabulary);
        self
    }

    /// The embedding that first rows are drawn from, if one was given.
    pub fn vocabulary(&self) -> Option<&Vocabulary> {
        self.vocabulary.as_ref()
    }

    /// The form of the user model that the rows belong to.
    pub fn config(&self) -> &UserModelConfig {
        &self.config
    }

    /// The longest id of a new user, in bytes.
    pub const LONGEST_ID: usize = 512;

    /// Refuses an id for a new user that is empty, blank, longer than [`LONGEST_ID`](Self::LONGEST_ID), or has a control character in it,
    /// such as a line end. Data and files may name users so ([`UserTable::validate_id`]).
    ///
    /// # Errors
    ///
    /// [`TableError::EmptyId`], [`TableError::LongId`], [`TableError::ControlInId`].
    pub fn validate_new_id(id: &str) -> Result<(), TableError> {
        Self::validate_id(id)?;
        if id.len() > Self::LONGEST_ID {
            return Err(TableError::LongId {
                start: id.chars().take(20).collect(),
                bytes: id.len(),
            });
        }
        match id.chars().find(|c| c.is_control()) {
            Some(found) => Err(TableError::ControlInId {
                id: id.to_owned(),
                found,
            }),
            None => Ok(()),
        }
    }

    /// Refuses an id that is empty or blank.
    ///
    /// # Errors
    ///
    /// [`TableError::EmptyId`].
    pub fn validate_id(id: &str) -> Result<(), TableError> {
        match id.trim().is_empty() {
            true => Err(TableError::EmptyId { id: id.to_owned() }),
            false => Ok(()),
        }
    }

    /// The users who were fitted, beside the table's own.
    pub fn fitted(&self) -> &FittedUsers {
        &self.fitted
    }

    /// Makes an id known to the table itself; `false` if it was, or if it is no id (see [`UserTable::validate_id`]).
    pub fn add(&mut self, id: impl Into<String>) -> bool {
        let id = id.into();
        if self.ids.contains_key(&id) || Self::validate_id(&id).is_err() {
            return false;
        }
        self.ids.insert(id, self.next_place);
        self.next_place += 1;
        true
    }

    /// Forgets a user of the table's own: id, row and moments.
    ///
    /// # Errors
    ///
    /// [`TableError::UnknownUser`] with near matches.
    pub fn remove(&mut self, id: &str) -> Result<(), TableError> {
        if self.ids.remove(id).is_none() {
            return Err(self.unknown(id));
        }
        self.rows.remove(&UserRef::id(id));
        Ok(())
    }

    /// Whether the id is known, to the table itself or as that of a fitted user.
    pub fn contains(&self, id: &str) -> bool {
        self.owns(id) || self.fitted.contains(id)
    }

    /// Whether the id is known to the table itself.
    pub fn owns(&self, id: &str) -> bool {
        self.ids.contains_key(id)
    }

    /// The same table of some of its own users alone (fitted ones stay on disk), and without moments: to write for them.
    ///
    /// # Errors
    ///
    /// [`TableError::UnknownUser`] with near matches.
    pub fn of_users<'a>(
        &self,
        users: impl IntoIterator<Item = &'a UserRef>,
    ) -> Result<Self, TableError> {
        let mut some = Self {
            config: self.config.clone(),
            vocabulary: self.vocabulary.clone(),
            ids: BTreeMap::new(),
            next_place: 0,
            rows: BTreeMap::new(),
            fitted: self.fitted.clone(),
        };
        for user in users.into_iter().chain([&UserRef::Generic]) {
            self.validate_known(user)?;
            if let UserRef::Id(id) = user
                && self.owns(id)
            {
                some.add(id);
            }
            if let Some(row) = self.rows.get(user) {
                let row = Row {
                    values: row.values.clone(),
                    moments: None,
                };
                some.rows.insert(user.clone(), row);
            }
        }
        Ok(some)
    }

    /// The number of ids that the table itself knows; the generic user is none of them.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether no id is known.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The ids that the table itself knows, in the order in which they were added.
    pub fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<(u64, &str)> = self.ids.iter().map(|(id, &at)| (at, &**id)).collect();
        ids.sort_unstable();
        ids.into_iter().map(|(_, id)| id).collect()
    }

    /// The number of rows that the table itself holds, the generic user's own included where it has one.
    pub fn touched(&self) -> usize {
        self.rows.len()
    }

    /// Whether the table itself holds this user's row.
    pub fn is_touched(&self, user: &UserRef) -> bool {
        self.rows.contains_key(user)
    }

    /// The user of that id.
    ///
    /// # Errors
    ///
    /// [`TableError::UnknownUser`] with near matches, [`TableError::EmptyId`].
    pub fn user(&self, id: &str) -> Result<UserRef, TableError> {
        Self::validate_id(id)?;
        let user = UserRef::id(id);
        self.validate_known(&user).map(|()| user)
    }

    /// A user's row as it stands, `row_len` numbers: the initial one if it was never touched.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the user is unknown, owns no row, or its first row cannot be drawn.
    pub fn row(&self, user: &UserRef) -> Result<Vec<f32>, TableError> {
        self.validate_known(user)?;
        if !self.config.owns_row(user) {
            return Err(TableError::NoRow { user: user.clone() });
        }
        if let Some(row) = self.rows.get(user) {
            return Ok(row.values.clone());
        }
        match user {
            UserRef::Id(id) if !self.owns(id) => self.fitted_row(id),
            _ => Ok(initial_row(&self.config, user, self.vocabulary.as_ref())?),
        }
    }

    /// The row that makes a user the generic one, `[row_len]`: the generic user's own where it has one, else no offset.
    ///
    /// # Errors
    ///
    /// As [`UserTable::row`].
    pub fn generic_row(&self) -> Result<Vec<f32>, TableError> {
        match self.config.owns_row(&UserRef::Generic) {
            true => self.row(&UserRef::Generic),
            false => Ok(vec![0.0; self.config.row_len()]),
        }
    }

    /// The row of a fitted user, from disk.
    fn fitted_row(&self, id: &str) -> Result<Vec<f32>, TableError> {
        let values = match self.fitted.get(id)? {
            Some(row) => row.values,
            None => return Err(self.unknown(id)),
        };
        self.validate_row(&UserRef::id(id), &values)?;
        Ok(values)
    }

    /// Puts a row in the place of a user's, `row_len` numbers; training on goes on with fresh moments. The user is known afterwards.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the id is blank, the user owns no row, or the numbers are too many, too few or not finite.
    pub fn set_row(&mut self, user: &UserRef, values: Vec<f32>) -> Result<(), TableError> {
        if let UserRef::Id(id) = user {
            Self::validate_id(id)?;
        }
        self.validate_row(user, &values)?;
        if let UserRef::Id(id) = user {
            self.add(id);
        }
        let row = Row {
            values,
            moments: None,
        };
        self.rows.insert(user.clone(), row);
        Ok(())
    }

    /// Refuses a row for a user who owns none, or with too many numbers, too few, or such as are not finite.
    ///
    /// # Errors
    ///
    /// [`TableError`].
    pub fn validate_row(&self, user: &UserRef, values: &[f32]) -> Result<(), TableError> {
        let expected = self.config.row_len();
        if !self.config.owns_row(user) || expected == 0 {
            return Err(TableError::NoRow { user: user.clone() });
        }
        if values.len() != expected {
            let what = format!("the row of {user}");
            return Err(length(&what, values.len(), expected));
        }
        match values.iter().find(|value| !value.is_finite()) {
            Some(&found) => Err(TableError::NotFinite {
                user: user.clone(),
                found,
            }),
            None => Ok(()),
        }
    }

    /// What is believed of a user who has not answered yet, learned from the table's own rows, which training has moved, and not from
    /// fitted users, who were fitted to a few answers under this very belief: around the generic user,
    /// whose offset is 0, or around the users' mean weights. Of very many rows it looks at some, evenly spread. None where none is
    /// trained, or all are alike.
    pub fn belief(&self) -> Option<Belief> {
        const MOST: usize = 48;
        let trained = self.rows.iter();
        let trained = trained.filter(|(user, _)| **user != UserRef::Generic);
        let rows: Vec<&Row> = trained.map(|(_, row)| row).collect();
        let taken = rows.len().min(MOST);
        let spread = (0..taken).map(|i| rows[i * rows.len() / taken].values.clone());
        let rows: Vec<Vec<f32>> = spread.collect();
        let offsets = !self.config.kind.generic_owns_row();
        Belief::of_rows(&rows, offsets.then(|| vec![0.0; self.config.row_len()]))
    }

    /// The optimiser steps that a user's row has taken, where moments are kept; none where they are not, or no step was taken.
    pub fn steps(&self, id: &str) -> Option<u64> {
        let row = self.rows.get(&UserRef::id(id))?;
        row.moments.as_ref().map(|moments| moments.steps)
    }

    /// Makes two users of the table's own one: `gone` is forgotten, and `kept` has the row, with moments, of the one of
    /// the two that `of` names, or where that has none, its own or none.
    ///
    /// # Errors
    ///
    /// [`TableError`] if one of them is unknown, both are the same, or `of` is neither.
    pub fn merge(&mut self, kept: &str, gone: &str, of: &str) -> Result<(), TableError> {
        if kept == gone {
            return Err(TableError::Twice { id: kept.into() });
        }
        let (kept, gone) = (self.user(kept)?, self.user(gone)?);
        let of = self.user(of)?;
        if of != kept && of != gone {
            return Err(TableError::NotTwo { user: of });
        }
        let row = self.rows.remove(&gone);
        if let Some(row) = row.filter(|_| of == gone) {
            self.rows.insert(kept, row);
        }
        match gone {
            UserRef::Id(id) => self.remove(&id),
            UserRef::Generic => Ok(()),
        }
    }

    /// Copies the distinct rows of a batch of users to `device`, as a leaf that requires a gradient
    /// if the device is an autodiff one. Changes nothing in the table.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the batch is empty, a user is unknown, or a first row cannot be drawn.
    pub fn batch(&self, users: &[UserRef], device: &Device) -> Result<RowBatch, TableError> {
        if users.is_empty() {
            return Err(TableError::EmptyBatch);
        }
        let mut distinct: BTreeMap<&UserRef, i64> = BTreeMap::new();
        for user in users {
            self.validate_known(user)?;
            if self.config.owns_row(user) {
                distinct.insert(user, 0);
            }
        }
        let mut values = Vec::with_capacity(distinct.len() * self.config.row_len());
        for (place, (user, index)) in distinct.iter_mut().enumerate() {
            values.extend(self.row(user)?);
            *index = place as i64;
        }
        let zero_row = distinct.len() as i64;
        let index: Vec<i64> = users
            .iter()
            .map(|user| distinct.get(user).copied().unwrap_or(zero_row))
            .collect();
        let leaf = (!distinct.is_empty()).then(|| {
            let data = TensorData::new(values, [distinct.len(), self.config.row_len()]);
            let leaf = Tensor::<2>::from_data(data, (device, DType::F32));
            leaf.set_require_grad(device.is_autodiff())
        });
        Ok(RowBatch {
            leaf,
            zero_row: index.contains(&zero_row),
            index: Tensor::<1, Int>::from_data(TensorData::new(index, [users.len()]), device),
            users: distinct.into_keys().cloned().collect(),
        })
    }

    /// Ok for the generic user and for known ids.
    pub(crate) fn validate_known(&self, user: &UserRef) -> Result<(), TableError> {
        match user {
            UserRef::Id(id) if !self.contains(id) => Err(self.unknown(id)),
            _ => Ok(()),
        }
    }

    fn unknown(&self, id: &str) -> TableError {
        // What is wrong with a file of another user is not what went wrong.
        let fitted = self.fitted.all().unwrap_or_default();
        let fitted = fitted.iter().map(|(id, _)| id.as_str());
        let known = self.ids.keys().map(String::as_str).chain(fitted);
        TableError::UnknownUser {
            id: id.to_owned(),
            nearest: nearest(id, known, 3),
        }
    }
}
