//! A document as Markdown; the plots are files beside it.

use super::document::{Body, Document, Grid, Section};
use super::samples::Exchange;
use super::svg::Figure;

impl Document {
    /// The whole document. `plots` is the folder of the plots, relative to the Markdown file.
    pub fn markdown(&self, plots: &str) -> String {
        let mut out = format!(
            "# {}: {}\n\n{}\n\n",
            escape(&self.title),
            escape(&self.run),
            escape(&self.about)
        );
        if let Some(notice) = &self.notice {
            out += &format!("**{}**\n\n", escape(notice));
        }
        for claim in &self.claims {
            out += &format!("- **{}**: {}\n", escape(&claim.label), escape(&claim.text));
        }
        for shown in &self.sections {
            out += &section(shown, plots);
        }
        printable::text(&out).into_owned()
    }
}

fn section(section: &Section, plots: &str) -> String {
    let mut out = String::new();
    if !section.heading.is_empty() {
        out += &format!("\n## {}\n", escape(&section.heading));
    }
    if !section.note.is_empty() {
        out += &format!("\n{}", escape(&section.note));
        if let Some(link) = section.link {
            out += &format!(" [{}]({})", link.text, link.file);
        }
        out.push('\n');
    }
    out + &match &section.body {
        Body::Grid(rows) => grid(rows),
        Body::Figures(figures) => figures.iter().map(|f| figure(f, plots)).collect(),
        Body::Samples(samples) => samples.iter().map(sample).collect(),
        Body::List(notes) => list(notes.iter().map(|note| escape(note))),
    }
}

fn grid(grid: &Grid) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let heads = grid.columns.iter().map(|column| escape(&column.name));
    let rules = grid.columns.iter().map(|column| match column.is_numeric {
        true => "---:".to_owned(),
        false => "---".to_owned(),
    });
    let mut out = format!("\n{}{}", line(heads.collect()), line(rules.collect()));
    for row in &grid.rows {
        out += &line(row.iter().map(|cell| escape(cell)).collect());
    }
    out
}

fn figure(figure: &Figure, plots: &str) -> String {
    format!(
        "\n![{}]({plots}/{}.svg)\n\n{}\n",
        escape(&figure.title),
        figure.name,
        escape(&figure.caption)
    )
}

fn sample(exchange: &Exchange) -> String {
    let mut out = format!("\n> {}\n", escape(&exchange.prompt));
    for row in &exchange.rows {
        out += &format!("\n{}:\n", escape(&row.title));
        out += &list(row.answers.iter().map(|answer| {
            let text = match answer.text.as_str() {
                "" => "*(empty)*".to_owned(),
                text => escape(text),
            };
            format!("**{}**, {}: {text}", escape(&answer.name), answer.length)
        }));
    }
    out
}

fn list(items: impl Iterator<Item = String>) -> String {
    let lines = items.map(|item| format!("- {item}\n"));
    format!("\n{}", lines.collect::<String>())
}

/// Text that Markdown shows as it is, on one line, also within a table.
fn escape(text: &str) -> String {
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
