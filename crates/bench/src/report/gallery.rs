//! A page of sampled responses: each prompt with the answers of every system, those for several users side by side.

use super::html::{card, escape, page};
use super::model::{Report, Response, Sample};

/// The page.
pub fn render(report: &Report) -> String {
    let title = format!(
        "{}: preset {}, seed {}: sampled responses",
        report.experiment, report.preset, report.seed
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
        escape(&format!("{}: sampled responses", report.experiment)),
        escape(&report.preset),
        report.seed,
        escape(&report.model.source),
    );
    page(&title, &body)
}

/// A prompt: first the systems that answer everyone alike, then the others, each on a row of its own.
fn prompt(report: &Report, number: usize, sample: &Sample) -> String {
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
    let mut out = format!(
        "<section>\n<h2>{number}</h2>\n<blockquote>{}</blockquote>\n",
        escape(&sample.prompt)
    );
    if !alike.is_empty() {
        out += &row(report, "The same for everyone", &alike);
    }
    for (name, responses) in apart {
        out += &row(report, report.title_of(name), &responses);
    }
    out + "</section>\n"
}

fn row(report: &Report, title: &str, responses: &[&Response]) -> String {
    let cards: String = responses.iter().map(|r| card(report, r)).collect();
    format!(
        "<h3 class=\"row\">{}</h3>\n<div class=\"cards\">\n{cards}</div>\n",
        escape(title)
    )
}
