//! The personalised reward model (P-RM, appendix F.2 of the paper) beside P-DPO, which rewards implicitly.

use statistics::{Estimated, Interval};

use super::{Building, Part, Unit, differences};
use crate::experiment::{Outcomes, Results};
use crate::report::{Claim, System, Table};

/// How much less accurate than P-DPO a reward model may be.
const LESS: f64 = 0.03;

/// What the names of reward models and of P-DPO begin with, before the kind of their users.
const NAMES: [&str; 2] = ["prm-", "pdpo-"];

/// Each personalised reward model with the P-DPO system of the same kind of users: `prm-individual`, and `prm-individual-head`, with
/// `pdpo-individual`.
fn beside(systems: &[System]) -> Vec<(&System, &System)> {
    let kind =
        |system: &System, place: usize| system.name.strip_prefix(NAMES[place]).map(str::to_owned);
    let personal = |system: &&System| system.trainable.users.is_some();
    let (ours, base): (Vec<_>, Vec<_>) =
        (systems.iter().filter(personal)).partition(|system| system.head.is_some());
    let of = |system: &'_ System| {
        let own = kind(system, 0)?;
        let same = base.iter().filter(|base| {
            let kind = kind(base, 1);
            kind.is_some_and(|kind| own == kind || own.starts_with(&format!("{kind}-")))
        });
        same.max_by_key(|base| base.name.len()).copied()
    };
    let pairs = ours.into_iter();
    pairs
        .filter_map(|system| Some((system, of(system)?)))
        .collect()
}

/// On seen users a reward model is as accurate as P-DPO, or hardly less; `figure` is the mean over users. None where no system is a reward
/// model.
pub fn claim(
    results: &Results<'_>,
    systems: &[System],
    figure: fn(Outcomes) -> Option<Estimated>,
) -> Option<(&'static str, Claim)> {
    systems.iter().find(|system| system.head.is_some())?;
    let mut claim = Building::new(format!(
        "On seen users a personalised reward model is at most {:.0} points less accurate than P-DPO (95 % interval of the difference)",
        100.0 * LESS
    ));
    for (ours, base) in beside(systems) {
        let differences = results.differences(&ours.name, &base.name, |case| case.seen);
        let Some(figure) = differences.and_then(figure) else {
            continue;
        };
        let holds = |interval: &Interval| interval.lies_in(-LESS, f64::INFINITY);
        let more = format!(" against {}", base.title());
        let what = format!("accuracy minus that of {}", base.title());
        let holds = holds(&figure.interval);
        claim.add(ours, (&what, Unit::Points), figure, holds, &more);
    }
    Some((
        "p-rm",
        claim.finish("a personalised reward model and P-DPO with the same kind of users were not both evaluated"),
    ))
}

/// The same difference on each of several parts; none where there is no pair.
pub fn table(results: &Results<'_>, systems: &[System], parts: &[Part]) -> Option<Table> {
    let note = "In points of a hundred, with 95 % intervals over users and their comparisons.";
    let mut table = Table::new("Reward models against P-DPO", note, &["system", "against"]);
    table
        .columns
        .extend(parts.iter().map(|(name, _)| (*name).to_owned()));
    for (ours, base) in beside(systems) {
        let names = [ours, base].map(|system| system.title().to_owned());
        let cells = differences(results, (&ours.name, &base.name), parts);
        table.rows.push(names.into_iter().chain(cells).collect());
    }
    (!table.rows.is_empty()).then(|| table.without_missing_columns())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::pooled;
    use crate::tests::{case, results, right, system};

    fn reward_model(name: &str) -> System {
        let mut system = system(name);
        (system.head, system.trainable.users) = (Some("scalar".into()), Some(1));
        system
    }

    /// So many users with ten comparisons each, of which so many are right.
    fn claim_of(users: usize, pdpo: usize, prm: usize) -> Claim {
        let users: Vec<String> = (0..users).map(|user| format!("u{user}")).collect();
        let cases: Vec<_> = (users.iter())
            .flat_map(|user| (0..10).map(|_| case(user, true)))
            .collect();
        let first =
            |count: usize| -> Vec<bool> { (0..10 * users.len()).map(|i| i % 10 < count).collect() };
        let systems = [
            ("pdpo-individual", right(&first(pdpo))),
            ("prm-individual", right(&first(prm))),
        ];
        let seeds = [results(&cases, &systems)];
        let systems = [system("pdpo-individual"), reward_model("prm-individual")];
        claim(&Results { seeds: &seeds }, &systems, pooled)
            .unwrap()
            .1
    }

    #[test]
    fn a_reward_model_may_be_three_points_less_accurate() {
        let same = claim_of(20, 9, 9);
        assert_eq!((same.holds, same.findings[0].value), (Some(true), 0.0));
        assert_eq!(claim_of(20, 9, 10).holds, Some(true));
        let worse = claim_of(20, 9, 6);
        assert_eq!(worse.holds, Some(false), "{}", worse.text);
        assert!((worse.findings[0].value + 0.3).abs() < 1e-12);
        // One of ten less for each of few users: perhaps by more than three points.
        let open = claim_of(3, 9, 8);
        assert_eq!(open.holds, None, "{}", open.text);
    }

    #[test]
    fn a_reward_model_stands_beside_p_dpo_with_its_kind_of_users() {
        let systems = [
            system("vanilla-dpo"),
            system("pdpo-individual"),
            system("pdpo-cluster"),
            reward_model("prm-individual-head"),
            reward_model("prm-cluster"),
            reward_model("prm-uniform"),
        ];
        let pairs = beside(&systems).into_iter();
        let names: Vec<[&str; 2]> = pairs.map(|(a, b)| [&*a.name, &*b.name]).collect();
        assert_eq!(
            names,
            [
                ["prm-individual-head", "pdpo-individual"],
                ["prm-cluster", "pdpo-cluster"]
            ]
        );
        let none = Results { seeds: &[] };
        assert!(claim(&none, &systems[..3], pooled).is_none());
        let (_, claim) = claim(&none, &systems, pooled).unwrap();
        assert_eq!(claim.verdict(), "not measured");
    }
}
