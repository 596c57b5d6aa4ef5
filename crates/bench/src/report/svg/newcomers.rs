//! How well users are served whom nobody was trained on, by how much they have answered.

use super::canvas::{Anchor, Canvas, Swatch, WIDTH, legend};
use super::{Figure, system_colour};
use crate::report::format::finite;
use crate::report::measures::ServedUsers;
use crate::report::model::Report;

const LEFT: f64 = 44.0;
const RIGHT: f64 = WIDTH - 20.0;
const HEIGHT: f64 = 200.0;

/// One line: a system's users, served in one way.
struct Line<'a> {
    label: String,
    colour: &'static str,
    dash: &'static str,
    points: Vec<&'a ServedUsers>,
}

/// The plot; `None` where no user was served after different numbers of answers.
pub fn plot(report: &Report) -> Option<Figure> {
    let lines = lines(report);
    let counts = lines.iter().flat_map(|line| &line.points);
    let most = counts.map(|point| point.answers).max().filter(|&n| n > 1)?;
    // Answers on a scale of equal ratios.
    let across = |answers: u64| {
        let share = (answers.max(1) as f64).ln() / (most as f64).ln();
        LEFT + 8.0 + share * (RIGHT - LEFT - 16.0)
    };
    let title = "New users by how much they have answered";
    let mut canvas = Canvas::default();
    canvas.text("head", (12.0, 20.0), Anchor::Start, title);
    let entries: Vec<(Swatch, String)> = lines
        .iter()
        .map(|line| (Swatch::Line(line.colour, line.dash), line.label.clone()))
        .collect();
    let top = legend(&mut canvas, 30.0, &entries) + 12.0;
    let up = |share: f64| top + HEIGHT * (1.0 - share.clamp(0.0, 1.0));
    for value in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let class = if value == 0.0 { "axis" } else { "grid" };
        canvas.line(class, (LEFT, up(value)), (RIGHT, up(value)), "");
        let at = (LEFT - 6.0, up(value) + 4.0);
        canvas.text("soft small", at, Anchor::End, &value.to_string());
    }
    for line in &lines {
        draw(&mut canvas, line, &across, &up);
    }
    let mut counts: Vec<u64> = answered(&lines).collect();
    counts.sort_unstable();
    counts.dedup();
    for count in counts {
        let at = (across(count), top + HEIGHT + 17.0);
        canvas.text("soft small", at, Anchor::Middle, &count.to_string());
    }
    let at = ((LEFT + RIGHT) / 2.0, top + HEIGHT + 37.0);
    canvas.text(
        "soft",
        at,
        Anchor::Middle,
        "answers (vertical: accuracy, 0 to 1)",
    );
    Some(Figure {
        name: "new-users".into(),
        title: title.into(),
        caption: "Accuracy on comparisons of users whom nobody was trained on, with 95 % intervals. Level lines: what does not depend on answers."
            .into(),
        svg: canvas.finish(title, top + HEIGHT + 48.0),
    })
}

fn answered<'a>(lines: &'a [Line<'_>]) -> impl Iterator<Item = u64> + 'a {
    let by_answers = lines.iter().filter(|line| line.points.len() > 1);
    by_answers.flat_map(|line| line.points.iter().map(|point| point.answers))
}

fn lines(report: &Report) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for served in &report.new_users {
        let label = format!("{}: {}", report.title_of(&served.system), served.served_as);
        match lines.iter_mut().find(|line| line.label == label) {
            Some(line) => line.points.push(served),
            None => {
                let mut systems = report.systems.iter();
                let place = systems.position(|system| system.name == served.system);
                let of_system = lines.iter().filter(|line| {
                    line.points
                        .iter()
                        .any(|point| point.system == served.system)
                });
                lines.push(Line {
                    colour: system_colour(&served.system, place.unwrap_or(0)),
                    dash: ["1 3", "7 4", "", "9 3 2 3", "5 2"][of_system.count() % 5],
                    points: vec![served],
                    label,
                });
            }
        }
    }
    lines
}

fn draw(
    canvas: &mut Canvas,
    line: &Line<'_>,
    across: &impl Fn(u64) -> f64,
    up: &impl Fn(f64) -> f64,
) {
    let figures = line.points.iter().filter_map(|point| {
        let value = finite(point.accuracy.value)?;
        Some((point, across(point.answers), up(value)))
    });
    let figures: Vec<_> = figures.collect();
    if let [(_, _, y)] = figures[..] {
        return canvas.polyline(
            &[(LEFT, y), (RIGHT, y)],
            line.colour,
            line.dash,
            &line.label,
        );
    }
    for (point, x, _) in &figures {
        if let (Some(low), Some(high)) = (point.accuracy.low, point.accuracy.high) {
            canvas.line("whisker", (*x, up(low)), (*x, up(high)), "");
        }
    }
    let points: Vec<(f64, f64)> = figures.into_iter().map(|(_, x, y)| (x, y)).collect();
    if !points.is_empty() {
        canvas.polyline(&points, line.colour, line.dash, &line.label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Estimate, System};

    fn served(as_: &str, answers: u64, value: f64) -> ServedUsers {
        ServedUsers {
            system: "pdpo-individual".into(),
            served_as: as_.into(),
            answers,
            accuracy: Estimate {
                value: Some(value),
                low: Some(value - 0.1),
                high: Some(value + 0.1),
                n: 10,
            },
            ..ServedUsers::default()
        }
    }

    #[test]
    fn answers_stand_at_equal_ratios_and_what_needs_none_is_level() {
        let report = Report {
            systems: vec![System {
                name: "pdpo-individual".into(),
                ..System::default()
            }],
            new_users: vec![
                served("generic user", 0, 0.5),
                served("fitted", 1, 0.25),
                served("fitted", 10, 0.5),
                served("fitted", 100, 1.0),
            ],
            ..Report::default()
        };
        let figure = plot(&report).unwrap();
        // From 52 to 452: 10 is in the middle of 1 and 100. Below 30 there are 24 for a legend of one row and 12 more, so that 1 is
        // at 66 and 0 at 266.
        let path = "52.0,216.0 252.0,166.0 452.0,66.0";
        assert!(figure.svg.contains(path), "{}", figure.svg);
        assert!(figure.svg.contains("44.0,166.0 460.0,166.0"));
        assert!(figure.svg.contains("P-DPO individual: fitted"));
        assert!(plot(&Report::default()).is_none());
    }
}
