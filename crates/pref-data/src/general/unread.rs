//! Which columns of a record nobody reads.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::Columns;
use crate::records::{Fields, shortened};

/// Columns that a sentence names.
const NAMED: usize = 8;
/// Different sentences; a file with other columns in every record must not make one of each.
const SENTENCES: usize = 8;

/// Tells the columns that are not read, for one of them may be a name that was meant otherwise.
#[derive(Debug, Default)]
pub(super) struct Unread {
    /// The names of the last record, and what was said of them: the next one has mostly the same.
    last: RefCell<(Vec<String>, Option<String>)>,
    said: RefCell<BTreeSet<String>>,
}

impl Unread {
    /// Notes what of this record is not read.
    pub(super) fn note(&self, fields: &Fields, columns: &Columns) {
        let mut last = self.last.borrow_mut();
        if !fields.names().eq(last.0.iter().map(String::as_str)) {
            let names = fields.names().map(str::to_owned).collect();
            *last = (names, self.sentence(fields, columns));
        }
        if let Some(sentence) = &last.1 {
            fields.note(sentence.as_str());
        }
    }

    fn sentence(&self, fields: &Fields, columns: &Columns) -> Option<String> {
        let is_read = |name: &str| is_index(name) || columns.may_use(name);
        let mut names: Vec<&str> = fields.names().filter(|name| !is_read(name)).collect();
        if names.is_empty() {
            return None;
        }
        names.sort_unstable();
        let more = match names.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let shown = names.iter().take(NAMED);
        let shown: Vec<String> = shown
            .map(|name| printable::quoted(&shortened(name)))
            .collect();
        let sentence = format!("columns that are not read: {}{more}", shown.join(", "));
        let mut said = self.said.borrow_mut();
        if said.len() == SENTENCES && !said.contains(&sentence) {
            return Some("further columns are not read".into());
        }
        said.insert(sentence.clone());
        Some(sentence)
    }
}

/// Whether a column is the number of a row that pandas writes beside the data.
fn is_index(name: &str) -> bool {
    name.is_empty()
        || name == "index"
        || name.starts_with("Unnamed: ")
        || name.starts_with("__index_level_")
}
