//! Claims of the paper that several experiments look at.

use crate::report::{Claim, System};

/// How much better than vanilla DPO a personalised system must be on the mean user.
const BETTER: f64 = 0.10;

/// Systems with a user model.
pub fn personalised(systems: &[System]) -> impl Iterator<Item = &System> {
    systems.iter().filter(|s| s.trainable.users.is_some())
}

/// A claim that lacks a number.
pub fn undecided(text: &str) -> Claim {
    Claim {
        holds: None,
        text: text.into(),
    }
}

/// E3: on the mean user, P-DPO is more accurate than vanilla DPO, which cannot serve opposite users.
pub fn per_user(systems: &[System]) -> Claim {
    let vanilla = systems.iter().find(|s| s.name == "vanilla-dpo");
    let Some((base, _)) = vanilla.and_then(mean_and_worst) else {
        return undecided("vanilla DPO was not evaluated");
    };
    let found: Vec<(&System, f64, f64)> = personalised(systems)
        .filter_map(|s| mean_and_worst(s).map(|(mean, worst)| (s, mean, worst)))
        .collect();
    if found.is_empty() {
        return undecided("no personalised system was evaluated");
    }
    let part = |(s, mean, worst): &(&System, f64, f64)| {
        format!(
            "{}: {:.1} % (worst user {:.1} %)",
            s.title(),
            100.0 * mean,
            100.0 * worst
        )
    };
    let parts: Vec<String> = found.iter().map(part).collect();
    Claim::new(
        found.iter().all(|(_, mean, _)| mean - base >= BETTER),
        format!(
            "Mean accuracy over users at least {:.0} points above vanilla DPO's {:.1} %: {}.",
            100.0 * BETTER,
            100.0 * base,
            parts.join("; ")
        ),
    )
}

fn mean_and_worst(system: &System) -> Option<(f64, f64)> {
    let values: Vec<f64> = system
        .accuracy
        .per_user
        .values()
        .copied()
        .flatten()
        .collect();
    let worst = values.iter().copied().reduce(f64::min)?;
    Some((statistics::mean(&values)?, worst))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Accuracy, Trainable};

    fn system(name: &str, users: [f64; 2]) -> System {
        let per_user = ["1", "2"].map(String::from).into_iter();
        System {
            name: name.into(),
            accuracy: Accuracy {
                per_user: per_user.zip(users.map(Some)).collect(),
                ..Default::default()
            },
            trainable: Trainable {
                llm: Some(1),
                users: name.starts_with("pdpo").then_some(1),
            },
            ..Default::default()
        }
    }

    #[test]
    fn e3_asks_for_ten_points_on_the_mean_user() {
        let vanilla = system("vanilla-dpo", [0.9, 0.1]);
        let better = system("pdpo-individual", [0.7, 0.7]);
        let equal = system("pdpo-individual", [0.6, 0.5]);
        assert_eq!(
            per_user(&[vanilla.clone(), better.clone()]).holds,
            Some(true)
        );
        assert_eq!(per_user(&[vanilla.clone(), equal]).holds, Some(false));
        assert_eq!(per_user(&[vanilla]).holds, None);
        assert_eq!(per_user(&[better]).holds, None);
    }
}
