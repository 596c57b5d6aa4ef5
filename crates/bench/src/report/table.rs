//! Rows of cells under column heads.

use serde::{Deserialize, Serialize};

use super::format::MISSING;

/// A table of text cells. Columns that hold only numbers are aligned to the right.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The heading.
    pub title: String,
    /// How to read it, or empty.
    #[serde(default)]
    pub note: String,
    /// Column heads.
    pub columns: Vec<String>,
    /// Rows, each as long as `columns`.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(title: &str, note: &str, columns: &[&str]) -> Self {
        Self {
            title: title.into(),
            note: note.into(),
            columns: columns.iter().map(|name| (*name).into()).collect(),
            rows: Vec::new(),
        }
    }

    /// The cell, or the empty text where a row is short.
    pub fn cell(&self, row: usize, column: usize) -> &str {
        self.rows
            .get(row)
            .and_then(|cells| cells.get(column))
            .map_or("", String::as_str)
    }

    /// The table without the columns in which everything is missing, the first column excepted: an experiment without
    /// groups shows no group.
    pub fn without_missing_columns(mut self) -> Self {
        for column in (1..self.columns.len()).rev() {
            if (0..self.rows.len()).all(|row| matches!(self.cell(row, column), MISSING | "")) {
                self.columns.remove(column);
                for row in self.rows.iter_mut().filter(|row| row.len() > column) {
                    row.remove(column);
                }
            }
        }
        self
    }

    /// Whether every cell of a column is a number or missing. The first column holds names, even where they are numbers.
    pub fn is_numeric(&self, column: usize) -> bool {
        let number = |cell: &str| {
            cell == MISSING || cell.starts_with(|c: char| c.is_ascii_digit() || "-+<".contains(c))
        };
        column > 0
            && !self.rows.is_empty()
            && (0..self.rows.len()).all(|row| number(self.cell(row, column)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_numbers_and_dashes_is_numeric_but_the_first() {
        let mut table = Table::new("", "", &["a", "b"]);
        table.rows = vec![
            vec!["x".into(), "1.0 ± 0.1".into()],
            vec!["y".into(), MISSING.into()],
            vec!["z".into(), "-1".into()],
        ];
        table.columns.push("c".into());
        assert!(!table.is_numeric(0));
        assert!(!table.is_numeric(2));
        assert!(table.is_numeric(1));
        assert_eq!(table.cell(7, 7), "");
    }

    #[test]
    fn columns_without_a_measurement_are_left_out() {
        let mut table = Table::new("", "", &["name", "a", "b"]);
        let row = |cells: [&str; 3]| cells.map(String::from).to_vec();
        table.rows = vec![row([MISSING, MISSING, "1"]), row(["x", MISSING, MISSING])];
        let table = table.without_missing_columns();
        assert_eq!(table.columns, ["name", "b"]);
        assert_eq!(table.rows, [[MISSING, "1"], ["x", MISSING]]);
    }
}
