//! Every system's figures over the seeds of a run.

use super::{SeedResult, assemble};
use crate::config::ExperimentConfig;
use crate::report::format::{MISSING, decimal, one_decimal, percent};
use crate::report::{Report, System, Table};

/// A figure: its column, where it is, how it is shown.
type Figure = (
    &'static str,
    fn(&System) -> Option<f64>,
    fn(Option<f64>) -> String,
);

const FIGURES: [Figure; 8] = [
    ("top", |s| s.accuracy.top, decimal),
    ("generic", |s| s.accuracy.generic, decimal),
    ("majority", |s| s.accuracy.majority.mean, decimal),
    ("minority", |s| s.accuracy.minority.mean, decimal),
    ("words majority", |s| s.words.majority, one_decimal),
    ("words minority", |s| s.words.minority, one_decimal),
    ("words generic", |s| s.words.generic, one_decimal),
    ("empty minority", |s| s.empty_share.minority, percent),
];

/// Rows per system: the mean with its interval, then every seed; `None` for a single seed.
pub fn table<D>(
    report: &Report,
    config: &ExperimentConfig<D>,
    results: &[SeedResult],
) -> Option<Table> {
    if results.len() < 2 {
        return None;
    }
    let mut table = Table::new(
        "Over seeds",
        "Means over seeds with 95 % intervals (Student's t), then each seed. The other tables pool the seeds.",
        &["system", "seed"],
    );
    let names = FIGURES.map(|(name, ..)| name.to_owned());
    table.columns.extend(names);
    for system in &report.systems {
        let seeds = results.iter().map(std::slice::from_ref);
        let each: Vec<System> = seeds
            .map(|seed| assemble::system(&system.name, config, seed))
            .collect();
        let means = FIGURES.iter().map(|figure| mean(figure, &each));
        table.rows.push(row(system, "mean".into(), means));
        for (result, system) in results.iter().zip(&each) {
            let figures = FIGURES.iter().map(|(_, pick, shown)| shown(pick(system)));
            table
                .rows
                .push(row(system, result.seed.to_string(), figures));
        }
    }
    Some(table.without_missing_columns())
}

fn row(system: &System, seed: String, cells: impl Iterator<Item = String>) -> Vec<String> {
    let names = [system.title().to_owned(), seed];
    names.into_iter().chain(cells).collect()
}

/// `0.920 [0.870, 0.970]`
fn mean((_, pick, shown): &Figure, seeds: &[System]) -> String {
    let values: Vec<f64> = seeds.iter().filter_map(pick).collect();
    let (Some(mean), Some(interval)) = (
        statistics::mean(&values),
        statistics::mean_interval(&values),
    ) else {
        return MISSING.into();
    };
    let [mean, low, high] = [mean, interval.low, interval.high].map(|value| shown(Some(value)));
    format!("{mean} [{low}, {high}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_has_students_interval() {
        let of = |top: Option<f64>| {
            let mut system = System::default();
            system.accuracy.top = top;
            system
        };
        // 0.9, 0.92, 0.94: se 0.02 / sqrt(3) = 0.011547, times 4.3027 = 0.0497.
        let seeds = [0.9, 0.92, 0.94].map(|top| of(Some(top)));
        assert_eq!(mean(&FIGURES[0], &seeds), "0.920 [0.870, 0.970]");
        assert_eq!(mean(&FIGURES[0], &[of(None), of(Some(0.5))]), MISSING);
    }
}
