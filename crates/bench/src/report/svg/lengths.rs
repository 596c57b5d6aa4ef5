//! Response lengths per user (Figure 3 of the paper).

use super::canvas::{Anchor, Canvas, Swatch, WIDTH, legend, text_width, tick_label, ticks};
use super::{Figure, system_colour};
use crate::report::format::{finite, natural_key, shorten};
use crate::report::model::{Report, user_name};
use crate::report::system::System;

const MAJORITY: &str = "#56B4E9";
const MINORITY: &str = "#D55E00";
const OTHER: &str = "#8A8F98";
const RIGHT: f64 = WIDTH - 12.0;
/// More users than these have no room for bars.
const MAX_USERS: usize = 40;
const LABEL_CHARS: usize = 13;
/// The systems whose answer to everyone is drawn beneath the users' bars.
const REFERENCES: [&str; 2] = [VANILLA, "sft"];
const VANILLA: &str = "vanilla-dpo";
const VANILLA_DASH: &str = "5 4";

/// One bar.
struct Row {
    name: String,
    /// The name, cut where it is long.
    label: String,
    words: f64,
    empty: Option<f64>,
    fill: String,
}

/// One plot per system with lengths per user; all share one scale. None where measures of the texts say more, where no group
/// of users is expected to differ from another, or where there are too many users for bars.
pub fn plots(report: &Report) -> Vec<Figure> {
    let few = |s: &System| s.words.per_user.len() <= MAX_USERS;
    let grouped = report.data.users.iter().any(|user| user.group.is_some());
    if !report.text_measures.is_empty() || !grouped || !report.systems.iter().all(few) {
        return Vec::new();
    }
    let longest = report
        .systems
        .iter()
        .flat_map(all_lengths)
        .fold(0.0, f64::max);
    let shown = report
        .systems
        .iter()
        .filter(|s| !s.words.per_user.is_empty() && !REFERENCES.contains(&s.name.as_str()));
    shown.map(|system| plot(report, system, longest)).collect()
}

fn all_lengths(system: &System) -> impl Iterator<Item = f64> + '_ {
    system
        .words
        .per_user
        .values()
        .copied()
        .chain([system.words.generic])
        .filter_map(finite)
}

fn plot(report: &Report, system: &System, longest: f64) -> Figure {
    let title = format!("Response length per user, {}", system.title());
    let mut canvas = Canvas::default();
    let minority = canvas.hatch(&format!("hatch-{}", id(&system.name)), MINORITY);
    let rows = rows(report, system, &minority);
    canvas.text("head", (12.0, 20.0), Anchor::Start, &title);
    let top = legend(&mut canvas, 30.0, &legend_entries(report, &minority)) + 6.0;
    let step = if rows.len() > 20 { 17.0 } else { 22.0 };
    let bottom = top + step * rows.len() as f64 + 4.0;
    let widest = rows
        .iter()
        .map(|row| text_width(&row.label, 13.0))
        .fold(0.0, f64::max);
    let left = widest + 12.0;
    let ticks = ticks(longest);
    // Room for the number after the longest bar.
    let scale = (RIGHT - left - 44.0) / ticks.last().copied().unwrap_or(1.0);
    axis(&mut canvas, &ticks, left, scale, (top, bottom));
    let row_y = |i: usize| top + 4.0 + step * i as f64;
    for (i, row) in rows.iter().enumerate() {
        draw_bar(&mut canvas, row, (left, row_y(i)), step - 5.0, scale);
    }
    if let Some(words) = vanilla_words(report) {
        let x = left + words * scale;
        canvas.line("mark", (x, top), (x, bottom), VANILLA_DASH);
    }
    for (i, row) in rows.iter().enumerate() {
        draw_labels(
            &mut canvas,
            row,
            (left, row_y(i) + (step - 5.0) / 2.0),
            scale,
        );
    }
    Figure {
        name: format!("lengths-{}", id(&system.name)),
        caption: "Mean words of sampled responses to the same prompts.".into(),
        svg: canvas.finish(&title, bottom + 42.0),
        title,
    }
}

fn vanilla_words(report: &Report) -> Option<f64> {
    finite(report.system(VANILLA)?.words.generic)
}

fn rows(report: &Report, system: &System, minority: &str) -> Vec<Row> {
    let mut ids: Vec<&String> = system.words.per_user.keys().collect();
    ids.sort_by(|a, b| natural_key(a).cmp(&natural_key(b)));
    let mut rows: Vec<Row> = ids
        .into_iter()
        .filter_map(|id| user_row(report, system, id, minority))
        .collect();
    let own = system_colour(&system.name, 0);
    rows.extend(generic_row(system, "generic user", own));
    let references = REFERENCES.iter().filter_map(|name| report.system(name));
    rows.extend(references.filter_map(|s| generic_row(s, s.title(), system_colour(&s.name, 0))));
    rows
}

fn user_row(report: &Report, system: &System, id: &str, minority: &str) -> Option<Row> {
    let words = finite(system.words.per_user.get(id).copied().flatten())?;
    let fill = match report.group(id) {
        Some("majority") => MAJORITY,
        Some("minority") => minority,
        _ => OTHER,
    };
    Some(Row {
        name: user_name(id),
        label: user_label(id),
        words,
        empty: system.empty_share.per_user.get(id).copied().flatten(),
        fill: fill.into(),
    })
}

fn generic_row(system: &System, label: &str, fill: &str) -> Option<Row> {
    let words = finite(system.words.generic)?;
    Some(Row {
        name: label.into(),
        label: shorten(label, LABEL_CHARS),
        words,
        empty: system.empty_share.generic,
        fill: fill.into(),
    })
}

fn legend_entries(report: &Report, minority: &str) -> Vec<(Swatch, String)> {
    let has = |group: &str| {
        report
            .data
            .users
            .iter()
            .any(|user| user.group.as_deref() == Some(group))
    };
    [("majority", MAJORITY), ("minority", minority)]
        .into_iter()
        .filter(|(group, _)| has(group))
        .map(|(group, fill)| (Swatch::Fill(fill.into()), group.to_owned()))
        .chain(
            vanilla_words(report).map(|_| (Swatch::Mark(VANILLA_DASH), "vanilla DPO".to_owned())),
        )
        .collect()
}

fn axis(canvas: &mut Canvas, ticks: &[f64], left: f64, scale: f64, (top, bottom): (f64, f64)) {
    for tick in ticks {
        let x = left + tick * scale;
        let class = if *tick == 0.0 { "axis" } else { "grid" };
        canvas.line(class, (x, top), (x, bottom), "");
        canvas.text(
            "soft small",
            (x, bottom + 15.0),
            Anchor::Middle,
            &tick_label(*tick),
        );
    }
    canvas.text(
        "soft",
        ((left + RIGHT - 44.0) / 2.0, bottom + 35.0),
        Anchor::Middle,
        "mean words per sampled response",
    );
}

/// `user 4`, or a long id alone.
fn user_label(id: &str) -> String {
    match id.chars().count() {
        0..=10 => user_name(id),
        _ => shorten(id, LABEL_CHARS),
    }
}

fn draw_bar(canvas: &mut Canvas, row: &Row, at: (f64, f64), height: f64, scale: f64) {
    let tooltip = format!("{}: {:.1} words", row.name, row.words);
    canvas.bar(at, (row.words * scale, height), &row.fill, &tooltip);
}

fn draw_labels(canvas: &mut Canvas, row: &Row, (left, middle): (f64, f64), scale: f64) {
    let value = match finite(row.empty).filter(|share| *share >= 0.005) {
        Some(share) => format!("{:.1}, {:.0} % empty", row.words, share * 100.0),
        None => format!("{:.1}", row.words),
    };
    let x = left + row.words * scale + 6.0;
    let at = (left - 6.0, middle + 4.5);
    canvas.name(at, Anchor::End, &row.name, &row.label);
    canvas.text("small halo", (x, middle + 4.0), Anchor::Start, &value);
}

/// A name that is safe as file name and as id: other characters become `-`.
fn id(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}
