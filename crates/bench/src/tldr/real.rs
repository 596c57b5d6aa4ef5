//! What real annotators chose: nobody is simulated, so nothing is claimed. Accuracies stand with their intervals, beside what others reach.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use trainer::pref_data::{Comparison, UserId};

use crate::claims::{self, Part, Unit, VANILLA, over_users, pooled, shown};
use crate::experiment::{Outcomes, Results};
use crate::measure::{Case, Users, pair};
use crate::report::format::{MISSING, count};
use crate::report::{System, Table, Yardstick};

/// What other implementations reach on real annotators: the public table in the repository of P-GenRM, of reward models on users of PRISM.
const OF_OTHERS: &str = "For comparison, on other annotators, with larger models: the table in P-GenRM's repository has, for users of PRISM, 63.3 % of a \
     fine-tuned reward model of 8 billion weights and 57 to 68 % of personalised ones. \"own length\" is a rule of thumb: what each worker chose more often in training, \
     the longer or the shorter summary. Of an adapter for each worker, weights, steps and time are sums over workers, KL and loss means over seen ones.";

/// The pairs that several users judged, and whether not all judgements are alike.
pub fn disputed(comparisons: &[Comparison]) -> HashMap<u64, bool> {
    type Judged<'a> = (BTreeSet<Option<&'a UserId>>, BTreeSet<&'a str>);
    let mut pairs: BTreeMap<u64, Judged<'_>> = BTreeMap::new();
    for comparison in comparisons {
        let (users, choices) = pairs.entry(pair(comparison)).or_default();
        users.insert(comparison.user.as_ref());
        choices.insert(&comparison.chosen);
    }
    let by_several = pairs.into_iter().filter(|(_, (users, _))| users.len() > 1);
    by_several
        .map(|(pair, (_, choices))| (pair, choices.len() > 1))
        .collect()
}

/// A rule of thumb: every seen worker wants what that worker chose more often in training, the longer or the shorter summary; the others what all
/// of them together did. It is not right about equally long ones.
pub fn own_length(train: &[Comparison], test: &[Comparison], users: &Users) -> Yardstick {
    let longer_by = |comparison: &Comparison| {
        let (chosen, rejected) = comparison.lengths();
        chosen.cmp(&rejected) as i64
    };
    let user = |comparison: &Comparison| comparison.user.as_ref().map(UserId::to_string);
    let mut balance: BTreeMap<Option<String>, i64> = BTreeMap::new();
    for comparison in train {
        *balance.entry(user(comparison)).or_default() += longer_by(comparison);
    }
    let of_all: i64 = balance.values().sum();
    let share = |seen: bool| {
        let right = test.iter().filter_map(|comparison| {
            let user = user(comparison);
            let wanted = balance.get(&user).copied().unwrap_or(of_all);
            let wanted = if wanted < 0 { -1 } else { 1 };
            let is_seen = user.is_some_and(|user| users.contains_key(&user));
            (is_seen == seen).then(|| f64::from(u8::from(longer_by(comparison) == wanted)))
        });
        statistics::mean(&right.collect::<Vec<_>>())
    };
    Yardstick {
        top: share(true),
        generic: share(false),
        ..Yardstick::default()
    }
}

/// Accuracies with intervals, and how they differ from vanilla DPO's, of what was measured.
pub fn tables(results: &Results<'_>, systems: &[System]) -> Vec<Table> {
    let measured: Vec<&System> = (systems.iter())
        .filter(|system| results.right(&system.name, |_| true).is_some())
        .collect();
    let tables = [
        accuracies(results, &measured),
        differences(results, &measured),
    ];
    let tables = tables.into_iter().map(Table::without_missing_columns);
    let tables = tables.filter(|table| table.columns.len() > 1);
    tables
        .chain(claims::prm::table(results, systems, &PARTS))
        .collect()
}

const PARTS: [Part; 4] = [
    ("seen workers", |case| case.seen),
    ("unseen workers", |case| !case.seen),
    ("disputed pairs, seen", |case| {
        case.seen && case.disputed == Some(true)
    }),
    ("agreed pairs, seen", |case| {
        case.seen && case.disputed == Some(false)
    }),
];

fn accuracies(results: &Results<'_>, systems: &[&System]) -> Table {
    let note = format!(
        "The number of comparisons, and 95 % intervals over workers and their comparisons; one that is on the test side of several splits counts once, by its mean. \
         A pair is disputed where not all of the workers who judged it chose alike, agreed where several did. {OF_OTHERS}"
    );
    let columns = ["system", "mean seen worker"];
    let mut table = Table::new("Accuracy on real annotators", &note, &columns);
    let parts = PARTS.map(|(name, _)| name.to_owned());
    table.columns.splice(1..1, parts);
    for system in systems {
        let right = |keep: fn(&Case) -> bool| results.right(&system.name, keep);
        let mut row = vec![system.title().to_owned()];
        row.extend(PARTS.map(|(_, keep)| cell(right(keep))));
        let mean = right(|case| case.seen).and_then(over_users);
        row.push(shown(mean, Unit::Percent));
        table.rows.push(row);
    }
    table
}

fn differences(results: &Results<'_>, systems: &[&System]) -> Table {
    let note = "In points of a hundred, with 95 % intervals, on the comparisons that both have a score of.";
    let mut table = Table::new("Difference from vanilla DPO", note, &["system"]);
    table.columns.extend(PARTS.map(|(name, _)| name.to_owned()));
    for system in systems.iter().filter(|system| system.name != VANILLA) {
        let cells = claims::differences(results, (&system.name, VANILLA), &PARTS);
        let name = [system.title().to_owned()];
        table.rows.push(name.into_iter().chain(cells).collect());
    }
    table
}

/// `480: 61 % [57, 65]`
fn cell(right: Option<Outcomes>) -> String {
    let Some(right) = right else {
        return MISSING.into();
    };
    let comparisons: usize = right.values().map(Vec::len).sum();
    match pooled(right) {
        None => MISSING.into(),
        Some(figure) => {
            let number = count(comparisons as u64);
            format!("{number}: {}", Unit::Percent.write(&figure))
        }
    }
}

#[cfg(test)]
mod tests;
