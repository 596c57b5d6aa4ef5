//! The report as plain text for a terminal.

use super::format::shorten;
use super::model::Report;
use super::tables::{self, Table};

/// Wider tables are shown without intervals.
const WIDTH: usize = 110;

/// Verdicts and the tables that matter most, at most about 110 columns wide, without colours.
pub fn render(report: &Report) -> String {
    let mut out = format!(
        "{}, preset {}, seed {}\n",
        report.title, report.preset, report.seed
    );
    if let Some(notice) = &report.notice {
        out.push_str(&format!("Note: {notice}\n"));
    }
    let mut shown = vec![tables::accuracies(report)];
    shown.extend(tables::responses(report));
    shown.push(tables::costs(report));
    shown.extend(tables::ratios(report));
    shown.extend(brief_measures(report));
    shown.extend(tables::win_rates(report));
    shown.extend(report.tables.iter().cloned());
    for mut table in shown {
        if width(&table) > WIDTH {
            without_intervals(&mut table);
        }
        out.push_str(&format!("\n{}\n{}", table.title, aligned(&table)));
    }
    out.push('\n');
    for (key, verdict) in &report.verdicts {
        out.push_str(&format!(
            "{} {}: {}\n",
            key.to_uppercase(),
            verdict.word(),
            verdict.text
        ));
    }
    out
}

/// Measures of the texts without intervals, which would make the lines too long.
fn brief_measures(report: &Report) -> Option<Table> {
    let mut table = tables::text_measures(report)?;
    without_intervals(&mut table);
    for (title, measure) in table.columns.iter_mut().skip(2).zip(&report.text_measures) {
        *title = measure.key.replace('_', " ");
    }
    Some(table)
}

fn without_intervals(table: &mut Table) {
    for cell in table.rows.iter_mut().flatten() {
        if let (true, Some(at)) = (cell.ends_with(']'), cell.find(" [")) {
            cell.truncate(at);
        }
    }
}

fn width(table: &Table) -> usize {
    aligned(table).lines().map(length).max().unwrap_or(0)
}

/// The table with padded columns: heads, a rule, rows. Cells longer than 60 characters are cut.
pub fn aligned(table: &Table) -> String {
    let cell = |row: usize, column: usize| {
        shorten(table.cell(row, column), 60).replace(['\n', '\r', '\t'], " ")
    };
    let widths: Vec<usize> = (0..table.columns.len())
        .map(|c| {
            (0..table.rows.len())
                .map(|r| length(&cell(r, c)))
                .chain([length(&table.columns[c])])
                .max()
                .unwrap_or(0)
        })
        .collect();
    let line = |cells: Vec<String>| {
        let padded = cells
            .iter()
            .enumerate()
            .map(|(c, text)| pad(text, widths[c], table.is_numeric(c)));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let mut out = line(table.columns.clone());
    out.push_str(&line(
        widths.iter().map(|width| "-".repeat(*width)).collect(),
    ));
    for row in 0..table.rows.len() {
        out.push_str(&line(
            (0..widths.len()).map(|column| cell(row, column)).collect(),
        ));
    }
    out
}

fn pad(text: &str, width: usize, right: bool) -> String {
    let space = " ".repeat(width.saturating_sub(length(text)));
    if right {
        space + text
    } else {
        text.to_owned() + &space
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_right_aligned_and_lines_do_not_end_in_blanks() {
        let mut table = Table::new("", "", &["system", "top"]);
        table.rows = vec![
            vec!["SFT".into(), "–".into()],
            vec!["vanilla".into(), "0.681".into()],
        ];
        assert_eq!(
            aligned(&table),
            "system     top\n-------  -----\nSFT          –\nvanilla  0.681\n"
        );
    }
}
