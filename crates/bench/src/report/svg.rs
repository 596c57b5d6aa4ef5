//! The plots of a report as SVG text.
//!
//! Written by hand and not with a plotting crate, because a report is read on phones and in dark rooms: text stays text
//! in the reader's font, colours follow the reader's light or dark setting by a style sheet within the picture, every bar has a
//! tooltip, and the whole carries `role="img"` and a title for screen readers. The view box is 480 wide, so that the text
//! is still readable on a screen of 390 pixels. Colours are those of Okabe and Ito, which colour-blind readers can tell
//! apart; the minority's bars are hatched and lines differ in dashes as well.

mod accuracies;
mod canvas;
mod curves;
mod dots;
mod lengths;
mod newcomers;
mod strips;

use serde::Serialize;

use super::model::Report;

/// A finished plot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// File name without ending.
    pub name: String,
    /// Heading.
    pub title: String,
    /// How to read it.
    pub caption: String,
    /// The picture, for use within HTML.
    pub svg: String,
}

impl Figure {
    /// The picture as a file of its own, which has to name its language.
    pub fn file(&self) -> String {
        let named = r#"<svg xmlns="http://www.w3.org/2000/svg""#;
        self.svg.replacen("<svg", named, 1)
    }
}

/// All plots the report has numbers for: accuracies (Figure 4 of the paper), every user's accuracy, response lengths per
/// user of each personalised system (Figure 3) or, where texts were measured, one plot per measure, the chance of an empty response
/// over training, accuracy over training (Figure 5), and how new users are served.
pub fn figures(report: &Report) -> Vec<Figure> {
    accuracies::plot(report)
        .into_iter()
        .chain(strips::plot(report))
        .chain(dots::plots(report))
        .chain(lengths::plots(report))
        .chain(curves::endings(report))
        .chain(curves::accuracies(report))
        .chain(newcomers::plot(report))
        .collect()
}

/// Colours of the systems that every report knows; others take the next free one.
fn system_colour(name: &str, index: usize) -> &'static str {
    const OTHERS: [&str; 6] = [
        "#CC79A7", "#D55E00", "#56B4E9", "#B2A100", "#8F6BB3", "#8C5A2B",
    ];
    match name {
        "sft" => "#8A8F98",
        "vanilla-dpo" => "#E69F00",
        "pdpo-individual" => "#2B7BBA",
        "pdpo-cluster" => "#009E73",
        "pdpo-cluster-no-text" => "#CC79A7",
        "oracle" => "#56B4E9",
        _ => OTHERS[index % OTHERS.len()],
    }
}

/// Dashes of the systems' lines.
fn system_dash(name: &str, index: usize) -> &'static str {
    match name {
        "vanilla-dpo" => "7 4",
        "pdpo-individual" => "",
        "pdpo-cluster" => "2 3",
        _ => ["9 3 2 3", "5 2", "1 3", "12 4"][index % 4],
    }
}
