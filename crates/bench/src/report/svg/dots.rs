//! Measures of the sampled texts, one plot each: a row per user, a dot with its interval per system.

use super::canvas::{Anchor, Canvas, Swatch, WIDTH, legend, text_width, tick_label};
use super::{Figure, system_colour};
use crate::report::format::{finite, natural_key, shorten};
use crate::report::measures::TextMeasure;
use crate::report::model::Report;
use crate::report::system::Estimate;

const RIGHT: f64 = WIDTH - 16.0;
const ROW: f64 = 30.0;
/// More users than these have no room for rows.
const MAX_USERS: usize = 16;
const MARKS: [&str; 3] = ["5 4", "1.5 3", "9 3 2 3"];

/// One plot per measure.
pub fn plots(report: &Report) -> Vec<Figure> {
    let measures = report.text_measures.iter();
    measures
        .filter_map(|measure| plot(report, measure))
        .collect()
}

fn plot(report: &Report, measure: &TextMeasure) -> Option<Figure> {
    let users = users(measure);
    let tell_apart = systems(report, |name| {
        users.iter().any(|u| has(measure, name, Some(u)))
    });
    if users.is_empty() || users.len() > MAX_USERS || tell_apart.is_empty() {
        return None;
    }
    let everyone = systems(report, |name| {
        has(measure, name, None) && tell_apart.iter().all(|(_, n)| *n != name)
    });
    let scale = Scale::new(measure, label_width(report, &users))?;
    let title = capitalised(&measure.title);
    let mut canvas = Canvas::default();
    canvas.text("head", (12.0, 20.0), Anchor::Start, &title);
    let top = legend(&mut canvas, 30.0, &entries(report, &tell_apart, &everyone)) + 6.0;
    let bottom = top + ROW * users.len() as f64;
    scale.draw(&mut canvas, top, bottom);
    for ((_, name), dash) in everyone.iter().zip(MARKS.iter().cycle()) {
        if let Some(value) = measure.of(name, None).and_then(|e| finite(e.value)) {
            let x = scale.x(value);
            canvas.line("mark", (x, top), (x, bottom), dash);
        }
    }
    for (i, user) in users.iter().enumerate() {
        let middle = top + ROW * (i as f64 + 0.5);
        let who = user_label(report, user);
        let at = (scale.left - 8.0, middle + 4.5);
        canvas.name(at, Anchor::End, &who, &shorten(&who, 16));
        for (k, (index, name)) in tell_apart.iter().enumerate() {
            let Some(estimate) = measure.of(name, Some(user)) else {
                continue;
            };
            let offset = (k as f64 - (tell_apart.len() - 1) as f64 / 2.0) * 9.0;
            let colour = system_colour(name, *index);
            let who = format!("{}, {who}", report.title_of(name));
            scale.dot(&mut canvas, middle + offset, estimate, colour, &who);
        }
    }
    Some(Figure {
        name: format!("texts-{}", measure.key.replace('_', "-")),
        caption: "Dots: means over prompts, with 95 % bootstrap intervals. Dashed lines: systems that answer everyone alike."
            .into(),
        svg: canvas.finish(&title, bottom + 26.0),
        title,
    })
}

/// A title begins with a capital, whatever the measure is called within a sentence.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

fn has(measure: &TextMeasure, system: &str, user: Option<&str>) -> bool {
    let value = measure.of(system, user).and_then(|e| e.value);
    finite(value).is_some()
}

/// Systems that `keep` keeps, with their places in the report.
fn systems(report: &Report, keep: impl Fn(&str) -> bool) -> Vec<(usize, &str)> {
    let systems = report.systems.iter().enumerate();
    let names = systems.map(|(i, system)| (i, system.name.as_str()));
    names.filter(|(_, name)| keep(name)).collect()
}

fn users(measure: &TextMeasure) -> Vec<&str> {
    let values = measure.values.iter();
    let mut users: Vec<&str> = values.filter_map(|v| v.user.as_deref()).collect();
    users.sort_by(|a, b| natural_key(a).cmp(&natural_key(b)));
    users.dedup();
    users
}

fn user_label(report: &Report, user: &str) -> String {
    match report.group(user) {
        Some(group) => format!("{user}, {group}"),
        None => user.into(),
    }
}

fn label_width(report: &Report, users: &[&str]) -> f64 {
    let widths = users
        .iter()
        .map(|user| text_width(&shorten(&user_label(report, user), 16), 13.0));
    widths.fold(20.0, f64::max)
}

fn entries(
    report: &Report,
    tell_apart: &[(usize, &str)],
    everyone: &[(usize, &str)],
) -> Vec<(Swatch, String)> {
    let dots = tell_apart.iter().map(|(index, name)| {
        let colour = system_colour(name, *index);
        (
            Swatch::Fill(colour.into()),
            report.title_of(name).to_owned(),
        )
    });
    let marks = everyone.iter().zip(MARKS.iter().cycle());
    let marks =
        marks.map(|((_, name), dash)| (Swatch::Mark(dash), report.title_of(name).to_owned()));
    dots.chain(marks).collect()
}

/// From a value to a place.
struct Scale {
    left: f64,
    low: f64,
    step: f64,
    steps: usize,
}

impl Scale {
    /// Round numbers around all values and intervals, 0 among them unless values are negative.
    fn new(measure: &TextMeasure, label_width: f64) -> Option<Self> {
        let ends = measure.values.iter().flat_map(|v| {
            let e = v.estimate;
            [e.value, e.low, e.high].into_iter().filter_map(finite)
        });
        let (low, high) = ends.fold((0.0_f64, f64::MIN), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        if high == f64::MIN {
            return None;
        }
        let raw = ((high.max(low + 1e-6) - low) / 5.0).max(0.02);
        let power = 10_f64.powf(raw.log10().floor());
        let sizes = [1.0, 2.0, 5.0, 10.0].map(|m| m * power);
        let step = sizes.into_iter().find(|s| *s >= raw * 0.999).unwrap_or(raw);
        let low = (low / step).floor() * step;
        Some(Self {
            left: label_width + 14.0,
            low,
            step,
            steps: ((high - low) / step - 1e-9).ceil().max(1.0) as usize,
        })
    }

    fn x(&self, value: f64) -> f64 {
        let span = self.step * self.steps as f64;
        self.left + (RIGHT - self.left) * ((value - self.low) / span).clamp(0.0, 1.0)
    }

    fn draw(&self, canvas: &mut Canvas, top: f64, bottom: f64) {
        for i in 0..=self.steps {
            let value = self.low + self.step * i as f64;
            let x = self.x(value);
            let class = if value.abs() < 1e-9 { "axis" } else { "grid" };
            canvas.line(class, (x, top), (x, bottom), "");
            let at = (x, bottom + 15.0);
            canvas.text("soft small", at, Anchor::Middle, &tick_label(value));
        }
    }

    fn dot(&self, canvas: &mut Canvas, y: f64, estimate: Estimate, colour: &str, who: &str) {
        let Some(value) = finite(estimate.value) else {
            return;
        };
        let (low, high) = (finite(estimate.low), finite(estimate.high));
        let mut tooltip = format!("{who}: {value:.1}");
        if let (Some(low), Some(high)) = (low, high) {
            canvas.polyline(&[(self.x(low), y), (self.x(high), y)], colour, "", who);
            tooltip += &format!(" [{low:.1}, {high:.1}]");
        }
        canvas.dot((self.x(value), y), 5.0, colour, &tooltip);
    }
}
