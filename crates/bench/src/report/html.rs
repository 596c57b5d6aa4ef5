//! The report as one HTML page that loads nothing: style sheet and plots are within it.

use super::facts;
use super::format::words;
use super::gallery::answers;
use super::model::{Report, Response, Sample, Verdict};
use super::svg::Plot;
use super::tables::{self, Table};

const STYLE: &str = include_str!("report.css");

/// The whole page.
pub fn render(report: &Report, plots: &[Plot]) -> String {
    let title = format!(
        "{}: preset {}, seed {}",
        report.title, report.preset, report.seed
    );
    page(&title, &body(report, plots))
}

/// A page around a body.
pub(super) fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(title),
    )
}

fn body(report: &Report, plots: &[Plot]) -> String {
    let mut out = header(report);
    report
        .verdicts
        .iter()
        .for_each(|(key, verdict)| out.push_str(&verdict_line(key, verdict)));
    out.push_str(&section(&tables::accuracies(report)));
    out.push_str(&figures(plots));
    let results = [
        tables::responses(report),
        tables::ratios(report),
        tables::win_rates(report),
        tables::text_measures(report),
    ];
    results
        .iter()
        .flatten()
        .chain(&report.tables)
        .for_each(|table| out.push_str(&section(table)));
    out.push_str(&samples(report));
    tables::users(report)
        .iter()
        .for_each(|table| out.push_str(&section(table)));
    facts::splits(report)
        .iter()
        .for_each(|table| out.push_str(&section(table)));
    out.push_str(&notes(report));
    let rest = [facts::settings(report), facts::differences(report)];
    rest.iter()
        .flatten()
        .for_each(|table| out.push_str(&section(table)));
    out.push_str(&section(&tables::costs(report)));
    out.push_str(&section(&facts::environment(report)));
    out
}

fn header(report: &Report) -> String {
    let notice = report
        .notice
        .iter()
        .map(|text| format!("<p class=\"notice\">{}</p>\n", escape(text)));
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"sub\">preset {} · seed {} · {} · {}</p>\n</header>\n{}",
        escape(&report.title),
        escape(&report.preset),
        report.seed,
        escape(&report.model.source),
        escape(&report.data.source),
        notice.collect::<String>()
    )
}

fn verdict_line(key: &str, verdict: &Verdict) -> String {
    let class = match verdict.holds {
        Some(true) => "yes",
        Some(false) => "no",
        None => "open",
    };
    format!(
        "<p class=\"verdict {class}\"><strong>{} {}</strong> {}</p>\n",
        escape(&key.to_uppercase()),
        verdict.word(),
        escape(&verdict.text)
    )
}

fn section(table: &Table) -> String {
    let note = match table.note.as_str() {
        "" => String::new(),
        note => format!("<p class=\"note\">{}</p>\n", escape(note)),
    };
    format!(
        "<section>\n<h2>{}</h2>\n{note}{}</section>\n",
        escape(&table.title),
        table_html(table)
    )
}

fn table_html(table: &Table) -> String {
    let class = |column: usize| match table.columns[column].as_str() {
        _ if table.is_numeric(column) => " class=\"num\"",
        "user" | "for" => " class=\"who\"",
        _ => "",
    };
    let heads = table.columns.iter().enumerate();
    let head: String = heads
        .map(|(c, name)| format!("<th scope=\"col\"{}>{}</th>", class(c), escape(name)))
        .collect();
    let cells = |row: usize| -> String {
        let one = |c: usize| match c {
            0 => format!("<th scope=\"row\">{}</th>", escape(table.cell(row, 0))),
            _ => format!("<td{}>{}</td>", class(c), escape(table.cell(row, c))),
        };
        (0..table.columns.len()).map(one).collect()
    };
    let rows: String = (0..table.rows.len())
        .map(|row| format!("<tr>{}</tr>\n", cells(row)))
        .collect();
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n\
         <table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n",
        escape(&table.title)
    )
}

fn figures(plots: &[Plot]) -> String {
    if plots.is_empty() {
        return String::new();
    }
    let one = |plot: &Plot| {
        format!(
            "<figure>\n{}<figcaption>{}</figcaption>\n</figure>\n",
            plot.inline(),
            escape(&plot.caption)
        )
    };
    format!(
        "<section class=\"plots\">\n{}</section>\n",
        plots.iter().map(one).collect::<String>()
    )
}

fn samples(report: &Report) -> String {
    if report.samples.is_empty() {
        return String::new();
    }
    let bodies: String = report
        .samples
        .iter()
        .map(|sample| sample_html(report, sample))
        .collect();
    format!(
        "<section>\n<h2>Samples</h2>\n<p class=\"note\">Responses to the same prompt, side by side.{}</p>\n{bodies}</section>\n",
        match report.gallery.len() > report.samples.len() {
            true => " <a href=\"gallery.html\">More of them</a>",
            false => "",
        }
    )
}

fn sample_html(report: &Report, sample: &Sample) -> String {
    format!("<article>\n{}</article>\n", answers(report, sample))
}

/// A response under a name.
pub(super) fn card(report: &Report, response: &Response, name: &str) -> String {
    let group = response.user.as_deref().and_then(|user| report.group(user));
    let class = match group {
        Some("majority") => " majority",
        Some("minority") => " minority",
        _ => "",
    };
    let count = words(&response.text);
    let text = match count {
        0 => "<em>(empty)</em>".to_owned(),
        _ => escape(response.text.trim()),
    };
    format!(
        "<div class=\"card{class}\"><h3>{}<span>{count} word{}</span></h3><p>{text}</p></div>\n",
        escape(name),
        if count == 1 { "" } else { "s" }
    )
}

fn notes(report: &Report) -> String {
    if report.data.notes.is_empty() {
        return String::new();
    }
    let items: String = report
        .data
        .notes
        .iter()
        .map(|note| format!("<li>{}</li>\n", escape(note)))
        .collect();
    format!("<ul class=\"notes\">\n{items}</ul>\n")
}

/// Text that HTML and SVG show as it is, within elements and attributes. Characters that XML forbids become `�`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\r' | '\t' => out.push(c),
            c if c < ' ' || matches!(c, '\u{7f}' | '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
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
            escape("<a href=\"x\">'&'</a>"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;"
        );
        assert_eq!(escape("a\0b\u{1b}"), "a\u{fffd}b\u{fffd}");
    }
}
