//! The tables of what was measured.

use super::format::{self, MISSING};
use super::measures::Duel;
use super::model::{Report, Yardstick};
use super::system::{Estimate, RatioBand, System};
use super::table::Table;

/// Accuracies of systems and yardsticks.
pub fn accuracies(report: &Report) -> Table {
    let average = report
        .systems
        .iter()
        .any(|system| system.accuracy.average.is_some());
    let mut table = Table::new(
        "Accuracy on held-out comparisons",
        "",
        &["system", "loss", "top", "generic", "majority", "minority"],
    );
    if average {
        table.columns.push("all users".into());
    }
    table.rows = report
        .systems
        .iter()
        .map(|system| accuracy_row(system, average))
        .collect();
    table.rows.extend(
        report
            .yardsticks
            .iter()
            .map(|(name, yardstick)| yardstick_row(name, yardstick, average)),
    );
    let mut table = table.without_missing_columns();
    table.note = accuracy_note(report, &table);
    table
}

/// How to read the columns that are there.
fn accuracy_note(report: &Report, table: &Table) -> String {
    let has = |name: &str| table.columns.iter().any(|column| column == name);
    let sentences = [
        ("top", "Top: all comparisons of seen users, pooled."),
        (
            "generic",
            "Generic: unseen users, scored as the generic user.",
        ),
        (
            "majority",
            "Majority and minority: mean over users ± standard error.",
        ),
        (
            "all users",
            "All users: mean over seen users ± standard error.",
        ),
    ];
    let mut shown: Vec<&str> = sentences
        .iter()
        .filter(|(column, _)| has(column))
        .map(|(_, sentence)| *sentence)
        .collect();
    if report.system("sft").is_some() {
        shown.push(
            "SFT is the reference: its implicit reward is 0 everywhere, so it has no accuracy.",
        );
    }
    shown.join(" ")
}

fn accuracy_row(system: &System, average: bool) -> Vec<String> {
    let accuracy = &system.accuracy;
    let mut row = vec![
        system.title().into(),
        system.loss.clone().unwrap_or_else(|| MISSING.into()),
        format::decimal(accuracy.top),
        format::decimal(accuracy.generic),
        format::mean_se(accuracy.majority),
        format::mean_se(accuracy.minority),
    ];
    if average {
        row.push(format::mean_se(accuracy.average.unwrap_or_default()));
    }
    row
}

fn yardstick_row(name: &str, yardstick: &Yardstick, average: bool) -> Vec<String> {
    let mut row = vec![format!("yardstick: {name}"), MISSING.into()];
    row.extend(
        [
            yardstick.top,
            yardstick.generic,
            yardstick.majority,
            yardstick.minority,
        ]
        .map(format::decimal),
    );
    if average {
        row.push(MISSING.into());
    }
    row
}

/// Lengths of sampled responses and the share of empty ones; `None` where measures of the texts say it all.
pub fn responses(report: &Report) -> Option<Table> {
    if !report.text_measures.is_empty() {
        return None;
    }
    let mut table = Table::new(
        "Sampled responses",
        "Mean length in words with the median, and the share of empty responses. A system without users answers everyone alike: see \
         the generic column.",
        &[
            "system",
            "words majority",
            "words minority",
            "words generic",
            "empty majority",
            "empty minority",
            "empty generic",
        ],
    );
    table.rows = report.systems.iter().map(response_row).collect();
    let table = table.without_missing_columns();
    (table.columns.len() > 1).then_some(table)
}

fn response_row(system: &System) -> Vec<String> {
    let (words, empty) = (&system.words, &system.empty_share);
    let mut row = vec![system.title().into()];
    let medians = &system.median_words;
    row.extend([
        with_median(words.majority, medians.majority),
        with_median(words.minority, medians.minority),
        with_median(words.generic, medians.generic),
    ]);
    row.extend([empty.majority, empty.minority, empty.generic].map(format::percent));
    row
}

/// `18.3 (19)`
fn with_median(mean: Option<f64>, median: Option<f64>) -> String {
    let mean = format::one_decimal(mean);
    match format::finite(median) {
        Some(median) => format!("{mean} ({median})"),
        None => mean,
    }
}

/// What each system cost, and whether it is still a language model.
pub fn costs(report: &Report) -> Table {
    let mut table = Table::new(
        "Cost and health",
        "KL: mean divergence to the reference per response, in nats. Held-out loss: nats per token on text no system was \
         trained on. Memory: peak of the whole process.",
        &[
            "system",
            "LLM weights",
            "user weights",
            "steps",
            "time",
            "comparisons/s",
            "memory",
            "KL",
            "held-out loss",
        ],
    );
    table.rows = report.systems.iter().map(cost_row).collect();
    table.without_missing_columns()
}

fn cost_row(system: &System) -> Vec<String> {
    vec![
        system.title().into(),
        format::maybe_count(system.trainable.llm),
        format::maybe_count(system.trainable.users),
        format::maybe_count(system.steps),
        format::seconds(system.seconds),
        format::one_decimal(system.comparisons_per_second),
        format::bytes(system.peak_rss_bytes),
        format::decimal(system.kl_to_reference),
        format::decimal(system.heldout_loss),
    ]
}

/// Accuracy by length ratio; `None` where no system was broken down.
pub fn ratios(report: &Report) -> Option<Table> {
    let mut table = Table::new(
        "Accuracy by length ratio",
        "Ratio of the longer to the shorter response; 95 % intervals.",
        &[
            "system",
            "ratio",
            "comparisons",
            "top",
            "majority",
            "minority",
        ],
    );
    for system in &report.systems {
        let bands = system.accuracy.by_ratio.iter().flatten();
        table.rows.extend(bands.map(|band| ratio_row(system, band)));
    }
    (!table.rows.is_empty()).then_some(table)
}

fn ratio_row(system: &System, band: &RatioBand) -> Vec<String> {
    let ratio = match band.hi {
        Some(hi) => format!("{:.2} to {hi:.2}", band.lo),
        None => format!("{:.2} and more", band.lo),
    };
    let mut row = vec![system.title().into(), ratio, format::count(band.n)];
    row.extend([band.top, band.majority, band.minority].map(format::estimate));
    row
}

/// Measures of the sampled texts; `None` where there are none.
pub fn text_measures(report: &Report) -> Option<Table> {
    let first = report.text_measures.first()?;
    let mut table = Table::new(
        "Measures of the sampled texts",
        "Means over prompts with 95 % bootstrap intervals. A system that answers everyone alike has one row.",
        &["system", "user"],
    );
    let titles = report.text_measures.iter().map(|m| m.title.clone());
    table.columns.extend(titles);
    let mut writers: Vec<_> = first
        .values
        .iter()
        .map(|v| (v.system.as_str(), v.user.as_deref()))
        .collect();
    let place = |name: &str| report.systems.iter().position(|s| s.name == name);
    writers.sort_by(|a, b| {
        (place(a.0), a.1.map(format::natural_key)).cmp(&(place(b.0), b.1.map(format::natural_key)))
    });
    for (system, user) in writers {
        let who = report.reader_title(system, user);
        let mut row = vec![report.title_of(system).to_owned(), who];
        let measured = report.text_measures.iter().map(|m| m.of(system, user));
        row.extend(measured.map(|e| format::short_estimate(e.unwrap_or_default())));
        table.rows.push(row);
    }
    Some(table)
}

/// Win rates; `None` where nobody judged.
pub fn win_rates(report: &Report) -> Option<Table> {
    let mut table = Table::new(
        "Win rates",
        "Win rate: ties as half, over samples and as mean over users, with 95 % bootstrap intervals over users. P-SOUPS: wins \
         of all items, mean over users. PRISM: by the paper's conventions, which favour ties. Not counted: answers that could \
         not be read, and items without an answer.",
        &[
            "system",
            "against",
            "win rate",
            "per user",
            "P-SOUPS",
            "PRISM",
            "PRISM per user",
            "wins, ties, losses",
            "not counted",
        ],
    );
    table.rows = report
        .duels
        .iter()
        .map(|duel| duel_row(report, duel))
        .collect();
    (!table.rows.is_empty()).then_some(table)
}

fn duel_row(report: &Report, duel: &Duel) -> Vec<String> {
    let rates = &duel.rates;
    let rate = |estimate: Option<judge::Estimate>| {
        let estimate = estimate.map(|e| Estimate {
            value: Some(e.value),
            low: e.low,
            high: e.high,
            n: 0,
        });
        format::estimate(estimate.unwrap_or_default())
    };
    let mut row = vec![
        report.title_of(&duel.system).to_owned(),
        report.title_of(&duel.opponent).to_owned(),
    ];
    row.extend(
        [
            rates.per_sample,
            rates.per_user,
            rates.psoups,
            rates.prism_per_sample,
            rates.prism_per_user,
        ]
        .map(rate),
    );
    let counts = rates.counts;
    row.push(format!(
        "{}, {}, {}",
        counts.wins, counts.ties, counts.losses
    ));
    row.push(format::count(duel.unparsable + duel.unjudged));
    row
}

/// More users than these make a table that nobody reads.
const MAX_USERS: usize = 60;

/// Accuracy and length per user; `None` without seen users.
pub fn users(report: &Report) -> Option<Table> {
    if report.data.users.is_empty() {
        return None;
    }
    let mut table = Table::new(
        "Users",
        "Training and held-out comparisons, then accuracy per system, with the mean words of the sampled responses.",
        &["user", "group", "train", "held out"],
    );
    let shown: Vec<&System> = report.systems.iter().filter(|s| has_users(s)).collect();
    table
        .columns
        .extend(shown.iter().map(|system| system.title().to_owned()));
    let mut users: Vec<_> = report.data.users.iter().collect();
    users.sort_by(|a, b| format::natural_key(&a.id).cmp(&format::natural_key(&b.id)));
    let left_out = users.len().saturating_sub(MAX_USERS);
    if left_out > 0 {
        let more = format!(" The first {MAX_USERS}; report.json has the other {left_out} as well.");
        table.note.push_str(&more);
    }
    for user in users.into_iter().take(MAX_USERS) {
        let group = user.group.as_deref().unwrap_or(MISSING);
        let mut row = vec![
            user.id.clone(),
            group.into(),
            format::count(user.train),
            format::count(user.eval),
        ];
        row.extend(shown.iter().map(|system| user_cell(system, &user.id)));
        table.rows.push(row);
    }
    Some(table.without_missing_columns())
}

fn has_users(system: &System) -> bool {
    !system.accuracy.per_user.is_empty() || !system.words.per_user.is_empty()
}

fn user_cell(system: &System, user: &str) -> String {
    let accuracy = format::decimal(system.accuracy.per_user.get(user).copied().flatten());
    match format::finite(system.words.per_user.get(user).copied().flatten()) {
        Some(words) => format!("{accuracy} · {words:.1} words"),
        None => accuracy,
    }
}
