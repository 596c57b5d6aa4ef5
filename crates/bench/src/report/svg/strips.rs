//! Every user's accuracy: a strip per system, a dot per user, so that a mean hides nobody.

use std::collections::BTreeMap;

use super::canvas::{Anchor, Canvas, WIDTH, text_width};
use super::{Figure, system_colour};
use crate::report::format::{finite, shorten};
use crate::report::model::{Report, user_name};
use crate::report::system::System;

/// Fewer users than these are bars of their own elsewhere.
const MIN_USERS: usize = 8;
/// What is right of the strips is the means in numbers.
const RIGHT: f64 = WIDTH - 54.0;
const STRIP: f64 = 56.0;
const RADIUS: f64 = 3.6;
/// Dots nearer than this are piled up.
const BINS: f64 = 50.0;
const LABEL_CHARS: usize = 22;

/// The plot; `None` where no system has accuracies of enough users.
pub fn plot(report: &Report) -> Option<Figure> {
    let systems: Vec<(usize, &System)> = report
        .systems
        .iter()
        .enumerate()
        .filter(|(_, system)| users(system).len() >= MIN_USERS)
        .collect();
    if systems.is_empty() {
        return None;
    }
    let title = "Accuracy of every seen user";
    let mut canvas = Canvas::default();
    canvas.text("head", (12.0, 20.0), Anchor::Start, title);
    let label = |system: &System| shorten(system.title(), LABEL_CHARS);
    let widths = systems.iter().map(|(_, s)| text_width(&label(s), 13.0));
    let left = widths.fold(0.0, f64::max) + 18.0;
    let x = |accuracy: f64| left + (RIGHT - left) * accuracy.clamp(0.0, 1.0);
    let (top, bottom) = (34.0, 34.0 + STRIP * systems.len() as f64);
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let class = if tick == 0.5 { "axis" } else { "grid" };
        canvas.line(class, (x(tick), top), (x(tick), bottom), "");
        let at = (x(tick), bottom + 15.0);
        canvas.text("soft small", at, Anchor::Middle, &tick.to_string());
    }
    for (row, (index, system)) in systems.iter().enumerate() {
        let middle = top + STRIP * (row as f64 + 0.5);
        let at = (left - 10.0, middle + 4.5);
        canvas.name(at, Anchor::End, system.title(), &label(system));
        strip(&mut canvas, system, *index, middle, x);
    }
    Some(Figure {
        name: "users".into(),
        title: title.into(),
        caption: "Dots: users; upright lines and numbers: their means. The axis is at 0.5, as good as a coin."
            .into(),
        svg: canvas.finish(title, bottom + 26.0),
    })
}

/// Users with an accuracy.
fn users(system: &System) -> Vec<(&str, f64)> {
    let all = system.accuracy.per_user.iter();
    all.filter_map(|(user, value)| Some((user.as_str(), finite(*value)?)))
        .collect()
}

/// The dots of a system, piled up around the middle where users are alike, and their mean.
fn strip(canvas: &mut Canvas, system: &System, index: usize, middle: f64, x: impl Fn(f64) -> f64) {
    let colour = system_colour(&system.name, index);
    let users = users(system);
    let mut piles: BTreeMap<i64, Vec<(&str, f64)>> = BTreeMap::new();
    for (user, value) in &users {
        let pile = piles.entry((value * BINS).round() as i64).or_default();
        pile.push((user, *value));
    }
    for pile in piles.into_values() {
        let gap = (STRIP - 4.0 * RADIUS) / pile.len() as f64;
        let gap = gap.min(2.0 * RADIUS);
        for (n, (user, value)) in pile.iter().enumerate() {
            let y = middle + gap * (n as f64 - (pile.len() - 1) as f64 / 2.0);
            let tooltip = format!("{}, {}: {value:.2}", system.title(), user_name(user));
            canvas.pale_dot((x(*value), y), RADIUS, colour, &tooltip);
        }
    }
    let values: Vec<f64> = users.iter().map(|(_, value)| *value).collect();
    if let Some(mean) = statistics::mean(&values) {
        let half = STRIP / 2.0 - 4.0;
        let x = x(mean);
        canvas.line("whisker", (x, middle - half), (x, middle + half), "");
        let at = (WIDTH - 8.0, middle + 4.5);
        canvas.text("", at, Anchor::End, &format!("{mean:.2}"));
    }
}
