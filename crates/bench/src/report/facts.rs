//! The tables of what a run started from: data, settings, machine.

use super::format;
use super::model::{Report, SplitCounts};
use super::table::Table;

/// Sizes of the splits (Table 3 of the paper); `None` where they are not known.
pub fn splits(report: &Report) -> Option<Table> {
    let mut table = Table::new(
        "Comparisons",
        split_note(report),
        &[
            "side",
            "all",
            "seen users",
            "unseen users",
            "seen majority",
            "seen minority",
            "unseen majority",
            "unseen minority",
        ],
    );
    table.rows = report.data.splits.iter().map(split_row).collect();
    (!table.rows.is_empty()).then_some(table.without_missing_columns())
}

fn split_note(report: &Report) -> &'static str {
    let grouped = |split: &SplitCounts| split.seen_majority.is_some();
    match report.data.splits.iter().any(grouped) {
        true => "Shares are of the seen and of the unseen users' comparisons.",
        false => "",
    }
}

fn split_row(split: &SplitCounts) -> Vec<String> {
    vec![
        split.name.clone(),
        format::count(split.total),
        format::maybe_count(split.seen),
        format::maybe_count(split.unseen),
        with_share(split.seen_majority, split.seen_minority),
        with_share(split.seen_minority, split.seen_majority),
        with_share(split.unseen_majority, split.unseen_minority),
        with_share(split.unseen_minority, split.unseen_majority),
    ]
}

fn with_share(part: Option<u64>, other: Option<u64>) -> String {
    match (part, other) {
        (Some(part), Some(other)) if part + other > 0 => {
            format!(
                "{} ({:.1} %)",
                format::count(part),
                100.0 * part as f64 / (part + other) as f64
            )
        }
        _ => format::maybe_count(part),
    }
}

/// Differences from the paper; `None` when there are none.
pub fn differences(report: &Report) -> Option<Table> {
    let mut table = Table::new(
        "Differences from the paper",
        "",
        &["setting", "here", "paper", "why"],
    );
    table.rows = report
        .settings_note
        .iter()
        .map(|d| {
            vec![
                d.setting.clone(),
                d.here.clone(),
                d.paper.clone(),
                d.reason.clone(),
            ]
        })
        .collect();
    (!table.rows.is_empty()).then_some(table)
}

/// The settings of the run; `None` when none are given.
pub fn settings(report: &Report) -> Option<Table> {
    let mut table = Table::new(
        "Settings",
        "All of them are in config.toml.",
        &["setting", "value"],
    );
    table.rows = report
        .settings
        .iter()
        .map(|s| vec![s.name.clone(), s.value.clone()])
        .collect();
    (!table.rows.is_empty()).then_some(table)
}

/// `seed 0`, or `seeds 0, 1, 2`.
pub fn seeds(report: &Report) -> String {
    let word = match report.seeds.len() {
        0 | 1 => "seed",
        _ => "seeds",
    };
    format!("{word} {}", seed_numbers(report))
}

fn seed_numbers(report: &Report) -> String {
    let seeds = report.seeds.iter().map(u64::to_string);
    match report.seeds.is_empty() {
        true => report.seed.to_string(),
        false => seeds.collect::<Vec<_>>().join(", "),
    }
}

/// Data, model and machine.
pub fn environment(report: &Report) -> Table {
    let (data, model, env) = (&report.data, &report.model, &report.environment);
    let text = |value: &Option<String>| value.clone();
    let number = |value: Option<u64>| value.map(format::count);
    let rows = [
        ("data", Some(data.source.clone())),
        (
            "train, held out",
            Some(format!(
                "{}, {}",
                format::count(data.train),
                format::count(data.eval)
            )),
        ),
        ("validation", number(data.validation)),
        ("users", Some(format::count(data.workers))),
        ("split by", text(&data.split_by)),
        ("pooled splits", number(data.pooled_splits)),
        ("model", Some(model.source.clone())),
        ("parameters", Some(format::count(model.parameters))),
        ("SFT stage", text(&model.sft)),
        ("seed", Some(seed_numbers(report))),
        (
            "population seed",
            report.population_seed.map(|seed| seed.to_string()),
        ),
        ("command", text(&env.command)),
        ("device", text(&env.device)),
        ("processor", text(&env.cpu)),
        ("threads", number(env.threads)),
        ("system", text(&env.os)),
        ("version", text(&env.version)),
        (
            "total time",
            env.seconds.map(|seconds| format::seconds(Some(seconds))),
        ),
    ];
    let mut table = Table::new("Run", "", &["what", "value"]);
    table.rows = rows
        .into_iter()
        .filter_map(|(name, value)| Some(vec![name.into(), value?]))
        .collect();
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::format::MISSING;

    #[test]
    fn shares_are_of_seen_users_as_in_table_3() {
        // Reference, section 3: 16,607 of 23,299 are 71.28 %.
        assert_eq!(with_share(Some(16_607), Some(6_692)), "16,607 (71.3 %)");
        assert_eq!(with_share(None, None), MISSING);
        assert_eq!(with_share(Some(0), Some(0)), "0");
    }
}
