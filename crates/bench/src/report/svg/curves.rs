//! What validations told during training: one panel per figure, one line per system.

use super::canvas::{Anchor, Canvas, Swatch, WIDTH, legend, tick_label, ticks};
use super::{Figure, system_colour, system_dash};
use crate::report::format::finite;
use crate::report::model::Report;
use crate::report::system::{CurvePoint, System};

const LEFT: f64 = 44.0;
const RIGHT: f64 = WIDTH - 14.0;
const PANEL: f64 = 120.0;
const GAP: f64 = 34.0;
/// Probabilities below this are drawn as this.
const LEAST_DECADE: i32 = -12;

type Pick = fn(&CurvePoint) -> Option<f64>;
type Panels<'a> = &'a [(&'a str, Pick)];

/// The upright axis of all panels.
#[derive(Clone, Copy)]
enum Scale {
    /// From 0 to 1.
    Share,
    /// From a power of ten to 1.
    Decades(i32),
}

impl Scale {
    /// How high up a panel a value is, from 0 to 1.
    fn height(self, value: f64) -> f64 {
        let height = match self {
            Self::Share => value,
            Self::Decades(least) => 1.0 - value.max(f64::MIN_POSITIVE).log10() / f64::from(least),
        };
        height.clamp(0.0, 1.0)
    }

    /// Values and their names, from the bottom.
    fn ticks(self) -> Vec<(f64, String)> {
        match self {
            Self::Share => [0.0, 0.5, 1.0].map(|v| (v, format!("{v:.1}"))).to_vec(),
            Self::Decades(least) => {
                let step = decades_apart(least);
                let decades = (least..=0).rev().step_by(step as usize);
                let mut ticks: Vec<_> = decades.map(|d| (10f64.powi(d), decade(d))).collect();
                ticks.reverse();
                ticks
            }
        }
    }
}

/// Decades from one named line to the next.
fn decades_apart(least: i32) -> i32 {
    (-least / 3).max(1)
}

/// `1`, `0.1`, `0.01`, `1e-3`
fn decade(power: i32) -> String {
    match power {
        -2..=0 => 10f64.powi(power).to_string(),
        _ => format!("1e{power}"),
    }
}

/// Accuracies (Figure 5 of the paper); `None` when no system has a curve of two points or more.
pub fn accuracies(report: &Report) -> Option<Figure> {
    let panels: [(&str, Pick); 4] = [
        ("top: all seen users", |p| p.top),
        ("majority users", |p| p.majority),
        ("minority users", |p| p.minority),
        ("generic: unseen users", |p| p.generic),
    ];
    plot(report, &panels, Scale::Share, "accuracy, 0 to 1").map(|(title, svg)| Figure {
        name: "training".into(),
        caption: of_seeds(
            report,
            "Accuracy on the validation comparisons, on which steps and learning rates are chosen",
        ),
        svg,
        title,
    })
}

/// How likely a response is to end before its first word (what E1 of the paper is about).
pub fn endings(report: &Report) -> Option<Figure> {
    let panels: [(&str, Pick); 3] = [
        ("minority users", |p| p.ends_minority),
        ("majority users", |p| p.ends_majority),
        ("generic user, or everyone", |p| p.ends_generic),
    ];
    let points = report.systems.iter().flat_map(|s| &s.train_curve);
    let of_point = |point: &CurvePoint| panels.map(|(_, pick)| finite(pick(point)).unwrap_or(1.0));
    let values = points.flat_map(of_point).filter(|value| *value > 0.0);
    let mut least = (values.fold(0.1, f64::min).log10().floor() as i32).max(LEAST_DECADE);
    while least % decades_apart(least) != 0 {
        least -= 1; // So that a named line is at the bottom.
    }
    let axis = "probability, in powers of ten";
    plot(report, &panels, Scale::Decades(least), axis).map(|(title, svg)| Figure {
        name: "endings".into(),
        caption: of_seeds(
            report,
            "The probability that the first token of a response ends it, at temperature 1: mean over a few validation prompts, and \
             over users",
        ),
        svg,
        title,
    })
}

/// A sentence, which says whether it is about several seeds.
fn of_seeds(report: &Report, text: &str) -> String {
    match report.seeds.is_empty() {
        true => format!("{text}."),
        false => format!("{text}; mean over seeds."),
    }
}

/// Title and picture.
fn plot(
    report: &Report,
    panels: Panels<'_>,
    upright: Scale,
    axis: &str,
) -> Option<(String, String)> {
    let systems: Vec<&System> = report
        .systems
        .iter()
        .filter(|system| system.train_curve.len() > 1)
        .collect();
    let last = systems
        .iter()
        .flat_map(|s| s.train_curve.iter().map(|p| p.step))
        .max()?;
    let panels: Vec<_> = panels
        .iter()
        .filter(|(_, pick)| has_values(&systems, *pick))
        .collect();
    let title = match upright {
        Scale::Share => "Validation accuracy over training",
        Scale::Decades(_) => "Chance of an empty response over training",
    };
    let mut canvas = Canvas::default();
    canvas.text("head", (12.0, 20.0), Anchor::Start, title);
    let mut top = legend(&mut canvas, 30.0, &legend_entries(&systems)) + 22.0;
    let ticks = ticks(last as f64);
    let scale = (RIGHT - LEFT) / ticks.last().copied().unwrap_or(1.0);
    for (i, (label, pick)) in panels.iter().enumerate() {
        axes(&mut canvas, label, top, upright);
        steps(
            &mut canvas,
            top,
            &ticks,
            scale,
            (i + 1 == panels.len()).then_some(axis),
        );
        for (index, system) in systems.iter().enumerate() {
            let at = |point: &CurvePoint| {
                let height = upright.height(finite(pick(point))?);
                Some((
                    LEFT + point.step as f64 * scale,
                    top + PANEL * (1.0 - height),
                ))
            };
            let points: Vec<(f64, f64)> = system.train_curve.iter().filter_map(at).collect();
            curve(&mut canvas, system, index, &points);
        }
        top += PANEL + GAP;
    }
    (!panels.is_empty()).then(|| (title.to_owned(), canvas.finish(title, top + 10.0)))
}

fn has_values(systems: &[&System], pick: Pick) -> bool {
    systems.iter().any(|s| {
        s.train_curve
            .iter()
            .any(|point| finite(pick(point)).is_some())
    })
}

fn legend_entries(systems: &[&System]) -> Vec<(Swatch, String)> {
    let entry = |(i, s): (usize, &&System)| {
        (
            Swatch::Line(system_colour(&s.name, i), system_dash(&s.name, i)),
            s.title().to_owned(),
        )
    };
    systems.iter().enumerate().map(entry).collect()
}

/// The upright axis of a panel.
fn axes(canvas: &mut Canvas, label: &str, top: f64, upright: Scale) {
    canvas.text("", (LEFT, top - 7.0), Anchor::Start, label);
    for (place, (value, name)) in upright.ticks().into_iter().enumerate() {
        let class = if place == 0 { "axis" } else { "grid" };
        let y = top + PANEL * (1.0 - upright.height(value));
        canvas.line(class, (LEFT, y), (RIGHT, y), "");
        canvas.text("soft small", (LEFT - 6.0, y + 4.0), Anchor::End, &name);
    }
}

/// The level axis, with its name and that of the upright one below the last panel.
fn steps(canvas: &mut Canvas, top: f64, ticks: &[f64], scale: f64, last: Option<&str>) {
    for tick in ticks {
        let x = LEFT + tick * scale;
        canvas.line("axis", (x, top + PANEL), (x, top + PANEL + 4.0), "");
        if last.is_some() {
            let at = (x, top + PANEL + 17.0);
            canvas.text("soft small", at, Anchor::Middle, &tick_label(*tick));
        }
    }
    if let Some(upright) = last {
        let at = ((LEFT + RIGHT) / 2.0, top + PANEL + 37.0);
        let text = format!("optimiser step (vertical: {upright})");
        canvas.text("soft", at, Anchor::Middle, &text);
    }
}

fn curve(canvas: &mut Canvas, system: &System, index: usize, points: &[(f64, f64)]) {
    if !points.is_empty() {
        let (colour, dash) = (
            system_colour(&system.name, index),
            system_dash(&system.name, index),
        );
        canvas.polyline(points, colour, dash, system.title());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decades_are_evenly_spaced_and_end_at_the_least() {
        let scale = Scale::Decades(-4);
        let heights = [1.0, 1e-2, 1e-4, 1e-9, 0.0].map(|p| scale.height(p));
        assert_eq!(heights, [1.0, 0.5, 0.0, 0.0, 0.0]);
        let names = scale.ticks().into_iter().map(|(_, name)| name);
        assert_eq!(
            names.collect::<Vec<_>>(),
            ["1e-4", "1e-3", "0.01", "0.1", "1"]
        );
        let names = Scale::Decades(-6).ticks().into_iter().map(|(_, name)| name);
        assert_eq!(names.collect::<Vec<_>>(), ["1e-6", "1e-4", "0.01", "1"]);
    }
}
