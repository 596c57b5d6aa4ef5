//! Systems on the same test comparisons, in every run.

use std::collections::BTreeMap;

use statistics::Cluster;

use super::{Results, SeedResult};
use crate::measure::Case;

/// By user: of each comparison, one value for every run; the mean, where it is on the test side of several splits.
pub type Outcomes = BTreeMap<String, Cluster<f64>>;

impl Results<'_> {
    /// How much oftener `ours` is right than `base` on every test comparison that `keep` keeps and both have a score of: 1, 0 or -1 in
    /// each run. `None` where a run lacks one of the two.
    pub fn differences(
        &self,
        ours: &str,
        base: &str,
        keep: impl Fn(&Case) -> bool,
    ) -> Option<Outcomes> {
        let difference = |run: &SeedResult| {
            let pairs = right(run, ours)?.into_iter().zip(right(run, base)?);
            Some(pairs.map(|(ours, base)| Some(ours? - base?)).collect())
        };
        self.outcomes(difference, keep)
    }

    /// Whether a system is right on every test comparison that `keep` keeps and that it has a score of: 1 or 0 in each run. `None` where
    /// a run lacks it.
    pub fn right(&self, system: &str, keep: impl Fn(&Case) -> bool) -> Option<Outcomes> {
        self.outcomes(|run| right(run, system), keep)
    }

    fn outcomes(
        &self,
        of_run: impl Fn(&SeedResult) -> Option<Vec<Option<f64>>>,
        keep: impl Fn(&Case) -> bool,
    ) -> Option<Outcomes> {
        let first = self.seeds.first()?;
        let runs: Vec<_> = self.seeds.iter().map(of_run).collect::<Option<_>>()?;
        let cases = first.splits.iter().flat_map(|split| &split.data.cases);
        // Of every pair of a user, the judgements: one on the test side of several splits is one, not several.
        let mut pairs: BTreeMap<(&str, u64), Cluster<f64>> = BTreeMap::new();
        for (number, case) in cases.enumerate().filter(|(_, case)| keep(case)) {
            let unit = runs.iter().map(|run| run.get(number).copied().flatten());
            if let Some(unit) = unit.collect::<Option<Vec<f64>>>() {
                pairs.entry((&case.user, case.pair)).or_default().push(unit);
            }
        }
        let mut found = Outcomes::new();
        for ((user, _), judged) in pairs {
            let mean = |run: usize| {
                let sum: f64 = judged.iter().map(|unit| unit[run]).sum();
                sum / judged.len() as f64
            };
            let unit = (0..runs.len()).map(mean).collect();
            found.entry(user.to_owned()).or_default().push(unit);
        }
        Some(found)
    }
}

/// 1 or 0 for every comparison of one run that the system has a score of.
fn right(run: &SeedResult, system: &str) -> Option<Vec<Option<f64>>> {
    let each = run.splits.iter().map(|split| {
        let system = split.systems.iter().find(|s| s.name == system)?;
        system.correct()
    });
    let each: Vec<Vec<Option<bool>>> = each.collect::<Option<_>>()?;
    let all = each.concat().into_iter();
    Some(
        all.map(|right| right.map(|right| f64::from(u8::from(right))))
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
        let right = results.right("base", |case| !case.seen).unwrap();
        assert_eq!(right["b"], [[1.0, 1.0]]);
    }

    #[test]
    fn a_comparison_in_two_splits_is_one() {
        let cases = [case("a", true)];
        let mut run = results(&cases, &[("ours", right(&[true]))]);
        let again = results(&cases, &[("ours", right(&[false]))]);
        run.splits.extend(again.splits);
        let found = Results { seeds: &[run] }.right("ours", |_| true).unwrap();
        assert_eq!(found["a"], [[0.5]]);
    }
}
