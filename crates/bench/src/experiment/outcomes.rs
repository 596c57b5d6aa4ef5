//! Two systems on the same test comparisons, in every run.

use std::collections::BTreeMap;

use statistics::Cluster;

use super::{Results, SeedResult};
use crate::measure::Case;

/// By user: of each comparison, one difference for every run.
pub type Differences = BTreeMap<String, Cluster<f64>>;

impl Results<'_> {
    /// How much oftener `ours` is right than `base` on every test comparison that `keep` keeps: 1, 0 or -1 in each run. `None` where a run
    /// lacks one of the two.
    pub fn differences(
        &self,
        ours: &str,
        base: &str,
        keep: impl Fn(&Case) -> bool,
    ) -> Option<Differences> {
        let first = self.seeds.first()?;
        let runs: Vec<Vec<f64>> = (self.seeds.iter())
            .map(|run| difference(run, ours, base))
            .collect::<Option<_>>()?;
        let cases = first.splits.iter().flat_map(|split| &split.data.cases);
        let mut found = Differences::new();
        for (number, case) in cases.enumerate().filter(|(_, case)| keep(case)) {
            let unit = runs.iter().map(|run| run.get(number).copied());
            let units = found.entry(case.user.clone()).or_default();
            units.push(unit.collect::<Option<_>>()?);
        }
        Some(found)
    }
}

/// Of every comparison of one run.
fn difference(run: &SeedResult, ours: &str, base: &str) -> Option<Vec<f64>> {
    let right = |system: &str| {
        let each = run.splits.iter().map(|split| {
            let system = split.systems.iter().find(|s| s.name == system)?;
            system.correct()
        });
        let each: Vec<Vec<bool>> = each.collect::<Option<_>>()?;
        Some(each.concat())
    };
    let (ours, base): (Vec<bool>, Vec<bool>) = (right(ours)?, right(base)?);
    let pairs = ours.into_iter().zip(base);
    Some(
        pairs
            .map(|(a, b)| f64::from(u8::from(a)) - f64::from(u8::from(b)))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{case, results, right};

    #[test]
    fn comparisons_are_paired_by_user_over_splits_and_runs() {
        let cases = [case("a", true), case("b", false), case("a", true)];
        let run = |ours: [bool; 3], base: [bool; 3]| {
            results(&cases, &[("ours", right(&ours)), ("base", right(&base))])
        };
        let seeds = [
            run([true, true, false], [false, true, true]),
            run([true, false, false], [true, true, false]),
        ];
        let results = Results { seeds: &seeds };
        let found = results.differences("ours", "base", |_| true).unwrap();
        assert_eq!(found["a"], [[1.0, 0.0], [-1.0, 0.0]]);
        assert_eq!(found["b"], [[0.0, -1.0]]);
        let seen = results
            .differences("ours", "base", |case| case.seen)
            .unwrap();
        assert_eq!(seen.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(results.differences("ours", "sft", |_| true), None);
    }
}
