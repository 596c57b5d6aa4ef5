//! Accuracies of the systems by group, with error bars and yardsticks (Figure 4 of the paper).

use super::canvas::{Anchor, Canvas, Swatch, WIDTH, legend, text_width};
use super::{Figure, system_colour};
use crate::report::format::{finite, natural_key, shorten};
use crate::report::model::{Report, UserInfo, Yardstick};
use crate::report::system::{MeanSe, System};

const LEFT: f64 = 44.0;
const RIGHT: f64 = WIDTH - 8.0;
const HEIGHT: f64 = 240.0;
/// More users than these have no room for bars.
const MAX_USERS: usize = 12;
const MARKS: [&str; 3] = ["6 4", "1.5 3", "9 3 2 3"];

/// One block of bars: a value per system, then one per yardstick.
struct Group {
    label: String,
    bars: Vec<MeanSe>,
    marks: Vec<Option<f64>>,
}

/// The plot; `None` without any accuracy. Without majority and minority the blocks are the users.
pub fn plot(report: &Report) -> Option<Figure> {
    let systems: Vec<&System> = report.systems.iter().filter(|s| has_accuracy(s)).collect();
    let groups = groups(report, &systems);
    if groups.is_empty() {
        return None;
    }
    let title = "Accuracy on held-out comparisons";
    let mut canvas = Canvas::default();
    canvas.text("head", (12.0, 20.0), Anchor::Start, title);
    let top = legend(&mut canvas, 30.0, &legend_entries(report, &systems)) + 12.0;
    axis(&mut canvas, top);
    let slot = (RIGHT - LEFT) / groups.len() as f64;
    for (i, group) in groups.iter().enumerate() {
        draw_group(
            &mut canvas,
            &systems,
            group,
            (LEFT + slot * i as f64, slot),
            top,
        );
    }
    Some(Figure {
        name: "accuracies".into(),
        title: title.into(),
        caption: caption(report),
        svg: canvas.finish(title, top + HEIGHT + 60.0),
    })
}

fn caption(report: &Report) -> String {
    let mut text = "Bars: systems; whiskers: one standard error over users.".to_owned();
    if !report.yardsticks.is_empty() {
        text.push_str(" Dashed lines: what the yardsticks would reach.");
    }
    text
}

fn has_accuracy(system: &System) -> bool {
    let accuracy = &system.accuracy;
    let single = [
        accuracy.top,
        accuracy.generic,
        accuracy.majority.mean,
        accuracy.minority.mean,
    ];
    single
        .into_iter()
        .chain(accuracy.per_user.values().copied())
        .any(|value| finite(value).is_some())
}

fn groups(report: &Report, systems: &[&System]) -> Vec<Group> {
    type Pick = (
        &'static str,
        fn(&System) -> MeanSe,
        fn(&Yardstick) -> Option<f64>,
    );
    let plain = |mean| MeanSe { mean, se: None };
    let picks: [Pick; 4] = [
        (
            "top",
            |s| MeanSe {
                mean: s.accuracy.top,
                se: None,
            },
            |y| y.top,
        ),
        ("majority", |s| s.accuracy.majority, |y| y.majority),
        ("minority", |s| s.accuracy.minority, |y| y.minority),
        (
            "generic",
            |s| MeanSe {
                mean: s.accuracy.generic,
                se: None,
            },
            |y| y.generic,
        ),
    ];
    let mut groups: Vec<Group> = picks
        .iter()
        .map(|(label, bar, mark)| Group {
            label: title(report, label),
            bars: systems.iter().map(|s| bar(s)).collect(),
            marks: report.yardsticks.values().map(mark).collect(),
        })
        .collect();
    let no_groups = systems
        .iter()
        .all(|s| s.accuracy.majority.mean.is_none() && s.accuracy.minority.mean.is_none());
    if no_groups {
        let ids = user_ids(systems);
        let shown = if ids.len() > MAX_USERS { &[] } else { &ids[..] };
        groups.extend(shown.iter().map(|id| {
            Group {
                bars: systems
                    .iter()
                    .map(|s| plain(s.accuracy.per_user.get(id).copied().flatten()))
                    .collect(),
                marks: Vec::new(),
                label: user_label(report, id),
            }
        }));
    }
    groups.retain(|group| group.bars.iter().any(|bar| finite(bar.mean).is_some()));
    groups
}

/// A profile that is one user's alone says more than the user's id.
fn user_label(report: &Report, id: &str) -> String {
    let alone = |group: &&str| {
        let same = |u: &&UserInfo| u.group.as_deref() == Some(*group);
        report.data.users.iter().filter(same).count() == 1
    };
    report.group(id).filter(alone).unwrap_or(id).to_owned()
}

/// Without unseen users, `top` is simply everybody.
fn title(report: &Report, label: &str) -> String {
    let unseen = report.systems.iter().any(|s| s.accuracy.generic.is_some());
    let grouped = report
        .systems
        .iter()
        .any(|s| s.accuracy.majority.mean.is_some());
    match (label, unseen, grouped) {
        ("top", true, false) => "seen users".into(),
        ("top", false, false) => "all".into(),
        ("generic", _, false) => "unseen users".into(),
        _ => label.into(),
    }
}

fn user_ids(systems: &[&System]) -> Vec<String> {
    let mut ids: Vec<String> = systems
        .iter()
        .flat_map(|s| s.accuracy.per_user.keys().cloned())
        .collect();
    ids.sort_by(|a, b| natural_key(a).cmp(&natural_key(b)));
    ids.dedup();
    ids
}

fn legend_entries(report: &Report, systems: &[&System]) -> Vec<(Swatch, String)> {
    let bars = systems.iter().enumerate().map(|(i, s)| {
        (
            Swatch::Fill(system_colour(&s.name, i).into()),
            s.title().to_owned(),
        )
    });
    let marks = report.yardsticks.keys().zip(MARKS.iter().cycle());
    bars.chain(marks.map(|(name, dash)| (Swatch::Mark(dash), name.clone())))
        .collect()
}

fn y(top: f64, value: f64) -> f64 {
    top + HEIGHT * (1.0 - value.clamp(0.0, 1.0))
}

fn axis(canvas: &mut Canvas, top: f64) {
    for i in 0..=5 {
        let value = f64::from(i) / 5.0;
        let class = if i == 0 { "axis" } else { "grid" };
        canvas.line(class, (LEFT, y(top, value)), (RIGHT, y(top, value)), "");
        canvas.text(
            "soft small",
            (LEFT - 6.0, y(top, value) + 4.0),
            Anchor::End,
            &format!("{value:.1}"),
        );
    }
    canvas.text(
        "soft",
        ((LEFT + RIGHT) / 2.0, top + HEIGHT + 52.0),
        Anchor::Middle,
        "accuracy (0 to 1) by group of users",
    );
}

fn draw_group(
    canvas: &mut Canvas,
    systems: &[&System],
    group: &Group,
    (left, slot): (f64, f64),
    top: f64,
) {
    let inner = slot * 0.86;
    let start = left + (slot - inner) / 2.0;
    let width = inner / systems.len() as f64;
    for (i, (system, bar)) in systems.iter().zip(&group.bars).enumerate() {
        let Some(mean) = finite(bar.mean) else {
            continue;
        };
        let x = start + width * i as f64;
        let colour = system_colour(&system.name, i);
        let tooltip = format!("{}, {}: {mean:.3}", system.title(), group.label);
        canvas.bar(
            (x + 1.0, y(top, mean)),
            (width - 2.0, y(top, 0.0) - y(top, mean)),
            colour,
            &tooltip,
        );
        if let Some(se) = finite(bar.se).filter(|se| *se > 0.0) {
            whisker(
                canvas,
                x + width / 2.0,
                y(top, mean + se),
                y(top, mean - se),
            );
        }
        // Beneath the axis, where neither whiskers nor yardsticks cross the number.
        let label = format!("{mean:.2}");
        if width >= text_width(&label, 11.5) {
            let at = (x + width / 2.0, top + HEIGHT + 14.0);
            canvas.text("soft small", at, Anchor::Middle, &label);
        }
    }
    for (mark, dash) in group.marks.iter().zip(MARKS.iter().cycle()) {
        if let Some(value) = finite(*mark) {
            canvas.line(
                "mark",
                (left + 2.0, y(top, value)),
                (left + slot - 2.0, y(top, value)),
                dash,
            );
        }
    }
    let label = shorten(&group.label, (slot / 7.3) as usize);
    let at = (left + slot / 2.0, top + HEIGHT + 32.0);
    canvas.name(at, Anchor::Middle, &group.label, &label);
}

fn whisker(canvas: &mut Canvas, x: f64, high: f64, low: f64) {
    canvas.line("whisker", (x, high), (x, low), "");
    canvas.line("whisker", (x - 4.0, high), (x + 4.0, high), "");
    canvas.line("whisker", (x - 4.0, low), (x + 4.0, low), "");
}
