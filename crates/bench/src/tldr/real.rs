//! What real annotators chose: nobody is simulated, so nothing is claimed. Accuracies stand with their intervals, beside what others reach.

use std::collections::{BTreeMap, BTreeSet};

use statistics::Estimated;
use trainer::pref_data::Comparison;

use crate::claims::{Unit, VANILLA, over_users, pooled};
use crate::experiment::{Outcomes, Results};
use crate::measure::{Case, Users};
use crate::report::format::{MISSING, count};
use crate::report::{System, Table, Yardstick};

/// Accuracies of reward models on the annotators of PRISM, from the table in the repository of P-GenRM: one for all, fine-tuned on an LLM of 8
/// billion weights, and personalised ones.
const OF_OTHERS: &str = "On real annotators such accuracies are lower than on simulated ones. Of other implementations on PRISM's, P-GenRM's repository \
     lists 63.3 % for a fine-tuned reward model of 8 billion weights, and 57 to 68 % for personalised ones.";

/// Whether each comparison's pair was judged by several users, and not alike by all of them.
pub fn disputed(comparisons: &[Comparison]) -> Vec<Option<bool>> {
    type Judged<'a> = (BTreeSet<Option<&'a str>>, BTreeSet<&'a str>);
    let key = |comparison: &Comparison| {
        let (one, other) = (&comparison.chosen, &comparison.rejected);
        let pair = [one.min(other).clone(), one.max(other).clone()];
        (comparison.source.clone(), pair)
    };
    let mut pairs: BTreeMap<_, Judged<'_>> = BTreeMap::new();
    for comparison in comparisons {
        let (users, choices) = pairs.entry(key(comparison)).or_default();
        users.insert(comparison.user.as_ref().map(|user| user.as_str()));
        choices.insert(&comparison.chosen);
    }
    let each = comparisons.iter().map(|comparison| {
        let (users, choices) = pairs.get(&key(comparison))?;
        (users.len() > 1).then_some(choices.len() > 1)
    });
    each.collect()
}

/// A rule of thumb: every seen worker wants what that worker chose more often in training, the longer or the shorter summary; the others what all
/// of them together did.
pub fn own_length(train: &[Comparison], test: &[Comparison], users: &Users) -> Yardstick {
    let is_longer = |comparison: &Comparison| {
        let [chosen, rejected] =
            [&comparison.chosen, &comparison.rejected].map(|text| text.chars().count());
        chosen >= rejected
    };
    let mut longer: BTreeMap<&str, i64> = BTreeMap::new();
    for comparison in train {
        let user = comparison.user.as_ref().map_or("", |user| user.as_str());
        *longer.entry(user).or_default() += if is_longer(comparison) { 1 } else { -1 };
    }
    let of_all = longer.values().sum::<i64>() >= 0;
    let share = |seen: bool| {
        let side = test.iter().filter_map(|comparison| {
            let user = comparison.user.as_ref().map_or("", |user| user.as_str());
            let wants_longer = longer.get(user).map_or(of_all, |balance| *balance >= 0);
            let right = is_longer(comparison) == wants_longer;
            (users.contains_key(user) == seen).then(|| f64::from(u8::from(right)))
        });
        statistics::mean(&side.collect::<Vec<_>>())
    };
    Yardstick {
        top: share(true),
        generic: share(false),
        ..Yardstick::default()
    }
}

/// Accuracies with intervals, and how they differ from vanilla DPO's.
pub fn tables(results: &Results<'_>, systems: &[System]) -> Vec<Table> {
    let names: Vec<&System> = (systems.iter())
        .filter(|system| results.right(&system.name, |_| true).is_some())
        .collect();
    vec![accuracies(results, &names), differences(results, &names)]
}

/// What is looked at apart.
type Part = (&'static str, fn(&Case) -> bool);

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
        "With 95 % intervals over workers and their comparisons; a comparison that is on the test side of several splits counts in each. A pair is disputed \
         where workers who judged it chose differently, agreed where several chose the same. {OF_OTHERS}"
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
        let cells = PARTS.map(|(_, keep)| {
            let differences = results.differences(&system.name, VANILLA, keep);
            shown(differences.and_then(pooled), Unit::Points)
        });
        let name = [system.title().to_owned()];
        table.rows.push(name.into_iter().chain(cells).collect());
    }
    table
}

/// `61 % [57, 65] of 480`
fn cell(right: Option<Outcomes>) -> String {
    let Some(right) = right else {
        return MISSING.into();
    };
    let comparisons: usize = right.values().map(Vec::len).sum();
    match pooled(right) {
        None => MISSING.into(),
        Some(figure) => format!(
            "{} of {}",
            Unit::Percent.write(&figure),
            count(comparisons as u64)
        ),
    }
}

fn shown(figure: Option<Estimated>, unit: Unit) -> String {
    figure.map_or(MISSING.into(), |figure| unit.write(&figure))
}

#[cfg(test)]
mod tests;
