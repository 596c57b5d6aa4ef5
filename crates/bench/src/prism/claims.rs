//! What the PRISM experiment asks: is the personalised model better on users it knows, and no worse on others?

use statistics::{Estimated, Interval};

use crate::claims::{Building, VANILLA, over_users, pooled};
use crate::experiment::Results;
use crate::report::{Claim, System};

/// How much worse on unseen users still counts as not worse.
const NEAR: f64 = 0.03;
/// Systems whose users are judged: clusters, as in the paper, or individual users where a preset has no clusters.
const OURS: [(&str, &str); 2] = [
    ("pdpo-cluster", "P-DPO cluster"),
    ("pdpo-individual", "P-DPO individual"),
];
const MISSING: &str = "vanilla DPO and P-DPO were not both evaluated on such users";

/// P-DPO is more accurate than vanilla DPO on the mean seen user.
pub fn seen(results: &Results<'_>, systems: &[System]) -> Claim {
    let (ours, label) = judged(systems);
    let statement =
        format!("On the mean of the seen users {label} is more accurate than vanilla DPO");
    let differences = results.differences(ours, VANILLA, |case| case.seen);
    claim(
        &statement,
        ours,
        systems,
        differences.and_then(over_users),
        |interval| interval.is_above(0.0),
    )
}

/// P-DPO is not worse than vanilla DPO on unseen users, whom both know by their texts alone.
pub fn unseen(results: &Results<'_>, systems: &[System]) -> Claim {
    let (ours, label) = judged(systems);
    let statement = format!(
        "On unseen users {label} is at most {:.0} points below vanilla DPO",
        100.0 * NEAR
    );
    let differences = results.differences(ours, VANILLA, |case| !case.seen);
    claim(
        &statement,
        ours,
        systems,
        differences.and_then(pooled),
        |interval| interval.lies_in(-NEAR, f64::INFINITY),
    )
}

/// The first of [`OURS`] that was evaluated, and its name in words; where none was, the first.
fn judged(systems: &[System]) -> (&'static str, &'static str) {
    let evaluated = |name| systems.iter().any(|system| system.name == name);
    let mut found = OURS.into_iter().filter(|(name, _)| evaluated(*name));
    found.next().unwrap_or(OURS[0])
}

fn claim(
    statement: &str,
    ours: &str,
    systems: &[System],
    figure: Option<Estimated>,
    holds: impl Fn(&Interval) -> Option<bool>,
) -> Claim {
    let mut claim = Building::new(statement);
    let ours = systems.iter().find(|system| system.name == ours);
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
        claims_of("pdpo-cluster", more)
    }

    fn claims_of(ours: &str, more: [i32; 2]) -> [Claim; 2] {
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
            (ours, right(&first(more.map(|more| 2 + more)))),
        ];
        let seeds = [results(&cases, &systems)];
        let (results, systems) = (Results { seeds: &seeds }, [system(VANILLA), system(ours)]);
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
    fn individual_users_are_judged_where_there_are_no_clusters() {
        let [seen, unseen] = claims_of("pdpo-individual", [2, 1]);
        assert!(seen.text.contains("P-DPO individual"), "{}", seen.text);
        assert_eq!((seen.holds, unseen.holds), (Some(true), Some(true)));
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
        let claim = seen(&Results { seeds: &seeds }, &[system(VANILLA)]);
        assert_eq!(claim.verdict(), "not measured");
    }
}
