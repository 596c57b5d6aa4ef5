//! Where a record stands.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

/// Where a record stands in its file. It is no part of what the record says, so all places are equal.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Shared by all records of a file; none of what a program made itself.
    path: Option<Arc<Path>>,
    line: u64,
    item: Option<u64>,
}

impl Place {
    /// A line, or a row in Parquet, and in a JSON array the item, from 1.
    pub fn new(path: impl Into<Arc<Path>>, line: u64, item: Option<u64>) -> Self {
        Self {
            path: Some(path.into()),
            line,
            item,
        }
    }

    /// Whether it is a place at all: what a program made itself has none.
    pub fn is_known(&self) -> bool {
        self.path.is_some()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(path) = &self.path else {
            return f.write_str("a record without a place");
        };
        write!(f, "{}:{}", path.display(), self.line)?;
        match self.item {
            Some(item) => write!(f, ", item {item}"),
            None => Ok(()),
        }
    }
}

impl PartialEq for Place {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl Hash for Place {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_a_file_share_its_path() {
        let path: Arc<Path> = Path::new("a.jsonl").into();
        let places: Vec<Place> = (1..=3)
            .map(|n| Place::new(Arc::clone(&path), n, None))
            .collect();
        assert_eq!(Arc::strong_count(&path), 4);
        assert_eq!(places[2].to_string(), "a.jsonl:3");
        let item = Place::new(Path::new("a.json"), 1, Some(2));
        assert_eq!(item.to_string(), "a.json:1, item 2");
        assert!(item.is_known() && !Place::default().is_known());
    }
}
