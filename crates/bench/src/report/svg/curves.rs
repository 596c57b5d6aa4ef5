//! Validation accuracy over training (Figure 5 of the paper): one panel per accuracy, one line per system.

use super::canvas::{Anchor, Canvas, Swatch, WIDTH, legend, tick_label, ticks};
use super::{Figure, system_colour, system_dash};
use crate::report::format::finite;
use crate::report::model::Report;
use crate::report::system::{CurvePoint, System};

const LEFT: f64 = 44.0;
const RIGHT: f64 = WIDTH - 14.0;
const PANEL: f64 = 120.0;
const GAP: f64 = 34.0;

type Pick = fn(&CurvePoint) -> Option<f64>;

/// The plot; `None` when no system has a curve of two points or more.
pub fn plot(report: &Report) -> Option<Figure> {
    let systems: Vec<&System> = report
        .systems
        .iter()
        .filter(|system| system.train_curve.len() > 1)
        .collect();
    let last = systems
        .iter()
        .flat_map(|s| s.train_curve.iter().map(|p| p.step))
        .max()?;
    let panels: [(&str, Pick); 4] = [
        ("top: all seen users", |p| p.top),
        ("majority users", |p| p.majority),
        ("minority users", |p| p.minority),
        ("generic: unseen users", |p| p.generic),
    ];
    let panels: Vec<_> = panels
        .into_iter()
        .filter(|(_, pick)| has_values(&systems, *pick))
        .collect();
    let title = "Validation accuracy over training";
    let mut canvas = Canvas::default();
    canvas.text("head", (12.0, 20.0), Anchor::Start, title);
    let mut top = legend(&mut canvas, 30.0, &legend_entries(&systems)) + 22.0;
    let ticks = ticks(last as f64);
    let scale = (RIGHT - LEFT) / ticks.last().copied().unwrap_or(1.0);
    for (i, (label, pick)) in panels.iter().enumerate() {
        axes(
            &mut canvas,
            label,
            top,
            &ticks,
            scale,
            i + 1 == panels.len(),
        );
        for (index, system) in systems.iter().enumerate() {
            curve(&mut canvas, system, index, *pick, top, scale);
        }
        top += PANEL + GAP;
    }
    (!panels.is_empty()).then(|| Figure {
        name: "training".into(),
        title: title.into(),
        caption:
            "Accuracy on the validation comparisons, on which steps and learning rates are chosen."
                .into(),
        svg: canvas.finish(title, top + 10.0),
    })
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

fn y(top: f64, value: f64) -> f64 {
    top + PANEL * (1.0 - value.clamp(0.0, 1.0))
}

fn axes(canvas: &mut Canvas, label: &str, top: f64, ticks: &[f64], scale: f64, last: bool) {
    canvas.text("", (LEFT, top - 7.0), Anchor::Start, label);
    for value in [0.0, 0.5, 1.0] {
        let class = if value == 0.0 { "axis" } else { "grid" };
        canvas.line(class, (LEFT, y(top, value)), (RIGHT, y(top, value)), "");
        canvas.text(
            "soft small",
            (LEFT - 6.0, y(top, value) + 4.0),
            Anchor::End,
            &format!("{value:.1}"),
        );
    }
    for tick in ticks {
        let x = LEFT + tick * scale;
        canvas.line("axis", (x, top + PANEL), (x, top + PANEL + 4.0), "");
        if last {
            canvas.text(
                "soft small",
                (x, top + PANEL + 17.0),
                Anchor::Middle,
                &tick_label(*tick),
            );
        }
    }
    if last {
        let middle = (LEFT + RIGHT) / 2.0;
        canvas.text(
            "soft",
            (middle, top + PANEL + 37.0),
            Anchor::Middle,
            "optimiser step (vertical: accuracy, 0 to 1)",
        );
    }
}

fn curve(canvas: &mut Canvas, system: &System, index: usize, pick: Pick, top: f64, scale: f64) {
    let points: Vec<(f64, f64)> = system
        .train_curve
        .iter()
        .filter_map(|point| {
            Some((
                LEFT + point.step as f64 * scale,
                y(top, finite(pick(point))?),
            ))
        })
        .collect();
    if !points.is_empty() {
        let (colour, dash) = (
            system_colour(&system.name, index),
            system_dash(&system.name, index),
        );
        canvas.polyline(&points, colour, dash, system.title());
    }
}
