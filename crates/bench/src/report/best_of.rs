//! The best of N responses by a reward model, as a table.

use super::format::{self, MISSING};
use super::measures::BestOf;
use super::model::Report;
use super::table::Table;

const NOTE: &str = "Of N responses sampled for a user, or of a system that answers everyone alike for all, the one is kept that the reward model ranks first for \
     that user. KL: at most so far from one response, log N - (N - 1) / N in nats. Reward: mean over users and prompts, in units of the reward model, \
     which say nothing beside another's. Gain: over the first of the N. Words: mean with median. Preferred: how often the user's simulated preference is for the \
     one kept rather than for the first of the N, which is among them; where they are one, or equally good, a half (even: how often). Tied: another text \
     has the same reward, and the first is kept. 95 % intervals over seeds, users and prompts.";

/// A row per reward model, writer, group and N; `None` where nothing was chosen.
pub fn table(report: &Report) -> Option<Table> {
    let columns = [
        "reward model",
        "responses of",
        "for",
        "N",
        "KL",
        "reward",
        "gain",
        "words",
        "preferred",
        "even",
        "tied",
    ];
    let mut table = Table::new("Best of N responses", NOTE, &columns);
    table.rows = report.best_of.iter().map(|one| row(report, one)).collect();
    (!table.rows.is_empty()).then(|| table.without_missing_columns())
}

fn row(report: &Report, one: &BestOf) -> Vec<String> {
    let missing = || MISSING.to_owned();
    vec![
        report.title_of(&one.system).to_owned(),
        report.title_of(&one.writer).to_owned(),
        one.group.clone(),
        one.count.to_string(),
        format!("{:.2}", one.kl_bound),
        format::estimate(one.reward),
        one.gain.map_or_else(missing, format::estimate),
        format!(
            "{} ({})",
            format::one_decimal(Some(one.words)),
            one.median_words
        ),
        one.wins.map_or_else(missing, format::estimate),
        format::percent(one.even),
        format::percent(Some(one.tied)),
    ]
}
