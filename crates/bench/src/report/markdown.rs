//! The report as Markdown; the plots are the files beside it.

use super::facts;
use super::format::words;
use super::model::{Report, Sample, user_name};
use super::svg::Plot;
use super::tables::{self, Table};

/// The whole report. `folder` is where the plots lie, relative to the Markdown file.
pub fn render(report: &Report, plots: &[Plot], folder: &str) -> String {
    let mut out = format!(
        "# {}: preset {}, seed {}\n\n",
        escape(&report.title),
        escape(&report.preset),
        report.seed
    );
    if let Some(notice) = &report.notice {
        out.push_str(&format!("**{}**\n\n", escape(notice)));
    }
    for (key, verdict) in &report.verdicts {
        let key = escape(&key.to_uppercase());
        out.push_str(&format!(
            "- **{key} {}**: {}\n",
            verdict.word(),
            escape(&verdict.text)
        ));
    }
    out.push_str(&table(&tables::accuracies(report)));
    for plot in plots {
        let title = escape(&plot.title);
        out.push_str(&format!(
            "\n![{title}]({folder}/{}.svg)\n\n{}\n",
            plot.name,
            escape(&plot.caption)
        ));
    }
    let results = [
        tables::responses(report),
        tables::ratios(report),
        tables::win_rates(report),
        tables::text_measures(report),
        tables::users(report),
    ];
    results
        .iter()
        .flatten()
        .chain(&report.tables)
        .for_each(|t| out.push_str(&table(t)));
    out.push_str(&samples(report));
    let rest = [
        facts::splits(report),
        facts::settings(report),
        facts::differences(report),
    ];
    rest.iter().flatten().for_each(|t| out.push_str(&table(t)));
    out.push_str(&table(&tables::costs(report)));
    out.push_str(&table(&facts::environment(report)));
    out.push_str(&notes(report));
    out
}

/// A table under its heading.
fn table(table: &Table) -> String {
    let mut out = format!("\n## {}\n\n", escape(&table.title));
    if !table.note.is_empty() {
        out.push_str(&format!("{}\n\n", escape(&table.note)));
    }
    let columns = 0..table.columns.len();
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    out.push_str(&line(
        table.columns.iter().map(|name| escape(name)).collect(),
    ));
    let rule = |column| {
        if table.is_numeric(column) {
            "---:"
        } else {
            "---"
        }
    };
    out.push_str(&line(
        columns.clone().map(|column| rule(column).into()).collect(),
    ));
    for row in 0..table.rows.len() {
        out.push_str(&line(
            columns
                .clone()
                .map(|column| escape(table.cell(row, column)))
                .collect(),
        ));
    }
    out
}

fn samples(report: &Report) -> String {
    if report.samples.is_empty() {
        return String::new();
    }
    let bodies = report
        .samples
        .iter()
        .map(|sample| sample_text(report, sample));
    format!(
        "\n## Samples\n\nResponses to the same prompt.\n{}",
        bodies.collect::<String>()
    )
}

fn sample_text(report: &Report, sample: &Sample) -> String {
    let mut out = format!("\n> {}\n\n", escape(&sample.prompt));
    for response in &sample.responses {
        let who = match &response.user {
            Some(user) => match report.group(user) {
                Some(group) => format!(", {} ({group})", user_name(user)),
                None => format!(", {}", user_name(user)),
            },
            None => String::new(),
        };
        let text = match words(&response.text) {
            0 => "*(empty)*".to_owned(),
            _ => escape(response.text.trim()),
        };
        let who = escape(&format!("{}{who}", report.title_of(&response.system)));
        out.push_str(&format!(
            "- **{who}**, {} words: {text}\n",
            words(&response.text)
        ));
    }
    out
}

fn notes(report: &Report) -> String {
    if report.data.notes.is_empty() {
        return String::new();
    }
    let lines = report
        .data
        .notes
        .iter()
        .map(|note| format!("- {}\n", escape(note)));
    format!("\n## Notes on the data\n\n{}", lines.collect::<String>())
}

/// Text that Markdown shows as it is, on one line, also within a table.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\n' | '\r' | '\t' => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_text_is_shown_and_not_obeyed() {
        assert_eq!(
            escape("a|b\n<i> *x* [y](z)"),
            r"a\|b &lt;i&gt; \*x\* \[y\](z)"
        );
    }
}
