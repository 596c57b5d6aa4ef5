//! Which columns of a record nobody reads.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::Columns;
use crate::records::{Fields, shortened};

/// Columns that a sentence names.
const NAMED: usize = 8;
/// Different sentences; a file with other columns in every record must not make one of each.
const SENTENCES: usize = 8;
/// Names of columns that are remembered, for the same reason.
const NAMES: usize = 1000;

/// Tells the columns that are not read, for one of them may be a name that was meant otherwise.
#[derive(Debug, Default)]
pub(super) struct Unread {
    /// Names of columns, and whether they are read.
    known: RefCell<BTreeMap<String, bool>>,
    said: RefCell<BTreeSet<String>>,
}

impl Unread {
    /// Notes what of this record is not read.
    pub(super) fn note(&self, fields: &Fields, columns: &Columns) {
        let mut names: Vec<&str> = fields
            .names()
            .filter(|name| !self.is_read(name, columns))
            .collect();
        if names.is_empty() {
            return;
        }
        names.sort_unstable();
        let more = names.len().saturating_sub(NAMED);
        let shown = names.iter().take(NAMED);
        let shown: Vec<String> = shown
            .map(|name| printable::quoted(&shortened(name)))
            .collect();
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let sentence = format!("columns that are not read: {}{more}", shown.join(", "));
        let mut said = self.said.borrow_mut();
        if !said.contains(&sentence) {
            if said.len() == SENTENCES {
                return fields.note("further columns are not read");
            }
            said.insert(sentence.clone());
        }
        fields.note(sentence);
    }

    fn is_read(&self, name: &str, columns: &Columns) -> bool {
        let mut known = self.known.borrow_mut();
        if let Some(is_read) = known.get(name) {
            return *is_read;
        }
        let is_read = is_index(name) || columns.may_use(name);
        if known.len() < NAMES {
            known.insert(name.to_owned(), is_read);
        }
        is_read
    }
}

/// Whether a column is the number of a row that pandas writes beside the data.
fn is_index(name: &str) -> bool {
    name.is_empty()
        || name == "index"
        || name.starts_with("Unnamed: ")
        || name.starts_with("__index_level_")
}
