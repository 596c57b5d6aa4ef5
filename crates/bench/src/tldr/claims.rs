//! The two behaviours that the paper claims of generated text and of the generic user.

use crate::claims::{personalised, undecided};
use crate::report::{Claim, System};

/// Minority users' responses may be at most this share of the majority's length for E1 to be seen.
const SHORT: f64 = 0.5;
/// How far the generic user's accuracy may be from vanilla DPO's for E2 to be seen.
const NEAR: f64 = 0.05;

/// E1: the minority gets short, even empty responses, the majority long ones.
pub fn e1(systems: &[System]) -> Claim {
    let measured: Vec<(&System, f64, f64)> = personalised(systems)
        .filter_map(|s| Some((s, s.words.minority?, s.words.majority?)))
        .collect();
    if measured.is_empty() {
        return undecided("no personalised system was sampled from");
    }
    let parts: Vec<String> = measured
        .iter()
        .map(|(s, minority, majority)| {
            format!(
                "{}: minority {minority:.1} words, majority {majority:.1} (ratio {:.2})",
                s.title(),
                minority / majority
            )
        })
        .collect();
    let holds = measured
        .iter()
        .all(|(_, minority, majority)| *minority <= SHORT * majority);
    Claim::new(
        holds,
        format!(
            "Minority users get at most half as many words: {}.",
            parts.join("; ")
        ),
    )
}

/// E2: the generic user behaves as vanilla DPO does.
pub fn e2(systems: &[System]) -> Claim {
    let vanilla = systems.iter().find(|s| s.name == "vanilla-dpo");
    let Some((vanilla, Some(base))) = vanilla.map(|v| (v, v.accuracy.generic)) else {
        return undecided("vanilla DPO was not evaluated on unseen workers");
    };
    let measured: Vec<(&System, f64)> = personalised(systems)
        .filter_map(|s| Some((s, s.accuracy.generic?)))
        .collect();
    if measured.is_empty() {
        return undecided("no personalised system was evaluated on unseen workers");
    }
    let words = |s: &System| s.words.generic.map_or("-".into(), |w| format!("{w:.1}"));
    let parts: Vec<String> = measured
        .iter()
        .map(|(s, accuracy)| {
            format!(
                "{}: {:.1} %, {} words",
                s.title(),
                100.0 * accuracy,
                words(s)
            )
        })
        .collect();
    let holds = measured
        .iter()
        .all(|(_, accuracy)| (accuracy - base).abs() <= NEAR);
    Claim::new(
        holds,
        format!(
            "On unseen workers the generic user is within {:.0} points of vanilla DPO ({:.1} %, {} words): {}.",
            100.0 * NEAR,
            100.0 * base,
            words(vanilla),
            parts.join("; ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Accuracy, ByGroup, Trainable};

    fn system(name: &str, generic: f64, minority: f64, majority: f64) -> System {
        System {
            name: name.into(),
            accuracy: Accuracy {
                generic: Some(generic),
                ..Default::default()
            },
            words: ByGroup {
                minority: Some(minority),
                majority: Some(majority),
                ..Default::default()
            },
            trainable: Trainable {
                llm: Some(1),
                users: (name != "vanilla-dpo").then_some(1),
            },
            ..Default::default()
        }
    }

    #[test]
    fn e1_needs_minority_responses_of_at_most_half_the_length() {
        assert_eq!(
            e1(&[system("pdpo-individual", 0.6, 5.0, 10.0)]).holds,
            Some(true)
        );
        assert_eq!(
            e1(&[system("pdpo-individual", 0.6, 5.1, 10.0)]).holds,
            Some(false)
        );
        assert_eq!(e1(&[]).holds, None);
    }

    #[test]
    fn e2_needs_a_generic_accuracy_near_vanilla() {
        let vanilla = system("vanilla-dpo", 0.64, 0.0, 0.0);
        let near = system("pdpo-cluster", 0.60, 0.0, 0.0);
        let far = system("pdpo-cluster", 0.55, 0.0, 0.0);
        assert_eq!(e2(&[vanilla.clone(), near]).holds, Some(true));
        assert_eq!(e2(&[vanilla, far.clone()]).holds, Some(false));
        assert_eq!(e2(&[far]).holds, None);
    }
}
