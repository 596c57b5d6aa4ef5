//! A page of sampled responses: each prompt with the answers of every system, those for several users side by side.

use super::html::{card, escape, page};
use super::model::{Report, Response, Sample};

/// The page.
pub fn render(report: &Report) -> String {
    let title = format!(
        "{}: preset {}, seed {}: sampled responses",
        report.title, report.preset, report.seed
    );
    let samples: String = report
        .gallery
        .iter()
        .enumerate()
        .map(|(number, sample)| prompt(report, number + 1, sample))
        .collect();
    let body = format!(
        "<header>\n<h1>{}</h1>\n<p class=\"sub\">preset {} · seed {} · {} · <a href=\"report.html\">report</a></p>\n\
         </header>\n{samples}",
        escape(&format!("{}: sampled responses", report.title)),
        escape(&report.preset),
        report.seed,
        escape(&report.model.source),
    );
    page(&title, &body)
}

fn prompt(report: &Report, number: usize, sample: &Sample) -> String {
    format!(
        "<section>\n<h2>{number}</h2>\n{}</section>\n",
        answers(report, sample)
    )
}

/// A prompt and its answers: first the systems that answer everyone alike, then the others, each on a row of its own.
pub(super) fn answers(report: &Report, sample: &Sample) -> String {
    let names: Vec<&str> = report.systems.iter().map(|s| s.name.as_str()).collect();
    let of = |name: &str| -> Vec<&Response> {
        let responses = sample.responses.iter();
        responses.filter(|r| r.system == name).collect()
    };
    let (alike, apart): (Vec<_>, Vec<_>) = names
        .into_iter()
        .map(|name| (name, of(name)))
        .filter(|(_, responses)| !responses.is_empty())
        .partition(|(_, responses)| responses.iter().all(|r| r.user.is_none()));
    let alike: Vec<&Response> = alike.into_iter().flat_map(|(_, r)| r).collect();
    let mut out = format!("<blockquote>{}</blockquote>\n", escape(&sample.prompt));
    if !alike.is_empty() {
        let name = |r: &Response| report.title_of(&r.system).to_owned();
        out += &row(report, "The same for everyone", &alike, name);
    }
    for (name, responses) in apart {
        let who = |r: &Response| report.reader_title(name, r.user.as_deref());
        out += &row(report, report.title_of(name), &responses, who);
    }
    out
}

/// Cards under a title, each with the name that tells it from the others.
fn row(
    report: &Report,
    title: &str,
    responses: &[&Response],
    name: impl Fn(&Response) -> String,
) -> String {
    let cards = responses.iter().map(|r| card(report, r, &name(r)));
    let cards: String = cards.collect();
    format!(
        "<h3 class=\"row\">{}</h3>\n<div class=\"cards\">\n{cards}</div>\n",
        escape(title)
    )
}
