//! The best of N responses by a reward model (best-of-N): what it is worth, how long it is, and whether its user prefers it to the first.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use statistics::{Bootstrap, Cluster, Estimated, mean, median};
use trainer::inference::best;

use crate::experiment::{Candidates, Results};
use crate::measure::words;
use crate::report::{BestOf, Estimate};

/// The group of the generic user.
const GENERIC: &str = "generic";
/// The group of users who have none.
const SEEN: &str = "seen users";

/// Which of two texts a user of a group prefers: the first, where it is greater; `None` where nobody knows.
pub type Prefers<'a> = &'a dyn Fn(&str, [&str; 2]) -> Option<Ordering>;

/// One choice among N.
#[derive(Clone, Copy)]
struct Choice {
    reward: f64,
    /// Over the first's.
    gain: f64,
    words: f64,
    /// Whether another text has the same reward.
    tied: f64,
    /// Whether its user prefers it to the first: 1, 0, or a half.
    win: Option<f64>,
}

/// Whose choices: reward model, writer and group.
type Whose = (String, String, String);
/// By user and prompt, the candidates in every seed.
type Found<'a> = BTreeMap<(Option<&'a str>, (usize, &'a str)), Vec<&'a Candidates>>;

/// Figures by reward model, writer, group and N; intervals are over seeds, users and prompts.
pub fn measured(results: &Results<'_>, counts: &[usize], prefers: Prefers<'_>) -> Vec<BestOf> {
    let mut all = Vec::new();
    for (whose, found) in gathered(results) {
        for &count in counts {
            all.extend(of_count(
                &whose,
                &found,
                (count, results.seeds.len()),
                prefers,
            ));
        }
    }
    all
}

fn gathered<'a>(results: &Results<'a>) -> BTreeMap<Whose, Found<'a>> {
    let mut gathered: BTreeMap<Whose, Found<'a>> = BTreeMap::new();
    for seed in results.seeds {
        for (number, split) in seed.splits.iter().enumerate() {
            for system in &split.systems {
                for candidates in &system.candidates {
                    let user = candidates.user.as_deref();
                    let group = match user {
                        None => GENERIC,
                        Some(user) => match split.data.users.get(user).map(String::as_str) {
                            None | Some("") => SEEN,
                            Some(group) => group,
                        },
                    };
                    let whose = (system.name.clone(), candidates.writer.clone(), group.into());
                    let found = gathered.entry(whose).or_default();
                    let prompt = (number, candidates.source.as_str());
                    found.entry((user, prompt)).or_default().push(candidates);
                }
            }
        }
    }
    gathered
}

/// None where a choice among so many was not made in every seed.
fn of_count(
    (system, writer, group): &Whose,
    found: &Found<'_>,
    (count, seeds): (usize, usize),
    prefers: Prefers<'_>,
) -> Option<BestOf> {
    let mut users: BTreeMap<Option<&str>, Cluster<Choice>> = BTreeMap::new();
    for ((user, _), of_seeds) in found.iter().filter(|(_, of)| of.len() == seeds) {
        let choices = of_seeds
            .iter()
            .map(|one| choice(one, count, group, prefers));
        users
            .entry(*user)
            .or_default()
            .push(choices.collect::<Option<_>>()?);
    }
    let users: Vec<Cluster<Choice>> = users.into_values().collect();
    let [reward, gain, tied, all_words, median_words] =
        Bootstrap::default().clustered(std::slice::from_ref(&users), |strata| {
            let all = || strata[0].iter().flatten();
            let of = |value: fn(&Choice) -> f64| -> Vec<f64> { all().map(value).collect() };
            let means: [fn(&Choice) -> f64; 4] =
                [|c| c.reward, |c| c.gain, |c| c.tied, |c| c.words];
            let [reward, gain, tied, words] =
                means.map(|value| mean(&of(value)).unwrap_or(f64::NAN));
            let median = median(of(|c| c.words)).unwrap_or(f64::NAN);
            [reward, gain, tied, words, median]
        })?;
    let prompts: BTreeSet<_> = found.keys().map(|(_, prompt)| prompt).collect();
    let estimate = |figure: Estimated| Estimate {
        value: Some(figure.value),
        low: Some(figure.interval.low),
        high: Some(figure.interval.high),
        n: prompts.len() as u64,
    };
    let preferred = wins(&users).filter(|_| count > 1);
    Some(BestOf {
        system: system.clone(),
        writer: writer.clone(),
        group: group.clone(),
        count: count as u64,
        kl_bound: kl_bound(count),
        reward: estimate(reward),
        gain: (count > 1).then(|| estimate(gain)),
        words: all_words.value,
        median_words: median_words.value,
        wins: preferred.map(|[wins, _]| estimate(wins)),
        even: preferred.map(|[_, even]| even.value),
        tied: tied.value,
    })
}

/// How often the chosen text is preferred to the first, ties as half, and how often neither is.
fn wins(users: &[Cluster<Choice>]) -> Option<[Estimated; 2]> {
    let of_unit = |unit: &Vec<Choice>| unit.iter().map(|choice| choice.win).collect();
    let of_user = |user: &Cluster<Choice>| user.iter().map(of_unit).collect();
    let users: Option<Vec<Cluster<f64>>> = users.iter().map(of_user).collect();
    Bootstrap::default().clustered(&[users?], |strata| {
        let all = strata[0].concat();
        let even: Vec<f64> = (all.iter().map(|win| f64::from(u8::from(*win == 0.5)))).collect();
        [&all, &even].map(|values| mean(values).unwrap_or(f64::NAN))
    })
}

/// The choice among the first N candidates; none where there are fewer.
fn choice(
    candidates: &Candidates,
    count: usize,
    group: &str,
    prefers: Prefers<'_>,
) -> Option<Choice> {
    let texts = candidates.texts.get(..count)?;
    let rewards = candidates.rewards.get(..count)?;
    let at = best(rewards)?;
    let (text, reward) = (&texts[at], rewards[at]);
    let mut others = texts.iter().zip(rewards);
    let tied = others.any(|(other, &same)| same == reward && other != text);
    let win = prefers(group, [text, &texts[0]]).map(|order| match order {
        Ordering::Greater => 1.0,
        Ordering::Equal => 0.5,
        Ordering::Less => 0.0,
    });
    Some(Choice {
        reward: f64::from(reward),
        gain: f64::from(reward - rewards[0]),
        words: words(text),
        tied: f64::from(u8::from(tied)),
        win,
    })
}

/// What the KL divergence of the best of N from one response is at most, in nats: `log N - (N - 1) / N` (Stiennon and others 2020,
/// arXiv 2009.01325; that it is a bound, Beirami and others 2024, arXiv 2401.01879).
fn kl_bound(count: usize) -> f64 {
    let n = count as f64;
    n.ln() - (n - 1.0) / n
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Measured;
    use crate::tests::with_users;

    fn candidates(user: &str, source: &str, texts: [&str; 4], rewards: [f32; 4]) -> Candidates {
        Candidates {
            writer: "sft".into(),
            user: (!user.is_empty()).then(|| user.into()),
            source: source.into(),
            texts: texts.map(String::from).to_vec(),
            rewards: rewards.to_vec(),
        }
    }

    fn shorter(group: &str, [one, other]: [&str; 2]) -> Option<Ordering> {
        (group == "minority").then(|| other.len().cmp(&one.len()))
    }

    #[test]
    fn of_more_responses_the_best_is_worth_more() {
        let texts = ["a b c", "a b", "a", "a b"];
        let measured_of = Measured {
            candidates: vec![
                candidates("1", "p", texts, [0.0, 1.0, 3.0, 1.0]),
                candidates("1", "q", texts, [5.0, 1.0, 3.0, 1.0]),
                candidates("", "p", texts, [0.0, 2.0, 0.0, 0.0]),
                candidates("", "q", texts, [0.0, 2.0, 0.0, 0.0]),
            ],
            ..Measured::default()
        };
        let seeds = [with_users(
            &[("1", "minority")],
            &[],
            &[("prm", measured_of)],
        )];
        let found = measured(&Results { seeds: &seeds }, &[1, 2, 4, 8], &shorter);
        let of = |group: &str, count| {
            let mut all = found.iter();
            all.find(|one| one.group == group && one.count == count)
        };
        let [one, two, four] = [1, 2, 4].map(|count| of("minority", count).unwrap());
        let rewards = [one, two, four].map(|of| of.reward.value.unwrap());
        assert_eq!(rewards, [2.5, 3.0, 4.0]);
        assert_eq!((one.gain, one.wins, one.words), (None, None, 3.0));
        // Of the two prompts one has a shorter response than the first, and one keeps the first: a win and a tie.
        assert_eq!(four.gain.unwrap().value, Some(1.5));
        assert_eq!(four.wins.unwrap().value, Some(0.75));
        assert_eq!((four.even, four.words), (Some(0.5), 2.0));
        assert!(of("minority", 8).is_none());
        let generic = of("generic", 4).unwrap();
        assert_eq!((generic.wins, generic.tied), (None, 0.0));
    }

    #[test]
    fn a_tie_is_of_different_texts() {
        let tied = |texts, rewards| {
            let of = candidates("", "p", texts, rewards);
            choice(&of, 4, "", &|_, _| None).unwrap().tied
        };
        assert_eq!(tied(["a", "b", "c", "d"], [1.0, 1.0, 0.0, 0.0]), 1.0);
        assert_eq!(tied(["a", "a", "c", "d"], [1.0, 1.0, 0.0, 0.0]), 0.0);
    }

    #[test]
    fn the_bound_is_nothing_for_one_response() {
        assert_eq!(kl_bound(1), 0.0);
        // log 4 is 1.386294, log 16 is 2.772589.
        assert!((kl_bound(4) - 0.636294).abs() < 1e-6);
        assert!((kl_bound(16) - 1.835089).abs() < 1e-6);
    }
}
