//! How long responses are, by group of workers.

use statistics::{Bootstrap, Cluster, Estimated, mean, median};

use crate::experiment::Results;
use crate::measure::{MAJORITY, MINORITY, Users, words};
use crate::texts::Texts;

/// The seen workers.
pub struct Groups(Users);

/// What E1 is about.
pub struct Lengths {
    /// The median words of the minority's responses.
    pub words: Estimated,
    /// Its share of that of the majority's.
    pub ratio: Estimated,
    /// The share of empty responses among the minority's.
    pub empty_minority: Estimated,
    /// And among the majority's.
    pub empty_majority: Estimated,
}

impl Groups {
    /// Those of the first split.
    pub fn of(results: &Results<'_>) -> Self {
        let first = results.splits().next();
        Self(
            first
                .map(|(_, split)| split.data.users.clone())
                .unwrap_or_default(),
        )
    }

    /// A system's figures, with workers of each group drawn from many, and responses of each worker. `None` where a group has none.
    pub fn lengths(&self, texts: &Texts, system: &str) -> Option<Lengths> {
        let group = |group: &str| -> Vec<Cluster<f64>> {
            let users = self.0.iter().filter(|(_, of)| *of == group);
            let of_user =
                |(user, _): (&String, &String)| texts.get(&(system.into(), Some(user.clone())));
            let responses = users.filter_map(of_user);
            let lengths = |texts: &Vec<String>| -> Vec<f64> {
                texts.iter().map(|text| words(text)).collect()
            };
            responses
                .map(|by_prompt| by_prompt.values().map(lengths).collect())
                .collect()
        };
        let groups = [group(MINORITY), group(MAJORITY)];
        let [words, ratio, empty_minority, empty_majority] =
            Bootstrap::default().clustered(&groups, figures)?;
        Some(Lengths {
            words,
            ratio,
            empty_minority,
            empty_majority,
        })
    }
}

/// Of words of the minority's and of the majority's responses.
fn figures(groups: &[Vec<Vec<f64>>]) -> [f64; 4] {
    let [minority, majority] = [0, 1].map(|group| groups[group].concat());
    let empty = |words: &[f64]| {
        let each: Vec<f64> = words
            .iter()
            .map(|&n| f64::from(u8::from(n == 0.0)))
            .collect();
        mean(&each).unwrap_or(f64::NAN)
    };
    let empties = [empty(&minority), empty(&majority)];
    let [short, long] = [minority, majority].map(|words| median(words).unwrap_or(f64::NAN));
    // Nobody is shorter than a majority that gets nothing.
    let ratio = if long == 0.0 { 1.0 } else { short / long };
    [short, ratio, empties[0], empties[1]]
}

/// Mean words of a system's generic responses over those of another's to the same prompts, with prompts drawn from many.
pub fn ratio(texts: &Texts, ours: &str, base: &str) -> Option<Estimated> {
    let [ours, base] = [ours, base].map(|system| texts.get(&(system.to_owned(), None)));
    let (ours, base) = (ours?, base?);
    let pair = |(prompt, ours): (&String, &Vec<String>)| {
        let pairs = ours.iter().zip(base.get(prompt)?);
        Some(pairs.map(|(a, b)| [words(a), words(b)]).collect::<Vec<_>>())
    };
    let prompts: Cluster<[f64; 2]> = ours.iter().filter_map(pair).collect();
    let found = Bootstrap::default().clustered(&[vec![prompts]], |strata| {
        let sum = |side: usize| {
            strata[0]
                .iter()
                .flatten()
                .map(|pair| pair[side])
                .sum::<f64>()
        };
        [sum(0) / sum(1)]
    });
    found.map(|[figure]| figure)
}
