//! What a report says, built once; [`terminal`](super::terminal), [`markdown`](super::markdown) and [`html`](super::html)
//! show it.

use serde::Serialize;

use super::claim::Claim;
use super::model::{Report, Sample};
use super::samples::{Exchange, exchange};
use super::svg::{self, Figure};
use super::table::Table;
use super::{best_of, facts, tables};

/// A report in the order in which it is read.
#[derive(Debug, Clone, Serialize)]
pub struct Document {
    /// The experiment.
    pub(super) title: String,
    /// Preset and seed.
    pub(super) run: String,
    /// Model and data.
    pub(super) about: String,
    /// Another page of the same run.
    pub(super) link: Option<Link>,
    /// A warning above everything else.
    pub(super) notice: Option<String>,
    /// The paper's claims.
    pub(super) claims: Vec<ShownClaim>,
    /// All the rest.
    pub(super) sections: Vec<Section>,
}

/// Where another page is, beside this one.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Link {
    pub(super) file: &'static str,
    pub(super) text: &'static str,
}

/// A claim and whether it was seen.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ShownClaim {
    /// `E1 holds`
    pub(super) label: String,
    /// `yes`, `no` or `open`.
    pub(super) state: &'static str,
    /// The numbers that decide it.
    pub(super) text: String,
}

/// A heading and what stands below it.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Section {
    /// Empty: no heading.
    pub(super) heading: String,
    /// How to read it, or empty.
    pub(super) note: String,
    pub(super) link: Option<Link>,
    /// What matters most is shown on a terminal, too.
    #[serde(skip)]
    pub(super) on_terminal: bool,
    #[serde(flatten)]
    pub(super) body: Body,
}

/// What a section holds; under its name in templates.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Body {
    Grid(Grid),
    Figures(Vec<Figure>),
    Samples(Vec<Exchange>),
    List(Vec<String>),
}

impl Default for Body {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

/// Rows of as many cells as there are columns.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Grid {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<String>>,
}

/// The head of a column.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Column {
    pub(super) name: String,
    /// For the terminal, where room is short; empty: the name.
    #[serde(skip)]
    pub(super) short: String,
    /// All cells are numbers or missing; they stand at the right.
    pub(super) is_numeric: bool,
    /// Cells name people and are not broken into lines.
    pub(super) is_name: bool,
}

impl Grid {
    pub(super) fn of(table: &Table) -> Self {
        let columns = 0..table.columns.len();
        Self {
            columns: table
                .columns
                .iter()
                .enumerate()
                .map(|(place, name)| column(table, place, name))
                .collect(),
            rows: (0..table.rows.len())
                .map(|row| {
                    columns
                        .clone()
                        .map(|column| table.cell(row, column).to_owned())
                        .collect()
                })
                .collect(),
        }
    }
}

fn column(table: &Table, place: usize, name: &str) -> Column {
    Column {
        name: name.to_owned(),
        short: String::new(),
        is_numeric: table.is_numeric(place),
        is_name: ["user", "for"].contains(&name),
    }
}

impl Section {
    fn table(table: &Table) -> Self {
        Self {
            heading: table.title.clone(),
            note: table.note.clone(),
            body: Body::Grid(Grid::of(table)),
            ..Self::default()
        }
    }

    fn on_terminal(table: &Table) -> Self {
        Self {
            on_terminal: true,
            ..Self::table(table)
        }
    }
}

impl Document {
    /// The report; what it has no numbers for is left out.
    pub fn of(report: &Report) -> Self {
        let mut sections = results(report);
        sections.extend(samples(report));
        sections.extend(tables::users(report).as_ref().map(Section::table));
        sections.extend(facts::splits(report).as_ref().map(Section::table));
        sections.extend(notes(report));
        sections.extend(facts::settings(report).as_ref().map(Section::table));
        sections.extend(facts::differences(report).as_ref().map(Section::table));
        sections.push(Section::on_terminal(&tables::costs(report)));
        sections.push(Section::table(&facts::environment(report)));
        Self {
            notice: report.notice.clone(),
            claims: report.claims.iter().map(shown_claim).collect(),
            sections,
            ..Self::about(report, report.title.clone())
        }
    }

    /// All sampled prompts, each with the answers of every system; `None` where nothing was sampled.
    pub fn gallery_of(report: &Report) -> Option<Self> {
        let one = |(place, sample): (usize, &Sample)| Section {
            heading: (place + 1).to_string(),
            body: Body::Samples(vec![exchange(report, sample)]),
            ..Section::default()
        };
        let sections: Vec<_> = report.gallery.iter().enumerate().map(one).collect();
        (!sections.is_empty()).then(|| Self {
            link: Some(Link {
                file: "report.html",
                text: "report",
            }),
            sections,
            ..Self::about(report, format!("{}: sampled responses", report.title))
        })
    }

    /// The plots, in their order.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        let figures = self
            .sections
            .iter()
            .filter_map(|section| match &section.body {
                Body::Figures(figures) => Some(figures),
                _ => None,
            });
        figures.flatten()
    }

    fn about(report: &Report, title: String) -> Self {
        Self {
            title,
            run: format!("preset {}, {}", report.preset, facts::seeds(report)),
            about: format!("{} · {}", report.model.source, report.data.source),
            link: None,
            notice: None,
            claims: Vec::new(),
            sections: Vec::new(),
        }
    }
}

fn shown_claim((key, claim): (&String, &Claim)) -> ShownClaim {
    ShownClaim {
        label: format!(
            "{} {}",
            key.to_uppercase().replace('_', " "),
            claim.verdict()
        ),
        state: match claim.holds {
            Some(true) => "yes",
            Some(false) => "no",
            None => "open",
        },
        text: claim.text.clone(),
    }
}

/// What was measured.
fn results(report: &Report) -> Vec<Section> {
    let mut sections = vec![Section::on_terminal(&tables::accuracies(report))];
    let figures = svg::figures(report);
    if !figures.is_empty() {
        sections.push(Section {
            body: Body::Figures(figures),
            ..Section::default()
        });
    }
    let measured = [
        tables::responses(report),
        tables::ratios(report),
        tables::win_rates(report),
        best_of::table(report),
    ];
    sections.extend(measured.iter().flatten().map(Section::on_terminal));
    sections.extend(text_measures(report));
    sections.extend(report.tables.iter().map(Section::on_terminal));
    sections
}

/// Their titles are long; a terminal shows their keys.
fn text_measures(report: &Report) -> Option<Section> {
    let mut section = Section::on_terminal(&tables::text_measures(report)?);
    if let Body::Grid(grid) = &mut section.body {
        let measured = grid.columns.iter_mut().skip(2);
        for (column, measure) in measured.zip(&report.text_measures) {
            column.short = measure.key.replace('_', " ");
        }
    }
    Some(section)
}

fn samples(report: &Report) -> Option<Section> {
    let samples = report.samples.iter();
    let samples: Vec<_> = samples.map(|sample| exchange(report, sample)).collect();
    let more = report.gallery.len() > report.samples.len();
    (!samples.is_empty()).then(|| Section {
        heading: "Samples".into(),
        note: match report.seeds.is_empty() {
            true => "Responses to the same prompt.".into(),
            false => format!("Responses to the same prompt, with seed {}.", report.seed),
        },
        link: more.then_some(Link {
            file: "gallery.html",
            text: "More of them",
        }),
        body: Body::Samples(samples),
        ..Section::default()
    })
}

fn notes(report: &Report) -> Option<Section> {
    let notes = &report.data.notes;
    (!notes.is_empty()).then(|| Section {
        heading: "Notes on the data".into(),
        body: Body::List(notes.clone()),
        ..Section::default()
    })
}
