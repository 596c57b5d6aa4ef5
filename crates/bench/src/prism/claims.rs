//! What the PRISM experiment asks: is the cluster model better on users it knows, and no worse on others?

use crate::claims::undecided;
use crate::report::{Claim, System};

/// How much worse on unseen users still counts as not worse.
const NEAR: f64 = 0.03;
const OURS: &str = "pdpo-cluster";
const BASE: &str = "vanilla-dpo";

/// P-DPO cluster is more accurate than vanilla DPO on seen users: on the mean user, and by more than chance among users.
pub fn seen(systems: &[System], seed: u64) -> Claim {
    let Some((ours, base)) = pair(systems) else {
        return undecided("vanilla DPO and P-DPO cluster were not both evaluated");
    };
    let users = ours.accuracy.per_user.iter();
    let differences: Vec<f64> = users
        .filter_map(|(user, value)| Some((*value)? - (*base.accuracy.per_user.get(user)?)?))
        .collect();
    let interval = statistics::bootstrap_mean(&differences, 2000, seed);
    let (Some(mean), Some(interval), Some(top), Some(base_top)) = (
        statistics::mean(&differences),
        interval,
        ours.accuracy.top,
        base.accuracy.top,
    ) else {
        return undecided("no seen user has held-out comparisons");
    };
    Claim::new(
        mean > 0.0 && interval.low > 0.0,
        format!(
            "On seen users P-DPO cluster is more accurate than vanilla DPO: {:.1} % against {:.1} % of all comparisons; on \
             the mean of {} users {:+.1} points [{:+.1}, {:+.1}].",
            100.0 * top,
            100.0 * base_top,
            differences.len(),
            100.0 * mean,
            100.0 * interval.low,
            100.0 * interval.high
        ),
    )
}

/// P-DPO cluster is not worse than vanilla DPO on unseen users, whom both know by their texts alone.
pub fn unseen(systems: &[System]) -> Claim {
    let Some((ours, base)) = pair(systems) else {
        return undecided("vanilla DPO and P-DPO cluster were not both evaluated");
    };
    let (Some(ours), Some(base)) = (ours.accuracy.generic, base.accuracy.generic) else {
        return undecided("no unseen user has comparisons");
    };
    Claim::new(
        ours >= base - NEAR,
        format!(
            "On unseen users P-DPO cluster is at most {:.0} points below vanilla DPO: {:.1} % against {:.1} %.",
            100.0 * NEAR,
            100.0 * ours,
            100.0 * base
        ),
    )
}

fn pair(systems: &[System]) -> Option<(&System, &System)> {
    let find = |name: &str| systems.iter().find(|s| s.name == name);
    Some((find(OURS)?, find(BASE)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Accuracy;

    fn system(name: &str, users: [f64; 4], generic: f64) -> System {
        let ids = ["a", "b", "c", "d"].map(String::from);
        System {
            name: name.into(),
            accuracy: Accuracy {
                top: statistics::mean(&users),
                generic: Some(generic),
                per_user: ids.into_iter().zip(users.map(Some)).collect(),
                ..Default::default()
            },
            ..Default::default()
        }
    }

    #[test]
    fn seen_users_must_gain_by_more_than_chance() {
        let base = system(BASE, [0.5; 4], 0.6);
        let better = system(OURS, [0.7, 0.6, 0.8, 0.7], 0.6);
        let mixed = system(OURS, [1.0, 0.1, 0.9, 0.2], 0.6);
        assert_eq!(seen(&[base.clone(), better], 0).holds, Some(true));
        assert_eq!(seen(&[base.clone(), mixed], 0).holds, Some(false));
        assert_eq!(seen(&[base], 0).holds, None);
    }

    #[test]
    fn unseen_users_may_lose_three_points() {
        let base = system(BASE, [0.5; 4], 0.60);
        let near = system(OURS, [0.5; 4], 0.58);
        let far = system(OURS, [0.5; 4], 0.56);
        assert_eq!(unseen(&[base.clone(), near]).holds, Some(true));
        assert_eq!(unseen(&[base, far]).holds, Some(false));
    }
}
