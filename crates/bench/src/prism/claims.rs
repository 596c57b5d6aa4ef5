//! What the PRISM experiment asks: is the cluster model better on users it knows, and no worse on others?

use statistics::{Estimated, Interval};

use crate::claims::{Building, VANILLA, over_users, pooled};
use crate::experiment::Results;
use crate::report::{Claim, System};

/// How much worse on unseen users still counts as not worse.
const NEAR: f64 = 0.03;
const OURS: &str = "pdpo-cluster";
const MISSING: &str = "vanilla DPO and P-DPO cluster were not both evaluated on such users";

/// P-DPO cluster is more accurate than vanilla DPO on the mean seen user.
pub fn seen(results: &Results<'_>, systems: &[System]) -> Claim {
    let statement = "On the mean of the seen users P-DPO cluster is more accurate than vanilla DPO";
    let differences = results.differences(OURS, VANILLA, |case| case.seen);
    claim(
        statement,
        systems,
        differences.and_then(over_users),
        |interval| interval.is_above(0.0),
    )
}

/// P-DPO cluster is not worse than vanilla DPO on unseen users, whom both know by their texts alone.
pub fn unseen(results: &Results<'_>, systems: &[System]) -> Claim {
    let statement = format!(
        "On unseen users P-DPO cluster is at most {:.0} points below vanilla DPO",
        100.0 * NEAR
    );
    let differences = results.differences(OURS, VANILLA, |case| !case.seen);
    claim(
        &statement,
        systems,
        differences.and_then(pooled),
        |interval| interval.lies_in(-NEAR, f64::INFINITY),
    )
}

fn claim(
    statement: &str,
    systems: &[System],
    figure: Option<Estimated>,
    holds: impl Fn(&Interval) -> Option<bool>,
) -> Claim {
    let mut claim = Building::new(statement);
    let ours = systems.iter().find(|system| system.name == OURS);
    if let Some(system) = ours {
        claim.against_vanilla(system, figure, holds, "");
    }
    claim.finish(MISSING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{case, results, right, system};

    /// Of each of ten users, one more or less of five comparisons than vanilla DPO's 2 is right, in turns of `more`.
    fn claims(more: [i32; 2]) -> [Claim; 2] {
        let ids: Vec<String> = (0..10).map(|user| format!("u{user}")).collect();
        let of = |seen: bool| {
            ids.iter()
                .flat_map(move |id| (0..5).map(move |_| case(id, seen)))
        };
        let cases: Vec<_> = of(true).chain(of(false)).collect();
        let first = |counts: [i32; 2]| -> Vec<bool> {
            (0..100)
                .map(|i| i % 5 < counts[(i / 5 % 2) as usize])
                .collect()
        };
        let systems = [
            (VANILLA, right(&first([2, 2]))),
            (OURS, right(&first(more.map(|more| 2 + more)))),
        ];
        let seeds = [results(&cases, &systems)];
        let (results, systems) = (Results { seeds: &seeds }, [system(VANILLA), system(OURS)]);
        [seen(&results, &systems), unseen(&results, &systems)]
    }

    #[test]
    fn seen_users_must_gain_by_more_than_chance() {
        assert_eq!(claims([2, 1])[0].holds, Some(true));
        let mixed = claims([2, -1]);
        assert_eq!(mixed[0].holds, None, "{}", mixed[0].text);
        assert_eq!(claims([-1, -1])[0].holds, Some(false));
    }

    #[test]
    fn unseen_users_may_lose_three_points() {
        assert_eq!(claims([0, 0])[1].holds, Some(true));
        assert_eq!(claims([-1, -2])[1].holds, Some(false));
        let mixed = claims([1, -1]);
        assert_eq!(mixed[1].holds, None, "{}", mixed[1].text);
    }

    #[test]
    fn without_both_systems_nothing_is_measured() {
        let seeds = [results(&[case("a", true)], &[(VANILLA, right(&[true]))])];
        let claim = seen(&Results { seeds: &seeds }, &[system(VANILLA), system(OURS)]);
        assert_eq!(claim.verdict(), "not measured");
    }
}
