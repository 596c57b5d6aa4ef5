//! A document as plain text for a terminal.

use super::document::{Body, Column, Document, Grid};

/// Wider tables are shown without intervals.
const WIDTH: usize = 110;

impl Document {
    /// The tables that matter most and the claims, at most about 110 columns wide, without colours.
    pub fn terminal(&self) -> String {
        let mut out = format!("{}, {}\n", self.title, self.run);
        if let Some(notice) = &self.notice {
            out += &format!("Note: {notice}\n");
        }
        for section in self.sections.iter().filter(|s| s.on_terminal) {
            if let Body::Grid(grid) = &section.body {
                out += &format!("\n{}\n{}", section.heading, fitting(grid));
            }
        }
        out.push('\n');
        for claim in &self.claims {
            out += &format!("{}: {}\n", claim.label, claim.text);
        }
        printable::text(&out).into_owned()
    }
}

/// Without intervals where these make the lines too long.
fn fitting(grid: &Grid) -> String {
    let text = aligned(grid);
    match text.lines().map(length).max() {
        Some(width) if width > WIDTH => aligned(&without_intervals(grid)),
        _ => text,
    }
}

fn without_intervals(grid: &Grid) -> Grid {
    let mut grid = grid.clone();
    for cell in grid.rows.iter_mut().flatten() {
        if let (true, Some(at)) = (cell.ends_with(']'), cell.find(" [")) {
            cell.truncate(at);
        }
    }
    grid
}

/// Padded columns: heads, a rule, rows. Cells longer than 60 characters lose their middle.
fn aligned(grid: &Grid) -> String {
    let shown = |cell: &String| {
        let cell = cell.replace(['\n', '\r', '\t'], " ");
        printable::short(&cell, 60).into_owned()
    };
    let rows: Vec<Vec<String>> = grid
        .rows
        .iter()
        .map(|row| row.iter().map(shown).collect())
        .collect();
    let heads = grid.columns.iter().map(|column| shown(&head(column)));
    let heads: Vec<String> = heads.collect();
    let lines = || rows.iter().chain([&heads]);
    let width = |column: usize| lines().map(|line| length(&line[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &[String]| {
        let columns = grid.columns.iter().zip(&widths);
        let padded =
            cells
                .iter()
                .zip(columns)
                .map(|(text, (column, &width))| match column.is_numeric {
                    true => format!("{text:>width$}"),
                    false => format!("{text:<width$}"),
                });
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let body: String = rows.iter().map(|row| line(row)).collect();
    line(&heads) + &line(&rules) + &body
}

fn head(column: &Column) -> String {
    match column.short.as_str() {
        "" => column.name.clone(),
        short => short.to_owned(),
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::table::Table;

    #[test]
    fn numbers_are_right_aligned_and_lines_do_not_end_in_blanks() {
        let mut table = Table::new("", "", &["system", "top"]);
        table.rows = vec![
            vec!["SFT".into(), "–".into()],
            vec!["vanilla".into(), "0.681".into()],
        ];
        assert_eq!(
            aligned(&Grid::of(&table)),
            "system     top\n-------  -----\nSFT          –\nvanilla  0.681\n"
        );
    }

    #[test]
    fn intervals_go_where_lines_are_too_long() {
        let long = "x".repeat(60);
        let mut table = Table::new("", "", &["a", "b", "c"]);
        table.rows = vec![vec![long.clone(), "0.5 [0.4, 0.6]".into(), long.clone()]];
        assert_eq!(
            fitting(&Grid::of(&table)).lines().last(),
            Some(format!("{long}  0.5  {long}").as_str())
        );
        table.rows[0][2] = "short".into();
        assert!(fitting(&Grid::of(&table)).contains("[0.4, 0.6]"));
    }
}
